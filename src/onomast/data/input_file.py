"""Bytes -> numbered lines: gzip, byte-order marks, line ends; bytes that are not UTF-8 are an error with their place.

What all readers share: the open file (`InputFile`), the caller's options (`ReadOptions`), and the record of what was
guessed and repaired (`ReadLog`).
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from onomast.errors import DataError
from onomast.files import atomic_path, is_direct, open_direct
from onomast.tags import Orphan, Style

STANDARD_INPUT = "-"
_BLOCK = 1 << 18  # bytes read at once
_GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = "\ufeff"
PARQUET = b"PAR1\x15"  # the magic, and the first field of a page or of the footer
EXPANDED = 1 << 26  # bytes up to which nothing is said of how few they were before decompression
EXPANSION = 100  # times that a text shrinks by gzip at most; 5 is usual
LONGEST_LINE = 1_000_000  # characters of a line that is to be cut into columns
DOCBIN = b"\x78\x9c"  # zlib, as DocBin packs; no UTF-8 text begins so

# First bytes of files that people name by mistake.
_FOREIGN = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip file, as .xlsx and .docx files are",
    b"\xd0\xcf\x11\xe0": "a document of an old Office program (.xls, .doc)",
    b"\x80\x04\x95": "a Python pickle, which is never opened",
}
_EXPORT = "export the table as CSV (or the text as .txt), or unzip the file"

REPAIR_KINDS: Mapping[str, str] = {
    "illegal-tag": "a tag that may not stand where it does, such as I- after O, or an entity that is not closed",
    "malformed-tag": "a tag that is none: no prefix, no label, the first letter lost",
    "doubtful-tag": "a tag of no scheme whose label no other tag has: it was taken for a label of its own",
    "invisible-character": "a zero-width character or white space inside a tag",
    "missing-column": "a row with too few columns: its tag is unknown",
    "extra-column": "a row with too many columns",
    "empty-token": "a row without a token: left out",
    "span-not-on-token-border": "an entity that begins or ends inside a token: the token was cut",
    "span-outside-text": "an entity without a token: left out",
    "overlapping-span": "an entity that overlaps a longer one: left out",
    "span-text-differs": "an entity whose text is not what stands at its offsets",
    "discontinuous-span": "an entity in several parts: the longest was kept",
    "tags-do-not-fit": "more or fewer tags than tokens: the sentence is not annotated",
    "skipped-record": "a record without text, or one that its annotator rejected: left out",
}


@dataclass(frozen=True)
class Repair:
    """Something in the file that was not as it should be, and was mended."""

    line: int
    """1-based line of the file; 0 where a format has no lines."""
    kind: str
    """One of `REPAIR_KINDS`."""
    before: str
    """What the file holds."""
    after: str
    """What it was read as."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller said about a file; None: find out."""

    columns: tuple[str, ...] | None = None
    style: Style | None = None
    orphan: Orphan = "conlleval"
    language: str | None = None
    """Of sentences that name none."""


@dataclass
class ReadLog:
    """What a reader found out along the way."""

    on_repair: Callable[[Repair], object] | None = None
    style: Style | None = None
    guess: list[str] = field(default_factory=list)

    def repair(self, line: int, kind: str, before: str, after: str) -> None:
        """Tell of one mended place."""
        if self.on_repair is not None:
            self.on_repair(Repair(line, kind, before, after))


