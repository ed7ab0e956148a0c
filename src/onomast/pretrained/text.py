"""The text that an encoder learns from: raw or labelled files, cut into words, language by language."""

from __future__ import annotations

import hashlib
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import regex

from onomast.data.formats.registry import read_file
from onomast.data.raw_text import Exclusion, RawLines, guess_segmenter
from onomast.data.tokenize import SEGMENTERS
from onomast.data.transliteration.scripts import convert_token, require_script
from onomast.errors import DataError, OnomastError
from onomast.pretrained.masked_lm import is_held_out
from onomast.progress import progress

_MARKUP = regex.compile(r"\s*</?\w[^<>]*>\s*")
_REPORTED = 500  # lines between two moves of the progress bar


def silent(line: str) -> None:
    """Say nothing."""


@dataclass
class LanguageText:
    """The lines of one language, each a line of words separated by spaces."""

    learnt: Path
    held_out: Path
    lines: int = 0
    words: int = 0

    def read(self, *, held_out: bool = False) -> Iterator[list[str]]:
        """The words of each line."""
        with (self.held_out if held_out else self.learnt).open(
            encoding="utf-8", errors="surrogatepass", newline="\n"
        ) as lines:
            for line in lines:
                yield line[:-1].split(" ")


@dataclass(frozen=True)
class Gathered:
    """All text, tokenised."""

    languages: Mapping[str, LanguageText]
    digest: str
    """Of every word."""
    dropped: int
    """Excluded sentences found and cut out."""
    skipped: int
    """Lines that are not UTF-8, or nothing but a tag of markup."""


def gather(
    texts: Mapping[str, Sequence[str | Path]],
    folder: Path,
    *,
    exclude: Iterable[Sequence[str]] = (),
    script: str = "",
    say: Callable[[str], None] = silent,
) -> Gathered:
    """Write the words of all files into `folder`, one file for what is learnt and one for what is held out.

    Raises DataError for a file that cannot be read, OnomastError where there is no text.
    """
    require_script(script)
    exclusion = Exclusion(exclude)
    reader = TextReader(say)
    digest = hashlib.sha256(script.encode())
    found: dict[str, LanguageText] = {}
    with progress("Cutting text", None) as advance:
        for number, (language, paths) in enumerate(texts.items()):
            text = found[language] = LanguageText(folder / f"{number}.learnt", folder / f"{number}.held-out")
            with _written(text.learnt) as learnt, _written(text.held_out) as held_out:
                spare = ""
                for line in (part for path in paths for part in _remainders(reader.read(Path(path)), exclusion)):
                    words = [convert_token(word, script).text if script else word for word in line]
                    made = " ".join("_".join(word.split()) or "_" for word in words) + "\n"
                    data = made.encode("utf-8", "surrogatepass")
                    digest.update(data)
                    text.lines += 1
                    text.words += len(words)
                    if is_held_out(zlib.crc32(data)):
                        held_out.write(made)
                        spare = "-"
                    else:
                        learnt.write(made)
                        spare = spare or made
                    if text.lines % _REPORTED == 0:
                        advance(text.lines, f"{language}: {text.lines:,} lines")
                if spare != "-":  # a few lines: one of them is measured by, although it is learnt from
                    held_out.write(spare)
            if not text.words:
                raise OnomastError(f"{language}: no text in {', '.join(map(str, paths))}; expected sentences")
            digest.update(f"\n{language}\n".encode())
    return Gathered(found, digest.hexdigest(), exclusion.dropped, reader.skipped)


class TextReader:
    """Files as lines of words; what could not be read is counted."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.skipped = 0

    def read(self, path: Path) -> Iterator[list[str]]:
        """The words of each line of a labelled file or a raw text; which of both it is, is found out."""
        try:
            reading = read_file(path)
        except DataError:
            yield from self._raw(path)
            return
        self.say(f"{path}: {len(reading.sentences):,} sentences; {reading.guess}")
        for sentence in reading.sentences:
            yield [unicodedata.normalize("NFC", token) for token in sentence.tokens]

    def _raw(self, path: Path) -> Iterator[list[str]]:
        segmenter = guess_segmenter([path])
        self.say(f"{path}: raw text, cut into words by `{segmenter}`")
        cut = SEGMENTERS[segmenter]
        lines = RawLines([path])
        for line in lines:
            if _MARKUP.fullmatch(line):
                self.skipped += 1
                continue
            yield [line[start:end] for start, end in cut(line)]
        self.skipped += lines.skipped


def _remainders(lines: Iterable[list[str]], exclusion: Exclusion) -> Iterator[list[str]]:
    for line in lines:
        yield from exclusion.remainders(line)


def _written(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", errors="surrogatepass", newline="\n")
