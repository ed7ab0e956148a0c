"""A word's frozen contextual vectors, made narrow: the part `context` of LSTMEncoder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onomast.errors import ModelError, RecipeError
from onomast.layers.mix import ScalarMix
from onomast.pretrained.contextual import ContextualVectors
from onomast.pretrained.frozen_encoder import Reading
from onomast.pretrained.hub import FOLDER, copy_encoder, encoder_folder, read_sizes
from onomast.recipe import Context
from onomast.sentence import Sentence


class ContextPart(nn.Module):
    """Vectors of some layers, side by side or mixed -> dropout -> a learnt linear map.

    `width` is that of a word's vector. The vectors themselves are no part of the module: they do not learn.
    """

    def __init__(self, settings: Context, vectors: ContextualVectors) -> None:
        super().__init__()
        self.settings = settings
        self.vectors = vectors
        layers, width = _shape(settings, vectors.folder)
        self.mix = ScalarMix(layers=layers) if settings.layers == "mix" or settings.combine == "mix" else None
        self.dropout = nn.Dropout(settings.dropout)
        self.projection = nn.Linear(width if self.mix else layers * width, settings.width)
        self.width = settings.width

    def prepare(self, sentences: Sequence[Sentence], device: torch.device) -> Tensor:
        """(B, T, L, D) vectors of the words of B sentences, 0 at padding."""
        rows = self.vectors.of([sentence.tokens for sentence in sentences])
        padded = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), np.float16)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
        return torch.from_numpy(padded).to(device)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, L, D) -> (B, T, width)."""
        vectors = vectors.float()
        read = self.mix(vectors.unbind(2)) if self.mix is not None else vectors.flatten(2)
        projected: Tensor = self.projection(self.dropout(read))
        return projected

    def state(self) -> dict[str, Any]:
        """What names the encoder, for vocabulary.json."""
        return {"model": self.settings.model, "sha256": self.vectors.hash}

    def write_files(self, folder: Path) -> list[str]:
        """With `with_encoder`, copy the encoder into a tagger's folder; returns the names of the files."""
        return copy_encoder(self.vectors.folder, folder) if self.settings.with_encoder else []


def new_vectors(settings: Context) -> ContextualVectors:
    """Those of the encoder that a recipe names. Raises RecipeError where it names none, ModelError without it."""
    if not settings.model:
        raise RecipeError(
            "is empty, but the encoder's order names context; give --encoder with a folder or a name on the hub",
            key="neural.context.model",
        )
    return ContextualVectors(settings.model, _reading(settings))


def saved_vectors(settings: Context, state: Mapping[str, Any], folder: Path) -> ContextualVectors:
    """Those of a saved tagger's encoder, which must have the hash that the tagger names. Raises ModelError."""
    found = _saved_encoder(settings, folder)
    vectors = ContextualVectors(settings.model, _reading(settings), state["sha256"], folder=found)
    vectors.remembers = False  # text that is tagged once would fill the disk
    return vectors


def _saved_encoder(settings: Context, folder: Path) -> Path:
    """Where the encoder of a saved tagger is: in its folder, where `$ONOMAST_ENCODER` says, or under its name.

    Raises ModelError.
    """
    inside = folder / FOLDER
    if (inside / "config.json").is_file():
        return inside
    try:
        return encoder_folder(os.environ.get("ONOMAST_ENCODER") or settings.model)
    except ModelError as error:
        raise ModelError(
            f"needs this encoder to tag: {error}; or set ONOMAST_ENCODER to a folder that holds the encoder, or save "
            "the tagger with --with-encoder",
            folder=folder,
        ) from None


def _reading(settings: Context) -> Reading:
    layers = () if settings.layers == "mix" else settings.layers
    if settings.layers != "mix" and not layers:
        raise RecipeError('is empty; expected numbers of layers, or "mix"', key="neural.context.layers")
    return Reading(layers, settings.pooling, settings.window, settings.precision)


def _shape(settings: Context, folder: Path) -> tuple[int, int]:
    """How many layers are read, and the width of each."""
    layers, width = read_sizes(folder)
    return (layers + 1 if settings.layers == "mix" else len(settings.layers)), width
