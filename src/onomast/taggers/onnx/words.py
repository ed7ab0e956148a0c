"""Sentences -> what the graph of an exported tagger wants. The vectors of each distinct word are computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast.recipe import Neural
from onomast.sentence import Sentence
from onomast.taggers.neural.vocabulary import Lexicon, Vocabulary
from onomast.vectors.compact import CompactVectors

_LARGEST_CACHE = 200_000  # words whose vectors are remembered; beyond it the cache is emptied
_LARGEST_LEXICON = 4_096  # words whose inputs are kept; they are needed once

Feeds = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Layout:
    """Where the distinct words of a batch stand."""

    distinct: list[Any]
    places: npt.NDArray[np.int64]
    """(B, T) the place of each token among the distinct words; 0 at padding"""
    lengths: npt.NDArray[np.int64]
    """(B,)"""


class Words:
    """Vectors of words from the graph `words.onnx`, and the batch laid out for `tagger.onnx`.

    `session` runs the graph; `with_language` are the graphs' own inputs that depend on the batch's language.
    """

    def __init__(self, session: Any, vocabulary: Vocabulary, vectors: CompactVectors | None, recipe: Neural) -> None:
        several = len(vocabulary.languages) > 1
        own = {part for part in ("characters", "lstm", "transitions") if several and part not in recipe.sharing}
        self.one_language = bool(own)
        """Whether a batch must be of one language."""
        self.vocabulary = vocabulary
        self._session = session
        self._inputs = {given.name for given in session.get_inputs()}
        self._vectors = vectors
        self._affixes = recipe.words.affixes
        self._by_language = vocabulary.apart or "characters" in own
        self._lexicon = self._new_lexicon()
        self._index: dict[Any, int] = {}
        self._rows: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def language(self, sentence: Sentence) -> int:
        """Place of the sentence's language among those the tagger knows."""
        return self.vocabulary.language(sentence)

    def feeds(self, sentences: Sequence[Sentence]) -> Feeds:
        """The inputs of `tagger.onnx` for B sentences (each of one token or more, of one language where it matters)."""
        language = self.language(sentences[0])
        keys: list[Sequence[Any]] = [sentence.tokens for sentence in sentences]
        if self._by_language:
            keys = [[(self.language(sentence), token) for token in sentence.tokens] for sentence in sentences]
        batch = layout(keys)
        rows = self._remembered(batch.distinct, language)
        return {
            "made": rows,
            "places": batch.places,
            "lengths": batch.lengths,
            "language": np.array(language, np.int64),
        }

    def _remembered(self, keys: Sequence[Any], language: int) -> npt.NDArray[np.float32]:
        """(W, D) vectors of distinct words."""
        missing = [key for key in keys if key not in self._index]
        if missing:
            if len(self._index) + len(missing) > _LARGEST_CACHE:
                self._index, missing = {}, list(keys)
            made = self._computed(missing, language)
            first, wanted = len(self._index), len(self._index) + len(missing)
            if wanted > len(self._rows):
                grown = np.zeros((max(wanted, 2 * len(self._rows), 1024), made.shape[1]), np.float32)
                if first:
                    grown[:first] = self._rows[:first]
                self._rows = grown
            self._rows[first:wanted] = made
            self._index.update(zip(missing, range(first, wanted), strict=True))
        return self._rows[[self._index[key] for key in keys]]

    def _computed(self, keys: Sequence[Any], language: int) -> npt.NDArray[np.float32]:
        """(W, D) vectors of words that are not remembered."""
        if len(self._lexicon.index) > _LARGEST_LEXICON:
            self._lexicon = self._new_lexicon()
        tokens = tuple(key[1] for key in keys) if self._by_language else tuple(keys)
        (numbers,) = self._lexicon.numbers([Sentence(tokens, language=self.vocabulary.languages[language])])
        inputs = self._lexicon.inputs(numbers)
        given: Mapping[str, Any] = {**vars(inputs), "language": np.array(language, np.int64)}
        made: npt.NDArray[np.float32] = self._session.run(
            ["made"], {name: value for name, value in given.items() if name in self._inputs}
        )[0]
        return made

    def _new_lexicon(self) -> Lexicon:
        return Lexicon(self.vocabulary, self._vectors, affixes=self._affixes, by_language=self._by_language)


def layout(rows: Sequence[Sequence[Any]]) -> Layout:
    """The distinct words of B rows of them, in the order in which they come, and where each word stands."""
    index: dict[Any, int] = {}
    numbers = [[index.setdefault(key, len(index)) for key in row] for row in rows]
    lengths = np.array([len(row) for row in numbers], np.int64)
    places = np.zeros((len(rows), int(lengths.max())), np.int64)
    for number, row in enumerate(numbers):
        places[number, : len(row)] = row
    return Layout(list(index), places, lengths)
