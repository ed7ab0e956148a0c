"""The table and the claims of label_efficiency.py, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intervals import difference

Row = Mapping[str, Any]
System = tuple[str, str, Mapping[str, str]]  # its name, what it learns from, versions


@dataclass(frozen=True)
class Claim:
    """`better` beats `worse` by `margin` F1 on average over all cells, and loses no cell by more than `loss`."""

    better: str
    worse: str
    margin: float
    loss: float


@dataclass(frozen=True)
class Threshold:
    """The mean over seeds of `system` in one cell is `least` F1 or more."""

    system: str
    language: str
    budget: int
    least: float


def render(rows: Sequence[Row], systems: Sequence[System]) -> str:
    """Markdown: mean and standard deviation over seeds for each method, language and budget."""
    languages = list(dict.fromkeys(row["language"] for row in rows))
    budgets = sorted({row["budget"] for row in rows})
    tests = ", ".join(f"{name} {size}" for name, size in _test_sizes(rows).items())
    lines = [
        "# F1 after B labelled sentences",
        "",
        "Made by `python benchmarks/label_efficiency.py`; do not edit. MasakhaNER 2.0: B sentences in all (a seeded",
        f"shuffle of the training file, its first B sentences), the whole test file (sentences: {tests}).",
        "Entity-level exact match, micro-averaged F1 in percent: mean ± standard deviation over seeds",
        f"({', '.join(map(str, sorted({row['seed'] for row in rows})))}).",
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
    lines += ["", *(f"- {name}: {_joined(parts)}" for name, _, parts in systems if name in {r["method"] for r in rows})]
    return "\n".join([*lines, ""])


def _mean_and_spread(scores: Sequence[float]) -> str:
    if len(scores) < 2:
        return "".join(f"{score:.1f}" for score in scores)
    return f"{statistics.mean(scores):.1f} ± {statistics.stdev(scores):.1f}"


def _mean(scores: Sequence[Sequence[float]]) -> str:
    """The mean over languages; empty when one has no scores."""
    return f"{statistics.mean(map(statistics.mean, scores)):.1f}" if all(scores) else ""


def _joined(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _test_sizes(rows: Sequence[Row]) -> dict[str, int]:
    return {row["language"]: row["test_sentences"] for row in rows}


def judged(claim: Claim, rows: Sequence[Row]) -> Iterator[str]:
    """Say whether a claim holds, or, in a line that begins so, that it is `NOT MET`; nothing without rows of both."""
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


def reached(threshold: Threshold, rows: Sequence[Row]) -> Iterator[str]:
    """Say whether a threshold is reached, or, in a line that begins so, that it is `NOT MET`; nothing without rows."""
    cell = (threshold.system, threshold.language, threshold.budget)
    found = [row for row in rows if (row["method"], row["language"], row["budget"]) == cell]
    if not found:
        return
    mean = 100 * statistics.mean(row["f1"] for row in found)
    seconds = [row["seconds"]["train"] for row in found]
    yield (
        f"{'met' if mean >= threshold.least else 'NOT MET'}: {threshold.system}, {threshold.language}, "
        f"{threshold.budget} labels: {mean:.1f} F1, mean of {len(found)} seeds (claimed {threshold.least:g}), "
        f"{min(seconds):.0f} to {max(seconds):.0f} s a model"
    )


def differences(better: str, others: Sequence[str], rows: Sequence[Row]) -> str:
    """Markdown: one system against others, cell by cell, where the rows of both hold their counts."""
    lines = [
        "",
        f"## {better} against systems without other languages' labels",
        "",
        "F1 points, 95 % interval (test sentences drawn anew, the same draws for both; seeds as they are), and the",
        "share of draws in which the difference is 0 or less.",
        "",
        "| against | language | B | seeds | difference | 95 % interval | p |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for other in others:
        for language, budget in sorted({(row["language"], row["budget"]) for row in rows}):
            cells = []
            for name in (better, other):
                key = (name, language, budget)
                found = [r for r in rows if (r["method"], r["language"], r["budget"]) == key and "counts" in r]
                cells.append({row["seed"]: row["counts"] for row in found})
            seeds = sorted(cells[0].keys() & cells[1].keys())
            if seeds:
                mean, low, high, chance = difference(*([cell[seed] for seed in seeds] for cell in cells))
                share = f"{chance:.3f}" if chance else "< 0.001"
                shown = f"{mean:+.1f} | {low:+.1f} to {high:+.1f} | {share}"
                lines.append(f"| {other} | {language} | {budget} | {len(seeds)} | {shown} |")
    return "\n".join([*lines, ""])
