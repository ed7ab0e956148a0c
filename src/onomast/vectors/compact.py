"""What is left of a vectors file: the rows that are needed and a table of n-grams, so that every word gets a vector.

A saved tagger holds one, as tensors; `onomast vectors prune` writes one to a file (safetensors, no pickle).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from onomast.errors import DataError
from onomast.files import atomic_path
from onomast.vectors.lookup import (
    KNOWN,
    MADE,
    UNKNOWN,
    Flags,
    Kinds,
    VectorRows,
    batches,
    rows_of,
    take_first,
)
from onomast.vectors.subword_ngrams import LONGEST_NGRAM, Floats, Integers, Subwords

Stored = npt.NDArray[Any]  # float16, or float32 where values are too large for it

_KIND = "vectors 1"
_MARK = re.compile(rb'"__metadata__": ?\{"onomast"')
_DICTIONARY = 500_000  # the most frequent words, whose n-grams are counted
_CANDIDATES = 8  # times as many common n-grams are weighed as are kept
_ROWS = 10_000  # n-gram rows in memory at once


@dataclass(frozen=True)
class CompactVectors:
    """Rows of W words and of M n-gram buckets.

    A word that is none of the W gets the mean of its n-grams' rows, those that are not among the M counting as zeros.
    """

    words: tuple[str, ...]
    stored: Stored
    """(W, D)"""
    kinds: Kinds
    """(W,): 1 from the file's dictionary, 2 made of all n-grams of the file"""
    subwords: Subwords
    buckets: Integers
    """(M,), rising"""
    ngrams: Stored
    """(M, D)"""
    path: str = "the saved vectors"
    format: str = "onomast"

    @property
    def width(self) -> int:
        """D."""
        return int(self.stored.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Word -> row."""
        return {word: row for row, word in enumerate(self.words)}

    def rows(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Vectors (N, D) and kinds (N,): 0 none (zeros), 1 in the dictionary, 2 made of n-grams; see `rows_of`."""
        return rows_of(self, words)

    def first(self, count: int) -> list[str]:
        """The first words."""
        return take_first(self.words, count)

    def find(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Rows (N, D) of exactly these words, zeros for others, and their kinds (N,)."""
        place = np.array([self.index.get(word, -1) for word in words], np.int64)
        rows = np.zeros((len(words), self.width), np.float32)
        kinds = np.zeros(len(words), np.uint8)
        rows[place >= 0] = self.stored[place[place >= 0]]
        kinds[place >= 0] = self.kinds[place[place >= 0]]
        return rows, kinds

    def gather(self, buckets: Integers) -> tuple[Floats, Flags]:
        """Rows (M', D) of these buckets, zeros for those that were not kept; all count in a mean (M',)."""
        rows = np.zeros((len(buckets), self.width), np.float32)
        if len(self.buckets):
            place = np.minimum(np.searchsorted(self.buckets, buckets), len(self.buckets) - 1)
            kept = self.buckets[place] == buckets
            rows[kept] = self.ngrams[place[kept]]
        return rows, np.ones(len(buckets), np.bool_)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Everything but the words: `rows`, `kinds`, `buckets`, `ngrams` and `settings` (minn, maxn, buckets)."""
        settings = np.array([self.subwords.minn, self.subwords.maxn, self.subwords.buckets], np.int64)
        return {
            "rows": self.stored,
            "kinds": self.kinds,
            "buckets": self.buckets,
            "ngrams": self.ngrams,
            "settings": settings,
        }

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, npt.NDArray[Any]], words: Sequence[str], *, path: str = "the saved vectors"
    ) -> Self:
        """The inverse of `tensors` and `words`. Raises ValueError for what does not fit together."""
        expected = {"rows", "kinds", "buckets", "ngrams", "settings"}
        if set(tensors) != expected:
            raise ValueError(f"vectors with tensors {sorted(tensors)}; expected {sorted(expected)}")
        rows, kinds, buckets, ngrams, settings = (
            tensors[name] for name in ("rows", "kinds", "buckets", "ngrams", "settings")
        )
        shapes = [array.shape for array in (rows, kinds, buckets, ngrams, settings)]
        width = rows.shape[1] if rows.ndim == 2 else 0
        if width == 0 or shapes != [(len(words), width), (len(words),), (len(buckets),), (len(buckets), width), (3,)]:
            raise ValueError(f"vectors of shapes {shapes} for {len(words)} words")
        if any(array.dtype not in (np.float16, np.float32) for array in (rows, ngrams)):
            raise ValueError(f"vectors of types {rows.dtype} and {ngrams.dtype}; expected float16 or float32")
        if [array.dtype.name for array in (kinds, buckets, settings)] != ["uint8", "int64", "int64"]:
            raise ValueError(f"vectors whose indices are of types {kinds.dtype}, {buckets.dtype}, {settings.dtype}")
        subwords = Subwords(*(int(number) for number in settings))
        limits = (
            0 <= subwords.minn <= LONGEST_NGRAM
            and 0 <= subwords.maxn <= LONGEST_NGRAM
            and 0 <= subwords.buckets < 1 << 31
        )
        ordered = len(buckets) == 0 or (
            buckets[0] >= 0 and buckets[-1] < subwords.buckets and (np.diff(buckets) > 0).all()
        )
        if not limits or not ordered or not np.isin(kinds, (KNOWN, MADE)).all():
            raise ValueError("vectors whose n-gram table or kinds of words are out of range")
        if len(set(words)) != len(words) or not all(isinstance(word, str) for word in words):
            raise ValueError("vectors with a word twice")
        return cls(tuple(words), rows, kinds, subwords, buckets, ngrams, path)


