"""CoNLL-U: ten columns of Universal Dependencies, the entity tag as `NER=B-PER` in the last, or in a column after it.

Only what Onomast knows is read and written: form, UPOS, tag, and what comments say of the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from onomast.data.formats.column_layout import is_blank
from onomast.data.formats.columns import aligned, check_field, check_tag, checked_tokens, comment_value, written_tags
from onomast.data.formats.tag_repair import UNKNOWN, Spelling, TagRepairer, guess_spelling
from onomast.data.input_file import InputFile, ReadLog, ReadOptions, write_chunks
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import Style

_WIDTH = 10
_SAMPLE = 500  # sentences from which the scheme is guessed
_TAG_KEY = re.compile(r"(?:^|\|)(?:NER|Ner|ner|name|Name)=([^|]*)")
_RANGE_KEY = re.compile(r"(?:^|\|)TokenRange=(\d{1,15}):(\d{1,15})(?:\||$)")
_ID = re.compile(r"\d+(?:[-.]\d+)?\Z")
_COMMENT = re.compile(r"#\s*([\w.-]+)\s*[=:]\s?(.*)", re.DOTALL)
_LABEL_KEYS = ("label", "intent", "category")
# What would end a value of the last column, or be mistaken for the escape itself.
_ESCAPED = {"%": "%25", "|": "%7C"}
_ESCAPE = re.compile(r"%(25|7C)")

Block = list[tuple[int, str]]  # the numbered lines of one sentence


def looks_like_conllu(file: InputFile) -> bool:
    """Ten or more columns with tabs, the first of them numbers from 1?"""
    rows = [line.split("\t") for line in file.column_sample(200) if line[:1] not in ("#", "")]
    fits = [row for row in rows if len(row) >= _WIDTH and _ID.match(row[0])]
    return bool(rows) and len(fits) >= 0.9 * len(rows)


def read_conllu(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Sentences of a CoNLL-U file, in constant memory; without tags where it has none."""
    blocks = _blocks(file)
    head = list(islice(blocks, _SAMPLE))
    rows = [row for block in head for row in _rows(block, file, None)]
    column = _tag_column(rows)
    sample = [[_raw(row, column) for row in _rows(block, file, None)] for block in head]
    spelling = guess_spelling(sample, options.style) if column is not None else None
    log.style = spelling.style if spelling else None
    said = "no tags" if column is None else "tags in MISC (NER=)" if column < 0 else f"tags in column {column + 1}"
    log.guess += [f"CoNLL-U; {said}", spelling.words if spelling else "", file.encoding]
    repairer = TagRepairer(spelling or Spelling(), options.orphan, log, file.name)
    for block in _chained(head, blocks):
        sentence = _sentence(block, file, options, log, column, repairer)
        if sentence is not None:
            yield sentence


def _chained(head: Sequence[Block], rest: Iterator[Block]) -> Iterator[Block]:
    yield from head
    yield from rest


def _blocks(file: InputFile) -> Iterator[Block]:
    block: Block = []
    for number, line in file.column_lines():
        if not is_blank(line):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _rows(block: Block, file: InputFile, log: ReadLog | None) -> list[tuple[int, list[str]]]:
    """The words of a sentence: no comments, no ranges (`1-2`) of words, no empty nodes (`3.1`)."""
    rows = []
    for number, line in block:
        fields = line.split("\t")
        if line[0] == "#":
            continue
        if len(fields) < 2 or _ID.match(fields[0]) is None:
            raise file.error(f"{line[:60]!r} is no row of CoNLL-U; expected {_WIDTH} columns with tabs", number)
        if not fields[0].isdigit():
            continue
        if not fields[1]:
            if log is not None:
                log.repair(number, "empty-token", line, "")
            continue
        if len(fields) < _WIDTH:
            if log is not None:
                log.repair(number, "missing-column", line, UNKNOWN)
            fields += [UNKNOWN] * (_WIDTH - len(fields))
        rows.append((number, fields))
    return rows


def _tag_column(rows: Sequence[tuple[int, list[str]]]) -> int | None:
    """-1: NER= in MISC; 10 and more: a column after the ten; None: there are no tags."""
    if any(_TAG_KEY.search(fields[9]) for _, fields in rows):
        return -1
    width = max((len(fields) for _, fields in rows), default=0)
    return width - 1 if width > _WIDTH else None


