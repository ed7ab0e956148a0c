"""brat: a text in one file (.txt), the entities with their offsets in another (.ann).

brat knows no tokens. Where cutting the text again would give other tokens, or a sentence has more than entities, the
writer adds a note to the .ann file, which brat passes over and the reader understands.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onomast.data.formats.columns import checked_tokens
from onomast.data.formats.marked_text import Mark, Place, annotated, counted_in_characters, sentences_of
from onomast.data.input_file import STANDARD_INPUT, InputFile, ReadLog, ReadOptions, open_output
from onomast.data.tokenize import tokenize
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import Style, spans_of

_ENTITY = re.compile(r"(\S.*) (\d{1,15} \d{1,15}(?:;\d{1,15} \d{1,15})*)\Z", re.DOTALL)
_NOTE = "OnomastSentence"


def is_brat(file: InputFile) -> bool:
    """A folder with .ann files, an .ann file, or a text with an .ann file of its name beside it."""
    path = Path(file.path)
    if file.path == STANDARD_INPUT:
        return False
    if path.is_dir():
        return any(path.glob("*.ann"))
    return path.suffix == ".ann" or (path.suffix == ".txt" and path.with_suffix(".ann").is_file())


def read_brat(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Sentences of one pair of files, or of all pairs of a folder: one for each line that no entity crosses."""
    path = Path(file.path)
    documents = sorted(path.glob("*.ann")) if path.is_dir() else [path.with_suffix(".ann")]
    log.guess += [f"brat: {len(documents)} document{'' if len(documents) == 1 else 's'}, text and marked stretches"]
    for document in documents:
        yield from _of_document(document, options, log)


