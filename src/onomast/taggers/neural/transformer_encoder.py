"""TransformerEncoder: a pre-trained Hugging Face encoder; one vector per word, however long the sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onomast.errors import RecipeError
from onomast.layers.mix import ScalarMix
from onomast.pretrained.hub import read_encoder, restored_encoder, save_encoder
from onomast.pretrained.subwords import Ids, WordPieces, chunks_of
from onomast.recipe import Neural, Part
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import EncoderState, language_index
from onomast.taggers.neural.vocabulary import SHAPE_BUCKETS, shape_id
from onomast.training.optimizers import ParameterGroup


@dataclass(frozen=True)
class SubwordBatch:
    """A batch: the sub-words of its words."""

    sentences: list[Ids]
    """Sub-words of each of B sentences, without special ones"""
    counts: Ids
    """(W,) sub-words of each word of the batch, in order; at least 1"""
    shapes: Tensor
    """(W,) buckets of the words' shapes; empty where the recipe has none"""
    mask: Tensor
    """(B, T) bool, True where a word is real"""
    language: int
    """index of the batch's language in the encoder's languages"""


class TransformerEncoder(nn.Module):
    """A pre-trained encoder, one vector per word of its sub-words' vectors, of one layer or a mix of all.

    Fulfils `encoder.Encoder`. `width` is that of a hidden vector.
    """

    def __init__(self, recipe: Neural, languages: tuple[str, ...], model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.recipe = recipe
        self.languages = languages
        self.settings = recipe.pretrained
        self.model: Any = model
        self.tokenizer = tokenizer
        self.pieces = WordPieces(tokenizer)
        self.width = int(self.model.config.hidden_size)
        self.size = _window(self.model, self.pieces, self.settings.window)
        """Sub-words that the encoder takes at once, special ones not counted."""
        layers = self._layers()
        if isinstance(self.settings.layer, int):
            if not 1 <= self.settings.layer <= len(layers):
                raise RecipeError(
                    f"{self.settings.layer} is no layer of this encoder; it has 1 to {len(layers)}",
                    key="neural.pretrained.layer",
                )
            del layers[self.settings.layer :]
            self.model.config.num_hidden_layers = len(layers)
        self.mix = ScalarMix(layers=len(layers) + 1) if self.settings.layer == "mix" else None
        self.shapes: nn.Embedding | None = None
        if self.settings.shape_width:
            self.width += self.settings.shape_width
            self.shapes = nn.Embedding(SHAPE_BUCKETS, self.settings.shape_width)
            nn.init.normal_(self.shapes.weight, std=0.1)
        self.dropout = nn.Dropout(self.settings.dropout)
        self.one_language = len(languages) > 1 and "transitions" not in recipe.sharing
        self._freeze()
        if self.settings.checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})

    @classmethod
    def pretrained(cls, recipe: Neural, languages: tuple[str, ...]) -> TransformerEncoder:
        """The encoder that the recipe names, as many top layers reinitialised as it says.

        Raises ModelError, RecipeError.
        """
        encoder = cls(recipe, languages, *read_encoder(recipe.pretrained.model))
        layers = encoder._layers()
        if not 0 <= recipe.pretrained.reinitialize <= len(layers):
            raise RecipeError(f"the encoder has {len(layers)} layers", key="neural.pretrained.reinitialize")
        for layer in layers[len(layers) - recipe.pretrained.reinitialize :]:
            _reinitialise(layer, float(getattr(encoder.model.config, "initializer_range", 0.02)))
        return encoder

    @classmethod
    def saved(cls, recipe: Neural, state: Mapping[str, Any], folder: Path) -> TransformerEncoder:
        """The encoder of a tagger's folder, its weights not yet loaded."""
        return cls(recipe, tuple(state["languages"]), *restored_encoder(folder))

    def train(self, mode: bool = True) -> TransformerEncoder:
        """Switch between training and tagging; an encoder that does not learn has no dropout."""
        super().train(mode)
        if self.settings.frozen == "all":
            self.model.eval()
        return self

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """Sub-words of each sentence."""
        return [sum(map(len, self.pieces.of(sentence.tokens))) for sentence in sentences]

    def prepare(self, sentences: Sequence[Sentence]) -> SubwordBatch:
        """Cut the words of B sentences (each of one token or more) into sub-words."""
        rows, counts = [], []
        mask = torch.zeros(len(sentences), max(map(len, sentences)), dtype=torch.bool)
        for index, sentence in enumerate(sentences):
            words = self.pieces.of(sentence.tokens)
            rows.append(np.array([piece for word in words for piece in word], np.int64))
            counts += [len(word) for word in words]
            mask[index, : len(sentence)] = True
        device = next(self.model.parameters()).device
        shaped = [word for sentence in sentences for word in sentence.tokens] if self.shapes is not None else []
        return SubwordBatch(
            rows,
            np.array(counts, np.int64),
            torch.tensor([shape_id(word) for word in shaped], dtype=torch.long, device=device),
            mask.to(device),
            language_index(self.languages, sentences[0]),
        )

    def forward(self, inputs: SubwordBatch) -> tuple[Tensor, Tensor]:
        """SubwordBatch -> hidden vectors (B, T, D), 0 at padding, and mask (B, T)."""
        words = self._words(inputs)
        if self.shapes is not None:
            words = torch.cat([words, self.shapes(inputs.shapes).to(words.dtype)], -1)
        words = self.dropout(words)  # (W, D)
        hidden = words.new_zeros(*inputs.mask.shape, self.width)
        hidden[inputs.mask] = words
        return hidden, inputs.mask

    def _words(self, inputs: SubwordBatch) -> Tensor:
        """(W, D) vectors of the words of a batch, in order."""
        ends = np.cumsum(inputs.counts)
        wanted = np.ones(int(ends[-1]), bool)
        if self.settings.pooling != "mean":
            wanted[:] = False
            wanted[ends - inputs.counts if self.settings.pooling == "first" else ends - 1] = True
        marks = np.split(wanted, np.cumsum([len(row) for row in inputs.sentences])[:-1])
        vectors, places = [], []
        for chunk in chunks_of(inputs.sentences, marks, self.pieces, self.size):
            hidden = self._hidden(
                *(torch.from_numpy(array).to(inputs.mask.device) for array in (chunk.ids, chunk.attended))
            )
            vectors.append(hidden[torch.from_numpy(chunk.rows), torch.from_numpy(chunk.columns)])  # (K, D)
            places.append(chunk.wanted)
        order = torch.from_numpy(np.argsort(np.concatenate(places))).to(inputs.mask.device)
        subwords = torch.cat(vectors)  # of all chunks
        if self.settings.pooling != "mean":
            return subwords[order]
        starts = torch.from_numpy(ends - inputs.counts).to(order.device)
        return nn.functional.embedding_bag(order, subwords, starts, mode="mean")

    def _hidden(self, ids: Tensor, attended: Tensor) -> Tensor:
        """Sub-words (N, S) and 1 where they are real -> (N, S, D), of the recipe's layer."""
        learns = self.settings.frozen != "all"
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            output = self.model(input_ids=ids, attention_mask=attended, output_hidden_states=self.mix is not None)
        hidden: Tensor = output.last_hidden_state if self.mix is None else self.mix(output.hidden_states)
        return hidden

    def named_parts(self) -> dict[Part, list[nn.Module]]:
        """The modules that each name of a part in a recipe stands for."""
        return {"words": [self.model.embeddings], "encoder": [self]}

    def parameter_groups(self) -> dict[str, ParameterGroup]:
        """Layer by layer a lower rate, from the top to the embeddings; no decay of biases and norms."""
        depths = {id(value): depth for depth, layer in enumerate(self._layers(), 1) for value in layer.parameters()}
        for value in self.model.embeddings.parameters():
            depths[id(value)] = 0
        top = len(self._layers())
        # What belongs to no layer (DeBERTa's relative positions) is as deep as the embeddings.
        return {
            f"model.{name}": ParameterGroup(
                self.settings.depth_decay ** (top - depths.get(id(value), 0)), decays=value.dim() > 1
            )
            for name, value in self.model.named_parameters()
        }

    def state(self) -> EncoderState:
        """The languages; configuration and tokenizer are written as files."""
        return EncoderState(
            {"languages": list(self.languages)},
            write_files=lambda folder: save_encoder(self.model, self.tokenizer, folder),
        )

    def _layers(self) -> nn.ModuleList:
        number = self.model.config.num_hidden_layers
        for module in self.model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == number:
                return module
        raise RecipeError(
            f"{type(self.model).__name__} has no list of layers; take an encoder of the families BERT, RoBERTa, "
            "XLM-R, DeBERTa or ELECTRA",
            key="neural.pretrained.model",
        )

    def _freeze(self) -> None:
        frozen = self.settings.frozen
        if frozen == "none":
            return
        layers = self._layers()
        if isinstance(frozen, int) and not 0 <= frozen <= len(layers):
            raise RecipeError(f"the encoder has {len(layers)} layers", key="neural.pretrained.frozen")
        parts = [self.model] if frozen == "all" else [self.model.embeddings]
        parts += layers[:frozen] if isinstance(frozen, int) else []
        for part in parts:
            part.requires_grad_(False)


def _window(model: Any, pieces: WordPieces, wished: int) -> int:
    """Sub-words that go through the encoder at once, special ones not counted."""
    config, frame = model.config, len(pieces.before) + len(pieces.after)
    positions = int(getattr(config, "max_position_embeddings", 512))
    table = getattr(model.embeddings, "position_embeddings", None)
    if table is not None and getattr(table, "padding_idx", None) is not None:
        positions -= table.padding_idx + 1  # RoBERTa numbers positions from there
    limit = positions - frame
    if wished and not 2 <= wished <= limit:
        raise RecipeError(
            f"{wished} sub-words cannot be read at once; this encoder takes 2 to {limit}",
            key="neural.pretrained.window",
        )
    return wished or limit


def _reinitialise(layer: nn.Module, deviation: float) -> None:
    """Draw new weights for a layer, as for the pre-training of BERT and its relatives."""
    for module in layer.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
