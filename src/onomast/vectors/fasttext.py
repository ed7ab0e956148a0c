"""fastText's binary format (.bin), read by memory map: only the rows that are asked for are touched.

The layout is that of Facebook's `FastText::saveModel`, little-endian: magic and version; twelve settings; dictionary;
a byte that says whether the matrix is quantised; the input matrix, words first, then n-gram buckets. What follows
(the output matrix) is not needed.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from onomast.errors import DataError
from onomast.vectors.lookup import KNOWN, Flags, Kinds, batches, ngram_sums, take_first
from onomast.vectors.subword_ngrams import LONGEST_NGRAM, Floats, Integers, Subwords

MAGIC = struct.pack("<i", 793712314)
_NEWEST = 12
_HEADER = struct.Struct("<2i12id")
_DICTIONARY = struct.Struct("<3iqq")
_ENTRY = struct.Struct("<qb")
_SHAPE = struct.Struct("<?qq")
_SUPERVISED = 3
_WIDEST = 1 << 16


@dataclass(frozen=True)
class FastTextFile:
    """An open .bin file. `index`: word -> row; `matrix`: (words + buckets, D) in the file."""

    path: str
    subwords: Subwords
    index: dict[str, int]
    matrix: npt.NDArray[np.float32]
    pruned: Integers | None
    """Sorted buckets that were kept, if the model was pruned: bucket `pruned[i]` is row `pruned_rows[i]`."""
    pruned_rows: Integers | None
    word_rows: int
    """Rows before the first bucket."""
    skipped: int = 0
    """Words that are not UTF-8: nobody can ask for them."""
    duplicates: int = 0
    format: str = "fastText .bin"

    @property
    def width(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    def first(self, count: int) -> list[str]:
        """The most frequent words."""
        return take_first(self.index, count)

    def find(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Rows of known words: the mean of the word's own row and those of its n-grams, as in fastText."""
        rows = np.zeros((len(words), self.width), np.float32)
        kinds = np.zeros(len(words), np.uint8)
        known = [number for number, word in enumerate(words) if word in self.index]
        kinds[known] = KNOWN
        done = 0
        for names in batches([words[number] for number in known]):
            part = known[done : done + len(names)]
            done += len(names)
            own = np.array([self.index[name] for name in names], np.int64)
            total, counts = ngram_sums(self.subwords, self.gather, names)
            with np.errstate(over="ignore", invalid="ignore"):  # `rows_of` looks for values that are not finite
                rows[part] = (total + self.matrix[own]) / (counts + 1)[:, None].astype(np.float32)
        return rows, kinds

    def gather(self, buckets: Integers) -> tuple[Floats, Flags]:
        """Rows of buckets; all are there unless the model was pruned."""
        if self.pruned is None or self.pruned_rows is None:
            return self.matrix[buckets + self.word_rows], np.ones(len(buckets), np.bool_)
        if len(self.pruned) == 0:
            return np.zeros((len(buckets), self.width), np.float32), np.zeros(len(buckets), np.bool_)
        place = np.minimum(np.searchsorted(self.pruned, buckets), len(self.pruned) - 1)
        present = self.pruned[place] == buckets
        return self.matrix[np.where(present, self.pruned_rows[place] + self.word_rows, 0)], present


