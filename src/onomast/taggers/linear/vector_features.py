"""Word vectors as features of the linear tagger: clusters, marks of large values, and the values themselves.

`clusters.py` knows the methods; here they become features with names, are learnt from a vectors file, and are saved.

CRFsuite counts a feature by the sum of its values and drops those whose sum is negative. So a value x of dimension d is
one of two features, neither ever negative: `value d+` of x, or `value d-` of -x.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast.errors import DataError, RecipeError
from onomast.recipe import Features
from onomast.taggers.linear.clusters import Clusters, Thresholds, binarize, cluster_words, thresholds
from onomast.taggers.linear.crfsuite import Weights
from onomast.vectors.compact import CompactVectors, pack, packed_vectors, unpack, unpacked_vectors
from onomast.vectors.files import open_vectors
from onomast.vectors.lookup import coverage_warning
from onomast.vectors.subword_ngrams import Floats

VECTORS = "vectors.safetensors"
SETTINGS = "vector_features.safetensors"
_KIND = "vector features 1"
_BATCH = 256  # words whose features are in memory at once
_REMEMBERED = 2_000  # words whose named values are remembered in training

Values = Mapping[str, float]


@dataclass(frozen=True)
class VectorFeatures:
    """Vectors of all words, unseen ones too, and how they become V features."""

    vectors: CompactVectors
    clusters: Mapping[int, Clusters]
    """By the number of clusters that was asked for"""
    limits: Thresholds
    """Of the marks"""
    deviation: float
    """Standard deviation of the values of the training words' vectors, by which values are divided"""
    positions: Mapping[str, tuple[int, ...]]
    """`clusters`, `binary`, `dense` -> the positions at which the word gives such features; absent: none"""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """V names, without the position: those of the clusters, of the marks, of the values."""
        return tuple(name for names in self.blocks.values() for name in names)

    @property
    def window(self) -> set[int]:
        """All positions at which a word gives features."""
        return {position for positions in self.positions.values() for position in positions}

    def values(self, words: Sequence[str]) -> Floats:
        """The features (N, V) of N words; all zeros for a word without a vector."""
        rows, _ = self.vectors.rows(words)
        blocks = [np.zeros((len(words), 0), np.float32)]
        for kind in self.blocks:
            if kind == "clusters":
                blocks += [_one_hot(found.assign(rows), len(found.centroids)) for found in self.clusters.values()]
            else:
                signed = binarize(rows, self.limits) if kind == "binary" else rows / np.float32(self.deviation)
                blocks += [np.maximum(signed, 0), np.maximum(-signed, 0)]
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def notes(self, words: Sequence[str]) -> list[str]:
        """What the user should know of how these words are covered."""
        warning = coverage_warning(self.vectors.rows(words)[1])
        return [] if warning is None else [warning]

    def files(self) -> dict[str, bytes]:
        """Name in the model folder -> contents; the vectors are a file that `open_vectors` reads."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "positive": self.limits.positive,
            "negative": self.limits.negative,
            "deviation": np.array([self.deviation], np.float32),
            **{f"centroids {number}": found.centroids for number, found in self.clusters.items()},
        }
        return {VECTORS: packed_vectors(self.vectors), SETTINGS: pack(arrays, _KIND)}

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """Kind of feature -> its names without the position, in the order of the columns of `values`."""
        marks = {"binary": "mark", "dense": "value"}
        found = {
            kind: [f"{name} {index}{sign}" for sign in "+-" for index in range(self.vectors.width)]
            for kind, name in marks.items()
            if kind in self.positions
        }
        if "clusters" not in self.positions:
            return found
        sizes = {number: len(each.centroids) for number, each in self.clusters.items()}
        return {"clusters": [f"cluster{k}={index}" for k, size in sizes.items() for index in range(size)], **found}


class NamedValues:
    """Features by name and value, of known words, for CRFsuite's trainer."""

    def __init__(self, features: VectorFeatures, words: Sequence[str]) -> None:
        self._words = {word: row for row, word in enumerate(words)}
        self._rows = np.concatenate([features.values(batch) for batch in _batches(words)])
        kinds = np.repeat(list(features.blocks), list(map(len, features.blocks.values())))  # (V,)
        self._columns = {
            position: np.flatnonzero([position in features.positions[kind] for kind in kinds])
            for position in sorted(features.window)
        }
        self._names = {
            position: [f"{position}|{features.names[column]}" for column in columns.tolist()]
            for position, columns in self._columns.items()
        }
        self._remembered = lru_cache(_REMEMBERED)(self._at)

    def of_token(self, tokens: Sequence[str], index: int) -> dict[str, float]:
        """The features that the words around token `index`, and it itself, give it."""
        found: dict[str, float] = {}
        for position in self._columns:
            if 0 <= index + position < len(tokens):
                found.update(self._remembered(tokens[index + position], position))
        return found

    def _at(self, word: str, position: int) -> dict[str, float]:
        """The features that a token gets when `word` stands at `position` relative to it."""
        row = self._rows[self._words[word], self._columns[position]]
        names = self._names[position]
        present = np.flatnonzero(row)
        return {names[place]: value for place, value in zip(present.tolist(), row[present].tolist(), strict=True)}