class InputFile:
    """One open file, or standard input for "-". Raises DataError for everything that keeps it from being read."""

    def __init__(self, path: str, until: int | None = None) -> None:
        self.path = path
        self._until = until
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.encoding = "UTF-8"
        self._handle: BinaryIO | None = None
        self._head: list[str] = []
        self._lines: Iterator[str] | None = None

    @property
    def suffix(self) -> str:
        """Last suffix of the file name in lower case, `.gz` aside."""
        name = Path(self.path).name.lower().removesuffix(".gz")
        return Path(name).suffix

    def error(self, message: str, line: int | None = None) -> DataError:
        """A DataError that names this file and the line."""
        return DataError(message, path=self.name, line=line)

    @contextmanager
    def opened(self) -> Iterator[InputFile]:
        """Open the file, undo gzip, and close it at the end; system and gzip errors become DataErrors.

        Refuses images, spreadsheets and the like, and gzip files of which far too much comes out (`check_expansion`).
        """
        try:
            if self.path == STANDARD_INPUT:
                if sys.stdin is None:
                    raise self.error("is closed; expected text; name a file")
                self._open(cast(io.RawIOBase, sys.stdin.buffer))
                yield self
            elif Path(self.path).is_dir():
                raise self.error("is a folder; expected a file, or a folder with the .ann files of brat")
            else:
                with Path(self.path).open("rb", buffering=0) as handle:
                    self._open(handle)
                    yield self
        except FileNotFoundError:
            raise self.error("there is no such file") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self.error(f"the gzip file is damaged ({error}); fetch or compress it again") from None
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror or error}") from None

    def _open(self, raw: io.RawIOBase) -> None:
        handle = io.BufferedReader(raw, _BLOCK)
        if handle.peek(2)[:2] == _GZIP:
            handle = io.BufferedReader(_Gunzipped(cast(BinaryIO, handle), self), _BLOCK)
        self._handle = cast(BinaryIO, handle)
        foreign = next((name for start, name in _FOREIGN.items() if handle.peek(8).startswith(start)), None)
        if foreign is not None:
            raise self.error(f"is {foreign}; expected text; {_EXPORT}")

    def check_expansion(self, packed: int, unpacked: int) -> None:
        """Raise DataError where so few bytes hold so many that someone means harm, or a file is damaged.

        The environment variable ONOMAST_UNBOUNDED=1 lifts this bound and those of `LONGEST_LINE`.
        """
        if unpacked > EXPANDED and unpacked > EXPANSION * packed and not is_unbounded():
            raise self.error(
                f"{packed:,} bytes hold more than {unpacked:,}; expected at most {EXPANSION} times as many; it may be "
                "damaged, or made to fill the memory; if you trust it, set ONOMAST_UNBOUNDED=1"
            )

    def peek(self, size: int) -> bytes:
        """The first bytes, which stay to be read; fewer where the file is shorter."""
        return cast(io.BufferedReader, self.binary).peek(size)[:size]

    def content(self) -> bytes:
        """All the bytes."""
        return self.binary.read()

    def sample(self, number: int) -> list[str]:
        """The first lines, which stay to be read."""
        missing = number - len(self._head)
        if missing > 0:
            self._head += islice(self._texts(), missing)
        return self._head[:number]

    def lines(self) -> Iterator[tuple[int, str]]:
        """(1-based number, text without its line end) of every line, in constant memory."""
        return enumerate(chain(self._drained(), self._texts()), 1)

    def column_lines(self) -> Iterator[tuple[int, str]]:
        """As `lines`. Raises DataError for one of more than `LONGEST_LINE` characters, which is no row of columns."""
        for number, line in self.lines():
            if len(line) > LONGEST_LINE:
                self._check_length(line, number)
            yield number, line

    def column_sample(self, number: int) -> list[str]:
        """As `sample`, with the bound of `column_lines`."""
        lines = self.sample(number)
        for index, line in enumerate(lines, 1):
            self._check_length(line, index)
        return lines

    def _check_length(self, line: str, number: int) -> None:
        if len(line) > LONGEST_LINE and not is_unbounded():
            raise self.error(
                f"a line of {len(line):,} characters; expected a token and its tag on each line; if this is raw text, "
                "use `onomast tag` or --raw; ONOMAST_UNBOUNDED=1 lifts this bound",
                number,
            )

    def exact_text(self) -> str:
        """The whole text as it stands, for formats that count its characters: byte-order mark and line ends stay."""
        content = self.content()
        self._texts_of(content, 1, 0)
        return content.decode("utf-8")

    def _drained(self) -> Iterator[str]:
        head, self._head = self._head, []
        return iter(head)

    @property
    def binary(self) -> BinaryIO:
        """The bytes, decompressed, from where reading has come to."""
        if self._handle is None:
            raise self.error("is not open")
        return self._handle

    def _texts(self) -> Iterator[str]:
        if self._lines is None:
            self._lines = islice(self._decoded(), self._until)
        return self._lines

    def _decoded(self) -> Iterator[str]:
        """Lines end at line feeds alone (never at U+0085 or U+2028); one carriage return before it goes."""
        handle = self.binary
        line, position, kept = 1, 0, list[bytes]()
        while block := handle.read(_BLOCK):
            cut = block.rfind(b"\n") + 1
            if not cut:
                kept.append(block)
                continue
            whole = b"".join((*kept, block[:cut]))
            yield from self._texts_of(whole, line, position)[:-1]
            line += whole.count(b"\n")
            position += len(whole)
            kept = [block[cut:]]
        if any(kept):
            yield from self._texts_of(b"".join(kept), line, position)

    def _texts_of(self, block: bytes, line: int, position: int) -> list[str]:
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError as error:
            line += block.count(b"\n", 0, error.start)
            within = error.start - (block.rfind(b"\n", 0, error.start) + 1)
            place = f"byte {position + error.start:,} of the file (byte {within} of the line)"
            found = f"{place}, 0x{block[error.start]:02x},"
            wide = position == 0 and block[:2] in (b"\xff\xfe", b"\xfe\xff")
            hint = "it looks like UTF-16; " if wide else ""
            raise self.error(f"{found} is not UTF-8; {hint}convert the file to UTF-8", line) from None
        if position == 0 and text.startswith(BYTE_ORDER_MARK):
            text = text[1:]
            self.encoding = "UTF-8 with a byte-order mark"
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        return text.split("\n")


