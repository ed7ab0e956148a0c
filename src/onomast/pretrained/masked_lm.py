"""Masked-language modelling of raw text: sub-words hidden at random, and a `training.Task` that learns to tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from onomast.layers.heads import MaskedHead
from onomast.pretrained.subwords import WordPieces
from onomast.training.optimizers import ParameterGroup
from onomast.training.precision import product_precision

_UNSEEN = -100  # id at the places that are not asked for
_EVERY = 100  # one line in so many is held out
_LARGEST_HELD_OUT = 48  # windows of a language
_AT_ONCE = 16  # held-out windows read at once

Precision = Literal["auto", "single", "bf16"]


@dataclass(frozen=True)
class Stream:
    """A language's text, one sub-word after the other; a separator ends each line."""

    ids: npt.NDArray[np.int32]
    """(N,) sub-words"""
    starts: npt.NDArray[np.bool_]
    """(N,) True where a word begins"""
    lines: int
    words: int
    unknown: int
    """Sub-words that the vocabulary does not have."""


@dataclass(frozen=True)
class Masking:
    """How text is cut and hidden."""

    block: int = 128
    """Sub-words read at once, special ones included."""
    share: float = 0.15
    """Of the sub-words: how many are asked for. Of these 80 % are hidden, 10 % another one, 10 % as they were."""
    unit: Literal["word", "subword"] = "word"
    """Whether all sub-words of a word are asked for together."""


def stream_of(lines: Iterable[Sequence[str]], pieces: WordPieces) -> Stream:
    """The sub-words of lines of words."""
    separator = pieces.after[-1] if pieces.after else pieces.unknown
    ids: list[npt.NDArray[np.int32]] = []
    starts: list[npt.NDArray[np.bool_]] = []
    lines_read = words = unknown = 0
    for line in lines:
        cut = pieces.of(line)
        row = np.array([piece for word in cut for piece in word] + [separator], np.int32)
        mark = np.zeros(len(row), bool)
        mark[np.cumsum([0, *(len(word) for word in cut)])] = True
        ids.append(row)
        starts.append(mark)
        lines_read += 1
        words += len(line)
        unknown += int((row[:-1] == pieces.unknown).sum())
    if not ids:
        return Stream(np.zeros(0, np.int32), np.zeros(0, bool), 0, 0, 0)
    return Stream(np.concatenate(ids), np.concatenate(starts), lines_read, words, unknown)


def is_held_out(checksum: int) -> bool:
    """Whether the line of this checksum is only for measuring; the same line always goes the same way."""
    return checksum % _EVERY == 0


