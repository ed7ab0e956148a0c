"""The shape of a word: `Nairobi-2` -> `Xx-d`, in the variants of the linear and of the neural tagger."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_REMEMBERED = 50_000  # words


class _Kinds(dict[int, str]):
    """Code point -> kind, computed when first looked up."""

    def __init__(self, *, caseless: str, all_marks_and_numbers: bool) -> None:
        super().__init__()
        self.caseless = caseless
        self.all_marks_and_numbers = all_marks_and_numbers

    def __missing__(self, point: int) -> str:
        self[point] = self._kind(chr(point))
        return self[point]

    def _kind(self, character: str) -> str:
        if character.isupper():
            return "X"
        if character.islower():
            return "x"
        if self.all_marks_and_numbers:
            by_category = {"L": self.caseless, "N": "d", "M": ""}
            return by_category.get(unicodedata.category(character)[0], character)
        return self.caseless if character.isalpha() else "d" if character.isdigit() else character


_FINE = _Kinds(caseless="o", all_marks_and_numbers=True)
_COARSE = _Kinds(caseless="l", all_marks_and_numbers=False)
_FINE_RUN = re.compile(r"(XX)X+|([^X])\2+", re.DOTALL)
_COARSE_RUN = re.compile(r"(.)\1+", re.DOTALL)
_COARSE_LONGEST = 20


@lru_cache(_REMEMBERED)
def shape_of(word: str, *, fine: bool) -> str:
    """Upper case, lower case, letters of scripts without case and digits become one character each, and runs shrink.

    `fine` (the linear tagger's features): `X`, `x`, `o`, `d`, combining marks vanish, numerals of all kinds are digits,
    and two capitals or more stay apart from one: `USA` -> `XX`. Otherwise (the buckets of the neural tagger's shape
    embeddings): `X`, `x`, `l`, `d`, every run is one character, marks and numerals stand for themselves, and a shape
    has at most 20 characters.
    """
    if fine:
        return _FINE_RUN.sub(lambda run: run[1] or run[2], word.translate(_FINE))
    return _COARSE_RUN.sub(r"\1", word.translate(_COARSE))[:_COARSE_LONGEST]
