"""The tables and the claims of the label efficiency benchmark, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onomast.experiments.analysis.statistics import difference
from onomast.experiments.results import unpack_counts

Row = Mapping[str, Any]
System = tuple[str, str, Mapping[str, str]]  # its name, what it learns from, versions


@dataclass(frozen=True)
class Claim:
    """`better` beats `worse` by `margin` F1 on average over all runs, and loses no run by more than `loss`."""

    better: str
    worse: str
    margin: float
    loss: float


@dataclass(frozen=True)
class Threshold:
    """The mean F1 over seeds of `system` on one language and budget is `least` or more."""

    system: str
    language: str
    budget: int
    least: float


ONE_SEED = "¹"
"""Marks the figures of a single seed."""


def render(rows: Sequence[Row], systems: Sequence[System]) -> str:
    """Markdown: mean and standard deviation over seeds for each method, language and budget."""
    languages = list(dict.fromkeys(row["language"] for row in rows))
    budgets = sorted({row["budget"] for row in rows})
    tests = ", ".join(f"{name} {size}" for name, size in _test_sizes(rows).items())
    lines = [
        "## Results",
        "",
        "F1 in percent (exact match of entities, micro-averaged): mean ± standard deviation over seeds",
        f"{', '.join(map(str, sorted({row['seed'] for row in rows})))}; {ONE_SEED} one seed, or a mean over languages "
        "of which some have one seed.",
        f"Sentences in the test files: {tests}.",
        "",
        "| system | learns from | language | " + " | ".join(f"B = {budget}" for budget in budgets) + " |",
        "| --- | --- | --- |" + " --- |" * len(budgets),
    ]
    for name, sources, _ in systems:
        scores: dict[tuple[str, int], list[float]] = {}
        for row in rows:
            if row["method"] == name:
                scores.setdefault((row["language"], row["budget"]), []).append(100 * row["f1"])
        for language in languages:
            cells = [_mean_and_spread(scores.get((language, budget), [])) for budget in budgets]
            if any(cells):
                lines.append(f"| {name} | {sources} | {language} | {' | '.join(cells)} |")
        means = [_mean([scores.get((language, budget), []) for language in languages]) for budget in budgets]
        if any(means):
            lines.append(f"| {name} | {sources} | **mean** | {' | '.join(means)} |")
    used = {row["method"] for row in rows}
    lines += ["", *(f"- {name}: {_joined(versions)}" for name, _, versions in systems if name in used)]
    return "\n".join([*lines, ""])


def _mean_and_spread(scores: Sequence[float]) -> str:
    if len(scores) < 2:
        return "".join(f"{score:.1f}{ONE_SEED}" for score in scores)
    return f"{statistics.mean(scores):.1f} ± {statistics.stdev(scores):.1f}"


def _mean(scores: Sequence[Sequence[float]]) -> str:
    """The mean over languages; empty when one has no scores."""
    mark = ONE_SEED if any(len(values) == 1 for values in scores) else ""
    return f"{statistics.mean(map(statistics.mean, scores)):.1f}{mark}" if all(scores) else ""


def _joined(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _test_sizes(rows: Sequence[Row]) -> dict[str, int]:
    return {row["language"]: row["test_sentences"] for row in rows}


def check_claim(claim: Claim, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line that begins with `met` or `NOT MET`; nothing without rows of both systems."""
    scores = {(row["method"], row["language"], row["budget"], row["seed"]): 100 * row["f1"] for row in rows}
    cells = [key[1:] for key in scores if key[0] == claim.better and (claim.worse, *key[1:]) in scores]
    if not cells:
        return
    gains = {cell: scores[claim.better, *cell] - scores[claim.worse, *cell] for cell in cells}
    mean, worst = statistics.mean(gains.values()), min(gains, key=gains.__getitem__)
    met = mean >= claim.margin and gains[worst] >= -claim.loss
    yield (
        f"{'met' if met else 'NOT MET'}: {claim.better} against {claim.worse} in {len(cells)} runs: "
        f"{mean:+.2f} on average (claimed {claim.margin:+.1f}); smallest {gains[worst]:+.2f} "
        f"in {worst[0]} {worst[1]} seed {worst[2]} (claimed {-claim.loss:+.1f} or more)"
    )


def check_threshold(threshold: Threshold, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line that begins with `met` or `NOT MET`; nothing without rows."""
    cell = (threshold.system, threshold.language, threshold.budget)
    runs = [row for row in rows if (row["method"], row["language"], row["budget"]) == cell]
    if not runs:
        return
    mean = 100 * statistics.mean(row["f1"] for row in runs)
    seconds = [row["seconds"]["train"] for row in runs]
    yield (
        f"{'met' if mean >= threshold.least else 'NOT MET'}: {threshold.system}, {threshold.language}, "
        f"{threshold.budget} labels: {mean:.1f} F1, mean of {len(runs)} seeds (claimed {threshold.least:g}), "
        f"{min(seconds):.0f} to {max(seconds):.0f} s a model"
    )


def differences(better: str, others: Sequence[str], rows: Sequence[Row]) -> str:
    """Markdown: one system against others on each language and budget, where the rows of both have their counts."""
    lines = [
        "",
        f"## {better} against systems without other languages' labels",
        "",
        "Difference in F1 points with its 95 % interval and p-value, over seeds and test sentences together;",
        f"{ONE_SEED} one seed: over test sentences only.",
        "",
        "| against | language | B | seeds | difference | 95 % interval | p |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for other in others:
        for language, budget in sorted({(row["language"], row["budget"]) for row in rows}):
            counts = [
                {
                    row["seed"]: unpack_counts(row["counts"])
                    for row in rows
                    if (row["method"], row["language"], row["budget"]) == (name, language, budget) and "counts" in row
                }
                for name in (other, better)
            ]
            change = difference(*counts)
            if change is not None:
                low, high = (100 * end for end in change.ci95)
                p = "< 0.001" if change.p < 0.001 else f"{change.p:.3f}"
                mark = ONE_SEED if change.seeds == 1 else ""
                figures = f"{100 * change.value:+.1f} | {low:+.1f} to {high:+.1f} | {p}{mark}"
                lines.append(f"| {other} | {language} | {budget} | {change.seeds}{mark} | {figures} |")
    return "\n".join([*lines, ""])
