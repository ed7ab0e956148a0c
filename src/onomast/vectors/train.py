"""Learning fastText vectors from raw text with gensim (extra `vectors`), saved in Facebook's .bin format.

The sentences of test files are cut out of the text first. With one worker the same seed, text and libraries give the
same file, whatever PYTHONHASHSEED is.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onomast.data.raw_text import Exclusion, RawLines, guess_segmenter
from onomast.data.tokenize import Segmenter, named_segmenter
from onomast.data.transliteration.scripts import convert_token, require_script
from onomast.errors import DataError, MissingExtra, OnomastError
from onomast.files import atomic_path
from onomast.progress import Advance, progress


@dataclass(frozen=True)
class TrainingSummary:
    """What `train_vectors` did."""

    path: str
    tokens: int
    """Of the text, without the excluded sentences."""
    words: int
    """In the dictionary: those seen often enough."""
    dropped: int
    """Excluded sentences found in the text (each time) and cut out."""
    skipped: int
    """Lines that are not UTF-8."""
    segmenter: str
    seconds: float

    def __str__(self) -> str:
        parts = [
            f"{self.path}: {self.words:,} words learnt from {self.tokens:,} tokens in {self.seconds:.0f} s",
            f"cut into tokens by `{self.segmenter}`",
            f"{self.dropped:,} excluded sentences cut out",
        ]
        if self.skipped:
            parts.append(f"{self.skipped:,} lines skipped: not UTF-8")
        return "; ".join(parts)


def train_vectors(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    exclude: Iterable[Sequence[str]] = (),
    segmenter: str | Segmenter | None = None,
    script: str = "",
    lower: bool = False,
    width: int = 100,
    epochs: int = 10,
    min_count: int = 2,
    minn: int = 3,
    maxn: int = 6,
    window: int = 5,
    buckets: int = 200_000,
    rate: float = 0.05,
    workers: int = 1,
    seed: int = 0,
) -> TrainingSummary:
    """Learn skip-gram fastText vectors from raw text, one sentence or paragraph a line, plain or gzip.

    `exclude`: sentences, as tokens, to be cut out wherever they stand in a line, white space aside. `segmenter`: how
    lines become tokens (a name of `SEGMENTERS`, or a learned one); by default `unicode`, or `spaces` where a script
    without spaces is already cut by them.
    `script`: that into which a recipe converts tokens; done last, so `exclude` holds the original ones; so is
    lower-casing (`lower`).
    `minn`, `maxn`: lengths of the n-grams (`maxn` 0: none). Only `workers=1` gives the same result again.
    Raises MissingExtra without gensim, DataError for a file that cannot be read or has too little text.
    """
    began = time.monotonic()
    _check_numbers(files=len(paths), width=width, epochs=epochs, min_count=min_count, window=window)
    _check_numbers(buckets=buckets, workers=workers)
    try:
        from gensim.models.fasttext import FastText, save_facebook_model
    except ImportError:
        raise MissingExtra("gensim", "vectors") from None
    with TemporaryDirectory() as folder:
        text = _Text(paths, segmenter or guess_segmenter(paths), Exclusion(exclude), script, lower)
        tokenised = Path(folder) / "tokens"
        text.write(tokenised)
        if text.common(min_count) == 0:
            raise DataError(
                f"{text.tokens} tokens and no word that occurs {min_count} times; expected more raw text", path=paths[0]
            )
        with progress("Learning vectors", (epochs + 1) * text.parts) as advance:
            model = FastText(
                sentences=_Sentences(tokenised, advance), sg=1, vector_size=width, epochs=epochs, min_count=min_count,
                min_n=minn, max_n=maxn, window=window, bucket=buckets, alpha=rate, sample=1e-4, workers=workers,
                seed=seed, hashfxn=_stable_hash,
            )  # fmt: skip
        with atomic_path(out) as temporary:
            save_facebook_model(model, str(temporary))
    seconds = time.monotonic() - began
    return TrainingSummary(
        str(out), text.tokens, len(model.wv), text.exclusion.dropped, text.lines.skipped, text.segmenter, seconds
    )


class _Text:
    """The lines of raw files, cut into tokens; what was met on the way is counted."""

    def __init__(
        self, paths: Sequence[str | Path], segmenter: str | Segmenter, exclusion: Exclusion, script: str, lower: bool
    ) -> None:
        self._cut = named_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
        require_script(script)
        self.segmenter = segmenter if isinstance(segmenter, str) else "a learned segmenter"
        self.lines, self.exclusion, self.script, self.lower = RawLines(paths), exclusion, script, lower
        self.tokens = self.parts = 0
        self._counts: dict[str, int] = {}

    def write(self, path: Path) -> None:
        """Write one part of a line on each line, tokens separated by spaces."""
        cut = self._cut
        with path.open("w", encoding="utf-8", newline="\n") as out, progress("Cutting text", None) as advance:
            for number, line in enumerate(self.lines):
                for part in self.exclusion.remainders([line[start:end] for start, end in cut(line)]):
                    if self.script:
                        part = [convert_token(token, self.script).text for token in part]
                    if self.lower:
                        part = [token.lower() for token in part]
                    out.write(" ".join(part) + "\n")
                    self.parts += 1
                    self.tokens += len(part)
                    for token in part:
                        self._counts[token] = self._counts.get(token, 0) + 1
                if number % 1000 == 0:
                    advance(number, f"{number:,} lines")

    def common(self, count: int) -> int:
        """How many words occur so often."""
        return sum(1 for found in self._counts.values() if found >= count)


class _Sentences:
    """The tokenised file, once for each pass of gensim."""

    def __init__(self, path: Path, advance: Advance) -> None:
        self.path, self.advance = path, advance
        self.done = 0

    def __iter__(self) -> Iterator[list[str]]:
        with self.path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                self.done += 1
                if self.done % 500 == 0:
                    self.advance(self.done)
                yield line.split()


def _stable_hash(text: Any) -> int:
    """What gensim hashes words with, in place of Python's `hash`, which differs between processes."""
    return zlib.crc32(str(text).encode("utf-8", "surrogatepass"))


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise OnomastError(f"{name} is {number}; expected 1 or more")
