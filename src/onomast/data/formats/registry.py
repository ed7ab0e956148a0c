"""Every file format: READERS and WRITERS at the foot. In memory a sentence is the same, whatever file it came from.

What is not as it should be is mended and told of (`Repair`), or refused with file and line; never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onomast.data.completeness import long_sentences, unlabelled_stretches
from onomast.data.formats.annotation_tools import write_doccano, write_label_studio, write_prodigy
from onomast.data.formats.brat import is_brat, read_brat, write_brat
from onomast.data.formats.columns import read_columns, write_columns
from onomast.data.formats.conllu import looks_like_conllu, read_conllu, write_conllu
from onomast.data.formats.records import looks_like_records, read_records, write_json, write_records
from onomast.data.formats.tables import read_docbin, read_parquet, write_docbin, write_parquet
from onomast.data.formats.triggers import looks_like_triggers, read_triggers
from onomast.data.html_page import write_html
from onomast.data.input_file import DOCBIN, PARQUET, InputFile, ReadLog, ReadOptions, Repair
from onomast.errors import DataError, nearest
from onomast.files import is_direct
from onomast.sentence import Sentence
from onomast.tags import Orphan, Style

__all__ = ["READERS", "WRITERS", "Reading", "Repair", "read", "read_file", "stream", "write"]

Reader = Callable[[InputFile, ReadOptions, ReadLog], Iterator[Sentence]]
Writer = Callable[[Iterable[Sentence], str, Style], None]


@dataclass(frozen=True)
class Reading:
    """What one file held."""

    path: str
    sentences: tuple[Sentence, ...]
    format: str
    """A name of `READERS`."""
    style: Style | None
    """The scheme of the file's tags; None where it has none. The sentences are IOB2."""
    guess: str
    """How the file was understood, in one line."""
    repairs: tuple[Repair, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may be wrong with the file as a whole: stretches without labels, sentences without end."""
        return (*unlabelled_stretches(self.path, self.sentences), *long_sentences(self.path, self.sentences))


def read_file(
    path: str | Path,
    *,
    format: str | None = None,
    columns: str | Iterable[str] | None = None,
    style: Style | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
    until: int | None = None,
) -> Reading:
    """Read a whole labelled file ("-": standard input), and say how it was understood and what was mended.

    `format` (a name of READERS), `columns` (such as "token pos tag") and `style` are found out where they are None;
    `orphan` is what becomes of tags that no legal sequence contains; `language` is that of sentences that name none;
    `until` is the last line that is read, for files that are labelled up to there (brat, Parquet and DocBin: all).
    Raises DataError: no such file, not UTF-8, empty, no tags, or two equally good ways to read it.
    """
    repairs: list[Repair] = []
    log = ReadLog(repairs.append)
    file = InputFile(str(path), until)
    options = ReadOptions(_column_names(columns), style, orphan, language)
    with _opened(file, format) as name:
        sentences = tuple(READERS[name](file, options, log))
    if not sentences:
        raise file.error("there is no sentence in it")
    return Reading(file.path, sentences, name, log.style, "; ".join(filter(None, log.guess)), tuple(repairs))


def read(
    path: str | Path,
    *,
    format: str | None = None,
    columns: str | Iterable[str] | None = None,
    style: Style | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
) -> list[Sentence]:
    """The sentences of a file; see `read_file`, which also tells what was guessed and mended."""
    reading = read_file(path, format=format, columns=columns, style=style, orphan=orphan, language=language)
    return list(reading.sentences)


def stream(
    path: str | Path,
    *,
    format: str | None = None,
    columns: str | Iterable[str] | None = None,
    style: Style | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
    on_repair: Callable[[Repair], object] | None = None,
) -> Iterator[Sentence]:
    """The sentences of a file one by one; memory does not grow with the file (columns, CoNLL-U, JSONL).

    As `read_file`; every repair goes to `on_repair`.
    """
    file = InputFile(str(path))
    options = ReadOptions(_column_names(columns), style, orphan, language)
    empty = True
    with _opened(file, format) as name:
        for sentence in READERS[name](file, options, ReadLog(on_repair)):
            empty = False
            yield sentence
    if empty:
        raise file.error("there is no sentence in it")


def write(sentences: Iterable[Sentence], path: str | Path, *, format: str | None = None, style: Style = "iob2") -> None:
    """Write sentences as they come; the file appears whole or not at all ("-": standard output).

    `format` (a name of WRITERS) is the one that the suffix of the name stands for where it is None; a name ending in
    .gz is compressed. Raises DataError for a suffix that no writer has, and for a sentence that the format cannot hold.
    """
    name = format or writer_for(path)
    if name not in WRITERS:
        raise DataError(f"there is no writer {name!r}; {nearest(name, WRITERS)}", path=path)
    WRITERS[name](sentences, str(path), style)


def writer_for(path: str | Path, default: str = "columns") -> str:
    """The name in WRITERS that the suffix of a file stands for (.gz aside); `default` for "-", .txt and no suffix.

    Raises DataError for a suffix that stands for a format that is not written, or for no format at all.
    """
    suffix = InputFile(str(path)).suffix
    if suffix in ("", ".txt") or str(path) == "-" or is_direct(path):
        return default
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"the suffix {suffix} stands for no format; expected one of {known}; or name one with --format", path=path
        )
    return SUFFIXES[suffix]


def writer_of(path: str | Path) -> str | None:
    """The name in WRITERS that the suffix of a file stands for, or None."""
    return SUFFIXES.get(InputFile(str(path)).suffix)


def _column_names(columns: str | Iterable[str] | None) -> tuple[str, ...] | None:
    from onomast.data.formats.column_layout import COLUMN_NAMES

    if columns is None:
        return None
    names = tuple(columns.split() if isinstance(columns, str) else columns)
    for name in names:
        if name not in COLUMN_NAMES:
            raise DataError(f"--columns {' '.join(names)!r}: {name!r} is no column; {nearest(name, COLUMN_NAMES)}")
    if names.count("token") != 1 or any(names.count(name) > 1 for name in ("tag", "pos")):
        raise DataError(
            f"--columns {' '.join(names)!r}: expected one token column, and at most one of tags and one of POS"
        )
    return names


@contextmanager
def _opened(file: InputFile, format: str | None) -> Iterator[str]:
    """The open file and the name of its format. (brat opens its two files, or those of a folder, itself.)"""
    if format == "brat" or (format is None and is_brat(file)):
        yield "brat"
        return
    with file.opened():
        yield _format_of(file, format)


def _format_of(file: InputFile, format: str | None) -> str:
    """The reader that was named, or the one that the file shows: by its first bytes, not by its name."""
    if format is not None:
        if format not in READERS:
            raise file.error(f"there is no format {format!r}; {nearest(format, READERS)}")
        return format
    start = file.peek(len(PARQUET))
    if start == PARQUET or file.suffix == ".parquet":
        return "parquet"
    if start[: len(DOCBIN)] == DOCBIN or file.suffix in (".spacy", ".docbin"):
        return "docbin"
    if looks_like_records(file):
        return "jsonl"
    if looks_like_triggers(file):
        return "triggers"
    return "conllu" if looks_like_conllu(file) else "columns"


READERS: Mapping[str, Reader] = {
    "columns": read_columns,
    "conllu": read_conllu,
    "jsonl": read_records,
    "json": read_records,
    "doccano": read_records,
    "label-studio": read_records,
    "prodigy": read_records,
    "brat": read_brat,
    "parquet": read_parquet,
    "docbin": read_docbin,
    "triggers": read_triggers,
}

WRITERS: Mapping[str, Writer] = {
    "columns": write_columns,
    "conllu": write_conllu,
    "jsonl": write_records,
    "json": write_json,
    "doccano": write_doccano,
    "label-studio": write_label_studio,
    "prodigy": write_prodigy,
    "brat": write_brat,
    "parquet": write_parquet,
    "docbin": write_docbin,
    "html": write_html,
}

SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".conll", ".tsv", ".iob", ".iob2", ".bio"), "columns"),
    ".conllu": "conllu",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".ann": "brat",
    ".parquet": "parquet",
    ".docbin": "docbin",
    ".spacy": "docbin",
    ".html": "html",
    ".htm": "html",
}
"""Suffix of a file -> the writer of it."""
