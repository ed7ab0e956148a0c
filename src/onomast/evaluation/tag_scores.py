"""Scores of single tags, `O` included: accuracy, macro and weighted F1. Papers report them; entities matter more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onomast.evaluation.counting import Score
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE, Orphan, Style, Tags, convert


@dataclass(frozen=True)
class TagScores:
    """Every annotated token is one decision; equal to sklearn.metrics with `labels` = the tags that occur in gold."""

    scheme: Style
    tags: Mapping[str, Score]
    """Score of each tag that occurs in gold."""
    accuracy: float

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the tags that occur in gold, all counting the same."""
        return sum(score.f1 for score in self.tags.values()) / max(len(self.tags), 1)

    @property
    def weighted_f1(self) -> float:
        """Mean F1 of the tags, each weighted by its number of gold tokens."""
        tokens = sum(score.gold for score in self.tags.values())
        return sum(score.f1 * score.gold for score in self.tags.values()) / max(tokens, 1)


def score_tags(gold: Sequence[Sentence], predicted: Sequence[Sentence], scheme: Style, orphan: Orphan) -> TagScores:
    """Compare tags written in `scheme`; tokens that are not annotated are left out, a predicted `None` is `O`."""
    ids: dict[str, int] = {}
    cells: list[tuple[int, int]] = []
    for one, other in zip(gold, predicted, strict=True):
        if one.tags is None:
            continue
        pairs = zip(_written(one.tags, scheme, orphan), _written(other.tags or (), scheme, orphan), strict=True)
        for right, guessed in pairs:
            if right is not None:
                cells.append((ids.setdefault(right, len(ids)), ids.setdefault(guessed or OUTSIDE, len(ids))))
    size = len(ids)
    flat = np.array([right * size + guessed for right, guessed in cells], np.int64)
    matrix = np.bincount(flat, minlength=size * size).reshape(size, size)  # gold by predicted
    scores = {
        tag: Score(int(matrix[number, number]), int(matrix[:, number].sum()), int(matrix[number].sum()))
        for tag, number in sorted(ids.items())
        if matrix[number].any()
    }
    return TagScores(scheme, scores, float(matrix.trace() / max(len(cells), 1)))


def _written(tags: Tags, scheme: Style, orphan: Orphan) -> Tags:
    if all(tag == OUTSIDE for tag in tags):
        return tags
    return convert(tags, "iob2", scheme, orphan)
