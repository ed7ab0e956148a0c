"""JSON and JSONL <-> sentences: also what doccano, Label Studio and Prodigy export, which are told by their keys."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import regex

from onomast.data.formats.annotation_tools import array_of
from onomast.data.formats.columns import aligned, checked_tokens, written_tags
from onomast.data.formats.json_schemas import Malformed, ParsedRecord, is_pair, parse_record
from onomast.data.formats.marked_text import Offsets, Place, annotated, in_characters, sentences_of, torn_words
from onomast.data.formats.tag_repair import UNKNOWN, Spelling, TagRepairer, guess_spelling
from onomast.data.input_file import InputFile, ReadLog, ReadOptions, write_chunks
from onomast.data.tokenize import tokenize
from onomast.sentence import Sentence
from onomast.tags import Style

_SAMPLE = 1_000  # records from which the scheme is guessed
# Words and marks, as most tokenisers without rules for abbreviations cut them; some make a token of a second space.
_WORDS = regex.compile(r"[\p{L}\p{M}\p{N}\p{Cf}_]+|[^\s]")
_WORDS_AND_SPACES = regex.compile(_WORDS.pattern + r"|(?<=\s)\s+")

Record = tuple[int, Any]  # line, value


def read_records(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Sentences of a JSON or JSONL file; JSONL in constant memory."""
    yield from sentences_of_records(_records(file), file, options, log)


def sentences_of_records(
    records: Iterator[Record], file: InputFile, options: ReadOptions, log: ReadLog, kind: str | None = None
) -> Iterator[Sentence]:
    """Sentences of records, which may come from a table as well."""
    parsed = (record for line, value in records for record in _parsed(line, value, file, log))
    head = list(islice(parsed, _SAMPLE))
    raw = [record.tags for record in head if record.tags is not None]
    spelling = guess_spelling(raw, options.style) if raw else None
    log.style = spelling.style if spelling else None
    kind = kind or ("records" if not head else "records: " + _kind(head[0]))
    log.guess += [kind, spelling.words if spelling else "" if _has_marks(head) else "no tags", file.encoding]
    in_bytes = _count_bytes(head)
    if any(record.in_bytes for record in head):
        known = "bytes" if in_bytes else "bytes where they fit, else characters" if in_bytes is None else "characters"
        log.guess.append(f"offsets count {known}" + ("" if in_bytes else ", though they are called bytes"))
    repairer = TagRepairer(spelling or Spelling(), options.orphan, log, file.name)
    for record in chain(head, parsed):
        if record.in_bytes and (in_bytes or (in_bytes is None and _count_bytes([record]) is not False)):
            marks = in_characters(record.about.text or "", record.marks or ())
            record = dataclasses.replace(record, marks=tuple(marks))
        try:
            yield from _finished(record, options, repairer, Place(file.name, record.line, log))
        except UnicodeEncodeError:
            raise file.error("half of a surrogate pair (\\ud800 to \\udfff) is no text", record.line) from None


def looks_like_records(file: InputFile) -> bool:
    """Does the file begin as JSON does?"""
    first = next((line.strip() for line in file.sample(50) if line.strip()), "")
    if first[:1] not in ("{", "["):
        return False
    if file.suffix in (".json", ".jsonl", ".ndjson") or first in ("[", "{", "[{"):
        return True
    try:
        return isinstance(json.loads(first), list | dict)
    except RecursionError:
        return True
    except ValueError:
        # The first line of a record that goes on, or a damaged one; but a row of columns may begin so, too.
        return first.startswith(('{"', '[{"')) and "\t" not in first


def _kind(record: ParsedRecord) -> str:
    parts = ["tokens" if record.tokenized else "text"]
    parts += ["tags"] if record.tags is not None else ["marked stretches"] if record.marks is not None else []
    return " and ".join(parts)


