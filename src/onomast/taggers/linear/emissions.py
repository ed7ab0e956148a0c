"""From sentences to scores of tags: the weights of a trained CRF applied to features, many tokens at once.

What a word adds to the scores of its neighbours and itself is computed once and remembered, within a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from onomast.sentence import Sentence
from onomast.taggers.linear.crfsuite import Weights
from onomast.taggers.linear.features import FeatureExtractor
from onomast.taggers.linear.vector_features import VectorScores

Floats = npt.NDArray[np.float64]

_REMEMBERED = 4_000_000  # numbers in the table of word scores (32 MB)


class TokenScores:
    """Scores (N, K) of the tags of N tokens. Remembers words: not for several threads at once."""

    def __init__(self, weights: Weights, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self._window = extractor.window
        self._tags = len(weights.tags)
        vectors = extractor.vectors
        self._vector_scores = None if vectors is None else VectorScores(vectors, weights, self._window)
        self._of_words, self._of_sentences = _split(weights, self._window)
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
        scores = np.zeros((len(tokens), self._tags))
        for index, position in enumerate(self._window):
            scores += self._table[rows[tokens + position], index]
        if self._extractor.sees_sentences:
            found = chain.from_iterable(self._extractor.of_sentence(sentence) for sentence in sentences)
            scores += self._of_sentences.summed(found, len(tokens))
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
        names = map(self._extractor.names_of_word, words)
        scores = self._of_words.summed(names, len(words)).reshape(len(words), len(self._window), self._tags)
        if self._vector_scores is None:
            return scores
        inside = [index for index, word in enumerate(words) if word is not None]
        scores = scores.astype(np.float64)  # whole numbers where no feature was found
        if inside:
            scores[inside] += self._vector_scores([word for word in words if word is not None])
        return scores


@dataclass(frozen=True)
class _Table:
    """Weights of features, in as many columns as `width` says; row 0 is that of unknown features."""

    rows: Mapping[str, int]
    starts: npt.NDArray[np.int64]
    """(rows + 2,): the weights of row r are those from `starts[r]` to `starts[r + 1]`."""
    columns: npt.NDArray[np.int64]
    values: Floats
    width: int

    def summed(self, features: Iterable[Iterable[str]], number: int) -> Floats:
        """(number, width): the weights of each of `number` groups of features, added up."""
        row_of = self.rows.get
        found: list[int] = []
        sizes = [0]
        for names in features:
            found += filter(None, map(row_of, names))
            sizes.append(len(found))
        rows = np.array(found, dtype=np.int64)
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        ends = np.cumsum(counts)
        picked = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)
        groups = np.repeat(np.repeat(np.arange(number), np.diff(sizes)), counts)
        cells = groups * self.width + self.columns[picked]
        values: Floats = self.values[picked]
        summed: Floats = np.bincount(cells, values, number * self.width)  # type: ignore[assignment]
        return summed.reshape(number, self.width)


def _split(weights: Weights, window: Sequence[int]) -> tuple[_Table, _Table]:
    """The weights of words and those of sentences.

    In the former, the features that differ in their position alone share a row, and its columns are positions times
    tags: a name is looked up once, not once for each position.
    """
    tags = len(weights.tags)
    places = {str(position): index for index, position in enumerate(window)}
    word_rows: dict[str, int] = {}
    sentence_rows: dict[str, int] = {}
    shared = np.zeros(len(weights.starts) - 1, dtype=np.int64)  # row of a word's table; 0: not of a word
    offsets = np.zeros_like(shared)
    for name, row in weights.rows.items():
        position, _, rest = name.partition("|")
        index = places.get(position)
        if index is None:
            sentence_rows[name] = row
        else:
            shared[row] = word_rows.setdefault(rest, len(word_rows) + 1)
            offsets[row] = index * tags
    counts = np.diff(weights.starts)
    owners = np.repeat(shared, counts)
    order = np.argsort(owners, kind="stable")[np.count_nonzero(owners == 0) :]
    of_words = _Table(
        rows=word_rows,
        starts=np.concatenate([[0, 0], np.cumsum(np.bincount(owners[order], minlength=len(word_rows) + 1)[1:])]),
        columns=(weights.columns + np.repeat(offsets, counts))[order],
        values=weights.values[order],
        width=len(window) * tags,
    )
    return of_words, _Table(sentence_rows, weights.starts, weights.columns, weights.values, tags)
