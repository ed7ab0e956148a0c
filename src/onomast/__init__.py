"""Onomast: named-entity recognition when labels are scarce.

    model = onomast.train("train.conll", test="test.conll", out="model")
    model.entities("Asha alisafiri kwenda Dodoma.")
    report = onomast.load("model").evaluate("test.conll")

The public names are loaded when first used: `import onomast` imports no torch and no numpy. Notes and progress go to
the logger `onomast`, which is silent until the program configures logging.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from onomast._version import __version__

if TYPE_CHECKING:
    from onomast.apps.api import compare, evaluate, load, read, train, write
    from onomast.apps.model import Entities, Entity, Model
    from onomast.corpus import Corpus
    from onomast.errors import DataError, MissingExtra, ModelError, OnomastError, RecipeError
    from onomast.evaluation.report import Report
    from onomast.recipe import Recipe, read_recipe
    from onomast.sentence import Sentence, Span
    from onomast.tagger import History, Tagger
    from onomast.taggers.registry import load_tagger, new_tagger
    from onomast.tags import TagScheme

_HOME = {
    "train": "apps.api",
    "load": "apps.api",
    "read": "apps.api",
    "write": "apps.api",
    "evaluate": "apps.api",
    "compare": "apps.api",
    "Model": "apps.model",
    "Entity": "apps.model",
    "Entities": "apps.model",
    "Sentence": "sentence",
    "Span": "sentence",
    "Corpus": "corpus",
    "TagScheme": "tags",
    "Report": "evaluation.report",
    "Recipe": "recipe",
    "read_recipe": "recipe",
    "Tagger": "tagger",
    "History": "tagger",
    "new_tagger": "taggers.registry",
    "load_tagger": "taggers.registry",
    "OnomastError": "errors",
    "DataError": "errors",
    "RecipeError": "errors",
    "ModelError": "errors",
    "MissingExtra": "errors",
}

__all__ = ["__version__", *_HOME]

logging.getLogger("onomast").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'onomast' has no attribute {name!r}")
    value = getattr(import_module(f"onomast.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