def _count_bytes(records: Sequence[ParsedRecord]) -> bool | None:
    """Do marks that are said to count bytes do so? In InJongo they count characters, as their texts show.

    None: the texts do not tell.
    """
    as_bytes = as_characters = 0
    for record in records:
        text = record.about.text or ""
        if record.in_bytes and not text.isascii():
            marks = record.marks or ()
            as_bytes += torn_words(text, in_characters(text, marks))
            as_characters += torn_words(text, marks)
    return None if as_bytes == as_characters else as_bytes < as_characters


def _has_marks(records: Sequence[ParsedRecord]) -> bool:
    return any(record.marks is not None for record in records)


def _records(file: InputFile) -> Iterator[Record]:
    """(line, value) of each record: one a line, or the members of an array, or values one after the other."""
    lines = file.lines()
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        raise file.error("the file is empty: it holds no record")
    try:
        value = json.loads(first[1])
    except (ValueError, RecursionError):
        rest = "\n".join(line for _, line in lines)
        yield from _values(f"{first[1]}\n{rest}", first[0], file)
        return
    if isinstance(value, list) and not is_pair(value):
        yield from ((first[0], member) for member in value)
    else:
        yield (first[0], value)
    for number, line in lines:
        if line.strip():
            yield (number, parse_json(line, file, number))


def parse_json(line: str, file: InputFile, number: int) -> Any:
    """The value of a line of JSONL. Raises DataError."""
    try:
        return json.loads(line)
    except RecursionError:
        raise file.error("JSON that is nested too deeply", number) from None
    except ValueError as error:
        raise file.error(f"not JSON: {_reason(error)}; expected one record a line", number) from None


def _values(text: str, line: int, file: InputFile) -> Iterator[Record]:
    """The values of a text that holds an array, or several values."""
    decoder = json.JSONDecoder()
    blank = re.compile(r"[\s,]*")
    position, counted, inside = 0, 0, False
    while True:
        position = blank.match(text, position).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, position), position
        if position >= len(text):
            break
        if text[position] == ("]" if inside else "["):
            inside = not inside
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except RecursionError:
            raise file.error("JSON that is nested too deeply", line) from None
        except ValueError as error:
            raise file.error(f"not JSON: {_reason(error)}", line) from None
        yield line, value
    if inside:
        raise file.error("not JSON: the array is not closed; the file ends too early", line)


def _reason(error: ValueError) -> str:
    return f"{error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


def _parsed(line: int, value: Any, file: InputFile, log: ReadLog) -> Iterator[ParsedRecord]:
    try:
        yield from parse_record(line, value, log)
    except Malformed as error:
        raise file.error(str(error), line) from None


def _finished(record: ParsedRecord, options: ReadOptions, repairer: TagRepairer, place: Place) -> Iterator[Sentence]:
    """The sentences of a record: its tags understood, its marks put on tokens."""
    about = record.about
    for words in (about.text or "", *about.tokens):
        if not words.isascii():
            words.encode()
    changes: dict[str, Any] = {"language": about.language or options.language, "source": place.source}
    if record.tokenized:
        if record.tags is not None:
            if len(record.tags) != len(about.tokens):
                place.repair("tags-do-not-fit", f"{len(record.tags)} tags, {len(about.tokens)} tokens", "")
            else:
                changes["tags"] = repairer.repaired(record.tags, [record.line] * len(record.tags))
        elif record.marks is not None:
            yield _marked(record, place, changes)
            return
        yield _with(about, changes)
    elif record.tags is not None:
        yield _with(about, changes | _fitted(about.text or "", record.tags, repairer, place))
    else:
        yield from sentences_of(about.text or "", record.marks, place, _with(about, changes))


def _with(about: Sentence, changes: Mapping[str, Any]) -> Sentence:
    return dataclasses.replace(about, **changes)


