"""scikit-learn: `OnomastTagger`, an estimator whose X are sentences (lists of tokens) and y their IOB2 tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.evaluation.report import evaluate
from onomast.recipe import read_recipe
from onomast.sentence import Sentence
from onomast.taggers.registry import new_tagger

Tokens = Sequence[str]
Tags = Sequence[str]


class OnomastTagger(BaseEstimator):  # type: ignore[misc]
    """A tagger of a recipe; it works in `cross_val_score`, `GridSearchCV` and `Pipeline`.

    Args:
        recipe: a name of `onomast recipes`, or a TOML file.
        changes: fields of the recipe to change, such as `{"linear.c2": "0.5"}`.
        seed: of everything random in training.

    After `fit`, `tagger_` is the tagger and `classes_` its labels.
    """

    def __init__(self, recipe: str = "crf", changes: Mapping[str, Any] | None = None, seed: int = 0) -> None:
        self.recipe = recipe
        self.changes = changes
        self.seed = seed

    def fit(self, X: Sequence[Tokens], y: Sequence[Tags]) -> OnomastTagger:  # noqa: N803 - scikit-learn's names
        """Train on sentences X with tags y. Raises DataError for numbers or lengths that differ."""
        changes = {name: str(value) for name, value in (self.changes or {}).items()}
        tagger = new_tagger(read_recipe(self.recipe, {**changes, "seed": str(self.seed)}))
        tagger.fit(Corpus("X", tuple(_labelled(X, y))))
        self.tagger_ = tagger
        self.classes_ = tagger.scheme.labels
        return self

    def predict(self, X: Sequence[Tokens]) -> list[list[str]]:  # noqa: N803
        """The IOB2 tags of sentences X."""
        return [[tag or "O" for tag in sentence.tags or ()] for sentence in self._tagged(X)]

    def predict_confidence(self, X: Sequence[Tokens]) -> list[list[float]]:  # noqa: N803
        """The probability of each predicted tag."""
        return [list(sentence.confidence or ()) for sentence in self._tagged(X)]

    def score(self, X: Sequence[Tokens], y: Sequence[Tags]) -> float:  # noqa: N803
        """Micro-averaged F1 of entities, in [0, 1]."""
        return float(evaluate(list(_labelled(X, y)), self._tagged(X)).micro.f1)

    def _tagged(self, sentences: Sequence[Tokens]) -> list[Sentence]:
        if not hasattr(self, "tagger_"):
            raise NotFittedError("this OnomastTagger is not fitted yet; call fit first")
        return list(self.tagger_.tag([Sentence(tuple(tokens)) for tokens in sentences]))


def _labelled(sentences: Sequence[Tokens], tags: Sequence[Tags]) -> list[Sentence]:
    if len(sentences) != len(tags):
        raise DataError(f"X has {len(sentences)} sentences and y {len(tags)}; expected as many")
    return [Sentence(tuple(tokens), tuple(row)) for tokens, row in zip(sentences, tags, strict=True)]
