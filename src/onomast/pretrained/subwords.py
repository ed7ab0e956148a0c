"""Words -> sub-words -> windows that an encoder can take, and the way back: one place for each word, nothing cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

_LARGEST_CACHE = 400_000  # distinct words whose sub-words are remembered
_CHUNK = 8192  # sub-words, padding included, that go through the encoder at once


class WordPieces:
    """The sub-words of words, each distinct word looked at once and by itself, as with `is_split_into_words`."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        candidates = (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.sep_token_id, 0)
        self.unknown = next(number for number in candidates if number is not None)
        """Stands for a word that has no sub-word, such as a space."""
        plain = self._numbers(["a"], special=False)[0]
        framed = self._numbers(["a"], special=True)[0]
        start = next(place for place in range(len(framed) + 1) if framed[place : place + len(plain)] == plain)
        self.before, self.after = framed[:start], framed[start + len(plain) :]
        """Special sub-words around a sentence."""
        self.padding = int(tokenizer.pad_token_id or 0)
        self.mask: int | None = tokenizer.mask_token_id
        """Stands for a sub-word that is hidden, where the tokenizer has one."""

    def of(self, words: Sequence[str]) -> list[list[int]]:
        """Ids of each word's sub-words, one at least."""
        if len(self._known) > _LARGEST_CACHE:
            self._known.clear()
        new = sorted({word for word in words if word not in self._known})
        if new:
            # A lone surrogate is no text to a tokenizer.
            spelled = [word.encode("utf-8", "replace").decode("utf-8") for word in new]
            for word, numbers in zip(new, self._numbers(spelled, special=False), strict=True):
                self._known[word] = numbers or [self.unknown]
        return [self._known[word] for word in words]

    def _numbers(self, words: list[str], special: bool) -> list[list[int]]:
        encode = self.tokenizer
        if not getattr(encode, "is_fast", False):
            return [
                encode([word], is_split_into_words=True, add_special_tokens=special, verbose=False)["input_ids"]
                if word.strip()
                else []
                for word in words
            ]
        made = encode(
            [[word] for word in words],
            is_split_into_words=True,
            add_special_tokens=special,
            return_attention_mask=False,
            verbose=False,
        )
        numbers: list[list[int]] = made["input_ids"]
        return numbers


@dataclass(frozen=True)
class Chunk:
    """Windows that go through the encoder together."""

    ids: Ids
    """(N, S) with special sub-words"""
    attended: Ids
    """(N, S): 1 where a sub-word is real, 0 at padding"""
    rows: Ids
    """(K,) window of each sub-word that is wanted of this chunk"""
    columns: Ids
    """(K,) its place in the window"""
    wanted: Ids
    """(K,) its place among all wanted sub-words"""


def windows_of(length: int, size: int) -> list[tuple[int, int, int]]:
    """(start, first, end) of windows of `size` over `length` sub-words; each answers for [first, end).

    Neighbours overlap by half or more, and share their overlap at its middle: what a window answers for has a quarter
    of a window of context on either side, or all there is.
    """
    if length <= size:
        return [(0, 0, length)]
    step = max(1, size // 2)
    starts = [*range(0, length - size, step), length - size]
    borders = [0, *((later + start + size) // 2 for start, later in pairwise(starts)), length]
    return [(start, borders[place], borders[place + 1]) for place, start in enumerate(starts)]


def chunks_of(
    sentences: Sequence[Ids],
    wanted: Sequence[npt.NDArray[np.bool_]],
    pieces: WordPieces,
    size: int,
    *,
    most: int = _CHUNK,
) -> Iterator[Chunk]:
    """The windows of sentences given as sub-words, the shortest first, a chunk of `most` sub-words at a time.

    `wanted` marks the sub-words whose vectors matter; they are numbered through in the order of the sentences.
    """
    before, after = len(pieces.before), len(pieces.after)
    frame = before + after
    numbering = np.cumsum([0, *(int(mark.sum()) for mark in wanted)])
    windows = sorted(
        (min(size, len(ids)), index, start, first, end)
        for index, ids in enumerate(sentences)
        for start, first, end in windows_of(len(ids), size)
    )
    group: list[tuple[int, int, int, int, int]] = []

    def chunk() -> Chunk:
        shape = (len(group), group[-1][0] + frame)
        ids, attended = np.full(shape, pieces.padding, np.int64), np.zeros(shape, np.int64)
        rows, columns, places = [], [], []
        for row, (length, index, start, first, end) in enumerate(group):
            ids[row, : length + frame] = [*pieces.before, *sentences[index][start : start + length], *pieces.after]
            attended[row, : length + frame] = 1
            inside = np.flatnonzero(wanted[index][first:end]) + first
            rows.append(np.full(len(inside), row))
            columns.append(inside - start + before)
            places.append(numbering[index] + wanted[index][:first].sum() + np.arange(len(inside)))
        return Chunk(ids, attended, *(np.concatenate(parts) for parts in (rows, columns, places)))

    for window in windows:
        if group and (window[0] + frame) * (len(group) + 1) > most:
            yield chunk()
            group = []
        group.append(window)
    if group:
        yield chunk()
