"""The table and the claims of label_efficiency.py, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
System = tuple[str, str, Mapping[str, str]]  # its name, what it learns from, versions


@dataclass(frozen=True)
class Claim:
    """`better` beats `worse` by `margin` F1 on average over all cells, and loses no cell by more than `loss`."""

    better: str
    worse: str
    margin: float
    loss: float


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
