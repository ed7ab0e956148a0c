"""Enumeration of all tag sequences of one sentence: the oracle of the CRF layer. Plain Python, exponential time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

Path = tuple[int, ...]
Matrix = Sequence[Sequence[float]]


def all_paths(
    emissions: Matrix, transitions: Matrix, starts: Sequence[float], ends: Sequence[float]
) -> dict[Path, float]:
    """Every path and its score, illegal ones (-inf) left out."""
    scores = {}
    for path in itertools.product(range(len(starts)), repeat=len(emissions)):
        score = starts[path[0]] + ends[path[-1]]
        score += sum(row[tag] for row, tag in zip(emissions, path, strict=True))
        score += sum(transitions[left][right] for left, right in itertools.pairwise(path))
        if score > -math.inf:
            scores[path] = score
    return scores


def log_total(scores: Sequence[float]) -> float:
    """log of the sum of exp, -inf for nothing."""
    top = max(scores, default=-math.inf)
    return top if top == -math.inf else top + math.log(sum(math.exp(score - top) for score in scores))


def log_partition(paths: dict[Path, float], allowed: Sequence[Sequence[bool]] | None = None) -> float:
    """log of the summed weight of the paths whose every tag is allowed."""
    return log_total([score for path, score in paths.items() if fits(path, allowed)])


def fits(path: Path, allowed: Sequence[Sequence[bool]] | None) -> bool:
    """Is every tag of the path allowed?"""
    return allowed is None or all(row[tag] for row, tag in zip(allowed, path, strict=True))


def marginal(paths: dict[Path, float], token: int, tag: int) -> float:
    """The probability of a tag at a token."""
    chosen = [score for path, score in paths.items() if path[token] == tag]
    return math.exp(log_total(chosen) - log_partition(paths)) if chosen else 0.0
