"""Taggers for sentences that they were not trained on: contiguous blocks, each with a tagger trained on the rest."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.registry import new_tagger

_MARKERS = ("-DOCSTART-", "# newdoc")


@dataclass(frozen=True)
class Fold:
    """One block and a tagger that has not seen it."""

    start: int
    end: int
    """Sentences `start` to `end` (exclusive)."""
    tagger: Tagger


def out_of_fold(
    sentences: Sequence[Sentence], recipe: Recipe, folds: int, advance: Callable[[int], object] = lambda _: None
) -> Iterator[Fold]:
    """Train one tagger for each block, on the labelled sentences of all other blocks.

    `advance` is called with the number of sentences behind. Raises DataError for fewer sentences than two, and where
    the rest of a block holds no label.
    """
    bounds = blocks(sentences, folds)
    for start, end in itertools.pairwise(bounds):
        rest = tuple(one for one in (*sentences[:start], *sentences[end:]) if one.tags and any(one.tags))
        tagger = new_tagger(recipe)
        tagger.fit(Corpus("all other blocks", rest))
        yield Fold(start, end, tagger)
        advance(end)


def blocks(sentences: Sequence[Sentence], number: int) -> list[int]:
    """Borders of at most `number` contiguous blocks of about as many tokens each: 0, ..., the number of sentences.

    Where the file marks documents, or there are several files, a document stays in one block, as long as there are
    twice as many documents as blocks: neighbouring sentences repeat names.
    """
    if len(sentences) < 2:
        raise DataError(
            f"there are {len(sentences)} sentences; expected two or more to train on one part and test another"
        )
    number = max(2, min(number, len(sentences)))
    allowed = document_starts(sentences)
    if len(allowed) < 2 * number:
        allowed = list(range(len(sentences)))
    total = sum(map(len, sentences))
    bounds, tokens, at = [0], 0, set(allowed)
    for index, sentence in enumerate(sentences):
        if index in at and index and tokens >= total * len(bounds) / number and len(bounds) < number:
            bounds.append(index)
        tokens += len(sentence)
    if len(bounds) == 1:  # one sentence holds nearly all tokens
        bounds.append(max(1, len(sentences) // 2))
    return [*bounds, len(sentences)]


def document_starts(sentences: Sequence[Sentence]) -> list[int]:
    """Indices of the sentences with which a file begins, or a document that `-DOCSTART-` or `# newdoc` marks."""
    starts: list[int] = []
    before_path, before_line = None, 0
    for index, sentence in enumerate(sentences):
        path, line = _place(sentence)
        markers = _marker_lines(path) if path else ()
        if index == 0 or path != before_path or any(before_line < marker <= line for marker in markers):
            starts.append(index)
        before_path, before_line = path, line
    return starts


def _place(sentence: Sentence) -> tuple[str | None, int]:
    path, _, line = (sentence.source or "").rpartition(":")
    return (path, int(line)) if path and line.isdecimal() else (None, 0)


@lru_cache(maxsize=16)
def _marker_lines(path: str) -> tuple[int, ...]:
    """The lines of a plain-text file that begin a document; none where the file is packed or gone."""
    try:
        with Path(path).open(encoding="utf-8") as lines:
            return tuple(number for number, line in enumerate(lines, start=1) if line.startswith(_MARKERS))
    except (OSError, UnicodeDecodeError):
        return ()
