"""Whether test data fit the training data: leaked sentences, and labels that only one side has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from onomast.evaluation.counting import Counts, Score, score_of

LEAKED = 0.01
"""Share of leaked test sentences from which on the report warns."""
_MOST_LABELS = 8  # named in a warning


def check_labels(labels: Sequence[str], counts: Counts, trained: Collection[str] | None) -> list[str]:
    """Warn of labels that only the gold or only the predicted side has.

    `counts` (N, L, 3) are those of `labels`; `trained`: the labels of the training sentences, None if not known.
    """
    totals = counts.sum(axis=0)  # (L, 3)
    gold = {label: int(total) for label, total in zip(labels, totals[:, 2], strict=True) if total}
    predicted = {label: int(total) for label, total in zip(labels, totals[:, 1], strict=True) if total}
    possible = {*predicted, *(trained or ())}
    if gold and possible and not possible & gold.keys():
        return [
            f"the test data and the tagger have no label in common (test: {_names(gold)}; tagger: "
            f"{_names(dict.fromkeys(possible, 0))}), so every entity counts as wrong: use one set of labels for both"
        ]
    warnings = []
    unlearned = {} if trained is None else {label: number for label, number in gold.items() if label not in possible}
    if unlearned:
        warnings.append(
            f"the test data have labels that do not occur in training: {_names(unlearned)}; "
            "the tagger cannot predict them, and every such entity counts as missed"
        )
    unknown = {label: number for label, number in predicted.items() if label not in gold}
    if unknown and gold:
        warnings.append(
            f"labels are predicted that do not occur in the test data: {_names(unknown)}; "
            "every such entity counts as wrong"
        )
    return warnings


def check_leaks(leaked: npt.NDArray[np.bool_] | None, counts: Counts) -> list[str]:
    """Warn where test sentences occur in the training data; `counts`: (N, L, 3)."""
    if leaked is None or not len(leaked) or leaked.mean() < LEAKED:
        return []
    number, total = int(leaked.sum()), len(leaked)
    if number == total:
        return [
            f"all {total:,} test sentences occur in the training data: these scores do not say how the tagger does on "
            "new text; test on other sentences"
        ]
    rest: Score = score_of(counts[~leaked])
    return [
        f"{number:,} of {total:,} test sentences ({100 * number / total:.0f} %) occur in the training data; "
        f"F1 on the others is {100 * rest.f1:.2f}"
    ]


def _names(numbers: dict[str, int]) -> str:
    """`GPE (12), LOC (3)`, the most frequent first."""
    ordered = sorted(numbers, key=lambda label: (-numbers[label], label))
    named = [f"{label} ({numbers[label]:,})" if numbers[label] else label for label in ordered[:_MOST_LABELS]]
    more = [f"{len(ordered) - _MOST_LABELS} more"] if len(ordered) > _MOST_LABELS else []
    return ", ".join([*named, *more])
