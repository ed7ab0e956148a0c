"""Rows of simulate.py -> how many labels each order needs for the F1 that random order reaches with 300 sentences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

UNITS = ("sentences", "tokens", "entities")
Row = Mapping[str, Any]


def needed(steps: Sequence[Mapping[str, float]], goal: float, unit: str) -> float | None:
    """Labels at which F1 first reaches the goal, between two steps by a line; None: not within the run."""
    for before, after in itertools.pairwise(steps):
        if before["f1"] >= goal:
            return float(before[unit])
        if after["f1"] >= goal:
            share = (goal - before["f1"]) / (after["f1"] - before["f1"])
            return float(before[unit] + share * (after[unit] - before[unit]))
    return None


def ratios(rows: Sequence[Row], order: str, unit: str) -> tuple[dict[str, list[float]], int]:
    """For each language, labels needed by an order as a share of random order's at 300; and how often it never arrived.

    A run that does not arrive counts with all that it labelled (at least as much as random order's): a lower bound.
    """
    random = {(row["language"], row["seed"]): row["steps"] for row in rows if row["order"] == "random"}
    found: dict[str, list[float]] = {}
    missed = 0
    for row in rows:
        base = random.get((row["language"], row["seed"]))
        if row["order"] != order or base is None:
            continue
        labels = needed(row["steps"], base[-1]["f1"], unit)
        missed += labels is None
        if labels is None:
            labels = max(row["steps"][-1][unit], base[-1][unit])
        found.setdefault(row["language"], []).append(labels / base[-1][unit])
    return found, missed


def mean_and_interval(found: Mapping[str, Sequence[float]]) -> tuple[float, float, float]:
    """Mean over languages of the mean over seeds, and its 95 % interval: languages and their seeds drawn anew."""
    languages = [np.array(values) for values in found.values()]
    draw = np.random.default_rng(0)
    draws = [
        np.mean(
            [
                draw.choice(one, len(one)).mean()
                for one in (languages[i] for i in draw.integers(len(languages), size=len(languages)))
            ]
        )
        for _ in range(2000)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(np.mean([one.mean() for one in languages])), float(low), float(high)


def page(rows: Sequence[Row]) -> str:
    """The tables."""
    orders = [order for order in dict.fromkeys(row["order"] for row in rows) if order != "random"]
    lines = [
        "| order | runs | sentences | tokens | entities | runs that never reached it |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for order in orders:
        cells, number, missed = [], 0, 0
        for unit in UNITS:
            found, missed = ratios(rows, order, unit)
            number = sum(map(len, found.values()))
            cells.append("{:.2f} [{:.2f}, {:.2f}]".format(*mean_and_interval(found)))
        lines.append(f"| {order} | {number} | {' | '.join(cells)} | {missed} |")
    lines += [
        "",
        "Tokens, by language (mean over seeds):",
        "",
        "| order | " + " | ".join(languages := sorted({row["language"] for row in rows})) + " |",
        "| --- " * (len(languages) + 1) + "|",
    ]
    for order in orders:
        found, _ = ratios(rows, order, "tokens")
        lines.append(
            f"| {order} | "
            + " | ".join(f"{np.mean(found[one]):.2f}" if one in found else "" for one in languages)
            + " |"
        )
    lines += [
        "",
        "Mean F1 in percent over languages and seeds:",
        "",
        "| order | " + " | ".join(str(step["sentences"]) for step in rows[0]["steps"]) + " |",
        "| --- " * (len(rows[0]["steps"]) + 1) + "|",
    ]
    for order in ("random", *orders):
        curves = np.array([[step["f1"] for step in row["steps"]] for row in rows if row["order"] == order])
        lines.append(f"| {order} | " + " | ".join(f"{100 * value:.1f}" for value in curves.mean(0)) + " |")
    return "\n".join(lines)