class _Gunzipped(io.RawIOBase):
    """Decompressed gzip that stops where far too much comes out of it. Closing it leaves the file underneath open."""

    def __init__(self, handle: BinaryIO, file: InputFile) -> None:
        self._packed = _Counted(handle)
        self._unpacked = gzip.GzipFile(fileobj=cast(BinaryIO, self._packed))
        self._file = file
        self._number = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        number = self._unpacked.readinto(buffer)
        self._number += number
        self._file.check_expansion(self._packed.number, self._number)
        return number


class _Counted:
    """A file that counts the bytes read of it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.number = 0

    def read(self, size: int = -1) -> bytes:
        content = self._handle.read(size)
        self.number += len(content)
        return content


def is_unbounded() -> bool:
    """Has the user lifted the bounds that keep a malicious file from filling the memory?"""
    return os.environ.get("ONOMAST_UNBOUNDED", "") not in ("", "0")


@contextmanager
def open_output(path: str) -> Iterator[TextIO]:
    """A text file that appears whole or not at all; a name ending in .gz is compressed.

    "-" is standard output; devices and named pipes are written into. Raises DataError, BrokenPipeError.
    """
    if path == STANDARD_INPUT:
        with standard_output() as handle:
            yield handle
        return
    try:
        with ExitStack() as stack:
            if is_direct(path):
                raw = stack.enter_context(open_direct(path))
            else:
                raw = stack.enter_context(stack.enter_context(atomic_path(path)).open("wb"))
            # No name and no time inside: the same sentences give the same bytes.
            packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.endswith(".gz") else raw
            yield stack.enter_context(io.TextIOWrapper(cast(BinaryIO, packed), encoding="utf-8", newline="\n"))
    except UnicodeEncodeError as error:
        raise DataError(f"{error.object[error.start]!r} is not a character that UTF-8 can hold", path=path) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", path=path) from None


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Standard output as UTF-8, whatever the terminal's encoding. Raises DataError where it is closed."""
    if sys.stdout is None:
        raise DataError("is closed; expected somewhere to write; name a file with --out", path="standard output")
    wrapper = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n", write_through=False)
    try:
        yield wrapper
        wrapper.flush()
    finally:
        # After a broken pipe there is nobody to flush for.
        with suppress(OSError, ValueError):
            wrapper.detach()


def write_chunks(path: str, chunks: Iterable[str]) -> None:
    """Write pieces of text as they come."""
    with open_output(path) as handle:
        handle.writelines(chunks)
