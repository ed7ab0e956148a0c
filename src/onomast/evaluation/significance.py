"""Is one tagger better than another on the same sentences? Paired bootstrap, approximate randomisation of micro F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onomast.evaluation.report import evaluate, resampled, scores
from onomast.sentence import Sentence

_CHUNK = 4_000_000  # numbers in one block of random swaps


@dataclass(frozen=True)
class Comparison:
    """F1 of `other` less F1 of `first`, in [-1, 1]."""

    first: str
    other: str
    first_f1: float
    other_f1: float
    difference: float
    ci95: tuple[float, float]
    """Of the difference, by paired bootstrap over sentences."""
    p_bootstrap: float
    """Two-sided: twice the share of samples in which the sign of the difference is not the observed one."""
    p_randomisation: float
    """Two-sided approximate randomisation (Noreen 1989; Yeh 2000): how often swapping the two taggers' sentences at
    random gives a difference as large."""


def compare(
    gold: Sequence[Sentence], predictions: Mapping[str, Sequence[Sentence]], *, samples: int = 10_000, seed: int = 0
) -> list[Comparison]:
    """Test every pair of predictions, in the order given. Raises DataError where the sentences are not the same."""
    counts = {name: evaluate(gold, sentences).counts.sum(1) for name, sentences in predictions.items()}  # (N, 3) each
    names = list(counts)
    return [
        compare_counts(first, other, counts[first], counts[other], samples=samples, seed=seed)
        for place, first in enumerate(names)
        for other in names[place + 1 :]
    ]


def compare_counts(
    first: str, other: str, rows: npt.NDArray[np.int64], other_rows: npt.NDArray[np.int64], *, samples: int, seed: int
) -> Comparison:
    """Test two taggers by their counts (N, 3) per sentence: right, predicted, gold."""
    first_f1, other_f1 = (float(scores(each.sum(0))[2]) for each in (rows, other_rows))
    observed = other_f1 - first_f1
    sums = resampled(np.concatenate([rows, other_rows], 1), samples, seed)  # (S, 6)
    drawn = scores(sums[:, 3:])[2] - scores(sums[:, :3])[2]  # (S,)
    against = min(float((drawn <= 0).mean()), float((drawn >= 0).mean()))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Comparison(
        first,
        other,
        first_f1,
        other_f1,
        observed,
        (float(low), float(high)),
        min(1.0, 2 * against),
        randomisation(rows, other_rows, samples=samples, seed=seed),
    )


def randomisation(rows: npt.NDArray[np.int64], other_rows: npt.NDArray[np.int64], *, samples: int, seed: int) -> float:
    """The p-value of approximate randomisation, in (0, 1]."""
    generator = np.random.default_rng(seed)
    change = (other_rows - rows).astype(np.float64)
    moved = change.any(1)
    change = change[moved]  # swapping equal rows changes nothing
    total, other_total = rows.sum(0), other_rows.sum(0)
    observed = abs(_difference(total, other_total))
    block = max(1, _CHUNK // max(1, len(change)))
    as_large = 0
    for start in range(0, samples, block):
        swaps = generator.integers(0, 2, (min(block, samples - start), len(change))).astype(np.float64)
        shift = swaps @ change  # (S, 3)
        as_large += int((np.abs(_difference(total + shift, other_total - shift)) >= observed - 1e-12).sum())
    return (as_large + 1) / (samples + 1)


def _difference(total: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    difference: npt.NDArray[np.float64] = scores(other)[2] - scores(total)[2]
    return difference
