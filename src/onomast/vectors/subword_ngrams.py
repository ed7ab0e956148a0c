"""fastText's sub-words: the character n-grams of a word between `<` and `>`, hashed into buckets.

Every word of a batch at once, in numpy; Facebook's `Dictionary::computeSubwords` is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

LONGEST_NGRAM = 30  # characters; fastText's default is 6
END_OF_SENTENCE = "</s>"  # fastText's own token; it has no n-grams
_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_SIGN = np.uint32(0xFFFFFF00)  # fastText reads bytes as signed: one above 127 sets the upper bits
_LONGEST = 1000  # characters of a word that are looked at


@dataclass(frozen=True)
class Subwords:
    """How a file makes n-grams: lengths `minn` to `maxn` in characters, hashed into `buckets`; `buckets` 0: none."""

    minn: int
    maxn: int
    buckets: int

    @property
    def present(self) -> bool:
        """Are there any n-grams?"""
        return self.buckets > 0 and self.maxn >= max(self.minn, 1)

    def of(self, words: Sequence[str]) -> tuple[Integers, Integers]:
        """The bucket of every n-gram of N words, word after word, and how many each word has (N,).

        An n-gram that occurs twice in a word stands there twice. Words are cut after 1000 characters.
        """
        if not self.present or not words:
            return np.zeros(0, np.int64), np.zeros(len(words), np.int64)
        text, borders = _joined(words)
        begins = np.flatnonzero((text & 0xC0) != 0x80)  # the first byte of every character
        owners = np.searchsorted(borders, begins, side="right") - 1
        first, end = borders[owners], borders[owners + 1]  # of the word that the character stands in
        padded = np.append(text, np.uint8(0))
        buckets, origins = [], []
        hashes = np.full(len(begins), _OFFSET, np.uint32)
        lengths = np.zeros(len(begins), np.int64)
        active = np.arange(len(begins))
        position = begins
        while len(active):
            byte = text[position].astype(np.uint32)
            byte[byte >= 128] |= _SIGN
            hashes[active] = (hashes[active] ^ byte) * _PRIME
            position = position + 1
            closed = (position == end[active]) | ((padded[position] & 0xC0) != 0x80)  # a whole character was read
            lengths[active] += closed
            alone = (lengths[active] == 1) & ((begins[active] == first[active]) | (position == end[active]))
            ready = active[closed & (lengths[active] >= self.minn) & ~alone]
            buckets.append(hashes[ready] % np.uint32(self.buckets))
            origins.append(ready)
            going = (position < end[active]) & ~(closed & (lengths[active] == self.maxn))
            active, position = active[going], position[going]
        origin = np.concatenate(origins)
        order = np.argsort(origin, kind="stable")
        counts = np.bincount(owners[origin], minlength=len(words))
        return np.concatenate(buckets)[order].astype(np.int64), counts


NO_SUBWORDS = Subwords(0, 0, 0)


def sums(rows: Floats, counts: Integers) -> Floats:
    """Add up consecutive rows (M, D), the first counts[0], the next counts[1], ...: (N, D), zeros for a count of 0."""
    total = np.zeros((len(counts), rows.shape[1]), np.float32)
    filled = np.flatnonzero(counts)
    if len(filled):
        total[filled] = np.add.reduceat(rows, (np.cumsum(counts) - counts)[filled], axis=0, dtype=np.float32)
    return total


def _joined(words: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Integers]:
    """The bytes of `<word>` of all N words in a row, and where each begins (N + 1)."""
    pieces = [f"<{word[:_LONGEST]}>".encode("utf-8", "surrogatepass") for word in words]
    borders = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=borders[1:])
    return np.frombuffer(b"".join(pieces), np.uint8), borders
