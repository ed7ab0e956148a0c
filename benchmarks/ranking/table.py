"""The page and the claims of the ranking benchmark, from its rows."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from onomast.data.transfer.ranking import WEIGHTS, Ranked

FIRST = 3
LARGEST_LOSS = 1.5
_RESAMPLES = 2000
Value = Callable[[Ranked], float]


@dataclass(frozen=True)
class Column:
    """One target: its sources, best first, and what each was worth."""

    target: str
    ranking: tuple[Ranked, ...]
    f1: Mapping[str, float]
    """By source, in percent."""
    alone: float
    """F1 of the target's sentences alone."""


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation, equals at their mean rank; 0 where one side is constant."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (first, second)]
    if any(np.ptp(values) == 0 for values in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def correlations(columns: Sequence[Column], value: Value) -> list[float]:
    """Rank correlation of a value of the sources with measured F1, target by target."""
    return [
        spearman([value(ranked) for ranked in column.ranking], [column.f1[ranked.name] for ranked in column.ranking])
        for column in columns
    ]


def interval(columns: Sequence[Column], value: Value) -> tuple[float, float]:
    """95 % bootstrap interval of the mean rank correlation: targets are drawn, then sources of each."""
    draw = np.random.default_rng(0)
    pairs = [
        np.array([(value(ranked), column.f1[ranked.name]) for ranked in column.ranking]) for column in columns
    ]  # (sources, 2) for each target
    means = []
    for _ in range(_RESAMPLES):
        drawn = []
        for target in draw.integers(len(pairs), size=len(pairs)):
            chosen = pairs[target][draw.integers(len(pairs[target]), size=len(pairs[target]))]
            drawn.append(spearman(chosen[:, 0], chosen[:, 1]))
        means.append(statistics.fmean(drawn))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def loss_of_first(column: Column, number: int = FIRST) -> float:
    """F1 points between the best source and the best of the first `number`."""
    return max(column.f1[r.name] for r in column.ranking) - max(column.f1[r.name] for r in column.ranking[:number])


def loss_by_chance(column: Column) -> float:
    """What it would be on average of `FIRST` sources drawn at random."""
    values = [column.f1[ranked.name] for ranked in column.ranking]
    return max(values) - statistics.fmean(max(drawn) for drawn in combinations(values, FIRST))


def learnt_weights(columns: Sequence[Column]) -> dict[str, float]:
    """What each feature should weigh by these targets: its mean rank correlation with F1 (0 if that is negative) over
    its spread among the sources of a target, so that all are measured alike; they add up to 100.
    """
    weights = {}
    for name in WEIGHTS:
        worth = max(0.0, statistics.fmean(correlations(columns, _feature(name))))
        spread = statistics.fmean(statistics.pstdev(r.features[name] for r in column.ranking) for column in columns)
        weights[name] = worth / spread if spread else 0.0
    total = sum(weights.values())
    return {name: 100 * weight / total for name, weight in weights.items()}


def held_out(columns: Sequence[Column]) -> list[Column]:
    """Each target ranked by the weights that the others alone would give."""
    made = []
    for column in columns:
        weights = learnt_weights([other for other in columns if other is not column])
        order = sorted(
            column.ranking, key=lambda ranked: (-sum(weights[n] * ranked.features[n] for n in weights), ranked.name)
        )
        scored = [
            dataclasses.replace(ranked, score=sum(weights[n] * ranked.features[n] for n in weights)) for ranked in order
        ]
        made.append(dataclasses.replace(column, ranking=tuple(scored)))
    return made


def _score(ranked: Ranked) -> float:
    return ranked.score


def verdicts(columns: Sequence[Column], targets: int) -> list[str]:
    """One line for each claim, `met` or `NOT MET`; none holds before the matrix is complete."""
    if len(columns) < targets:
        return [f"NOT MET: {len(columns)} of {targets} targets are complete"]
    mean, (low, high) = statistics.fmean(correlations(columns, _score)), interval(columns, _score)
    loss = statistics.fmean(map(loss_of_first, columns))
    return [
        f"{'met' if low > 0 else 'NOT MET'}: mean rank correlation of score and F1 {mean:.2f} [{low:.2f}, {high:.2f}], "
        "the interval above 0",
        f"{'met' if loss <= LARGEST_LOSS else 'NOT MET'}: the best of the first {FIRST} is {loss:.2f} F1 below the "
        f"best source on average; at most {LARGEST_LOSS}",
    ]


def page(columns: Mapping[str, Sequence[Column]], systems: Mapping[str, str]) -> str:
    """Both matrices, each feature alone, the claims."""
    test, draft = columns["test"], columns["weights"]
    lines = [
        "F1 in percent, MasakhaNER 2.0; `eng` is CoNLL-2003,",
        "`amh` MasakhaNER 1. In each line the sources stand in the order of `onomast transfer rank`, each with the F1",
        "of a tagger trained on it and the target; the best is bold. `alone`: without a source. One seed throughout.",
        "",
        "## The test",
        "",
        systems["test"],
        "",
        *_table(test),
        "",
        *_summary(test),
        "",
        "## How the weights were chosen",
        "",
        f"On the targets {', '.join(column.target for column in draft)}, of which none is a target above; some of the",
        f"sources are. {systems['weights']} The weight of a feature is its mean rank correlation with F1 over its",
        "spread, rounded; that of `size`, which samples of one size cannot show, was set by hand. No figure of the",
        "test above played a part.",
        "",
        *_table(draft),
        "",
        *_summary(draft),
        *(_held_out_summary(draft) if len(draft) > 1 else []),
        "",
        "## Each feature alone",
        "",
        "Mean rank correlation with F1 over targets.",
        "",
        "| feature | weight | by the rule | chosen on | test |",
        "| --- | ---: | ---: | ---: | ---: |",
        *_feature_rows(draft, test),
    ]
    return "\n".join(lines) + "\n"


def _feature_rows(draft: Sequence[Column], test: Sequence[Column]) -> list[str]:
    rule = learnt_weights(draft) if draft else {}
    rows = [
        f"| {name} | {weight:g} | {f'{rule[name]:.1f}' if rule else ''} | {_mean(draft, _feature(name))} | "
        f"{_mean(test, _feature(name))} |"
        for name, weight in WEIGHTS.items()
    ]
    return [*rows, f"| **score** | | | {_mean(draft, _score)} | {_mean(test, _score)} |"]


def _held_out_summary(columns: Sequence[Column]) -> list[str]:
    """As `_summary`, of weights that have not seen the target they rank for."""
    ranked = held_out(columns)
    lost = statistics.fmean(map(loss_of_first, ranked))
    return [
        f"With weights made from the other targets alone: {_mean(ranked, _score)}, and a loss of {lost:.2f} F1.",
    ]


def _feature(name: str) -> Value:
    return lambda ranked: ranked.features[name]


def _mean(columns: Sequence[Column], value: Value) -> str:
    return f"{statistics.fmean(correlations(columns, value)):.2f}" if columns else ""


def _table(columns: Sequence[Column]) -> list[str]:
    if not columns:
        return ["No target is complete yet."]
    lines = [
        "| target | alone | sources, best rank first | rank correlation | loss of the first 3 | of 3 by chance |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for column, correlation in zip(columns, correlations(columns, _score), strict=True):
        best = max(column.f1[ranked.name] for ranked in column.ranking)
        cells = []
        for ranked in column.ranking:
            f1 = column.f1[ranked.name]
            cells.append(f"**{ranked.name} {f1:.1f}**" if f1 == best else f"{ranked.name} {f1:.1f}")
        lines.append(
            f"| {column.target} | {column.alone:.1f} | {', '.join(cells)} | {correlation:.2f} | "
            f"{loss_of_first(column):.2f} | {loss_by_chance(column):.2f} |"
        )
    return lines


def _summary(columns: Sequence[Column]) -> list[str]:
    if not columns:
        return []
    low, high = interval(columns, _score)
    lost, by_chance = (statistics.fmean(map(loss, columns)) for loss in (loss_of_first, loss_by_chance))
    return [
        f"Mean rank correlation {_mean(columns, _score)} (95 % bootstrap interval over targets and sources {low:.2f} "
        f"to {high:.2f}); the best of the first {FIRST} loses {lost:.2f} F1 on average, "
        f"{by_chance:.2f} by chance."
    ]
