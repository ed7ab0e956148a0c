"""A training that learns nothing: by what it is known, in its first epochs and at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onomast.corpus import Corpus
from onomast.recipe import Training
from onomast.sentence import Sentence
from onomast.taggers.baseline import entity_f1, tag_by_list

_STILL = 0.97  # share of the last epoch's loss above which a loss stands still

Tag = Callable[[Sequence[Sentence]], Sequence[Sentence]]


def collapse_of(rows: Sequence[Mapping[str, Any]], settings: Training, epochs: int, floor: Callable[[], float]) -> str:
    """What in the rows of the epochs so far shows that nothing is learnt; empty without such a sign.

    `floor` gives the dev F1 that anything worth its name beats. A dev F1 that still rises is no collapse.
    """
    row, epoch = rows[-1], len(rows)
    if not math.isfinite(row["loss"]):
        return "the loss is no number"
    if epoch < max(2, settings.rescue_after) or 2 * epoch > max(epochs, 2 * settings.rescue_after):
        return ""
    before = rows[-2]
    if "f1" in row and row["f1"] <= before["f1"]:
        least = floor()
        return f"dev F1 {row['f1']:.3f} is below the {least:.3f} of a word list" if row["f1"] < least else ""
    if "f1" not in row and row["loss"] > _STILL * before["loss"] and 2 * row["loss"] > rows[0]["loss"]:
        return f"the loss stands still at {row['loss']:.3g}"
    return ""


def floor_of(train: Sequence[Sentence], dev: Sequence[Sentence]) -> float:
    """F1 of a word list of the training sentences, on those dev sentences that are annotated throughout."""
    gold = _annotated(dev)
    return entity_f1(gold, tag_by_list(train, [sentence.bare() for sentence in gold])) if gold and train else 0.0


def verdict_on(tag: Tag, corpus: Corpus) -> list[str]:
    """A note when a trained tagger does no better than a word list of the training data."""
    gold = _annotated(corpus.dev or corpus.train)
    if not gold:
        return []
    listed = corpus.train if corpus.dev else corpus.train[::2]
    bare = [sentence.bare() for sentence in gold]
    ours, theirs = entity_f1(gold, list(tag(bare))), entity_f1(gold, tag_by_list(listed, bare))
    if ours >= theirs:
        return []
    where = "dev" if corpus.dev else "the training"
    return [
        f"COLLAPSED: F1 {ours:.3f} on {where} sentences is below the {theirs:.3f} of a word list of training "
        "data. Try another --set neural.training.learning_rate, more epochs, another --seed, or --recipe crf"
    ]


def _annotated(sentences: Sequence[Sentence]) -> list[Sentence]:
    return [sentence for sentence in sentences if sentence.tags is not None and None not in sentence.tags]
