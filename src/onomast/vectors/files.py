"""Word vectors: open a file of any format, get rows of words, keep what a tagger needs.

Formats: fastText .bin (`fasttext.py`); .vec, GloVe, word2vec text and binary (`word2vec_files.py`); what `prune` writes
(`compact.py`). Which one it is, is seen from the first bytes, not from the name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from onomast.errors import DataError
from onomast.vectors.compact import CompactVectors, compacted, is_compact, read_compact, write_compact
from onomast.vectors.fasttext import MAGIC, FastTextFile, open_fasttext
from onomast.vectors.lookup import KNOWN, MADE, Kinds, VectorRows, coverage_warning, rows_of
from onomast.vectors.subword_ngrams import Floats
from onomast.vectors.word2vec_files import BYTE_ORDER_MARK, RowFile, is_number, opened

__all__ = [
    "CompactVectors",
    "Vectors",
    "VectorsDescription",
    "coverage_warning",
    "describe_vectors",
    "open_vectors",
    "prune_vectors",
]

NGRAM_ROWS = 20_000
WORD_ROWS = 50_000
_HEAD = 1 << 18  # bytes from which the format is seen
_WIDEST = 1 << 16


@dataclass(frozen=True)
class Vectors:
    """An open vectors file: words -> rows, unknown words too where the file has n-grams."""

    table: VectorRows

    @property
    def path(self) -> str:
        """The file."""
        return self.table.path

    @property
    def format(self) -> str:
        """Its format, in words."""
        return self.table.format

    @property
    def width(self) -> int:
        """D: values of a vector."""
        return self.table.width

    @cached_property
    def words(self) -> list[str]:
        """Every word of the dictionary, in the order of the file: the most frequent first."""
        return self.table.first(2**62)

    def rows(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Vectors (N, D) of words and what they are (N,): 0 none (zeros), 1 in the dictionary, 2 made of n-grams.

        A word is looked up as written, then in lower case; if both are unknown, its n-grams as written are averaged.
        Text and word2vec files are read once from end to end for each call. Raises DataError for a damaged file.
        """
        return rows_of(self.table, words)

    def compact(
        self, words: Sequence[str], *, ngram_rows: int = NGRAM_ROWS, word_rows: int = WORD_ROWS
    ) -> CompactVectors:
        """What a saved tagger holds: rows of `words`, of the `word_rows` most frequent words, and `ngram_rows` n-grams.

        Half precision. Words that get no vector are left out.
        """
        return compacted(self.table, words, ngram_rows=ngram_rows, word_rows=word_rows)


