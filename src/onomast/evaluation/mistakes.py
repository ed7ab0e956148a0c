"""Kinds of error: every gold and every predicted span is either right or part of exactly one mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onomast.evaluation.counting import Counts, Pair
from onomast.tags import Span

Kind = Literal["missed", "spurious", "wrong_border", "wrong_label", "wrong_border_and_label"]

KINDS: Mapping[Kind, str] = {
    "missed": "gold, and no predicted span is left that overlaps it",
    "spurious": "predicted, and no gold span is left that overlaps it",
    "wrong_border": "the right label on overlapping tokens",
    "wrong_label": "the right tokens, another label",
    "wrong_border_and_label": "overlapping tokens and another label",
}


@dataclass(frozen=True)
class Mistake:
    """One gold span, one predicted span, or one of each that belong together."""

    kind: Kind
    gold: Span | None
    predicted: Span | None


def mistakes_of(pair: Pair) -> list[Mistake]:
    """The mistakes of one sentence, from left to right.

    Right spans are set aside. Of the rest, spans on the same tokens are paired; then overlapping ones, those of the
    same label first, those that share most tokens first, each span at most once. What is left is missed or spurious.
    """
    right = set(pair.gold) & set(pair.predicted)
    gold = [span for span in pair.gold if span not in right]
    predicted = [span for span in pair.predicted if span not in right]
    candidates = sorted(
        (_distance(one, other), one, other) for one in gold for other in predicted if _shared(one, other) > 0
    )
    mistakes: list[Mistake] = []
    used: set[tuple[str, Span]] = set()
    for _, one, other in candidates:
        if ("gold", one) not in used and ("predicted", other) not in used:
            used |= {("gold", one), ("predicted", other)}
            mistakes.append(Mistake(_kind(one, other), one, other))
    mistakes += [Mistake("missed", span, None) for span in gold if ("gold", span) not in used]
    mistakes += [Mistake("spurious", None, span) for span in predicted if ("predicted", span) not in used]
    return sorted(mistakes, key=lambda mistake: mistake.gold or mistake.predicted or Span(0, 0, ""))


def count_kinds(mistakes: Sequence[Sequence[Mistake]]) -> dict[Kind, int]:
    """Mistakes of each kind, in the order of `KINDS`."""
    counted = Counter(mistake.kind for sentence in mistakes for mistake in sentence)
    return {kind: counted[kind] for kind in KINDS}


def count_confusion(pairs: Sequence[Pair], labels: Sequence[str]) -> Counts:
    """Gold label by predicted label of spans on the same tokens: (L, L); right ones on the diagonal."""
    index = {label: number for number, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for pair in pairs:
        borders = {(span.start, span.end): span.label for span in pair.predicted}
        for span in pair.gold:
            label = borders.get((span.start, span.end))
            if label is not None:
                matrix[index[span.label], index[label]] += 1
    return matrix


def _shared(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _distance(one: Span, other: Span) -> tuple[bool, bool, int]:
    return ((one.start, one.end) != (other.start, other.end), one.label != other.label, -_shared(one, other))


def _kind(gold: Span, predicted: Span) -> Kind:
    if (gold.start, gold.end) == (predicted.start, predicted.end):
        return "wrong_label"
    return "wrong_border" if gold.label == predicted.label else "wrong_border_and_label"