def _raw(row: tuple[int, list[str]], column: int | None) -> str | None:
    fields = row[1]
    if column is None:
        return None
    if column >= 0:
        return fields[column] if column < len(fields) else None
    found = _TAG_KEY.search(fields[9])
    return None if found is None else _ESCAPE.sub(lambda match: {"25": "%", "7C": "|"}[match[1]], found[1])


def _sentence(
    block: Block, file: InputFile, options: ReadOptions, log: ReadLog, column: int | None, repairer: TagRepairer
) -> Sentence | None:
    rows = _rows(block, file, log)
    if not rows:
        return None
    about = {}
    for _, line in block:
        match = _COMMENT.match(line) if line[0] == "#" else None
        if match is not None:
            about[match[1].lower()] = match[2]
    tokens = tuple(fields[1] for _, fields in rows)
    parts = tuple(fields[3] for _, fields in rows)
    start = int(about["text_start"]) if about.get("text_start", "").isdecimal() and len(about["text_start"]) < 16 else 0
    text = about.get("text")
    offsets = _ranges(rows)
    if offsets is None and text is not None:
        offsets = aligned(tokens, text, start)
    elif offsets is not None and text is not None and offsets[-1][1] > start + len(text):
        offsets = None
    raw = [_raw(row, column) for row in rows]
    return Sentence(
        tokens,
        tags=None if column is None else repairer.repaired(raw, [number for number, _ in rows]),
        pos=None if set(parts) == {UNKNOWN} else parts,
        label=next((about[key] for key in _LABEL_KEYS if about.get(key)), None),
        language=about.get("language") or about.get("lang") or options.language,
        offsets=offsets,
        text=text,
        text_start=start,
        source=f"{file.name}:{rows[0][0]}",
    )


def _ranges(rows: Sequence[tuple[int, list[str]]]) -> tuple[tuple[int, int], ...] | None:
    """Offsets of all words from `TokenRange=start:end`, if all have one and they are in order."""
    offsets = []
    position = 0
    for _, fields in rows:
        found = _RANGE_KEY.search(fields[9])
        if found is None or not position <= int(found[1]) <= int(found[2]):
            return None
        offsets.append((int(found[1]), position := int(found[2])))
    return tuple(offsets)


def write_conllu(sentences: Iterable[Sentence], path: str, style: Style) -> None:
    """Ten columns, of which form, UPOS and MISC (`NER=`, `TokenRange=`) are filled; comments for the rest.

    Line breaks inside the text are written as spaces. Raises DataError for a sentence that CoNLL-U cannot hold.
    """
    write_chunks(path, (_lines(sentence, path, style) for sentence in sentences))


def _lines(sentence: Sentence, path: str, style: Style) -> str:
    about = {"label": sentence.label, "language": sentence.language}
    lines = [f"# {key} = {comment_value(value, sentence, path)}" for key, value in about.items() if value is not None]
    if sentence.text is not None:
        lines.append("# text = " + re.sub("[\t\r\n]", " ", sentence.text))
        lines += [f"# text_start = {sentence.text_start}"] if sentence.text_start else []
    parts = sentence.pos or [UNKNOWN] * len(sentence)
    for text in (*checked_tokens(sentence, path), *set(parts)):
        check_field(text, sentence, path)
        if not text:
            raise DataError(f"{sentence.source}: a part-of-speech tag is empty, which CoNLL-U cannot hold", path=path)
    tags = written_tags(sentence, style, path)
    for number, (token, part, tag) in enumerate(zip(sentence.tokens, parts, tags, strict=True), 1):
        check_tag(tag, sentence, path)
        misc = [] if sentence.tags is None else ["NER=" + "".join(_ESCAPED.get(letter, letter) for letter in tag)]
        if sentence.offsets is not None:
            misc.append("TokenRange={}:{}".format(*sentence.offsets[number - 1]))
        lines.append(f"{number}\t{token}\t_\t{part}\t_\t_\t_\t_\t_\t{'|'.join(misc) or UNKNOWN}")
    return "\n".join(lines) + "\n\n"
