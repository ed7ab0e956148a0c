"""Per-sentence counts of a run, small enough for a row of results, and what they say: intervals and paired differences.

A cell is the same test sentences tagged by several seeds. Its figure is the mean F1 over seeds; its interval comes
from drawing the test sentences anew, 2,000 times, all seeds with the same draw. Two cells on the same sentences are
compared draw by draw.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast.evaluation.report import Report

DRAWS = 2000
Counts = npt.NDArray[np.int64]  # (sentences, 3): true positives, predicted, gold


def pack(report: Report, label: str | None = None) -> str:
    """The counts of a run, over all labels or of one."""
    counts = report.counts if label is None else report.counts[:, [report.labels.index(label)]]
    totals = np.minimum(counts.sum(1), 255).astype(np.uint8)
    return base64.b64encode(zlib.compress(totals.tobytes(), 9)).decode()


def unpack(text: str) -> Counts:
    """(sentences, 3)"""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(-1, 3).astype(np.int64)


def mean_and_interval(packed: Sequence[str]) -> tuple[float, float, float]:
    """Mean F1 over seeds, in percent, and the bounds of its 95 % interval."""
    draws = _drawn(packed)
    low, high = np.percentile(draws[1:], [2.5, 97.5])
    return float(draws[0]), float(low), float(high)


def difference(better: Sequence[str], worse: Sequence[str]) -> tuple[float, float, float, float]:
    """Difference of the means in F1 points, its 95 % interval, and the share of draws in which it is 0 or less."""
    draws = _drawn(better) - _drawn(worse)
    low, high = np.percentile(draws[1:], [2.5, 97.5])
    return float(draws[0]), float(low), float(high), float((draws[1:] <= 0).mean())


def _drawn(packed: Sequence[str]) -> npt.NDArray[np.float64]:
    """(1 + DRAWS,) mean F1 over seeds in percent: of the sentences as they are, then of each draw."""
    counts: Any = np.stack([unpack(text) for text in packed])  # (seeds, sentences, 3)
    sentences = counts.shape[1]
    draw = np.random.default_rng(0).multinomial(sentences, np.full(sentences, 1 / sentences), size=DRAWS)
    weights = np.concatenate([np.ones((1, sentences), np.int64), draw])  # (1 + DRAWS, sentences)
    sums = np.einsum("ds,rsc->rdc", weights, counts)  # (seeds, 1 + DRAWS, 3)
    right, found, wanted = sums[..., 0], sums[..., 1], sums[..., 2]
    f1: npt.NDArray[np.float64] = 200 * right / np.maximum(found + wanted, 1)
    return f1.mean(0)
