"""Text and marked stretches of it -> sentences: what brat, doccano, Label Studio, Prodigy and JSONL have in common.

A stretch that begins or ends inside a token cuts the token, so that no label is lost; every such place is a repair.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from onomast.data.input_file import ReadLog
from onomast.data.tokenize import tokenize
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE

Offsets = list[tuple[int, int]]
_EXCERPT = 200  # characters of the text that a repair shows


@dataclass(frozen=True)
class Mark:
    """A stretch of a text, in characters, and its label."""

    start: int
    end: int
    label: str
    text: str | None = None
    """What the file says stands there."""
    line: int = 0
    """Where the mark stands in its file; 0: where its text does."""

    @property
    def shown(self) -> str:
        """For repairs: label, place and text."""
        place = f"{self.label} {self.start}-{self.end}"
        return place if self.text is None else f"{place} {self.text[:_EXCERPT]!r}"


@dataclass(frozen=True)
class Place:
    """Where a document stands, and where repairs of it go."""

    name: str
    line: int
    log: ReadLog

    def repair(self, kind: str, before: str, after: str, line: int = 0) -> None:
        """Tell of one mended place."""
        self.log.repair(line or self.line, kind, before, after)

    @property
    def source(self) -> str:
        """`file:line`"""
        return f"{self.name}:{self.line}"


def in_characters(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """Marks that count bytes of UTF-8, in characters; a border inside a character moves to its start."""
    if text.isascii():
        return list(marks)
    moved = _character_positions(text, "utf-8", {border for mark in marks for border in (mark.start, mark.end)})
    return [replace(mark, start=moved[mark.start], end=moved[mark.end]) for mark in marks]


def _character_positions(text: str, encoding: Literal["utf-8", "utf-16-le"], positions: set[int]) -> dict[int, int]:
    """Position in bytes (UTF-16: in units of two bytes) -> in characters, for all positions in one pass.

    A position inside a character becomes its start; one after the end stays as far after it.
    """
    content = text.encode(encoding, "surrogatepass")
    size = 1 if encoding == "utf-8" else 2
    moved: dict[int, int] = {}
    characters = reached = 0
    for position in sorted(positions):
        byte = min(max(0, position) * size, len(content))
        beyond = max(0, position - len(content) // size)
        while reached < byte < len(content) and _is_inside(content, byte, size):
            byte -= size
        characters += len(content[reached:byte].decode(encoding, "surrogatepass"))
        reached = byte
        moved[position] = characters + beyond
    return moved


def _is_inside(content: bytes, byte: int, size: int) -> bool:
    """Does a character begin before this byte and end after it?"""
    if size == 1:
        return content[byte] & 0xC0 == 0x80
    before = int.from_bytes(content[byte - 2 : byte], "little")
    return content[byte + 1] & 0xFC == 0xDC and before & 0xFC00 == 0xD800


def torn_words(text: str, marks: Sequence[Mark]) -> int:
    """How many marks begin or end inside a word, or outside the text, or do not hold the text they should."""

    def torn(mark: Mark) -> bool:
        if not 0 <= mark.start < mark.end <= len(text):
            return True
        if mark.text is not None and mark.text != text[mark.start : mark.end]:
            return True
        around = (text[max(0, position - 1) : position + 1] for position in (mark.start, mark.end))
        spaced = text[mark.start].isspace() or text[mark.end - 1].isspace()
        return spaced or any(len(pair) == 2 and not any(map(_separates, pair)) for pair in around)

    return sum(map(torn, marks))


def _separates(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter)[0] in "PSZ"


def annotated(text: str, offsets: Offsets, marks: Sequence[Mark], place: Place) -> tuple[Offsets, list[str]]:
    """Tokens, cut where a mark begins or ends inside one, and their IOB2 tags. `offsets` are in order and disjoint."""
    settled = _settled(text, marks, offsets, place)
    offsets = _cut(text, offsets, settled, place)
    starts = [start for start, _ in offsets]
    tags = [OUTSIDE] * len(offsets)
    for mark in settled:
        first, last = bisect_left(starts, mark.start), bisect_left(starts, mark.end)
        if first == last:
            place.repair("span-outside-text", mark.shown, "", mark.line)
        for index in range(first, last):
            tags[index] = f"{'B' if index == first else 'I'}-{mark.label}"
    return offsets, tags


def sentences_of(text: str, marks: Sequence[Mark] | None, place: Place, about: Sentence) -> list[Sentence]:
    """One sentence for each line of the text that has a token; no line ends inside a mark.

    `marks` None: not annotated. `about` lends label and language, and says where the text starts.
    """
    offsets = tokenize(text)
    tags: list[str] | None = None
    if marks is not None:
        offsets, tags = annotated(text, offsets, marks, place)
    made = []
    base = about.text_start
    first = start = 0
    for end in _line_ends(text, offsets, tags):
        stop = bisect_left(offsets, (end, 0))
        if stop > first:
            made.append(
                replace(
                    about,
                    tokens=tuple(text[a:b] for a, b in offsets[first:stop]),
                    tags=None if tags is None else tuple(tags[first:stop]),
                    offsets=tuple((a + base, b + base) for a, b in offsets[first:stop]),
                    text=text[start:end],
                    text_start=start + base,
                    source=f"{place.name}:{place.line}",
                )
            )
        first, start = stop, end + 1
    return made


def _line_ends(text: str, offsets: Offsets, tags: Sequence[str] | None) -> list[int]:
    """Positions of the line feeds that no entity spans, and of the end of the text."""
    ends = []
    position = text.find("\n")
    starts = [start for start, _ in offsets]
    while position >= 0:
        after = bisect_left(starts, position)
        inside = tags is not None and 0 < after < len(tags) and tags[after].startswith("I-")
        if not inside:
            ends.append(position)
        position = text.find("\n", position + 1)
    return [*ends, len(text)]


def _settled(text: str, marks: Sequence[Mark], offsets: Offsets, place: Place) -> list[Mark]:
    """The marks that can stand: inside the text, without white space at the ends, the longest of those that overlap.

    White space that is a token of its own stays.
    """
    trimmed = []
    for mark, moved in zip(marks, _moved(text, marks, place), strict=True):
        inside = 0 <= moved.start < moved.end <= len(text)
        start, end = _trimmed(text, moved, offsets) if inside else (0, 0)
        if start == end or not mark.label:
            place.repair("span-outside-text", mark.shown, "", mark.line)
            continue
        if (start, end) != (moved.start, moved.end):
            whole = replace(moved, text=_excerpt(text, moved.start, moved.end))
            place.repair("span-not-on-token-border", whole.shown, _excerpt(text, start, end), mark.line)
        trimmed.append(replace(moved, start=start, end=end, text=_excerpt(text, start, end)))
    return _without_overlaps(trimmed, place)


def counted_in_characters(text: str, marks: Sequence[Mark], place: Place) -> list[Mark]:
    """The marks with their borders settled once for a whole document, so that parts of it can be read one by one.

    Of a mark whose text stands nowhere near, the text is dropped (and a repair noted).
    """
    return [
        mark if mark.text is None or _is_same(text, mark.start, mark.end, mark.text) else replace(mark, text=None)
        for mark in _moved(text, marks, place)
    ]


def _trimmed(text: str, mark: Mark, offsets: Offsets) -> tuple[int, int]:
    """The mark's borders without white space at the ends, unless a token begins or ends there."""
    start, end = mark.start, mark.end
    if text[start].isspace():
        beyond = _run_at(text, start)[1]
        token = bisect_left(offsets, (start, 0))
        start = min(beyond, end, offsets[token][0] if token < len(offsets) else beyond)
    if start < end and text[end - 1].isspace():
        before = _run_at(text, end - 1)[0]
        token = bisect_right(offsets, end, key=lambda pair: pair[1]) - 1
        end = max(before, start, offsets[token][1] if token >= 0 else before)
    return start, end


