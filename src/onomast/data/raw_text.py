"""Raw text files -> lines, without the sentences of test files."""

from __future__ import annotations

import gzip
import itertools
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from onomast.errors import DataError

_PREFIX = 12  # characters (spaces apart) by which an excluded sentence is found in a line; shorter ones: whole lines
_SAMPLE = 2000  # lines looked at to see how the text is to be cut into tokens


class Exclusion:
    """Sentences to be cut out of lines; white space and Unicode composition do not count when they are compared."""

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        self.dropped = 0
        self._keys: dict[str, list[str]] = {}
        for key in {_letters("".join(tokens)) for tokens in sentences} - {""}:
            self._keys.setdefault(key[:_PREFIX], []).append(key)
        for keys in self._keys.values():
            keys.sort(key=len, reverse=True)

    def pieces(self, tokens: list[str]) -> list[list[str]]:
        """What is left of a line, in order; the whole line where no excluded sentence stands in it.

        A match begins and ends at the borders of tokens. Sentences of under 12 characters count only as a whole line.
        """
        if not self._keys or not tokens:
            return [tokens] if tokens else []
        parts = [_letters(token) for token in tokens]
        starts = list(itertools.accumulate((len(part) for part in parts), initial=0))
        line, number_of = "".join(parts), {start: number for number, start in reversed(list(enumerate(starts)))}
        found: list[list[str]] = []
        rest, number = 0, 0
        while number < len(tokens):
            end = self._match(line, starts[number], number_of)
            if end is None:
                number += 1
                continue
            self.dropped += 1
            found.append(tokens[rest:number])
            rest = number = max(end, number + 1)
        return [piece for piece in [*found, tokens[rest:]] if piece]

    def _match(self, line: str, start: int, number_of: dict[int, int]) -> int | None:
        """The number of the token after the excluded sentence that begins here."""
        for key in self._keys.get(line[start : start + _PREFIX], ()):
            end = start + len(key)
            whole = start == 0 and end == len(line)
            if (whole or (len(key) >= _PREFIX and end in number_of)) and line.startswith(key, start):
                return number_of[end]
        return None


def raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of a plain or gzip file. Raises DataError when it cannot be read."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as lines:
            yield from lines
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot be read: {reason}; expected text, plain or gzip", path=path) from None


def guess_segmenter(paths: Sequence[str | Path]) -> str:
    """`spaces` where words of a script that is written without spaces stand apart all the same, else `unicode`."""
    lines = itertools.islice(itertools.chain.from_iterable(raw_lines(Path(path)) for path in paths), _SAMPLE)
    text = b" ".join(lines).decode("utf-8", "ignore")
    runs = [run for run in text.split() if any(_unspaced(letter) for letter in run)]
    if 2 * len(runs) < len(text.split()):
        return "unicode"
    return "spaces" if sum(map(len, runs)) < 15 * len(runs) else "unicode"


def _unspaced(letter: str) -> bool:
    """Is it of Thai, Lao, Burmese, Khmer, Han or Kana?"""
    code = ord(letter)
    return 0xE00 <= code < 0xF00 or 0x1000 <= code < 0x10A0 or 0x1780 <= code < 0x1800 or 0x3040 <= code < 0xA000


def _letters(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())