def _marked(record: ParsedRecord, place: Place, changes: Mapping[str, Any]) -> Sentence:
    """Given tokens, cut where a mark begins or ends inside one."""
    about = record.about
    text, start = about.text or "", about.text_start
    given: Offsets = [(a - start, b - start) for a, b in about.offsets or ()]
    offsets, tags = annotated(text, given, record.marks or (), place)
    if offsets == given:
        return _with(about, {**changes, "tags": tuple(tags)})
    tokens = tuple(text[a:b] for a, b in offsets)
    moved = tuple((a + start, b + start) for a, b in offsets)
    return _with(
        about, {**changes, "tokens": tokens, "tags": tuple(tags), "offsets": moved, "pos": None, "confidence": None}
    )


def _fitted(text: str, raw: Sequence[str | None], repairer: TagRepairer, place: Place) -> dict[str, Any]:
    """Tokens of a text for which only tags are given: the first way to cut it that gives as many tokens as tags."""
    words = [match.span() for match in _WORDS.finditer(text)]
    ways: list[Callable[[], Offsets]] = [
        lambda: words,
        lambda: tokenize(text),
        lambda: [match.span() for match in _WORDS_AND_SPACES.finditer(text)],
        lambda: [match.span() for match in re.finditer(r"\S+", text)],
    ]
    offsets = next((offsets for way in ways if len(offsets := way()) == len(raw)), None)
    tags = None
    if offsets is None:
        place.repair("tags-do-not-fit", f"{len(raw)} tags, {len(words)} tokens", "")
        offsets = tokenize(text)
    else:
        visible = [index for index, (start, end) in enumerate(offsets) if not text[start:end].isspace()]
        offsets = [offsets[index] for index in visible]
        tags = repairer.repaired([raw[index] for index in visible], [place.line] * len(visible))
    return {"tokens": tuple(text[a:b] for a, b in offsets), "tags": tags, "offsets": tuple(offsets)}


def write_records(sentences: Iterable[Sentence], path: str, style: Style) -> None:
    """JSONL, one sentence a line: text, tokens, offsets, tags, spans, label, language, and what else is known.

    Where the original text is not known, `text` is the tokens joined by spaces, `joined` is true, and offsets are those
    in that text.
    """
    write_chunks(
        path, (json.dumps(_record(sentence, path, style), ensure_ascii=False) + "\n" for sentence in sentences)
    )


def write_json(sentences: Iterable[Sentence], path: str, style: Style) -> None:
    """A JSON array of the records that `write_records` writes."""
    write_chunks(path, array_of(_record(sentence, path, style) for sentence in sentences))


def _record(sentence: Sentence, path: str, style: Style) -> dict[str, Any]:
    tokens = checked_tokens(sentence, path)
    joined = sentence.text is None and sentence.offsets is None
    text = " ".join(tokens) if joined else sentence.text
    offsets = sentence.offsets
    placed = offsets or (aligned(tokens, text, sentence.text_start) if text is not None else None)
    record: dict[str, Any] = {"text": text}
    record |= {"joined": True} if joined else {}
    record |= {"text_start": sentence.text_start} if sentence.text_start else {}
    record |= {"tokens": tokens, "offsets": placed if joined else offsets}
    tags = None if sentence.tags is None else written_tags(sentence, style, path)
    record["tags"] = None if tags is None else [None if tag == UNKNOWN else tag for tag in tags]
    if sentence.pos is not None:
        record["pos"] = sentence.pos
    record["spans"] = (
        None
        if tags is None
        else [
            {
                "start": placed[span.start][0] if placed else None,
                "end": placed[span.end - 1][1] if placed else None,
                "label": span.label,
                "text": " ".join(tokens[span.start : span.end]) if joined else sentence.span_text(span),
                **({} if sentence.confidence is None else {"confidence": sentence.span_confidence(span)}),
            }
            for span in sentence.spans
        ]
    )
    record |= {"label": sentence.label, "language": sentence.language}
    if sentence.confidence is not None:
        record["confidence"] = sentence.confidence
    return record
