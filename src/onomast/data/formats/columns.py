"""Column files: one token a line, blank lines between sentences. The commonest format of labels, and the loosest.

The reader takes any delimiter and order of columns; the writer's files are `token tag`, or `token pos tag`, with tabs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from onomast.data.formats.column_detection import ENOUGH_LINES, SAMPLE_LINES, detect, layout_of, sample_size
from onomast.data.formats.column_layout import (
    DOCUMENT,
    PREFIXED,
    ColumnLayout,
    directive,
    is_blank,
    is_comment,
    joined_tag,
    split_row,
)
from onomast.data.formats.tag_repair import UNKNOWN, Spelling, TagRepairer
from onomast.data.input_file import BYTE_ORDER_MARK, PARQUET, InputFile, ReadLog, ReadOptions, write_chunks
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE, Style, Tag, convert, spans_of

_KEY_VALUE = re.compile(r"#+\s*([\w.-]+)\s*[=:]\s*(.*)", re.DOTALL)
_LABEL_KEYS = ("label", "intent", "category")
_LANGUAGE_KEYS = ("language", "lang")
_FORBIDDEN = {"\t": "a tab", "\n": "a line break", "\r": "a carriage return"}


def read_columns(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Sentences of a column file, in constant memory."""
    own = directive(next(iter(file.sample(1)), ""))
    if own is not None and options.columns is None:
        layout = ColumnLayout("\t", own[0], Spelling(style=own[1]))
    else:
        layout = detect(file, options)
    log.style = layout.spelling.style if layout.spelling else None
    log.guess += [layout.words, file.encoding]
    yield from ColumnReader(file, options, log, layout).sentences()


