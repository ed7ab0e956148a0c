"""Scores of single tags, `O` included: accuracy, macro and weighted F1. Papers report them; entities matter more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onomast.evaluation.counting import Counts, Score, score_of
from onomast.evaluation.metrics import accuracy_of, macro_f1_of, weighted_f1_of
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE, Orphan, Style, Tags, convert


@dataclass(frozen=True, eq=False)
class TagScores:
    """Every annotated token is one decision; equal to sklearn.metrics with `labels` = the tags that occur in gold."""

    scheme: Style
    names: tuple[str, ...]
    """The K tags that occur in gold, sorted."""
    counts: Counts
    """(N, K, 3): right, predicted and gold tokens of each sentence and tag."""

    @property
    def tags(self) -> dict[str, Score]:
        """Score of each tag that occurs in gold."""
        return {name: score_of(self.counts[:, number]) for number, name in enumerate(self.names)}

    @property
    def accuracy(self) -> float:
        """Share of annotated tokens whose tag is right."""
        return float(accuracy_of(self.counts.sum(axis=0).astype(np.float64)))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the tags that occur in gold, all counting the same."""
        return float(macro_f1_of(self.counts.sum(axis=0).astype(np.float64)))

    @property
    def weighted_f1(self) -> float:
        """Mean F1 of the tags, each weighted by its number of gold tokens."""
        return float(weighted_f1_of(self.counts.sum(axis=0).astype(np.float64)))


def score_tags(gold: Sequence[Sentence], predicted: Sequence[Sentence], scheme: Style, orphan: Orphan) -> TagScores:
    """Compare tags written in `scheme`; tokens that are not annotated are left out, a predicted `None` is `O`."""
    ids: dict[str, int] = {}
    decisions: list[tuple[int, int, int]] = []  # sentence, gold tag, predicted tag
    for number, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if one.tags is None:
            continue
        pairs = zip(_written(one.tags, scheme, orphan), _written(other.tags or (), scheme, orphan), strict=True)
        for right, guessed in pairs:
            if right is not None:
                guessed_id = ids.setdefault(guessed or OUTSIDE, len(ids))
                decisions.append((number, ids.setdefault(right, len(ids)), guessed_id))
    counts = np.zeros((len(gold), len(ids), 3), np.int64)
    if decisions:
        rows, right_ids, guessed_ids = np.array(decisions).T
        np.add.at(counts, (rows, right_ids, 2), 1)
        np.add.at(counts, (rows, guessed_ids, 1), 1)
        equal = right_ids == guessed_ids
        np.add.at(counts, (rows[equal], right_ids[equal], 0), 1)
    names = sorted(name for name, place in ids.items() if counts[:, place, 2].any())
    return TagScores(scheme, tuple(names), counts[:, [ids[name] for name in names]])


def _written(tags: Tags, scheme: Style, orphan: Orphan) -> Tags:
    if all(tag == OUTSIDE for tag in tags):
        return tags
    return convert(tags, "iob2", scheme, orphan)
