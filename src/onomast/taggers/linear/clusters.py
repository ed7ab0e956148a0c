"""Vectors as discrete features for linear taggers: clusters of words, and marks of large values.

Guo, Che, Wang and Liu (2014), Revisiting embedding features for simple semi-supervised learning, sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from onomast.errors import OnomastError
from onomast.vectors.lookup import UNKNOWN, Kinds
from onomast.vectors.subword_ngrams import Floats, Integers

_BATCH = 4096
_PASSES = 10
_LEAST_PASSES = 100  # mini-batches at least, for small dictionaries


class WordRows(Protocol):
    """What has vectors of words: `Vectors` and `CompactVectors`."""

    def rows(self, words: Sequence[str]) -> tuple[Floats, Kinds]: ...


@dataclass(frozen=True)
class Clusters:
    """K clusters of words by direction (cosine)."""

    centroids: Floats
    """(K, D), each of length 1"""
    numbers: Mapping[str, int]
    """Word -> cluster, for the words that were clustered"""

    def assign(self, rows: Floats) -> Integers:
        """The nearest cluster (N,) of vectors (N, D); -1 for a vector of zeros."""
        nearest = np.concatenate(
            [
                (rows[start : start + _BATCH] @ self.centroids.T).argmax(axis=1)
                for start in range(0, max(len(rows), 1), _BATCH)
            ]
        )
        return np.where(rows.any(axis=1), nearest, -1).astype(np.int64)


def cluster_words(vectors: WordRows, words: Sequence[str], *, k: int, seed: int = 0) -> Clusters:
    """Cut words into `k` clusters by spherical mini-batch k-means; the same seed gives the same clusters.

    Words without a vector get none; with fewer than `k` different vectors there are as many clusters as those.
    Source: Sculley (2010), Web-scale k-means clustering, on vectors of length 1.
    Raises OnomastError when `k` is below 1 or no word has a vector.
    """
    if k < 1:
        raise OnomastError(f"{k} clusters were asked for; expected 1 or more")
    asked = list(dict.fromkeys(words))
    rows, kinds = vectors.rows(asked)
    present = np.flatnonzero((kinds != UNKNOWN) & rows.any(axis=1))
    if not len(present):
        raise OnomastError(f"none of the {len(asked)} words to cluster has a vector; is the file of this language?")
    units = _units(rows[present])
    generator = np.random.default_rng(seed)
    centroids = _seeds(units, k, generator)
    counts = np.ones(len(centroids), np.float32)
    steps = max(_LEAST_PASSES, _PASSES * len(units) // _BATCH)
    for _ in range(steps):
        batch = units[generator.integers(len(units), size=min(_BATCH, len(units)))]
        nearest = (batch @ centroids.T).argmax(axis=1)
        number = np.bincount(nearest, minlength=len(centroids)).astype(np.float32)
        total = np.zeros_like(centroids)
        np.add.at(total, nearest, batch)
        counts += number
        centroids = _units(centroids + (total - number[:, None] * centroids) / counts[:, None])
    found = Clusters(centroids, {})
    numbers = found.assign(units).tolist()
    return Clusters(centroids, {asked[index]: number for index, number in zip(present.tolist(), numbers, strict=True)})


@dataclass(frozen=True)
class Thresholds:
    """Per dimension, the mean of the positive values and the mean of the negative ones: (D,) each."""

    positive: Floats
    negative: Floats


def thresholds(rows: Floats) -> Thresholds:
    """The thresholds of `binarize`, from the vectors (N, D) of the training words; 0 where a dimension has no such."""
    above, below = (rows > 0).sum(axis=0), (rows < 0).sum(axis=0)
    positive = np.where(rows > 0, rows, 0).sum(axis=0) / np.maximum(above, 1)
    negative = np.where(rows < 0, rows, 0).sum(axis=0) / np.maximum(below, 1)
    return Thresholds(positive.astype(np.float32), negative.astype(np.float32))


def binarize(rows: Floats, limits: Thresholds) -> npt.NDArray[np.int8]:
    """Marks (N, D): 1 for a value at or above the mean of the positive ones, -1 at or below the mean of the negative.

    All others are 0: they say too little to be a feature. So are values of exactly 0.
    """
    high = (rows >= limits.positive) & (rows > 0)
    low = (rows <= limits.negative) & (rows < 0)
    return (high.astype(np.int8) - low.astype(np.int8)).astype(np.int8)


def _units(rows: npt.NDArray[np.floating]) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def _seeds(units: Floats, k: int, generator: np.random.Generator) -> Floats:
    """`k` different rows, drawn at random."""
    order = generator.permutation(len(units))
    _, first = np.unique(units[order], axis=0, return_index=True)
    return units[order[np.sort(first)[:k]]]