def _of_document(path: Path, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    with InputFile(str(path.with_suffix(".txt"))).opened() as file:
        text = file.exact_text()
    marks: list[Mark] = []
    notes: list[dict[str, Any]] = []
    with InputFile(str(path)).opened() as annotations:
        for number, line in annotations.lines():
            if line.startswith("T"):
                marks.append(_mark(line, number, annotations, log))
            elif line.startswith("#") and f"\t{_NOTE} " in line:
                notes.append(_note(line, number, len(text), annotations))
    about = Sentence((), language=options.language)
    place = Place(str(path.with_suffix(".txt")), 1, log)
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    if notes:
        marks = sorted(counted_in_characters(text, marks, place), key=_start_of)
        sentences = _with_notes(text, marks, notes, place, about)
    else:
        sentences = iter(sentences_of(text, marks, place, about))
    for sentence in sentences:
        yield replace(sentence, source=f"{place.name}:{bisect_right(lines, sentence.text_start)}")


def _mark(line: str, number: int, file: InputFile, log: ReadLog) -> Mark:
    """`T1<tab>PER 0 5<tab>text`; of an entity in several parts the longest is kept."""
    fields = line.split("\t", 2)
    match = _ENTITY.match(fields[1]) if len(fields) > 1 else None
    if match is None:
        raise file.error(f"{line[:60]!r} is no entity of brat; expected T1, a tab, label, start and end", number)
    parts = [tuple(map(int, part.split(" "))) for part in match[2].split(";")]
    start, end = max(parts, key=lambda part: part[1] - part[0])
    shown = fields[2] if len(fields) > 2 and len(parts) == 1 else None
    if len(parts) > 1:
        log.repair(number, "discontinuous-span", f"{match[1]} {match[2]}", f"{match[1]} {start} {end}")
    return Mark(start, end, match[1], shown, number)


def _note(line: str, number: int, length: int, file: InputFile) -> dict[str, Any]:
    """What our writer noted about a sentence."""
    try:
        value = json.loads(line.split("\t", 2)[2])
        offsets = [(int(start), int(end)) for start, end in value["offsets"]]
        flat = [position for pair in offsets for position in pair]
        if not offsets or flat != sorted(flat) or flat[-1] > length or flat[0] < 0 or any(a == b for a, b in offsets):
            raise ValueError("offsets")
        unknown = {int(index) for index in value.get("unknown", ())}
        pos = value.get("pos")
        for key in ("label", "language"):
            if not isinstance(value.get(key), str | None):
                raise TypeError(key)
        if pos is not None and (len(pos) != len(offsets) or not all(isinstance(part, str) for part in pos)):
            raise ValueError("pos")
        return {**value, "offsets": offsets, "unknown": unknown, "annotated": value.get("annotated") is not False}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise file.error("the note on a sentence cannot be read; remove the line", number) from None


def _with_notes(
    text: str, marks: Sequence[Mark], notes: Sequence[dict[str, Any]], place: Place, about: Sentence
) -> Iterator[Sentence]:
    """Sentences with the tokens that the notes give; the text between them is cut into lines and tokens.

    `marks` are sorted by their starts.
    """
    notes = sorted(notes, key=lambda note: note["offsets"][0])
    position = 0
    for note in [*notes, None]:
        start = len(text) if note is None else text.rfind("\n", 0, note["offsets"][0][0]) + 1
        yield from _between(text, position, max(position, start), marks, place, about)
        if note is None:
            return
        if note["offsets"][0][0] < position:
            raise DataError("two notes speak of the same text; remove one", path=place.name)
        end = text.find("\n", note["offsets"][-1][1])
        end = len(text) if end < 0 else end
        own = _beginning_in(marks, start, end)
        offsets, tags = annotated(text, note["offsets"], own, place)
        same = offsets == note["offsets"]
        known = [None if same and index in note["unknown"] else tag for index, tag in enumerate(tags)]
        yield replace(
            about,
            tokens=tuple(text[a:b] for a, b in offsets),
            tags=tuple(known) if note["annotated"] and any(known) else None,
            pos=tuple(note["pos"]) if note.get("pos") is not None and same else None,
            label=note.get("label"),
            language=note.get("language") or about.language,
            offsets=tuple(offsets),
            text=text[start:end],
            text_start=start,
        )
        position = end + 1


def _between(
    text: str, start: int, end: int, marks: Sequence[Mark], place: Place, about: Sentence
) -> Iterator[Sentence]:
    marks = _beginning_in(marks, start, end)
    own = [replace(mark, start=mark.start - start, end=mark.end - start) for mark in marks]
    yield from sentences_of(text[start:end], own, place, replace(about, text_start=start))


def _beginning_in(marks: Sequence[Mark], start: int, end: int) -> Sequence[Mark]:
    """Those of the sorted marks that begin in a stretch of the text."""
    return marks[bisect_left(marks, start, key=_start_of) : bisect_left(marks, end, key=_start_of)]


def _start_of(mark: Mark) -> int:
    return mark.start


def write_brat(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """A text of one sentence a line, and its entities. `path` is one of the two files; the other gets its name."""
    if path == STANDARD_INPUT:
        raise DataError("brat needs two files; name one with --out", path="standard output")
    target = Path(path)
    position = entities = 0
    with open_output(str(target.with_suffix(".txt"))) as texts, open_output(str(target.with_suffix(".ann"))) as notes:
        for number, sentence in enumerate(sentences, 1):
            text, offsets = _text(sentence, path)
            moved = [(start + position, end + position) for start, end in offsets]
            for span in spans_of(sentence.tags or ()):
                entities += 1
                start, end = moved[span.start][0], moved[span.end - 1][1]
                notes.write(f"T{entities}\t{span.label} {start} {end}\t{text[start - position : end - position]}\n")
            note = _about(sentence, text, offsets, moved)
            if note is not None:
                notes.write(f"#{number}\t{_NOTE} S{number}\t{json.dumps(note, ensure_ascii=False)}\n")
            texts.write(text + "\n")
            position += len(text) + 1


def _text(sentence: Sentence, path: str) -> tuple[str, Sequence[tuple[int, int]]]:
    """One line of text and the offsets of the tokens in it."""
    tokens = checked_tokens(sentence, path)
    for span in sentence.spans:
        if span.label != span.label.strip() or re.search("[\t\r\n]", span.label):
            raise DataError(f"{sentence.source}: brat cannot hold the label {span.label!r}", path=path)
    if sentence.text is not None and sentence.offsets is not None:
        text = re.sub("[\r\n]", " ", sentence.text)
        placed = [(start - sentence.text_start, end - sentence.text_start) for start, end in sentence.offsets]
        if all(text[start:end] == token for (start, end), token in zip(placed, tokens, strict=True)):
            return text, placed
    if any(mark in token for token in tokens for mark in "\r\n"):
        raise DataError(f"{sentence.source}: a token has a line break in it, which brat cannot hold", path=path)
    offsets, position = [], 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets


def _about(
    sentence: Sentence, text: str, offsets: Sequence[tuple[int, int]], moved: Sequence[tuple[int, int]]
) -> dict[str, Any] | None:
    """What brat cannot say of a sentence; None if nothing is missing."""
    note: dict[str, Any] = {}
    if sentence.tags is None:
        note["annotated"] = False
    elif None in sentence.tags:
        note["unknown"] = [index for index, tag in enumerate(sentence.tags) if tag is None]
    known = {"pos": sentence.pos, "label": sentence.label, "language": sentence.language}
    note |= {key: value for key, value in known.items() if value is not None}
    if not note and tokenize(text) == list(offsets):
        return None
    return {"offsets": moved, **note}