class VectorScores:
    """The weights of a trained CRF for the features that vectors give."""

    def __init__(self, features: VectorFeatures, weights: Weights, window: Sequence[int]) -> None:
        self._features = features
        self._matrix = np.zeros((len(features.names), len(window), len(weights.tags)))  # (V, P, K)
        for column, position in enumerate(window):
            for index, name in enumerate(features.names):
                row = weights.rows.get(f"{position}|{name}", 0)
                part = slice(weights.starts[row], weights.starts[row + 1])
                self._matrix[index, column, weights.columns[part]] = weights.values[part]

    def __call__(self, words: Sequence[str]) -> npt.NDArray[np.float64]:
        """(N, P, K): what each word adds to the scores of a token in whose window it stands.

        Each word's terms are added up in the same order whatever the other words are, so that company changes nothing.
        """
        scores = np.zeros((len(words), *self._matrix.shape[1:]))
        start = 0
        for batch in _batches(words):
            owners, columns, values = _sparse(self._features.values(batch))
            if len(owners):
                terms = self._matrix[columns] * values[:, None, None]  # (nonzero, P, K)
                firsts = np.flatnonzero(np.diff(owners, prepend=-1))
                scores[start + owners[firsts]] = np.add.reduceat(terms, firsts, axis=0)
            start += len(batch)
        return scores


def uses_vectors(templates: Features) -> bool:
    """Do the templates name features that word vectors give?"""
    return bool(templates.vector_clusters or templates.vector_binary or templates.vector_dense)


def learn_vector_features(templates: Features, words: Sequence[str], seed: int) -> VectorFeatures | None:
    """Read the vectors file and learn what the templates need, from the distinct words of the training sentences.

    Clusters are learnt from these words and the most frequent ones of the file. None if no vectors are wanted.
    Raises RecipeError when there is no file for the features, or no feature for the file; DataError for a file that
    cannot be read, or that has no vector of any training word.
    """
    positions = _positions(templates)
    if templates.vectors is None or not positions:
        if templates.vectors is None and not positions:
            return None
        raise _missing_vectors() if positions else unused_vectors()
    vectors = open_vectors(templates.vectors).compact(words)
    rows, kinds = vectors.rows(words)
    rows = rows[kinds > 0]
    deviation = float(rows.std()) if len(rows) else 0.0
    if not deviation > 0:
        raise DataError(
            f"no vector for any of the {len(words)} training words; is the file of this language and script?",
            path=templates.vectors,
        )
    clusters = {k: cluster_words(vectors, vectors.words, k=k, seed=seed) for k in templates.vector_clusters or ()}
    return VectorFeatures(vectors, clusters, thresholds(rows), float(np.float32(deviation)), positions)


def load_vector_features(templates: Features, files: Mapping[str, bytes]) -> VectorFeatures | None:
    """The inverse of `files`. Raises ValueError, KeyError or DataError for contents that do not fit together."""
    if templates.vectors is None:
        return None
    vectors = unpacked_vectors(files[VECTORS], path=VECTORS)
    try:
        arrays = unpack(files[SETTINGS], _KIND)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"{SETTINGS} is damaged ({error})") from None
    expected = {
        "positive": (vectors.width,),
        "negative": (vectors.width,),
        "deviation": (1,),
        **{f"centroids {number}": (-1, vectors.width) for number in templates.vector_clusters or ()},
    }
    if set(arrays) != set(expected):
        raise ValueError(f"{SETTINGS} holds {sorted(arrays)}; expected {sorted(expected)}")
    for name, shape in expected.items():
        found = arrays[name]
        if found.dtype != np.float32 or found.shape != (shape if shape[0] >= 0 else (len(found), *shape[1:])):
            raise ValueError(f"{SETTINGS}: {name} is of shape {found.shape} and type {found.dtype}; expected {shape}")
        if not np.isfinite(found).all() or not found.size:
            raise ValueError(f"{SETTINGS}: {name} holds values that are not numbers, or none")
    if not arrays["deviation"][0] > 0:
        raise ValueError(f"{SETTINGS}: deviation is {arrays['deviation'][0]}; expected more than 0")
    clusters = {k: Clusters(arrays[f"centroids {k}"], {}) for k in templates.vector_clusters or ()}
    limits = Thresholds(arrays["positive"], arrays["negative"])
    return VectorFeatures(vectors, clusters, limits, float(arrays["deviation"][0]), _positions(templates))


def unused_vectors() -> RecipeError:
    """What to say when there is a vectors file and nothing is made of it."""
    return RecipeError(
        "the recipe makes no features of word vectors, and a file of them (or raw text to learn them from) was given; "
        "take the recipe crf-fasttext, or set linear.features.vector_dense=[0]",
        key="linear.features.vectors",
    )


def _missing_vectors() -> RecipeError:
    return RecipeError(
        "the recipe makes features of word vectors, and no file of them is named; give --vectors FILE, or --raw FILE "
        "to learn them from raw text first",
        key="linear.features.vectors",
    )


def _positions(templates: Features) -> dict[str, tuple[int, ...]]:
    """The positions of each kind of feature that is wanted. Raises RecipeError for numbers of clusters."""
    numbers = templates.vector_clusters or ()
    if any(number < 1 for number in numbers) or len(set(numbers)) < len(numbers):
        raise RecipeError(
            f"{list(numbers)} is not possible; expected different numbers, 1 or more",
            key="linear.features.vector_clusters",
        )
    found = {
        "clusters": templates.cluster_window if numbers else (),
        "binary": templates.vector_binary or (),
        "dense": templates.vector_dense or (),
    }
    return {kind: tuple(dict.fromkeys(positions)) for kind, positions in found.items() if positions}


def _one_hot(numbers: npt.NDArray[np.int64], size: int) -> Floats:
    """(N, size): 1 at the number of each row; a row of zeros for a number of -1."""
    hot: Floats = (numbers[:, None] == np.arange(size)).astype(np.float32)
    return hot


def _sparse(values: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Row, column and value of everything that is not 0."""
    owners, columns = np.nonzero(values)
    return owners, columns, values[owners, columns].astype(np.float64)


def _batches(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, max(len(words), 1), _BATCH):
        yield words[start : start + _BATCH]