def open_fasttext(file: IO[bytes], path: str | Path) -> FastTextFile:
    """Read header and dictionary of an open .bin file and map its matrix; the file may be closed afterwards.

    Raises DataError for a quantised model, a file that is cut off, and a header that does not fit the rest.
    """
    reader = _Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), path)
    _, version, width, *settings, _ = reader.unpack(_HEADER)
    model, buckets, minn, maxn = (int(settings[index]) for index in (6, 7, 8, 9))
    if version > _NEWEST:
        raise DataError(f"fastText format version {version}; expected {_NEWEST} or earlier", path=path)
    if not (0 < width <= _WIDEST and buckets >= 0 and 0 <= minn <= LONGEST_NGRAM and 0 <= maxn <= LONGEST_NGRAM):
        raise reader.damaged(f"a header with width {width}, {buckets} buckets, n-grams of {minn} to {maxn} characters")
    if version == 11 and model == _SUPERVISED:
        maxn = 0  # such models were trained without n-grams, whatever the header says
    words, labels, pairs = _counts(reader)
    index, skipped = _words(reader, words, labels)
    pruned = reader.array("<i4", max(pairs, 0) * 2).astype(np.int64).reshape(-1, 2)
    quantised = reader.data[reader.position : reader.position + 1]
    if quantised == b"\1":
        raise DataError(
            "a quantised fastText model (.ftz), whose vectors are compressed; expected a full one; "
            "use the .bin file that it was made from",
            path=path,
        )
    if quantised not in (b"\0", b""):
        raise reader.damaged(f"the byte {quantised!r} before the matrix")
    _, height, columns = reader.unpack(_SHAPE)
    kept = buckets if pairs < 0 else pairs
    enough = height == words + kept or (maxn == 0 and height >= words)
    if columns != width or not enough or (pairs > 0 and not _fits(pruned, buckets)):
        raise reader.damaged(
            f"a matrix of {height} rows of {columns}, where the header says {words + kept} rows of {width}"
        )
    matrix = reader.array("<f4", height * columns).reshape(height, columns)
    if hasattr(mmap, "MADV_RANDOM"):
        reader.data.madvise(mmap.MADV_RANDOM)  # rows are read here and there: no reading ahead
    order = np.argsort(pruned[:, 0], kind="stable")
    return FastTextFile(
        str(path),
        Subwords(minn, maxn, buckets if height > words else 0),
        index,
        matrix,
        None if pairs < 0 else pruned[order, 0],
        None if pairs < 0 else pruned[order, 1],
        words,
        skipped,
        words - skipped - len(index),
    )


class _Reader:
    """A position in the mapped file; everything is checked against its size before it is taken."""

    def __init__(self, data: mmap.mmap, path: str | Path) -> None:
        self.data, self.path, self.position = data, path, 0

    def damaged(self, found: str) -> DataError:
        return DataError(f"{found}: it is damaged or no fastText model; get the file again", path=self.path)

    def need(self, size: int, what: str) -> None:
        left = len(self.data) - self.position
        if size > left:
            raise DataError(
                f"cut off at {len(self.data):,} bytes: {what} needs {size:,} more, {left:,} are left; "
                "get the file again (the disk may have been full, or the download broken off)",
                path=self.path,
            )

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        self.need(layout.size, "its header")
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        """The next `count` four-byte values, still in the file."""
        self.need(4 * count, "its matrix")
        values = np.frombuffer(self.data, dtype, count, self.position)
        self.position += 4 * count
        return values


def _counts(reader: _Reader) -> tuple[int, int, int]:
    """Words, labels, and pairs of the prune index (-1: not pruned)."""
    size, words, labels, _, pairs = reader.unpack(_DICTIONARY)
    if min(size, words, labels) < 0 or size != words + labels or pairs < -1:
        raise reader.damaged(f"a dictionary of {size} entries, {words} words and {labels} labels")
    reader.need(size * (_ENTRY.size + 1), "its dictionary")
    return words, labels, pairs


def _words(reader: _Reader, words: int, labels: int) -> tuple[dict[str, int], int]:
    """The dictionary: word, NUL, count (8 bytes), type (1 byte). Labels, of supervised models, come last."""
    data, position = reader.data, reader.position
    index: dict[str, int] = {}
    skipped = 0
    for row in range(words + labels):
        end = data.find(b"\0", position)
        if end < 0 or end + 1 + _ENTRY.size > len(data):
            reader.position = len(data)
            reader.need(_ENTRY.size + 1, "its dictionary")
        if data[end + _ENTRY.size] != (0 if row < words else 1):
            raise reader.damaged(f"entry {row} of the dictionary is of an unknown kind")
        if row < words:
            try:
                index.setdefault(data[position:end].decode("utf-8"), row)
            except UnicodeDecodeError:
                skipped += 1
        position = end + 1 + _ENTRY.size
    reader.position = position
    return index, skipped


def _fits(pruned: Integers, buckets: int) -> bool:
    """Do the pairs name buckets, and rows among themselves?"""
    return bool(((pruned >= 0) & (pruned < np.array([buckets, len(pruned)]))).all())
