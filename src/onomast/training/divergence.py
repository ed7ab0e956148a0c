"""Detects diverged training in its first epochs, from the rows of figures that the loop writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onomast.recipe import Training

_STILL = 0.97  # share of the last epoch's loss above which a loss stands still


def divergence_of(
    rows: Sequence[Mapping[str, Any]], settings: Training, epochs: int, minimum_f1: Callable[[], float]
) -> str:
    """Say why the epochs so far show diverged training; empty where they do not.

    `minimum_f1` gives the minimum useful dev F1. A dev F1 that still rises is no divergence.
    """
    row, epoch = rows[-1], len(rows)
    if not math.isfinite(row["loss"]):
        return "the loss is no number"
    if epoch < max(2, settings.rescue_after) or 2 * epoch > max(epochs, 2 * settings.rescue_after):
        return ""
    before = rows[-2]
    if "f1" in row and row["f1"] <= before["f1"]:
        least = minimum_f1()
        return f"dev F1 {row['f1']:.3f} is below the {least:.3f} of a word list" if row["f1"] < least else ""
    if "f1" not in row and row["loss"] > _STILL * before["loss"] and 2 * row["loss"] > rows[0]["loss"]:
        return f"the loss stands still at {row['loss']:.3g}"
    return ""
