"""An encoder of Hugging Face that is only read: sentences -> vectors of some of its layers, one for each word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from onomast.errors import RecipeError
from onomast.pretrained.architecture import layers_of, window_of
from onomast.pretrained.hub import read_encoder
from onomast.pretrained.subwords import WordPieces, chunks_of

Words = Sequence[str]

_CHUNK = 2048  # sub-words, padding included, that go through the encoder at once; more are slower on a CPU


@dataclass(frozen=True)
class Reading:
    """How an encoder's layers become a word's vectors."""

    layers: tuple[int, ...]
    """Numbers of layers from 1; 0: the embeddings. Empty: the embeddings and every layer."""
    pooling: Literal["first", "mean", "last"] = "mean"
    """Which of a word's sub-words gives its vector, or the mean of all."""
    window: int = 0
    """Sub-words read at once; 0: as many as the encoder takes."""
    precision: Literal["auto", "single", "bf16"] = "auto"
    """Of the products: `auto` is bf16 where the processor or the GPU has instructions for it."""


class FrozenEncoder:
    """Encoder and tokenizer of a folder, without the layers above those that are read.

    Raises ModelError for a folder that holds no encoder, RecipeError for layers that it does not have.
    """

    def __init__(self, folder: Path, reading: Reading, *, bf16: bool) -> None:
        model, self.tokenizer = read_encoder(str(folder))
        self.pieces = WordPieces(self.tokenizer)
        layers = layers_of(model)
        self.layers = reading.layers or tuple(range(len(layers) + 1))
        if not all(0 <= number <= len(layers) for number in self.layers):
            raise RecipeError(
                f"names layers {list(self.layers)}; expected numbers from 0 to {len(layers)}, the layers that the "
                "encoder has",
                key="neural.context.layers",
            )
        del layers[max(self.layers) :]
        model.config.num_hidden_layers = len(layers)  # type: ignore[union-attr]
        self.window = window_of(model, self.pieces, reading.window, key="neural.context.window")
        self.pooling = reading.pooling
        self.bf16 = bf16
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model: Any = model.to(self.device).eval().requires_grad_(False)

    def __call__(self, sentences: Sequence[Words]) -> list[npt.NDArray[np.float16]]:
        """For each sentence (T words) its words' vectors (T, L, D), each layer of mean 0 and variance 1."""
        rows, counts = [], []
        for words in sentences:
            cut = self.pieces.of(words)
            rows.append(np.array([piece for word in cut for piece in word], np.int64))
            counts += [len(word) for word in cut]
        ends = np.cumsum(counts)
        if not counts:
            return [np.zeros((0, len(self.layers), int(self.model.config.hidden_size)), np.float16) for _ in sentences]
        wanted = np.ones(int(ends[-1]), bool)
        if self.pooling != "mean":
            wanted[:] = False
            wanted[ends - counts if self.pooling == "first" else ends - 1] = True
        marks = np.split(wanted, np.cumsum([len(row) for row in rows])[:-1])
        found = self._vectors(rows, marks)  # (wanted, L, D)
        if self.pooling == "mean":
            starts = torch.from_numpy(ends - counts).to(found.device)
            pooled = nn.functional.embedding_bag(
                torch.arange(len(found), device=found.device), found.flatten(1), starts, mode="mean"
            )
            found = pooled.view(-1, *found.shape[1:])
        normed = nn.functional.layer_norm(found, found.shape[-1:]).half().cpu().numpy()  # (W, L, D)
        return np.split(normed, np.cumsum([len(words) for words in sentences])[:-1])

    def _vectors(self, rows: Sequence[npt.NDArray[np.int64]], marks: Sequence[npt.NDArray[np.bool_]]) -> Tensor:
        """(K, L, D) of the K marked sub-words, in order."""
        vectors, places = [], []
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            for chunk in chunks_of(rows, marks, self.pieces, self.window, most=_CHUNK):
                ids, attended = (torch.from_numpy(array).to(self.device) for array in (chunk.ids, chunk.attended))
                hidden = self.model(input_ids=ids, attention_mask=attended, output_hidden_states=True).hidden_states
                at = torch.from_numpy(chunk.rows), torch.from_numpy(chunk.columns)
                vectors.append(torch.stack([hidden[number][at] for number in self.layers], 1).float())
                places.append(chunk.wanted)
        order = torch.from_numpy(np.argsort(np.concatenate(places))).to(self.device)
        return torch.cat(vectors)[order]


def computes_bf16() -> bool:
    """Whether this machine has instructions for bf16 products; on others it is slow."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
