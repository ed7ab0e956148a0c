"""Text whose words are known: what a word segmenter learns from and is scored on. READERS of such files at the foot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from onomast.data.formats.registry import stream
from onomast.data.input_file import InputFile
from onomast.data.tokenize import TextSpan, is_unspaced
from onomast.errors import DataError, nearest

_BAR = "|"
_MARK = re.compile(r"</?(?:NE|AB)>")  # BEST marks names and abbreviations, each one word
_VERSE, _PROSE = "<POEM>", "</POEM>"  # what stands between them is not cut into words
_INVISIBLE = "\u200b\ufeff"
_SAMPLE = 200  # lines by which the format is guessed


class SegmentedLine(NamedTuple):
    """A line of text and its words: spans that hold no white space at their ends."""

    text: str
    words: tuple[TextSpan, ...]


@dataclass(frozen=True)
class Segmented:
    """What one file held."""

    path: str
    lines: tuple[SegmentedLine, ...]
    """Those with at least one word."""
    format: str
    """A name of `READERS`."""
    left_out: int
    """Lines whose words are not known: verse in BEST."""

    @property
    def guess(self) -> str:
        """One line for the user."""
        words = sum(len(line.words) for line in self.lines)
        verse = f"; {self.left_out:,} lines of verse left out, which is not cut into words" if self.left_out else ""
        return f"{len(self.lines):,} lines, {words:,} words, read as `{self.format}`{verse}"


def read_segmented(path: str | Path, format: str | None = None) -> Segmented:
    """Read text cut into words. `format` (a name of READERS) is found out where it is None.

    - `bars`: one sentence or paragraph a line, words and the white space between them separated by `|` (BEST);
    - `spaces`: one sentence a line, words separated by spaces, which the text itself has only between other scripts;
    - `labelled`: any labelled file; its tokens are the words.

    Raises DataError for a file that cannot be read, or that has no words.
    """
    name = format or _guess(str(path))
    if name not in READERS:
        raise DataError(f"there is no format {name!r} of words; {nearest(name, READERS)}", path=path)
    lines: list[SegmentedLine] = []
    left_out = 0
    for words in READERS[name](str(path)):
        if words is None:
            left_out += 1
            continue
        line = line_of(words)
        if line.words:
            lines.append(line)
    if not lines:
        raise DataError(
            f"there is no word in it, read as `{name}`; expected {_BAR} or spaces between words, or labels", path=path
        )
    return Segmented(str(path), tuple(lines), name, left_out)


def line_of(words: Sequence[str]) -> SegmentedLine:
    """The line that words and the white space between them make when they are put one after the other."""
    spans: list[TextSpan] = []
    reached = 0
    for word in words:
        left = len(word) - len(word.lstrip().lstrip(_INVISIBLE))
        right = len(word.rstrip().rstrip(_INVISIBLE))
        if left < right:
            spans.append((reached + left, reached + right))
        reached += len(word)
    return SegmentedLine("".join(words), tuple(spans))


def _with_spaces(words: Sequence[str]) -> list[str]:
    """The words as their scripts write them: a space between two, unless one beside it is of a script without spaces.

    Words of white space alone are kept instead.
    """
    joined = list(words[:1])
    for before, word in pairwise(words):
        if not (before.isspace() or word.isspace() or is_unspaced(before[-1]) or is_unspaced(word[0])):
            joined.append(" ")
        joined.append(word)
    return joined


def _read_bars(path: str) -> Iterator[list[str] | None]:
    is_verse = False
    with InputFile(path).opened() as file:
        for _, line in file.lines():
            touched = is_verse or _VERSE in line
            if touched or _PROSE in line:
                is_verse = touched and line.rfind(_PROSE) <= line.rfind(_VERSE)
                yield None
            else:
                yield _MARK.sub("", line).split(_BAR)


def _read_spaces(path: str) -> Iterator[list[str]]:
    with InputFile(path).opened() as file:
        for _, line in file.lines():
            yield _with_spaces(line.split())


def _read_labelled(path: str) -> Iterator[list[str]]:
    for sentence in stream(path):
        yield _with_spaces([token for token in sentence.tokens if token])


def _guess(path: str) -> str:
    with InputFile(path).opened() as file:
        sample = [line for line in file.sample(_SAMPLE) if line.strip()]
    if 2 * sum(_BAR in line for line in sample) > len(sample):
        return "bars"
    # Labelled files: one token a line, or JSON.
    return "labelled" if 2 * sum("\t" in line or line[0] in "{[#" for line in sample) > len(sample) else "spaces"


READERS: dict[str, Callable[[str], Iterator[list[str] | None]]] = {
    "bars": _read_bars,
    "spaces": _read_spaces,
    "labelled": _read_labelled,
}
"""Name -> path to the words of each line, with the white space between them; None: its words are not known."""