def _run_at(text: str, position: int) -> tuple[int, int]:
    """The run of white space around a position."""
    runs = _white_space(text)
    return runs[bisect_right(runs, position, key=lambda run: run[0]) - 1]


@lru_cache(maxsize=1)
def _white_space(text: str) -> Offsets:
    """Every run of white space; kept for the last text, as it is asked for by each mark."""
    return [match.span() for match in re.finditer(r"\s+", text)]


def _without_overlaps(marks: Sequence[Mark], place: Place) -> list[Mark]:
    """Marks that do not overlap, longer ones first (then the earlier ones); the others become repairs."""
    borders = sorted({border for mark in marks for border in (mark.start, mark.end)})
    number = {border: index for index, border in enumerate(borders)}
    owners: list[Mark | None] = [None] * len(borders)  # of the text from one border to the next
    kept: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.start - mark.end, mark.start)):
        first, last = number[mark.start], number[mark.end] - 1
        # No mark before was shorter, so one that overlaps this one covers its first or its last character.
        rival = owners[first] or owners[last]
        if rival is not None:
            place.repair("overlapping-span", mark.shown, rival.shown, mark.line)
            continue
        owners[first : last + 1] = [mark] * (last + 1 - first)
        kept.append(mark)
    return sorted(kept, key=lambda mark: mark.start)