class ColumnReader:
    """Rows -> sentences, for one layout (which our own files may change on the way)."""

    def __init__(self, file: InputFile, options: ReadOptions, log: ReadLog, layout: ColumnLayout) -> None:
        self._file = file
        self._options = options
        self._log = log
        self._exact = False
        self._first_id = self._current = ""
        self._lay(layout)
        self._header = layout.header
        self._clear()

    def _lay(self, layout: ColumnLayout) -> None:
        columns = layout.columns
        at = {name: columns.index(name) if name in columns else -1 for name in columns}
        self._layout = layout
        self._token, self._tag, self._pos = at["token"], at.get("tag", -1), at.get("pos", -1)
        self._id, self._sentence = at.get("id", -1), at.get("sentence", -1)
        self._named = {name: at[name] for name in ("label", "language") if name in at}
        self._special = self._id >= 0 or self._sentence >= 0 or bool(self._named)
        spelling = layout.spelling or Spelling()
        self._repairer = TagRepairer(spelling, self._options.orphan, self._log, self._file.name)

    def _clear(self) -> None:
        self._tokens: list[str] = []
        self._raw: list[str | None] = []
        self._parts: list[str] = []
        self._numbers: list[int] = []
        self._about: dict[str, str] = {}

    def sentences(self) -> Iterator[Sentence]:
        """All sentences of the file."""
        for number, line in self._file.column_lines():
            layout = self._layout
            simple = layout.delimiter == "\t" or (layout.delimiter != " " and '"' not in line)
            fields = line.split(layout.delimiter) if simple else split_row(line, layout.delimiter)
            if layout.is_tag_split:
                fields = joined_tag(fields)
            odd = len(fields) != len(layout.columns) or not fields[self._token] or not fields[self._tag]
            if odd or line[0] == "#":
                if is_blank(line) or not any(field.strip() for field in fields):
                    yield from self._flushed()
                    continue
                mended = self._odd(number, line, fields)
                if mended is None:
                    continue
                fields = mended
            if self._header:
                self._header = False
                continue
            if self._special:
                if self._begins(fields):
                    yield from self._flushed()
                if not self._noted(fields):
                    continue
            self._tokens.append(fields[self._token])
            self._raw.append(fields[self._tag] if self._tag >= 0 else None)
            if self._pos >= 0:
                self._parts.append(fields[self._pos])
            self._numbers.append(number)
        yield from self._flushed()

    def _odd(self, number: int, line: str, fields: list[str]) -> list[str] | None:
        """Comments are noted; a row of the wrong width, or without a token, is mended; None: no row comes of it."""
        width = len(self._layout.columns)
        if line[0] == "#" and not self._is_row(line, fields):
            self._comment(line)
            return None
        if len(fields) > width:
            fields = self._narrowed(fields)
            self._log.repair(number, "extra-column", line, "\t".join(fields))
        elif len(fields) < width:
            token = fields[self._token] if self._token < len(fields) else fields[-1]
            known = {self._pos: UNKNOWN} | {i: fields[i] for i in (self._pos, self._tag) if 0 <= i < len(fields)}
            fields = [known.get(index, "") for index in range(width)]
            if self._tag >= 0:
                fields[self._tag] = fields[self._tag] or UNKNOWN
            fields[self._token] = token
            self._log.repair(number, "missing-column", line, f"{token}\t{UNKNOWN}")
        if not fields[self._token]:
            self._log.repair(number, "empty-token", line, "")
            return None
        return fields

    def _is_row(self, line: str, fields: list[str]) -> bool:
        """Is a line that begins with # a token all the same? It has the right columns, or it is no comment."""
        if len(fields) == len(self._layout.columns):
            if self._layout.delimiter == "\t" or not is_comment(line) or self._tag < 0:
                return True
            spelling, tag = self._layout.spelling or Spelling(), fields[self._tag]
            bare = spelling.separator in (None, "") and tag.isupper()
            return bare or tag in (spelling.outside, UNKNOWN) or PREFIXED.match(tag) is not None
        return not self._exact and not is_comment(line)

    def _comment(self, line: str) -> None:
        told = directive(line)
        if told is not None and not self._tokens:
            self._exact = True
            self._lay(ColumnLayout("\t", told[0], Spelling(style=told[1])))
            return
        match = _KEY_VALUE.match(line)
        if match is not None:
            self._about[match[1].lower()] = match[2].strip(" \t\r")

    def _narrowed(self, fields: list[str]) -> list[str]:
        """A row with too many columns: empty ones go; or else the token had the delimiter in it, the tag being last."""
        width = len(self._layout.columns)
        filled = [field for field in fields if field]
        if len(filled) <= width:
            return [*filled, *[UNKNOWN] * (width - len(filled))]
        tag = fields[-1]
        if self._tag == width - 1 and self._token == 0 and (tag == OUTSIDE or PREFIXED.match(tag)):
            cut = len(fields) - width + 1
            return [self._layout.delimiter.join(fields[:cut]), *fields[cut:]]
        return fields[:width]

    def _begins(self, fields: list[str]) -> bool:
        """Does this row begin a sentence, as its sentence or token number says?"""
        if self._sentence >= 0:
            value = fields[self._sentence]
            begins = bool(value) and value != self._current and bool(self._tokens)
            self._current = value or self._current
            return begins
        if self._id < 0:
            return False
        self._first_id = self._first_id or fields[self._id]
        return bool(self._tokens) and fields[self._id] == self._first_id

    def _noted(self, fields: list[str]) -> bool:
        """Note label and language of the row; False for a row that is no token: `1-2` or `3.1` of CoNLL-U."""
        for name, index in self._named.items():
            self._about.setdefault(name, fields[index])
        return self._id < 0 or fields[self._id].isdigit() or not fields[self._id][:1].isdigit()

    def _flushed(self) -> Iterator[Sentence]:
        """The sentence read so far, if any."""
        tokens, raw, parts, numbers = self._tokens, self._raw, self._parts, self._numbers
        if tokens and tokens[0] == DOCUMENT and not self._exact:
            tokens, raw, parts, numbers = tokens[1:], raw[1:], parts[1:], numbers[1:]
        if not tokens:
            if self._tokens:
                self._clear()
            return
        about = self._about
        language = next((about[key] for key in _LANGUAGE_KEYS if about.get(key)), None)
        if self._layout.languages:
            language, tokens = self._without_codes(tokens)
        offsets = aligned(tokens, about["text"]) if "text" in about else None
        yield Sentence(
            tuple(tokens),
            tags=self._repairer.repaired(raw, numbers) if self._tag >= 0 else None,
            pos=tuple(parts) if self._pos >= 0 else None,
            label=next((about[key] for key in _LABEL_KEYS if about.get(key)), None),
            language=language or self._options.language,
            offsets=offsets,
            text=about["text"] if offsets else None,
            source=f"{self._file.name}:{numbers[0]}",
        )
        self._clear()

    def _without_codes(self, tokens: Sequence[str]) -> tuple[str | None, list[str]]:
        """WikiANN's `en:London` -> en, London."""
        cut = [token.partition(":") for token in tokens]
        languages = self._layout.languages
        kept = [
            rest if rest and code in languages else token for token, (code, _, rest) in zip(tokens, cut, strict=True)
        ]
        return next((code for code, _, rest in cut if rest and code in languages), None), kept


def aligned(tokens: Sequence[str], text: str, start: int = 0) -> tuple[tuple[int, int], ...] | None:
    """Offsets of the tokens in the text, or None unless they are all of the text but its white space."""
    offsets = []
    position = 0
    for token in tokens:
        found = text.find(token, position)
        if found < 0 or text[position:found].strip():
            return None
        position = found + len(token)
        offsets.append((start + found, start + position))
    return tuple(offsets) if not text[position:].strip() else None


def write_columns(sentences: Iterable[Sentence], path: str, style: Style) -> None:
    """`token tag` or `token pos tag`, with tabs; sentence label and language as comments.

    Where the reader would guess otherwise, a comment such as `# columns = token pos tag (iob2)` tells it.
    Raises DataError for a sentence that columns cannot hold.
    """
    write_chunks(path, _chunks(iter(sentences), path, style))


