"""What all families of encoders have in common: a list of layers, and a longest input."""

from __future__ import annotations

from typing import Any

from torch import nn

from onomast.errors import RecipeError
from onomast.pretrained.subwords import WordPieces


def layers_of(model: Any) -> nn.ModuleList:
    """The layers of an encoder of Hugging Face, the lowest first. Raises RecipeError where there is no such list."""
    number = model.config.num_hidden_layers
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == number:
            return module
    raise RecipeError(
        f"{type(model).__name__} has no list of layers; take an encoder of the families BERT, RoBERTa, XLM-R, DeBERTa "
        "or ELECTRA",
        key="neural.pretrained.model",
    )


def window_of(model: Any, pieces: WordPieces, wanted: int, *, key: str) -> int:
    """Sub-words that go through the encoder at once, special ones not counted; `wanted` 0: as many as it takes.

    Raises RecipeError, naming `key`, for more than it takes.
    """
    config, frame = model.config, len(pieces.before) + len(pieces.after)
    positions = int(getattr(config, "max_position_embeddings", 512))
    table = getattr(model.embeddings, "position_embeddings", None)
    if table is not None and getattr(table, "padding_idx", None) is not None:
        positions -= table.padding_idx + 1  # RoBERTa numbers positions from there
    limit = positions - frame
    if wanted and not 2 <= wanted <= limit:
        raise RecipeError(f"{wanted} sub-words cannot be read at once; this encoder takes 2 to {limit}", key=key)
    return wanted or limit