def _moved(text: str, marks: Sequence[Mark], place: Place) -> list[Mark]:
    """The marks; those whose own text shows that they count UTF-16 units (as JavaScript does) in characters."""
    wrong = {
        index
        for index, mark in enumerate(marks)
        if mark.text is not None and mark.start >= 0 and not _is_same(text, mark.start, mark.end, mark.text)
    }
    if not wrong:
        return list(marks)
    borders = {border for index in wrong for border in (marks[index].start, marks[index].end)}
    characters = _character_positions(text, "utf-16-le", borders)
    moved = list(marks)
    for index in sorted(wrong):
        mark = marks[index]
        start, end = characters[mark.start], characters[mark.end]
        if _is_same(text, start, end, mark.text or ""):
            moved[index] = replace(mark, start=start, end=end)
        else:
            place.repair("span-text-differs", mark.shown, _excerpt(text, mark.start, mark.end), mark.line)
    return moved


def _is_same(text: str, start: int, end: int, expected: str) -> bool:
    """Is this what stands there, but for white space, which tools rewrite when it is a line break?"""
    if end - start > 4 * len(expected) + _EXCERPT:
        return False  # nor is a long stretch of the text copied for each of many short marks
    return text[start:end].split() == expected.split()


def _excerpt(text: str, start: int, end: int) -> str:
    """The beginning of a stretch of text, for messages."""
    return text[start : min(end, start + _EXCERPT)]


def _cut(text: str, offsets: Offsets, marks: Sequence[Mark], place: Place) -> Offsets:
    """The tokens, cut at the borders of the marks."""
    borders = sorted({border for mark in marks for border in (mark.start, mark.end)})
    tokens: Offsets = []
    cut: Offsets = []
    for start, end in offsets:
        inside = borders[bisect_right(borders, start) : bisect_left(borders, end)]
        if inside:
            cut.append((start, end))
            tokens += pairwise([start, *inside, end])
        else:
            tokens.append((start, end))
    for mark in marks:
        torn = dict.fromkeys(_around(cut, mark.start) + _around(cut, mark.end))
        if torn:
            words = " ".join(_excerpt(text, a, b) for a, b in torn)
            place.repair("span-not-on-token-border", words, _excerpt(text, mark.start, mark.end), mark.line)
    return tokens


def _around(tokens: Offsets, position: int) -> Offsets:
    """The token that begins before the position and ends after it, if there is one."""
    index = bisect_left(tokens, position, key=lambda pair: pair[0]) - 1
    return [tokens[index]] if index >= 0 and position < tokens[index][1] else []
