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
        for language in (*languages, "mean"):
            cells = []
            for budget in budgets:
                chosen = [
                    row
                    for row in rows
                    if row["method"] == name and row["budget"] == budget and language in (row["language"], "mean")
                ]
                cells.append(_cell(chosen, language == "mean"))
            shown = "**mean**" if language == "mean" else language
            lines.append(f"| {name} | {sources} | {shown} | {' | '.join(cells)} |")
    lines += ["", "Versions and training time (seconds, one thread, mean over languages and seeds):", ""]
    lines += [_about(system, rows, budgets) for system in systems]
    return "\n".join([*lines, ""])


def _cell(rows: Sequence[Row], is_mean: bool) -> str:
    if not rows:
        return ""
    scores = [100 * row["f1"] for row in rows]
    if is_mean:
        return f"{statistics.mean(scores):.1f}"
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.1f}{spread}"


def _about(system: System, rows: Sequence[Row], budgets: Sequence[int]) -> str:
    system_name, _, parts = system
    versions = ", ".join(f"{name} {version}" for name, version in parts.items())
    times = []
    for budget in budgets:
        found = [row["seconds"]["train"] for row in rows if row["method"] == system_name and row["budget"] == budget]
        times.append(f"{statistics.mean(found):.1f} at {budget}" if found else f"none at {budget}")
    return f"- {system_name}: {versions}; {', '.join(times)}"


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
