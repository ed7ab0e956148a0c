"""Ids of words, characters, affixes and shapes; each distinct word is looked at once (`Lexicon`)."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from onomast.sentence import Sentence
from onomast.taggers.word_shape import shape_of

if TYPE_CHECKING:
    from onomast.vectors.files import CompactVectors

UNKNOWN_WORD = 1
AFFIX_BUCKETS = 2048  # for each length and side
SHAPE_BUCKETS = 512
LONGEST_WORD = 50  # of a longer word the first and last 25 characters are read
_LARGEST_LEXICON = 400_000  # words kept; beyond it the lexicon is emptied

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """What a tagger knows by name: words and characters. Id 0 is padding, 1 is unknown, names follow from 2."""

    words: tuple[str, ...]
    characters: tuple[str, ...]
    lower: bool = False
    """Words are looked up in lower case."""
    languages: tuple[str, ...] = ("",)
    """Languages met in training, the target's first; sentences of any other are read as the target's."""
    apart: bool = False
    """Each language has its own words: names are `language<TAB>word`."""

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """Word -> id, from 2."""
        return {word: index for index, word in enumerate(self.words, 2)}

    @cached_property
    def character_ids(self) -> dict[str, int]:
        """Character -> id, from 2."""
        return {character: index for index, character in enumerate(self.characters, 2)}

    @cached_property
    def language_ids(self) -> dict[str, int]:
        """Language -> its place in `languages`."""
        return {language: index for index, language in enumerate(self.languages)}

    def language(self, sentence: Sentence) -> int:
        """The place of the sentence's language in `languages`; 0, the target's, for one never met."""
        return self.language_ids.get(sentence.language or "", 0)

    def spelling(self, word: str) -> str:
        """The form in which a word is looked up in a vectors file."""
        return word.lower() if self.lower else word

    def name(self, word: str, language: int = 0) -> str:
        """The name of a word in `words`."""
        return f"{self.languages[language]}\t{self.spelling(word)}" if self.apart else self.spelling(word)

    @property
    def spellings(self) -> list[str]:
        """The forms of `words` in a vectors file, in order."""
        return [word.partition("\t")[2] for word in self.words] if self.apart else list(self.words)


def build_vocabulary(sentences: Iterable[Sentence], *, min_count: int = 1, settings: Vocabulary) -> Vocabulary:
    """Words that occur `min_count` times or more, commonest first, and all characters.

    `settings` says how words are named; its own words and characters do not matter.
    """
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for sentence in sentences:
        language = settings.language(sentence)
        words.update(settings.name(token, language) for token in sentence.tokens)
        for token in sentence.tokens:
            characters.update(token)
    ordered = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))
    return replace(
        settings,
        words=tuple(word for word, count in ordered if count >= min_count),
        characters=tuple(sorted(characters, key=lambda character: (-characters[character], character))),
    )


def shape_id(word: str) -> int:
    """Bucket of the word's shape: 0 to SHAPE_BUCKETS - 1."""
    return _bucket(shape_of(word, fine=False), SHAPE_BUCKETS)


@dataclass(frozen=True)
class WordInputs:
    """W distinct words as the layers want them."""

    words: Ids
    """(W,)"""
    characters: Ids
    """(W, C), padded with 0"""
    lengths: Ids
    """(W,) characters of each word, at least 1"""
    affixes: Ids
    """(W, F)"""
    shapes: Ids
    """(W,)"""
    vectors: npt.NDArray[np.float32]
    """(W, D) rows of the vectors file; D is 0 without one"""


class Lexicon:
    """Every distinct word met so far, with all that depends on the word alone."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        vectors: CompactVectors | None,
        *,
        affixes: int = 0,
        by_language: bool = False,
    ) -> None:
        self.vocabulary = vocabulary
        self.vectors = vectors
        self.affixes = affixes
        self.by_language = by_language
        """One spelling in two languages counts as two words."""
        self.generation = 0
        self._clear()

    def _clear(self) -> None:
        self.index: dict[str | tuple[int, str], int] = {}
        self.generation += 1
        width = 0 if self.vectors is None else self.vectors.width
        self.rows = WordInputs(
            np.zeros(1024, np.int64),
            np.zeros((1024, LONGEST_WORD), np.int64),
            np.zeros(1024, np.int64),
            np.zeros((1024, 2 * self.affixes), np.int64),
            np.zeros(1024, np.int64),
            np.zeros((1024, width), np.float32),
        )

    def numbers(self, sentences: Sequence[Sentence]) -> list[Ids]:
        """The lexicon number of every token; new words are added first."""
        if len(self.index) > _LARGEST_LEXICON:
            self._clear()
        index = self.index
        words: list[Sequence[str] | Sequence[tuple[int, str]]] = [sentence.tokens for sentence in sentences]
        if self.by_language:
            words = [
                [(self.vocabulary.language(sentence), token) for token in sentence.tokens] for sentence in sentences
            ]
        new = {word for row in words for word in row if word not in index}
        if new:
            self._add(sorted(new))
        return [np.array([index[word] for word in row], np.int64) for row in words]

    def inputs(self, numbers: Ids) -> WordInputs:
        """The rows of these lexicon numbers, characters cut to the longest of them."""
        rows, lengths = self.rows, self.rows.lengths[numbers]
        longest = int(lengths.max(initial=1))
        return WordInputs(
            rows.words[numbers],
            rows.characters[numbers, :longest],
            lengths,
            rows.affixes[numbers],
            rows.shapes[numbers],
            rows.vectors[numbers],
        )

    def _add(self, keys: Sequence[str | tuple[int, str]]) -> None:
        first = len(self.index)
        words = [key if isinstance(key, str) else key[1] for key in keys]
        while first + len(words) > len(self.rows.words):
            self.rows = WordInputs(
                *(np.concatenate([array, np.zeros_like(array)]) for array in vars(self.rows).values())
            )
        rows, vocabulary = self.rows, self.vocabulary
        for number, (key, word) in enumerate(zip(keys, words, strict=True), first):
            self.index[key] = number
            language = 0 if isinstance(key, str) else key[0]
            rows.words[number] = vocabulary.word_ids.get(vocabulary.name(word, language), UNKNOWN_WORD)
            half = LONGEST_WORD // 2
            letters = word if len(word) <= LONGEST_WORD else word[:half] + word[-half:]
            ids = [vocabulary.character_ids.get(letter, 1) for letter in letters] or [1]
            rows.characters[number, : len(ids)] = ids
            rows.lengths[number] = len(ids)
            rows.shapes[number] = shape_id(word)
            for size in range(1, self.affixes + 1):
                rows.affixes[number, 2 * size - 2] = _bucket(word[:size], AFFIX_BUCKETS)
                rows.affixes[number, 2 * size - 1] = _bucket(word[-size:], AFFIX_BUCKETS)
        if self.vectors is not None:
            spelled = [vocabulary.spelling(word) for word in words]
            rows.vectors[first : first + len(words)] = self.vectors.rows(spelled)[0]


def _bucket(text: str, buckets: int) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % buckets