class MaskedText:
    """A `training.Task`: each step reads windows of the languages' text, drawn at random.

    `parameter_groups` are those of the encoder; an epoch has `rows` windows.
    """

    def __init__(
        self,
        module: MaskedModel,
        text: Mapping[str, Stream],
        held_out: Mapping[str, Stream],
        pieces: WordPieces,
        masking: Masking,
        *,
        rows: int,
        smoothing: float = 0.7,
        precision: Precision = "auto",
        parameter_groups: Mapping[str, ParameterGroup] | None = None,
    ) -> None:
        self.module = module
        self.pieces, self.masking, self.precision = pieces, masking, precision
        inner = masking.block - len(pieces.before) - len(pieces.after)
        self._windows = {name: _Windows(stream, inner) for name, stream in text.items() if len(stream.ids)}
        sizes = torch.tensor([float(len(text[name].ids)) for name in self._windows])
        self._chances = sizes.pow(smoothing) / sizes.pow(smoothing).sum()
        self._held_out = {name: _Windows(stream, inner) for name, stream in held_out.items() if len(stream.ids)}
        self.lengths = [masking.block] * rows
        self._parameter_groups = parameter_groups or {}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        named = self.module.named_parameters()
        return {name: ParameterGroup(decays=value.dim() > 1) for name, value in named} | dict(self._parameter_groups)

    def minimum_f1(self) -> float:
        """There is none."""
        return 0.0

    def loss(self, indices: Sequence[int], done: float) -> Tensor:  # noqa: ARG002 - the shape of Task
        """() cross-entropy of as many windows as there are indices."""
        drawn = torch.multinomial(self._chances, len(indices), replacement=True)
        windows = list(self._windows.values())
        rows = [windows[int(choice)].draw() for choice in drawn]
        hidden, asked = self._masked(torch.stack([ids for ids, _ in rows]), torch.stack([number for _, number in rows]))
        with product_precision(self.precision, next(self.module.parameters()).device):
            scores = self.module(hidden, asked != _UNSEEN)
        return nn.functional.cross_entropy(scores.float(), asked[asked != _UNSEEN])

    def score(self) -> Mapping[str, float]:
        """Mean loss and accuracy at the masked places of held-out text, all languages alike."""
        figures = [self.measure(name) for name in self._held_out]
        if not figures:
            return {}
        loss, accuracy = (sum(column) / len(figures) for column in zip(*figures, strict=True))
        return {"dev_loss": loss, "masked_accuracy": accuracy}

    def measure(self, name: str) -> tuple[float, float]:
        """Mean loss and accuracy at the masked places of a language's held-out text; always the same places."""
        windows = self._held_out[name]
        count = min(_LARGEST_HELD_OUT, windows.whole)
        losses, right, total = 0.0, 0, 0
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(0)
            self.module.eval()
            for first in range(0, count, _AT_ONCE):
                rows = [windows.at(place, count) for place in range(first, min(count, first + _AT_ONCE))]
                ids, asked = self._masked(torch.stack([row[0] for row in rows]), torch.stack([row[1] for row in rows]))
                with product_precision(self.precision, next(self.module.parameters()).device):
                    scores = self.module(ids, asked != _UNSEEN).float()
                gold = asked[asked != _UNSEEN]
                losses += float(nn.functional.cross_entropy(scores, gold, reduction="sum"))
                right += int((scores.argmax(-1) == gold).sum())
                total += len(gold)
        return losses / total, right / total

    def _masked(self, ids: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """(N, S) sub-words and the number of each's word -> framed: what is read, and what is asked for."""
        units = words if self.masking.unit == "word" else torch.arange(ids.shape[1]).expand_as(ids)
        draws = torch.rand(ids.shape[0], ids.shape[1] + 1)
        chosen = draws.gather(1, units) < self.masking.share
        chosen &= ids != self._separator()
        if not bool(chosen.any()):
            chosen[0, 0] = True
        asked = ids.masked_fill(~chosen, _UNSEEN)
        kind = torch.rand(ids.shape)
        others = torch.randint(self.module.vocabulary, ids.shape)
        read = torch.where(chosen & (kind < 0.8), self.pieces.mask, ids)  # type: ignore[arg-type]
        read = torch.where(chosen & (kind >= 0.9), others, read)
        return self._framed(read, self.pieces.before, self.pieces.after), self._framed(
            asked, [_UNSEEN] * len(self.pieces.before), [_UNSEEN] * len(self.pieces.after)
        )

    def _separator(self) -> int:
        return self.pieces.after[-1] if self.pieces.after else self.pieces.unknown

    def _framed(self, inner: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
        left, right = (torch.tensor(list(side), dtype=torch.long).expand(len(inner), -1) for side in (before, after))
        return torch.cat([left, inner, right], 1).to(next(self.module.parameters()).device)


class MaskedModel(nn.Module):
    """An encoder of Hugging Face and the head that tells its hidden sub-words."""

    def __init__(self, encoder: Any, head: MaskedHead | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        embeddings = self._embeddings()
        self.vocabulary = embeddings.shape[0]
        self.head = head or new_head(encoder)

    def forward(self, ids: Tensor, asked: Tensor) -> Tensor:
        """Sub-words (N, S) and where they are asked for (N, S), in M places -> (M, V) scores."""
        hidden = self.encoder(input_ids=ids).last_hidden_state
        scores: Tensor = self.head(hidden[asked], self._embeddings())
        return scores

    def _embeddings(self) -> Tensor:
        found: Tensor = self.encoder.get_input_embeddings().weight
        return found


def new_head(encoder: Any) -> MaskedHead:
    """An untrained head for an encoder of Hugging Face."""
    vocabulary, embedding = encoder.get_input_embeddings().weight.shape
    config = encoder.config
    epsilon = float(getattr(config, "layer_norm_eps", 1e-12))
    return MaskedHead(width=int(config.hidden_size), embedding=embedding, vocabulary=vocabulary, epsilon=epsilon)


class _Windows:
    """Windows of `size` sub-words of a stream; each begins with a word. A short text is repeated."""

    def __init__(self, stream: Stream, size: int) -> None:
        times = -(-size // len(stream.ids))
        self.ids = torch.from_numpy(np.tile(stream.ids, times))
        starts = np.tile(stream.starts, times)
        self.words = torch.from_numpy(np.cumsum(starts, dtype=np.int32))
        places = np.flatnonzero(starts)
        self.starts = torch.from_numpy(places[places <= len(starts) - size])
        if not len(self.starts):
            self.starts = torch.zeros(1, dtype=torch.long)
        self.size = size
        self.whole = max(1, len(stream.ids) // size)
        """Windows that the text fills."""

    def draw(self) -> tuple[Tensor, Tensor]:
        """A random one: (S,) sub-words, (S,) the number of each's word, from 0."""
        return self._of(int(torch.randint(len(self.starts), ())))

    def at(self, place: int, count: int) -> tuple[Tensor, Tensor]:
        """One of `count` that are spread over the text."""
        return self._of(place * len(self.starts) // count)

    def _of(self, number: int) -> tuple[Tensor, Tensor]:
        start = int(self.starts[number])
        words = self.words[start : start + self.size]
        return self.ids[start : start + self.size].long(), (words - words[0]).long()
