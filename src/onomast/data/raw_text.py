"""Raw text, from files to sentences: the only module that opens raw text, decodes it and cuts it into sentences.

`read_blocks` and `stream_text` keep every character, so that offsets count from the start of the file (`onomast tag`);
`RawLines` gives normalised lines and skips those that are not UTF-8 (vectors and encoders learn from these).
"""

from __future__ import annotations

import codecs
import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import regex

from onomast.data.input_file import InputFile
from onomast.data.tokenize import Segmenter, TextSpan, is_unspaced, segment
from onomast.errors import DataError
from onomast.sentence import Sentence

WINDOW = 1 << 16  # characters of a line that are held at once; a longer line is cut between sentences
_BLOCK = 1 << 16  # bytes read at once
_PREFIX = (
    12  # characters, spaces aside, by which an excluded sentence is looked up; shorter ones match whole lines only
)
_SAMPLE = 2000  # lines from which the segmenter is guessed
_LONG_RUN = 15  # mean characters between spaces above which a text without spaces between words is not segmented yet


def display_name(path: str | Path) -> str:
    """The name of a file for messages and for `Sentence.source`."""
    return InputFile(str(path)).name


def read_blocks(path: str | Path, on_bytes: Callable[[int], object] | None = None) -> Iterator[str]:
    """The text of a UTF-8 file (or gzip, or standard input), unchanged, block by block.

    `on_bytes` is called with the number of bytes read so far. Raises DataError that names the first byte that is not
    UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    line, position = 1, 0
    with InputFile(str(path)).opened() as file:
        while True:
            block = file.binary.read(_BLOCK)
            waiting = len(decoder.getstate()[0])
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                byte = position - waiting + error.start
                line += error.object.count(b"\n", 0, error.start)
                wide = byte == 0 and error.object[:2] in (b"\xff\xfe", b"\xfe\xff")
                hint = "; it looks like UTF-16" if wide else ""
                raise DataError(
                    f"byte {byte:,} of the text, 0x{error.object[error.start]:02x}, is not UTF-8{hint}; "
                    "convert the file to UTF-8",
                    path=display_name(path),
                    line=line,
                ) from None
            if not block:
                return
            line += block.count(b"\n")
            position += len(block)
            if on_bytes is not None:
                on_bytes(position)


def stream_text(
    blocks: Iterable[str],
    *,
    source: str | None = None,
    language: str | None = None,
    segmenter: str | Segmenter = "unicode",
) -> Iterator[Sentence]:
    """Sentences of raw text that arrives in blocks; the result does not depend on where the blocks are cut.

    `offsets` and `text_start` count characters from the beginning of the first block. At most a line, or `WINDOW`
    characters of it, is held in memory. `source` is the file's name. Raises OnomastError for an unknown segmenter.
    """
    held, start, line = "", 0, 1
    for block in itertools.chain(blocks, [None]):
        held += block or ""
        at = 0
        while (step := _next_sentences(held, at, segmenter, is_last=block is None)) is not None:
            sentences, after = step
            place = None if source is None else f"{source}:{line}"
            for spans in sentences:
                yield _sentence(held, start, spans, place, language)
            line += held.count("\n", at, after)
            at = after
        held, start = held[at:], start + at


def _sentence(held: str, start: int, spans: list[TextSpan], source: str | None, language: str | None) -> Sentence:
    """A sentence of `held`, which begins at character `start` of the whole text."""
    first, last = spans[0][0], spans[-1][1]
    return Sentence(
        tokens=tuple(held[left:right] for left, right in spans),
        offsets=tuple((start + left, start + right) for left, right in spans),
        text=held[first:last],
        text_start=start + first,
        source=source,
        language=language,
    )


def _next_sentences(
    held: str, at: int, segmenter: str | Segmenter, *, is_last: bool
) -> tuple[list[list[TextSpan]], int] | None:
    """The sentences of the next line of `held` after `at` (or of a part of it), and where the next step begins.

    None: more text is needed.
    """
    full = at + WINDOW
    end = held.find("\n", at, full) + 1
    is_whole = end > 0 or (is_last and len(held) < full)
    if is_whole:
        end = end or len(held)
    elif len(held) < full:
        return None
    else:
        end = full
    if end == at:
        return None
    sentences = [[(at + left, at + right) for left, right in spans] for spans in segment(held[at:end], segmenter)]
    if is_whole or not sentences:
        return sentences, end
    # More text may change the last sentence, or the last token: it waits for the next window.
    if len(sentences) > 1:
        return sentences[:-1], sentences[-1][0][0]
    if len(sentences[0]) > 1:
        return [sentences[0][:-1]], sentences[0][-1][0]
    left, right = sentences[0][0]
    borders = [match.start() for match in regex.finditer(r"\X", held[left:right])]
    right = left + borders[-1] if right == end and len(borders) > 1 else right
    return [[(left, right)]], right


class RawLines:
    """The lines of raw files, composed (NFC), with line ends; lines that are not UTF-8 are skipped and counted."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = paths
        self.skipped = 0
        """Lines that were not UTF-8, so far."""

    def __iter__(self) -> Iterator[str]:
        for data in _byte_lines(self._paths):
            try:
                yield unicodedata.normalize("NFC", data.decode("utf-8"))
            except UnicodeDecodeError:
                self.skipped += 1


