"""Bootstrap intervals of one system's score, paired tests between systems. All resample whole sentences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onomast.errors import OnomastError
from onomast.evaluation.counting import Counts, count_labels, labels_of, require_same_tokens, scored_pairs
from onomast.evaluation.metrics import Floats, f1_of
from onomast.sentence import Sentence
from onomast.tags import Orphan

_CELLS = 4_000_000  # random numbers held at a time
_EQUAL = 1e-12  # two differences of F1 closer than this are the same fraction

Interval = tuple[float, float]
Metric = Callable[[Floats], Floats]
"""From totals (..., 3), or (..., L, 3) for scores over labels, to scores (...)."""


@dataclass(frozen=True)
class Bootstrapped:
    """A score, and how it varies when the test sentences are resampled."""

    value: float
    error: float
    """Standard error."""
    ci95: Interval


@dataclass(frozen=True)
class Comparison:
    """Micro F1 of two systems on the same sentences. `difference` is second less first: above 0, the second is better.

    `first_f1`, `second_f1`, `difference` and `ci95` are fractions in [-1, 1].
    """

    first: str
    second: str
    first_f1: float
    second_f1: float
    difference: float
    ci95: Interval
    """Paired bootstrap: 95 % of the resampled differences lie in it."""
    bootstrap_p: float
    """Two-sided: how often a resampled difference strays from the observed one by as much as that is from 0."""
    randomisation_p: float
    """Two-sided: how often swapping the systems' answers at random gives as large a difference."""
    adjusted_p: float
    """`randomisation_p` after Holm's correction for the number of comparisons made."""
    exact: bool
    """True: every one of the possible swaps was counted, none drawn at random."""

    def to_json(self) -> dict[str, str | float | bool | list[float]]:
        """The fields by name."""
        return {**vars(self), "ci95": list(self.ci95)}


def compare(
    gold: Sequence[Sentence],
    predictions: Mapping[str, Sequence[Sentence]],
    *,
    orphan: Orphan = "conlleval",
    samples: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Test every pair of systems, in the order given: paired bootstrap and approximate randomisation of micro F1.

    Source: Efron and Tibshirani (1993), chapter 16; Noreen (1989); Yeh (2000) for sentences as units.
    Raises OnomastError for fewer than two systems, DataError where sentences or tokens differ.
    """
    if len(predictions) < 2:
        raise OnomastError(
            f"{len(predictions)} system to compare; expected two or more predictions of the same sentences"
        )
    counted: dict[str, Counts] = {}
    for name, predicted in predictions.items():
        require_same_tokens(gold, predicted)
        pairs = scored_pairs(gold, predicted, orphan)
        counted[name] = count_labels(pairs, labels_of(pairs)).sum(axis=1)  # (N, 3)
    stacked = np.concatenate(list(counted.values()), axis=1)
    totals = resample(stacked, samples, seed).reshape(samples, len(counted), 3)
    resampled = dict(zip(counted, np.moveaxis(f1_of(totals), 1, 0), strict=True))
    comparisons = [
        _comparison((first, second), counted, resampled, (samples, seed))
        for first, second in itertools.combinations(counted, 2)
    ]
    adjusted = holm([comparison.randomisation_p for comparison in comparisons])
    return [replace(one, adjusted_p=p) for one, p in zip(comparisons, adjusted, strict=True)]


def resample(counts: Counts, samples: int, seed: int) -> Floats:
    """Draw N of N sentences with replacement, `samples` times, and sum their counts: (N, ...) -> (samples, ...)."""
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    drawn = [weights @ flat for weights in _weights(len(counts), samples, seed)]
    return np.concatenate(drawn).reshape(samples, *counts.shape[1:])


def bootstrap(counts: Counts, metric: Metric, *, samples: int = 1000, seed: int = 0) -> Bootstrapped:
    """A score of counts (N, ..., 3) with its standard error and 95 % interval over resampled sentences."""
    resampled = metric(resample(counts, samples, seed))
    value = metric(counts.sum(axis=0).astype(np.float64)[None])[0]
    return Bootstrapped(float(value), float(resampled.std(ddof=1)), interval(resampled))


def interval(values: Floats) -> Interval:
    """The middle 95 % of resampled values (percentile bootstrap)."""
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return low, high


def randomisation_p(first: Counts, second: Counts, *, samples: int = 10_000, seed: int = 0) -> tuple[float, bool]:
    """Two-sided p of the difference in micro F1 between counts (N, 3) and (N, 3), and whether it is exact.

    Only sentences on which the systems differ matter. If all 2^n ways to swap them are no more than `samples`, every
    one is counted; else `samples` of them are drawn, and p = (as large + 1) / (drawn + 1).
    """
    change = (second - first)[:, :2]
    change = change[change.any(axis=1)].astype(np.float64)  # (n, 2)
    observed = abs(_difference(first.sum(axis=0), second.sum(axis=0)))
    exact = len(change) < 63 and 2 ** len(change) <= samples
    large = 0
    for swaps in _all_swaps(len(change)) if exact else _random_swaps(len(change), samples, seed):
        moved = np.pad(swaps @ change, ((0, 0), (0, 1)))  # (s, 3); gold stays
        differences = f1_of(second.sum(axis=0) - moved) - f1_of(first.sum(axis=0) + moved)
        large += int((np.abs(differences) >= observed - _EQUAL).sum())
    return (large / 2 ** len(change), True) if exact else ((large + 1) / (samples + 1), False)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm (1979): the smallest of m p-values times m, the next times m - 1, and so on, never falling."""
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _comparison(
    names: tuple[str, str], counted: Mapping[str, Counts], resampled: Mapping[str, Floats], draws: tuple[int, int]
) -> Comparison:
    first, second = (counted[name] for name in names)
    observed = _difference(first.sum(axis=0), second.sum(axis=0))
    differences = resampled[names[1]] - resampled[names[0]]
    samples, seed = draws
    stray = int((np.abs(differences - observed) >= abs(observed) - _EQUAL).sum())
    p, exact = randomisation_p(first, second, samples=samples, seed=seed)
    f1 = [float(f1_of(counts.sum(axis=0).astype(np.float64))) for counts in (first, second)]
    return Comparison(
        *names, f1[0], f1[1], observed, interval(differences), (stray + 1) / (samples + 1), p, adjusted_p=p, exact=exact
    )


def _difference(first: Counts, second: Counts) -> float:
    return float(f1_of(second.astype(np.float64)) - f1_of(first.astype(np.float64)))


def _weights(size: int, samples: int, seed: int) -> Iterator[Floats]:
    """How often each of `size` sentences was drawn: (s, size), rows summing to `size`, `samples` rows in all."""
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // max(size, 1))
    for start in range(0, samples, rows):
        part = min(rows, samples - start)
        drawn = generator.integers(0, size, (part, size))
        drawn += np.arange(part)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=part * size).reshape(part, size).astype(np.float64)


def _random_swaps(size: int, samples: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // max(size, 1))
    for start in range(0, samples, rows):
        yield generator.integers(0, 2, (min(rows, samples - start), size), np.uint8).astype(np.float64)


def _all_swaps(size: int) -> Iterator[Floats]:
    yield (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(np.float64)