def compacted(table: VectorRows, words: Sequence[str], *, ngram_rows: int, word_rows: int) -> CompactVectors:
    """Keep the rows of `words`, of the `word_rows` most frequent others, and `ngram_rows` n-grams; half precision.

    Words without a vector are left out. The n-grams kept are those with the largest
    sqrt(number of distinct words it occurs in) * length of its row: common ones, and of these the ones that say most.
    """
    asked = list(dict.fromkeys([*words, *table.first(word_rows)]))
    rows, kinds = rows_of(table, asked)
    present = np.flatnonzero(kinds != UNKNOWN)
    buckets = _frequent_buckets(table, words, ngram_rows)
    ngrams, _ = table.gather(buckets)
    return CompactVectors(
        tuple(asked[number] for number in present.tolist()),
        _halved(rows[present]),
        kinds[present],
        table.subwords,
        buckets,
        _halved(ngrams),
        table.path,
    )


def write_compact(vectors: CompactVectors, path: str | Path) -> None:
    """Write to a file; atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(packed_vectors(vectors))


def packed_vectors(vectors: CompactVectors) -> bytes:
    """The contents of a file in the safetensors, words as UTF-8 text with NUL between them."""
    text = "\0".join(vectors.words).encode("utf-8", "surrogatepass")
    return pack({**vectors.tensors(), "words": np.frombuffer(text, np.uint8)}, _KIND)


def is_compact(head: bytes) -> bool:
    """Does a file that begins so look like one of `write_compact`?"""
    return head[8:9] == b"{" and _MARK.search(head[8:200]) is not None


def read_compact(path: str | Path) -> CompactVectors:
    """Read what `write_compact` wrote. Raises DataError for a file that is damaged."""
    return unpacked_vectors(Path(path).read_bytes(), path=path)


def unpacked_vectors(data: bytes, *, path: str | Path) -> CompactVectors:
    """The inverse of `packed_vectors`. Raises DataError, which names `path`, for contents that are damaged."""
    try:
        arrays = unpack(data, _KIND)
        text = arrays.pop("words").tobytes().decode("utf-8", "surrogatepass")
        words = text.split("\0") if len(arrays["rows"]) else []
        return CompactVectors.from_tensors(arrays, words, path=str(path))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(
            f"not the vectors that `onomast vectors prune` writes, or damaged ({error}); write the file again",
            path=path,
        ) from None


def pack(arrays: Mapping[str, npt.NDArray[Any]], kind: str) -> bytes:
    """Arrays as the contents of a safetensors file that names its kind; the same arrays give the same bytes."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"onomast": kind})


def unpack(data: bytes, kind: str) -> dict[str, npt.NDArray[Any]]:
    """The inverse of `pack`. Raises ValueError for damaged contents, and for those of another kind."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except (SafetensorError, KeyError, OverflowError) as error:  # KeyError: a type that numpy lacks
        raise ValueError(str(error)) from None
    # `load` has checked the header; only the library's reader of files, not that of bytes, gives the metadata.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    if header.get("__metadata__") != {"onomast": kind}:
        raise ValueError(f"not of the kind {kind!r} of this version of onomast")
    return arrays


def _frequent_buckets(table: VectorRows, words: Sequence[str], count: int) -> Integers:
    subwords = table.subwords
    if not subwords.present or count <= 0:
        return np.zeros(0, np.int64)
    known = list(dict.fromkeys([*table.first(_DICTIONARY), *words]))
    if not known:
        return np.zeros(0, np.int64)
    # Only what occurs is counted: a file may name far more buckets than it has rows.
    found = [np.unique(subwords.of(batch)[0], return_counts=True) for batch in batches(known)]
    buckets, places = np.unique(np.concatenate([ids for ids, _ in found]), return_inverse=True)
    counts = np.bincount(places, np.concatenate([times for _, times in found])).astype(np.float32)
    order = np.argsort(-counts, kind="stable")[: _CANDIDATES * count]
    common, counts = buckets[order], counts[order]
    scores = np.zeros(len(common), np.float32)
    for start in range(0, len(common), _ROWS):
        part = slice(start, start + _ROWS)
        rows, present = table.gather(common[part])
        scores[part] = np.sqrt(counts[part]) * np.linalg.norm(rows, axis=1) * present
    best = np.argsort(-scores, kind="stable")[:count]
    return np.sort(common[best[scores[best] > 0]]).astype(np.int64)


def _halved(rows: Floats) -> Stored:
    """Half precision, whose relative error is below 0.0005; single where a value is too large for it."""
    too_large = len(rows) > 0 and float(np.abs(rows).max()) > float(np.finfo(np.float16).max)
    return rows if too_large else rows.astype(np.float16)
