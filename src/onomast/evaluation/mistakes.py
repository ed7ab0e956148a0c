"""Kinds of mistakes: each wrong gold entity and each wrong predicted entity is part of exactly one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from onomast.tags import Span

Kind = Literal["missed", "spurious", "wrong border", "wrong label"]
KINDS: tuple[Kind, ...] = ("missed", "spurious", "wrong border", "wrong label")


@dataclass(frozen=True)
class Mistake:
    """`wrong label`: right borders; `wrong border`: an overlap, whatever the labels; else `missed` or `spurious`."""

    kind: Kind
    sentence: int
    """Number of the sentence."""
    gold: Span | None
    predicted: Span | None


def mistakes(sentence: int, gold: set[Span], predicted: set[Span]) -> Iterator[Mistake]:
    """Pair what is wrong, at most one gold with one predicted entity: equal borders first, then largest overlaps."""
    truths, guesses = sorted(gold - predicted), sorted(predicted - gold)
    for truth in list(truths):
        match = next((guess for guess in guesses if (guess.start, guess.end) == (truth.start, truth.end)), None)
        if match is not None:
            truths.remove(truth)
            guesses.remove(match)
            yield Mistake("wrong label", sentence, truth, match)
    pairs = [(_overlap(truth, guess), truth, guess) for truth in truths for guess in guesses if _overlap(truth, guess)]
    for _, truth, guess in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if truth in truths and guess in guesses:
            truths.remove(truth)
            guesses.remove(guess)
            yield Mistake("wrong border", sentence, truth, guess)
    yield from (Mistake("missed", sentence, truth, None) for truth in truths)
    yield from (Mistake("spurious", sentence, None, guess) for guess in guesses)


def _overlap(one: Span, other: Span) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))