def _byte_lines(paths: Sequence[str | Path]) -> Iterator[bytes]:
    for path in paths:
        with InputFile(str(path)).opened() as file:
            yield from file.binary


def guess_segmenter(paths: Sequence[str | Path]) -> str:
    """`spaces` for text of a script without spaces between words in which words are separated all the same.

    Otherwise `unicode`.
    """
    text = b" ".join(itertools.islice(_byte_lines(paths), _SAMPLE)).decode("utf-8", "ignore")
    runs = [run for run in text.split() if any(map(is_unspaced, run))]
    if 2 * len(runs) < len(text.split()):
        return "unicode"
    return "spaces" if sum(map(len, runs)) < _LONG_RUN * len(runs) else "unicode"


class Exclusion:
    """Sentences to be removed from lines; white space and Unicode composition do not count in the comparison."""

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        self.dropped = 0
        """Excluded sentences found and removed so far."""
        self._keys: dict[str, list[str]] = {}
        for key in {_without_spaces("".join(tokens)) for tokens in sentences} - {""}:
            self._keys.setdefault(key[:_PREFIX], []).append(key)
        for keys in self._keys.values():
            keys.sort(key=len, reverse=True)

    def remainders(self, tokens: list[str]) -> list[list[str]]:
        """The parts of a line that are left, in order; the whole line where no excluded sentence occurs in it.

        A match begins and ends at token borders. Sentences of under 12 characters match whole lines only.
        """
        if not self._keys or not tokens:
            return [tokens] if tokens else []
        letters = [_without_spaces(token) for token in tokens]
        starts = list(itertools.accumulate((len(part) for part in letters), initial=0))
        line, number_of = "".join(letters), {start: number for number, start in reversed(list(enumerate(starts)))}
        parts: list[list[str]] = []
        rest, number = 0, 0
        while number < len(tokens):
            end = self._match(line, starts[number], number_of)
            if end is None:
                number += 1
                continue
            self.dropped += 1
            parts.append(tokens[rest:number])
            rest = number = max(end, number + 1)
        return [part for part in [*parts, tokens[rest:]] if part]

    def _match(self, line: str, start: int, number_of: dict[int, int]) -> int | None:
        """The number of the token after the excluded sentence that begins here; None: none does."""
        for key in self._keys.get(line[start : start + _PREFIX], ()):
            end = start + len(key)
            whole = start == 0 and end == len(line)
            if (whole or (len(key) >= _PREFIX and end in number_of)) and line.startswith(key, start):
                return number_of[end]
        return None


def _without_spaces(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())
