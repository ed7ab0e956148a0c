"""The one dictionary matcher: phrases of a word list in a sentence, from the left, the longest first."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

Phrase = tuple[str, ...]


def lengths_of(phrases: Iterable[Phrase]) -> list[int]:
    """The numbers of words that phrases have, each once, the largest first; empty phrases do not count."""
    return sorted({len(phrase) for phrase in phrases} - {0}, reverse=True)


def longest_matches(
    tokens: Sequence[str], phrases: Container[Phrase], lengths: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Start and end (exclusive) of each phrase in T tokens; matches are disjoint and in order.

    `lengths` are those of the phrases, the largest first (`lengths_of`).
    """
    start = 0
    while start < len(tokens):
        ends = (start + length for length in lengths if start + length <= len(tokens))
        end = next((end for end in ends if tuple(tokens[start:end]) in phrases), None)
        if end is None:
            start += 1
        else:
            yield start, end
            start = end
