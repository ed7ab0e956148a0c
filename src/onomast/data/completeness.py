"""Labelled files that are not labelled to their end, and sentences whose blank lines were lost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import regex

from onomast.sentence import Sentence

LONG_SENTENCE = 250  # tokens; a sentence of so many with full stops inside has lost the lines between sentences
_FULL_STOPS = 3  # inside a long sentence
_SHORTEST_STRETCH = 25  # sentences without an entity that can be told from chance
_CHANCE = 1e-6  # that such a stretch is by chance
_DENSE = 0.2  # share of the other sentences that have an entity
_STOP = regex.compile(r"[\p{Sentence_Terminal}…‥།༎]+\Z")


def unlabelled_stretches(path: str, sentences: Sequence[Sentence]) -> Iterator[str]:
    """A warning where a long run of sentences has no entity although the others often have one: it may not be labelled.

    With d the share of the other sentences that have an entity, a run of n is told where (1 - d)^n is below one in a
    million.
    """
    labelled = [sentence for sentence in sentences if sentence.tags is not None]
    first, length = _longest_run(labelled)
    others = len(labelled) - length
    if length < _SHORTEST_STRETCH or not others:
        return
    dense = sum(bool(sentence.spans) for sentence in labelled) / others
    if dense < _DENSE or (dense < 1 and length * math.log(1 - dense) > math.log(_CHANCE)):
        return
    start = line_of(labelled[first])
    end = first + length == len(labelled)
    stretch = "to the end of the file" if end else f"up to line {line_of(labelled[first + length])}"
    advice = f"--until {start - 1} to leave them out, or " if end and start > 1 else ""
    yield (
        f"{path}: no entity in {length:,} sentences from line {start} {stretch}, although {dense:.0%} of the others "
        f"have one; if they are not labelled yet, give {advice}write _ as the tag of their tokens"
    )


def long_sentences(path: str, sentences: Sequence[Sentence]) -> Iterator[str]:
    """A warning where sentences look as if the blank lines between them had been lost."""
    wrong = [sentence for sentence in sentences if is_too_long(sentence)]
    if wrong:
        longest = max(wrong, key=len)
        yield (
            f"{path}: a sentence of {len(longest):,} tokens at line {line_of(longest)}: the blank lines between "
            f"sentences seem to be lost; `onomast check {path} --fix OUT` splits it at the ends of sentences"
        )


def is_too_long(sentence: Sentence) -> bool:
    """Has it more tokens than a sentence has, and full stops inside?"""
    return len(sentence) > LONG_SENTENCE and sum(map(_ends_sentence, sentence.tokens[:-1])) >= _FULL_STOPS


def split_at_full_stops(sentence: Sentence) -> list[Sentence]:
    """The sentence cut after each full stop that stands outside of entities."""
    tags = sentence.tags
    borders = [0]
    for index, token in enumerate(sentence.tokens[:-1], 1):
        inside = tags is not None and (tags[index] is None or str(tags[index]).startswith("I-"))
        if _ends_sentence(token) and not inside:
            borders.append(index)
    borders.append(len(sentence))
    return [_part(sentence, start, end) for start, end in pairwise(borders)]


def line_of(sentence: Sentence) -> int:
    """The line of its first token; 0 where it is not known."""
    line = (sentence.source or "").rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _ends_sentence(token: str) -> bool:
    return len(token) <= 3 and _STOP.match(token) is not None


def _part(sentence: Sentence, start: int, end: int) -> Sentence:
    def cut(values: tuple[object, ...] | None) -> tuple[object, ...] | None:
        return None if values is None else values[start:end]

    path, _, line = (sentence.source or "").rpartition(":")
    text, text_start = sentence.text, sentence.text_start
    if sentence.offsets is not None and text is not None:
        first, last = sentence.offsets[start][0], sentence.offsets[end - 1][1]
        text, text_start = text[first - text_start : last - text_start], first
    return dataclasses.replace(
        sentence,
        tokens=sentence.tokens[start:end],
        source=f"{path}:{int(line) + start}" if line.isdecimal() else sentence.source,
        text=text,
        text_start=text_start,
        **{name: cut(getattr(sentence, name)) for name in ("tags", "pos", "confidence", "offsets")},  # type: ignore[arg-type]
    )


def _longest_run(sentences: Sequence[Sentence]) -> tuple[int, int]:
    """The first sentence and the length of the longest run without an entity."""
    best = start = 0
    length = 0
    for index, sentence in enumerate(sentences):
        if sentence.spans:
            start = index + 1
        elif index + 1 - start > length:
            best, length = start, index + 1 - start
    return best, length