def _chunks(sentences: Iterator[Sentence], path: str, style: Style) -> Iterator[str]:
    head: list[tuple[Sentence, list[str]]] = []
    lines = 0
    while lines <= ENOUGH_LINES and (sentence := next(sentences, None)) is not None:
        head.append((sentence, _rows(sentence, path, style)))
        lines += len(head[-1][1])
    columns = _columns_of(head[0][0]) if head else ()
    exact = bool(head) and not _reads_well(head, columns, style, path)
    if exact:
        yield _told(columns, style)
    for sentence, rows in chain(head, ((sentence, _rows(sentence, path, style)) for sentence in sentences)):
        own = _columns_of(sentence)
        if own != columns or (not exact and sentence.tokens[0] == DOCUMENT):
            columns, exact = own, True
            yield _told(columns, style)
        yield "\n".join(rows) + "\n"


def _columns_of(sentence: Sentence) -> tuple[str, ...]:
    return ("token", "tag") if sentence.pos is None else ("token", "pos", "tag")


def _told(columns: Sequence[str], style: Style) -> str:
    return f"# columns = {' '.join(columns)} ({style})\n"


def _reads_well(head: Sequence[tuple[Sentence, list[str]]], columns: Sequence[str], style: Style, path: str) -> bool:
    """Would the reader find these columns and this scheme by itself?"""
    lines: list[str] = []
    for sentence, rows in head:
        if _columns_of(sentence) != columns or sentence.tokens[0] == DOCUMENT:
            break
        lines += rows
    if not lines or lines[0].startswith((BYTE_ORDER_MARK, PARQUET.decode())):
        return False
    lines = lines[: sample_size(lines[:SAMPLE_LINES])]
    try:
        found = layout_of(lines, ReadOptions(), InputFile(path))
    except DataError:
        return False
    if found.spelling is not None:
        found = replace(found, spelling=replace(found.spelling, labels=frozenset()))
    return found == ColumnLayout("\t", tuple(columns), Spelling(style=style))


def _rows(sentence: Sentence, path: str, style: Style) -> list[str]:
    """Comments, one row a token, and an empty line."""
    about = (("label", sentence.label), ("language", sentence.language))
    rows = [f"# {key} = {comment_value(value, sentence, path)}" for key, value in about if value is not None]
    for token in checked_tokens(sentence, path):
        check_field(token, sentence, path)
    tags = written_tags(sentence, style, path)
    for tag in set(tags):
        check_tag(tag, sentence, path)
    if sentence.pos is None:
        rows += map("\t".join, zip(sentence.tokens, tags, strict=True))
    else:
        for part in set(sentence.pos):
            check_field(part, sentence, path)
        rows += map("\t".join, zip(sentence.tokens, sentence.pos, tags, strict=True))
    rows.append("")
    return rows


def written_tags(sentence: Sentence, style: Style, path: str) -> Sequence[str]:
    """The tags in a style, `_` for not annotated. Raises DataError where `io` would melt two entities into one."""
    if sentence.tags is None:
        return [UNKNOWN] * len(sentence)
    tags: Sequence[Tag] = sentence.tags
    if style != "iob2":
        tags = convert(tags, "iob2", style)
        if style == "io" and len(spans_of(tags, "io")) < len(sentence.spans):
            raise _unwritable("the scheme io cannot tell two neighbouring entities apart", sentence, path)
    return [UNKNOWN if tag is None else tag for tag in tags]


def checked_tokens(sentence: Sentence, path: str) -> tuple[str, ...]:
    """The tokens. Raises DataError where there are none, or an empty one."""
    if not sentence.tokens or not all(sentence.tokens):
        raise _unwritable("a sentence without tokens, or with an empty one, cannot be written", sentence, path)
    return sentence.tokens


def check_field(text: str, sentence: Sentence, path: str) -> None:
    """Raise DataError for a character that would tear a row apart."""
    for mark, name in _FORBIDDEN.items():
        if mark in text:
            raise _unwritable(f"{text!r} has {name} in it, which columns cannot hold; write JSONL", sentence, path)


def check_tag(tag: str, sentence: Sentence, path: str) -> None:
    """Raise DataError for a tag that would not be read back: with an empty label, or invisible characters."""
    check_field(tag, sentence, path)
    if tag != tag.strip() or not tag.isprintable():
        raise _unwritable(f"the tag {tag!r} has invisible characters at its end or inside", sentence, path)


def comment_value(value: str, sentence: Sentence, path: str) -> str:
    """A value for a comment line. Raises DataError for one that would not come back."""
    check_field(value, sentence, path)
    if not value or value != value.strip(" "):
        raise _unwritable(
            f"{value!r} cannot stand in a comment: it is empty, or has spaces at its ends", sentence, path
        )
    return value


def _unwritable(message: str, sentence: Sentence, path: str) -> DataError:
    where = f" (sentence of {sentence.source})" if sentence.source else ""
    return DataError(message + where, path=path)
