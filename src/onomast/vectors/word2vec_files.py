"""Vectors files that are lists of rows: fastText's .vec, GloVe's text, word2vec's text and binary; plain or gzip.

Nothing is kept in memory: each question is one pass over the file, so ask for all words at once.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from onomast.errors import DataError
from onomast.vectors.lookup import KNOWN, Flags, Kinds
from onomast.vectors.subword_ngrams import NO_SUBWORDS, Floats, Integers, Subwords

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_LINE = 1 << 22
_LONGEST_WORD = 1 << 14
_CHUNK = 1 << 20
_NUMERIC = b"0123456789.+-eE \t"  # what sound values are made of


@dataclass(frozen=True)
class RowFile:
    """A list of rows on disk: word, then D values."""

    path: str
    format: str
    """`word2vec binary`: word, space, D floats of four bytes; all others: a row a line, cut by `separator`."""
    width: int
    count: int | None
    """Rows, as the header says; None without a header."""
    separator: bytes = b" "
    subwords: Subwords = NO_SUBWORDS

    def first(self, count: int) -> list[str]:
        """The first words of the file."""
        found: dict[str, None] = {}
        for _, word, _ in self._rows():
            if len(found) >= count:
                break
            name = _decoded(word)
            if name:
                found[name] = None
        return list(found)

    def find(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Rows of the words that stand in the file; the first row of a word counts."""
        wanted = {word.encode("utf-8", "surrogatepass"): number for number, word in enumerate(words)}
        rows = np.zeros((len(words), self.width), np.float32)
        kinds = np.zeros(len(words), np.uint8)
        for place, word, values in self._rows():
            number = wanted.get(word)
            if number is not None and not kinds[number]:
                rows[number] = self._parsed(values, place)
                kinds[number] = KNOWN
        return rows, kinds

    def gather(self, buckets: Integers) -> tuple[Floats, Flags]:
        """Such files have no n-grams."""
        return np.zeros((len(buckets), self.width), np.float32), np.zeros(len(buckets), np.bool_)

    def tally(self) -> tuple[int, int, int]:
        """How many words there are, rows of a word that stood there before, and rows whose word is empty or not UTF-8.

        Every row is looked at for values that are not numbers.
        """
        seen: set[str] = set()
        total = skipped = 0
        for place, word, values in self._rows():
            total += 1
            name = _decoded(word)
            if self.format == "word2vec binary" or values.translate(None, _NUMERIC):
                self._parsed(values, place)
            if name:
                seen.add(name)
            else:
                skipped += 1
        return len(seen), total - skipped - len(seen), skipped

    def _rows(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Place (line, or number of the row), word, values of every row; raises DataError where the file is wrong."""
        with opened(self.path) as file:
            yield from self._binary_rows(file) if self.format == "word2vec binary" else self._text_rows(file)

    def _text_rows(self, file: IO[bytes]) -> Iterator[tuple[int, bytes, bytes]]:
        separator, width = self.separator, self.width
        if self.count is not None:
            file.readline(_LONGEST_LINE)
        place = first = 1 if self.count is None else 2
        ended = True
        while line := file.readline(_LONGEST_LINE):
            ended = line.endswith(b"\n")
            if place == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            row = line.rstrip(b" \t\r\n")
            if row.count(separator) == width:
                word, _, values = row.partition(separator)
                yield place, word, values
            elif row:
                yield place, *self._odd_row(row, place, ended)
            elif self.count is None or place - first < self.count:
                raise self._wrong(place, "an empty line", ended)
            else:
                continue
            place += 1
        if self.count is not None and place - first != self.count:
            raise self._miscounted(place - first)

    def _odd_row(self, row: bytes, place: int, ended: bool) -> tuple[bytes, bytes]:
        """A row with too few values, or too many, unless it is a word with spaces in it, as GloVe has some."""
        parts = row.split(self.separator)
        extra = len(parts) - 1 - self.width
        if extra < 0 or any(is_number(part) for part in parts[1 : extra + 1]):
            raise self._wrong(place, f"{len(parts) - 1} values", ended)
        return self.separator.join(parts[: extra + 1]), self.separator.join(parts[extra + 1 :])

    def _binary_rows(self, file: IO[bytes]) -> Iterator[tuple[int, bytes, bytes]]:
        file.readline(_LONGEST_LINE)
        size = 4 * self.width
        data, position = b"", 0
        for number in range(1, (self.count or 0) + 1):
            while True:
                space = data.find(b" ", position, position + _LONGEST_WORD)
                if space >= 0 and space + 1 + size <= len(data):
                    break
                if space < 0 and len(data) - position >= _LONGEST_WORD:
                    raise DataError(f"row {number} has no word; the file is damaged: get it again", path=self.path)
                more = file.read(max(_CHUNK, size))
                if not more:
                    raise self._miscounted(number - 1)
                data, position = data[position:] + more, 0
            yield number, data[position:space].lstrip(b"\n"), data[space + 1 : space + 1 + size]
            position = space + 1 + size
        if (data[position:] + file.read(_CHUNK)).strip(b"\n"):
            raise self._miscounted((self.count or 0) + 1)

    def _parsed(self, values: bytes, place: int) -> Floats:
        if self.format == "word2vec binary":
            row = np.frombuffer(values, "<f4")
        else:
            try:
                with np.errstate(over="ignore"):
                    row = np.array([float(value) for value in values.split(self.separator)], np.float64)
                    row = row.astype(np.float32)
            except ValueError:
                raise self._wrong(place, "a value that is not a number", True) from None
        if not np.isfinite(row).all():
            raise self._wrong(place, "a value that is not finite (NaN or infinite)", True)
        return cast(Floats, row)

    def _wrong(self, place: int, found: str, ended: bool) -> DataError:
        cut = "" if ended else "; the last line is cut off"
        binary = self.format == "word2vec binary"
        where = f"row {place}: " if binary else ""
        return DataError(
            f"{where}{found}{cut}; expected a word and {self.width} numbers; the file is damaged: get it again",
            path=self.path,
            line=None if binary else place,
        )

    def _miscounted(self, found: int) -> DataError:
        rows = f"{found:,} rows" if found <= (self.count or 0) else "more rows"
        return DataError(
            f"{rows}, where its first line says {self.count:,}; the file is cut off or damaged: get it again",
            path=self.path,
        )


@contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacking gzip; whatever goes wrong while it is read becomes a DataError."""
    try:
        with Path(path).open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else Path(path).open("rb") as file:
            yield cast("IO[bytes]", file)
    except EOFError:
        raise DataError("the gzip file is cut off; get it again", path=path) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the gzip file is damaged ({error}); get it again", path=path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}; expected a file of vectors", path=path) from None


def is_number(text: bytes) -> bool:
    """Would `float` read it?"""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _decoded(word: bytes) -> str:
    """The word, or nothing if it is not UTF-8."""
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return ""
