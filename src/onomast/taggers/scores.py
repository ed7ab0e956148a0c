"""From sentences to scores of tags: the weights of a trained CRF applied to features, many tokens at once.

What a word adds to the scores of its neighbours and itself is computed once and remembered, within a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from onomast.sentence import Sentence
from onomast.taggers.crfsuite import Weights
from onomast.taggers.features import FeatureExtractor
from onomast.taggers.vector_features import VectorScores

Floats = npt.NDArray[np.float64]

_REMEMBERED = 4_000_000  # numbers in the table of word scores (32 MB)


class TokenScores:
    """Scores (N, K) of the tags of N tokens. Remembers words: not for several threads at once."""

    def __init__(self, weights: Weights, extractor: FeatureExtractor) -> None:
        self._weights = weights
        self._extractor = extractor
        self._window = extractor.window
        vectors = extractor.vectors
        self._vector_scores = None if vectors is None else VectorScores(vectors, weights, self._window)
        self._rows: dict[str, int] = {}
        self._table = self._word_scores([None])  # (W + 1, P, K); row 0: outside the sentence
        self._capacity = max(1_000, _REMEMBERED // max(1, self._table[0].size))

    def __call__(self, sentences: Sequence[Sentence]) -> Floats:
        """Scores of all tokens of the sentences, one after the other. Raises DataError when POS tags are missing."""
        reach = max(map(abs, self._window), default=0)
        self._learn_words({token for sentence in sentences for token in sentence.tokens})
        row = self._rows.__getitem__
        ids = [0] * reach  # rows of the tokens, and `reach` times 0 around every sentence
        places: list[npt.NDArray[np.int64]] = []
        for sentence in sentences:
            places.append(np.arange(len(ids), len(ids) + len(sentence.tokens)))
            ids += map(row, sentence.tokens)
            ids += [0] * reach
        rows = np.array(ids, dtype=np.int64)
        tokens = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
        scores = np.zeros((len(tokens), len(self._weights.tags)))
        for index, position in enumerate(self._window):
            scores += self._table[rows[tokens + position], index]
        if self._extractor.sees_sentences:
            found = chain.from_iterable(self._extractor.of_sentence(sentence) for sentence in sentences)
            scores += self._summed(found, len(tokens))
        return scores

    def _learn_words(self, words: set[str]) -> None:
        """Make sure that every word has a row of the table; forget all others when it grows too large."""
        new = [word for word in words if word not in self._rows]
        if not new:
            return
        if len(self._rows) + len(new) > self._capacity:
            self._rows, self._table, new = {}, self._table[:1].copy(), list(words)
        start = len(self._rows) + 1
        if start + len(new) > len(self._table):
            # Twice as large each time: few copies.
            grown = np.zeros((max(2 * len(self._table), start + len(new)), *self._table.shape[1:]))
            grown[:start] = self._table[:start]
            self._table = grown
        self._table[start : start + len(new)] = self._word_scores(new)
        self._rows.update(zip(new, range(start, start + len(new)), strict=True))

    def _word_scores(self, words: Sequence[str | None]) -> Floats:
        """(W, P, K): what each word adds to the scores of the token in whose window it stands."""
        positions, tags = len(self._window), len(self._weights.tags)
        features = chain.from_iterable(map(self._extractor.of_word, words))
        scores = self._summed(features, len(words) * positions).reshape(len(words), positions, tags)
        if self._vector_scores is None:
            return scores
        inside = [index for index, word in enumerate(words) if word is not None]
        scores = scores.astype(np.float64)  # whole numbers where no feature was found
        if inside:
            scores[inside] += self._vector_scores([word for word in words if word is not None])
        return scores

    def _summed(self, features: Iterable[Iterable[str]], number: int) -> Floats:
        """(number, K): the weights of each of `number` groups of features, added up; unknown features weigh nothing."""
        row_of = self._weights.rows.get
        found: list[int] = []
        sizes = [0]
        for names in features:
            found += filter(None, map(row_of, names))
            sizes.append(len(found))
        rows = np.array(found, dtype=np.int64)
        first = self._weights.starts[rows]
        counts = self._weights.starts[rows + 1] - first
        ends = np.cumsum(counts)
        picked = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)
        groups = np.repeat(np.repeat(np.arange(number), np.diff(sizes)), counts)
        tags = len(self._weights.tags)
        cells = groups * tags + self._weights.columns[picked]
        values: Floats = self._weights.values[picked]
        summed: Floats = np.bincount(cells, values, number * tags)  # type: ignore[assignment]
        return summed.reshape(number, tags)
