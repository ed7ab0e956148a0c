"""Scores of totals (..., 3): true positives, predicted, gold. Reports, grids and benchmarks all take them from here.

Every function works on one total as on many resampled ones, and gives 0 where it would divide by zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def f1_of(totals: Floats) -> Floats:
    """F1 (...) of totals (..., 3)."""
    return _ratio(2 * totals[..., 0], totals[..., 1] + totals[..., 2])


def precision_of(totals: Floats) -> Floats:
    """Precision (...) of totals (..., 3)."""
    return _ratio(totals[..., 0], totals[..., 1])


def recall_of(totals: Floats) -> Floats:
    """Recall (...) of totals (..., 3)."""
    return _ratio(totals[..., 0], totals[..., 2])


def macro_f1_of(totals: Floats) -> Floats:
    """Mean F1 (...) over the L labels of totals (..., L, 3), all counting the same."""
    mean: Floats = f1_of(totals).sum(axis=-1) / max(totals.shape[-2], 1)
    return mean


def weighted_f1_of(totals: Floats) -> Floats:
    """Mean F1 (...) over the L labels of totals (..., L, 3), each weighted by its gold count."""
    gold = totals[..., 2]
    return _ratio((f1_of(totals) * gold).sum(axis=-1), gold.sum(axis=-1))


def accuracy_of(totals: Floats) -> Floats:
    """Share (...) of gold decisions that are right, of totals (..., L, 3)."""
    return recall_of(totals.sum(axis=-2))


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = part / np.where(whole > 0, whole, 1)
    return ratio
