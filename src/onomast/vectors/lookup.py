"""What every kind of vectors file offers, and the one rule by which a word gets its vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from onomast.errors import DataError
from onomast.vectors.subword_ngrams import END_OF_SENTENCE, Floats, Integers, Subwords, sums

Kinds = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Gather = Callable[[Integers], tuple[Floats, Flags]]

UNKNOWN, KNOWN, MADE = 0, 1, 2
"""No vector; in the file's dictionary; made of n-grams."""
_BATCH = 8192  # characters of words whose n-gram rows are in memory at once
_TOO_FEW = 0.01  # share of known words at which a file is surely the wrong one
_LEAST = 20  # words below which shares say nothing


class VectorRows(Protocol):
    """A vectors file, or what is left of one."""

    @property
    def path(self) -> str: ...

    @property
    def format(self) -> str: ...

    @property
    def subwords(self) -> Subwords: ...

    @property
    def width(self) -> int: ...

    def first(self, count: int) -> list[str]:
        """The first words of the dictionary, which are the most frequent ones in all formats."""
        ...

    def find(self, words: Sequence[str]) -> tuple[Floats, Kinds]:
        """Rows (N, D) of exactly these words, zeros for others, and their kinds (N,)."""
        ...

    def gather(self, buckets: Integers) -> tuple[Floats, Flags]:
        """Rows (M, D) of n-gram buckets, and which of them count in a mean (M,)."""
        ...


def rows_of(table: VectorRows, words: Sequence[str]) -> tuple[Floats, Kinds]:
    """Vectors (N, D) of words and their kinds (N,): 0 none (zeros), 1 in the dictionary, 2 made of n-grams.

    A word is looked up as written, then in lower case; if both are unknown, its n-grams as written are averaged.
    """
    spelled = [*words, *(word.lower() for word in words)]
    asked = list(dict.fromkeys(spelled))
    number = {word: index for index, word in enumerate(asked)}
    found, kinds = table.find(asked)
    exact, lower = np.split(np.array([number[word] for word in spelled], np.int64), 2)
    chosen = np.where((kinds[exact] == UNKNOWN) & (kinds[lower] == KNOWN), lower, exact)
    rows, result = found[chosen], kinds[chosen]
    missing = np.flatnonzero(result == UNKNOWN).tolist()
    if len(missing) and table.subwords.present:
        made = compose(table.subwords, table.gather, [words[index] for index in missing])
        rows[missing] = made
        result[missing] = np.where(made.any(axis=1), MADE, UNKNOWN)
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1)).tolist()
    if len(wrong):
        raise DataError(
            f"the vector of {words[wrong[0]]!r} holds a value that is not a number; expected finite values; "
            "the file is damaged: get it again",
            path=table.path,
        )
    return rows, result


def compose(subwords: Subwords, gather: Gather, words: Sequence[str]) -> Floats:
    """The mean (N, D) of the n-gram rows of each word; zeros where there are none."""
    means = []
    for batch in batches(words):
        total, number = ngram_sums(subwords, gather, batch)
        means.append(total / np.maximum(number, 1)[:, None].astype(np.float32))
    return np.concatenate(means)


def ngram_sums(subwords: Subwords, gather: Gather, words: Sequence[str]) -> tuple[Floats, Integers]:
    """The sum (N, D) of the n-gram rows that count, and how many those are (N,). `</s>` has no n-grams."""
    buckets, counts = subwords.of(words)
    owners = np.repeat(np.arange(len(words)), counts)
    specials = np.array([word == END_OF_SENTENCE for word in words])
    if specials.any():
        buckets, owners = buckets[~specials[owners]], owners[~specials[owners]]
    rows, present = gather(buckets)
    counts = np.bincount(owners[present], minlength=len(words))
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for values that are not finite
        return sums(rows[present], counts), counts


def batches(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list of words into parts of about so many characters; one empty part for no words."""
    start = size = 0
    for number, word in enumerate(words):
        size += len(word)
        if size > _BATCH:
            yield words[start : number + 1]
            start, size = number + 1, 0
    if start < len(words) or not words:
        yield words[start:]


def coverage_warning(kinds: Kinds) -> str | None:
    """What to tell the user when 99 % of the words or more are not in the dictionary (kind 1); None if all is well."""
    known = int((kinds == KNOWN).sum())
    if len(kinds) < _LEAST or known > _TOO_FEW * len(kinds):
        return None
    made = int((kinds == MADE).sum())
    rest = f" ({made} more have vectors made of n-grams, which mean little here)" if made else ""
    return (
        f"these vectors know {known} of {len(kinds)} words{rest}; expected most of them; "
        "is the file of this language and script, and is its text cut into words in the same way?"
    )


def take_first(words: Sequence[str] | dict[str, int], count: int) -> list[str]:
    """The first `count` words."""
    return list(islice(words, max(count, 0)))
