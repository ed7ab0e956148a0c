"""Onomast: named-entity recognition when labels are scarce.

The public names are loaded when first used: `import onomast` imports no torch and no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onomast._version import __version__

if TYPE_CHECKING:
    from onomast.corpus import Corpus
    from onomast.data.formats.registry import read, write
    from onomast.errors import DataError, MissingExtra, ModelError, OnomastError, RecipeError
    from onomast.evaluation.report import Report, evaluate
    from onomast.recipe import Recipe, read_recipe
    from onomast.sentence import Sentence, Span
    from onomast.tagger import History, Tagger
    from onomast.taggers.registry import load_tagger, new_tagger
    from onomast.tags import TagScheme

_HOME = {
    "Corpus": "corpus",
    "read": "data.formats.registry",
    "write": "data.formats.registry",
    "DataError": "errors",
    "MissingExtra": "errors",
    "ModelError": "errors",
    "OnomastError": "errors",
    "RecipeError": "errors",
    "Report": "evaluation.report",
    "evaluate": "evaluation.report",
    "Recipe": "recipe",
    "read_recipe": "recipe",
    "Sentence": "sentence",
    "Span": "sentence",
    "History": "tagger",
    "Tagger": "tagger",
    "load_tagger": "taggers.registry",
    "new_tagger": "taggers.registry",
    "TagScheme": "tags",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'onomast' has no attribute {name!r}")
    return getattr(import_module(f"onomast.{_HOME[name]}"), name)
