"""Text and marked stretches of it -> sentences: what brat, doccano, Label Studio, Prodigy and JSONL have in common.

A stretch that begins or ends inside a token cuts the token, so that no label is lost; every such place is a repair.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from onomast.data.input_file import ReadLog
from onomast.data.tokenize import tokenize
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE

Offsets = list[tuple[int, int]]


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
        said = f"{self.label} {self.start}-{self.end}"
        return said if self.text is None else f"{said} {self.text!r}"


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
    content = text.encode("utf-8", "surrogatepass")

    def moved(position: int) -> int:
        beyond = max(0, position - len(content))
        return len(content[: max(0, position)].decode("utf-8", "ignore")) + beyond

    return [replace(mark, start=moved(mark.start), end=moved(mark.end)) for mark in marks]


def torn_words(text: str, marks: Sequence[Mark]) -> int:
    """How many marks begin or end inside a word, or outside the text, or do not hold the text they should."""

    def torn(mark: Mark) -> bool:
        if not 0 <= mark.start < mark.end <= len(text) or mark.text not in (None, text[mark.start : mark.end]):
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
    starts, ends = {start for start, _ in offsets}, {end for _, end in offsets}
    trimmed = []
    for mark in marks:
        moved = _moved(text, mark, place)
        start, end = moved.start, moved.end
        inside = 0 <= start < end <= len(text)
        while inside and start < end and text[start].isspace() and start not in starts:
            start += 1
        while inside and start < end and text[end - 1].isspace() and end not in ends:
            end -= 1
        if not inside or start == end or not mark.label:
            place.repair("span-outside-text", mark.shown, "", mark.line)
            continue
        if (start, end) != (moved.start, moved.end):
            whole = replace(moved, text=text[moved.start : moved.end])
            place.repair("span-not-on-token-border", whole.shown, text[start:end], mark.line)
        trimmed.append(replace(moved, start=start, end=end, text=text[start:end]))
    kept: list[Mark] = []
    for mark in sorted(trimmed, key=lambda mark: (mark.start - mark.end, mark.start)):
        index = bisect_right(kept, mark.start, key=lambda other: other.start)
        before = kept[index - 1] if index else None
        after = kept[index] if index < len(kept) else None
        if (before is not None and before.end > mark.start) or (after is not None and after.start < mark.end):
            rival = before if before is not None and before.end > mark.start else after
            place.repair("overlapping-span", mark.shown, rival.shown if rival else "", mark.line)
            continue
        kept.insert(index, mark)
    return kept


def _moved(text: str, mark: Mark, place: Place) -> Mark:
    """The mark, where its own text says that offsets count UTF-16 units (as JavaScript does), in characters."""
    if mark.text is None or mark.start < 0 or _same(text[mark.start : mark.end], mark.text):
        return mark
    wide = text.encode("utf-16-le", "surrogatepass")
    start, end = (len(wide[: 2 * unit].decode("utf-16-le", "ignore")) for unit in (mark.start, mark.end))
    if _same(text[start:end], mark.text):
        return replace(mark, start=start, end=end)
    place.repair("span-text-differs", mark.shown, text[mark.start : mark.end], mark.line)
    return mark


def _same(found: str, told: str) -> bool:
    """Equal but for white space, which tools rewrite when it is a line break."""
    return found.split() == told.split()


def _cut(text: str, offsets: Offsets, marks: Sequence[Mark], place: Place) -> Offsets:
    """The tokens, cut at the borders of the marks."""
    borders = sorted({border for mark in marks for border in (mark.start, mark.end)})
    made: Offsets = []
    cut: list[tuple[int, int]] = []
    for start, end in offsets:
        inside = borders[bisect_right(borders, start) : bisect_left(borders, end)]
        if inside:
            cut.append((start, end))
            edges = [start, *inside, end]
            made += pairwise(edges)
        else:
            made.append((start, end))
    for mark in marks:
        torn = [text[a:b] for a, b in cut if a < mark.start < b or a < mark.end < b]
        if torn:
            place.repair("span-not-on-token-border", " ".join(torn), text[mark.start : mark.end], mark.line)
    return made