def open_vectors(path: str | Path) -> Vectors:
    """Open a vectors file of any format, plain or gzip.

    Raises DataError for a file that is missing, empty, quantised, cut off, or something else altogether.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError("this is a folder; expected a file of vectors", path=path)
    with opened(path) as file:
        head = file.read(_HEAD)
    _refuse_others(head, path)
    if head.startswith(MAGIC):
        return Vectors(_fasttext(path))
    if is_compact(head):
        return Vectors(read_compact(path))
    return Vectors(_row_file(head, path))


@dataclass(frozen=True)
class VectorsDescription:
    """What a vectors file holds, and what it knows of some words."""

    path: str
    format: str
    width: int
    words: int
    ngrams: str
    """`3 to 6 characters, 200,000 buckets`, or nothing."""
    duplicates: int
    """Words that stand there more than once; the first row counts."""
    skipped: int
    """Rows whose word is empty or not UTF-8."""
    asked: int = 0
    """Distinct words looked up."""
    known: int = 0
    """Of them in the dictionary, as written or in lower case."""
    made: int = 0
    """Of them with a vector made of n-grams."""
    examples: tuple[str, ...] = ()
    """Some that are not in the dictionary."""
    warning: str | None = None

    def __str__(self) -> str:
        lines = [
            f"file     {self.path}",
            f"format   {self.format}",
            f"width    {self.width}",
            f"words    {self.words:,}",
            f"n-grams  {self.ngrams or 'none: words outside the dictionary have no vector'}",
        ]
        if self.duplicates or self.skipped:
            lines.append(f"ignored  {self.duplicates:,} repeated words, {self.skipped:,} words that are not UTF-8")
        if self.asked:
            none = self.asked - self.known - self.made
            lines.append(
                f"asked    {self.asked:,} words: {self.known:,} known ({self.known / self.asked:.1%}), "
                f"{self.made:,} made of n-grams, {none:,} without a vector"
            )
        if self.examples:
            lines.append(f"unknown  {' '.join(self.examples)} ...")
        if self.warning:
            lines.append(f"warning  {self.warning}")
        return "\n".join(lines)


def describe_vectors(path: str | Path, words: Sequence[str] | None = None) -> VectorsDescription:
    """Read a whole vectors file, and say what it is and how many of `words` it knows. Raises DataError as `rows`."""
    table = open_vectors(path).table
    if isinstance(table, RowFile):
        number, duplicates, skipped = table.tally()
    else:
        number = len(table.first(2**62))
        duplicates, skipped = (table.duplicates, table.skipped) if isinstance(table, FastTextFile) else (0, 0)
    ngrams = ""
    if table.subwords.present:
        rows = len(table.buckets) if isinstance(table, CompactVectors) else table.subwords.buckets
        ngrams = f"{table.subwords.minn} to {table.subwords.maxn} characters, {rows:,} buckets"
    asked = list(dict.fromkeys(words or ()))
    kinds = rows_of(table, asked)[1] if asked else np.zeros(0, np.uint8)
    unknown = [word for word, kind in zip(asked, kinds, strict=True) if kind != KNOWN]
    return VectorsDescription(
        str(path), table.format, table.width, number, ngrams, duplicates, skipped,
        asked=len(asked), known=int((kinds == KNOWN).sum()), made=int((kinds == MADE).sum()),
        examples=tuple(unknown[:5]), warning=coverage_warning(kinds),
    )  # fmt: skip


@dataclass(frozen=True)
class Pruned:
    """What `prune_vectors` wrote."""

    path: str
    words: int
    missing: int
    """Words asked for that have no vector."""
    ngrams: int
    before: int
    """Bytes."""
    after: int
    """Bytes."""

    def __str__(self) -> str:
        lost = f" ({self.missing:,} more have no vector)" if self.missing else ""
        return (
            f"{self.path}: {self.words:,} words{lost}, {self.ngrams:,} n-grams; "
            f"{self.after / 1e6:.1f} MB instead of {self.before / 1e6:.1f} MB"
        )


def prune_vectors(
    path: str | Path, words: Sequence[str], out: str | Path, *, ngram_rows: int = NGRAM_ROWS, word_rows: int = 0
) -> Pruned:
    """Write a smaller file that `open_vectors` reads: rows of `words` and of the `word_rows` most frequent, n-grams."""
    vectors = open_vectors(path).compact(words, ngram_rows=ngram_rows, word_rows=word_rows)
    write_compact(vectors, out)
    asked = set(words)
    return Pruned(
        str(out),
        len(vectors.words),
        len(asked - set(vectors.words)),
        len(vectors.buckets),
        Path(path).stat().st_size,
        Path(out).stat().st_size,
    )


def _fasttext(path: Path) -> FastTextFile:
    """Map the file; a gzip file is first unpacked to a temporary one, which vanishes with the map."""
    with path.open("rb") as plain:
        if plain.read(2) != b"\x1f\x8b":
            return open_fasttext(plain, path)
    with tempfile.TemporaryFile() as unpacked, opened(path) as packed:
        shutil.copyfileobj(packed, unpacked, 1 << 20)
        unpacked.flush()
        return open_fasttext(unpacked, path)


def _row_file(head: bytes, path: Path) -> RowFile:
    """Header or none, text or binary, separator, width."""
    line, _, rest = head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    separator = b"\t" if b"\t" in line and b" " not in line.strip() else b" "
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 19 for field in fields):
        count, width = int(fields[0]), int(fields[1])
        if not (0 < width <= _WIDEST and count > 0):
            raise DataError(f"{count} rows of {width} values; expected 1 or more of each", path=path, line=1)
        first = rest.partition(b"\n")[0]
        if _is_text(first):
            separator = b"\t" if b"\t" in first and b" " not in first.strip() else b" "
            return RowFile(str(path), "text with a header (.vec, word2vec)", width, count, separator)
        return RowFile(str(path), "word2vec binary", width, count)
    parts = line.rstrip(b" \t\r\n").split(separator)
    if len(parts) < 2 or not all(map(is_number, parts[1:])) or len(line) == _HEAD:
        shown = line[:40].decode("utf-8", "replace")
        raise DataError(
            f"begins with {shown!r}; expected vectors: fastText .bin, or text with a word and its numbers on each line",
            path=path,
        )
    return RowFile(str(path), "text without a header (GloVe)", len(parts) - 1, None, separator)


def _is_text(row: bytes) -> bool:
    """Is this a row of text: no control characters, and a number somewhere after the word?"""
    return not any(byte < 32 and byte not in b"\t\r" for byte in row) and any(map(is_number, row.split()[1:]))


def _refuse_others(head: bytes, path: Path) -> None:
    """Say what the file is where it is one of the things that people download by mistake."""
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    page = start[:1] == b"<" and (b"<html" in start[:4096].lower() or b"<!doctype" in start[:4096].lower())
    if not start:
        found, advice = "the file is empty", "get it again"
    elif page:
        found, advice = "this is a web page (HTML)", "download the file that it links to"
    elif start.startswith(b"version https://git-lfs"):
        found, advice = "this is a Git LFS pointer", "fetch the file itself with `git lfs pull`"
    elif head.startswith(b"PK\x03\x04"):
        found, advice = "this is a zip file", "unpack it and use the .bin or .vec file inside"
    elif head.startswith(b"\x80"):
        found, advice = "this is a Python pickle, which is not opened", "export it with gensim's save_word2vec_format"
    else:
        return
    raise DataError(f"{found}; expected vectors (fastText .bin, .vec, GloVe, word2vec); {advice}", path=path)
