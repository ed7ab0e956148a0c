"""Gold and predicted sentences to counts (true positives, predicted, gold) of each sentence and label.

Every score is computed from sums of rows of these counts (`metrics.py`).

An entity is right when its first token, last token and label are right. Tokens whose gold tag is `None` were not
annotated: a span of either side that touches one is not scored, nor is one that overlaps a gold span whose border
nobody knows because it runs into such a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import Orphan, Span, Tags, spans_of, split_tag

Counts = npt.NDArray[np.int64]  # (..., 3): true positives, predicted, gold


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of three counts; each is 0.0 where it would divide by zero, as in conlleval."""

    true_positives: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of the predicted entities that are right."""
        return self.true_positives / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold entities that were found."""
        return self.true_positives / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0.0 where there is neither a gold nor a predicted entity."""
        total = self.predicted + self.gold
        return 2 * self.true_positives / total if total else 0.0

    @property
    def support(self) -> int:
        """Number of gold entities."""
        return self.gold


@dataclass(frozen=True)
class Pair:
    """The spans of one sentence that are scored."""

    gold: tuple[Span, ...]
    predicted: tuple[Span, ...]


@dataclass(frozen=True)
class Known:
    """What a tagger was trained on: labels, and fingerprints of sentences and mentions; kept in the model folder."""

    sentences: frozenset[str]
    mentions: frozenset[str]
    labels: frozenset[str] | None = None
    """Labels of the entities; None where a folder was saved before they were recorded."""

    @classmethod
    def of(cls, train: Sequence[Sentence]) -> Known:
        """The fingerprints of these sentences and of their entities, and the labels."""
        mentions = {fingerprint(one.tokens[span.start : span.end]) for one in train for span in one.spans}
        labels = {span.label for one in train for span in one.spans}
        return cls(frozenset(fingerprint(one.tokens) for one in train), frozenset(mentions), frozenset(labels))


def fingerprint(tokens: Sequence[str]) -> str:
    """16 hexadecimal digits that stand for a sequence of tokens."""
    text = "\x1f".join(tokens).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def score_of(counts: Counts) -> Score:
    """The score of counts (..., 3), summed over all but the last axis."""
    true_positives, predicted, gold = counts.reshape(-1, 3).sum(axis=0).tolist()
    return Score(true_positives, predicted, gold)


def require_same_tokens(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> None:
    """Raise DataError naming the first place where the two are not the same sentences, or carry no tags."""
    todo = "; score tags that were put on the sentences of the gold file, in their order"
    for number, (one, other) in enumerate(zip(gold, predicted, strict=False), 1):
        if one.tokens != other.tokens:
            raise DataError(f"{_difference(one, other, number)}{todo}")
        if other.tags is None:
            raise DataError(f"{_place(other, number)}: the predicted sentence carries no tags; expected one per token")
    if len(gold) != len(predicted):
        longer, name = (gold, "gold") if len(gold) > len(predicted) else (predicted, "predicted")
        number = min(len(gold), len(predicted)) + 1
        extra = longer[number - 1]
        raise DataError(
            f"{_place(extra, number)}: only the {name} side has this sentence ({_shown(extra)}); "
            f"there are {len(gold):,} gold and {len(predicted):,} predicted sentences{todo}"
        )
    if not any(sentence.tags is not None for sentence in gold):
        raise DataError(
            f"{_place(gold[0], 1) if gold else 'gold'}: none of the {len(gold):,} gold sentences carries tags; "
            "expected labelled sentences to score against"
        )


def scored_pairs(gold: Sequence[Sentence], predicted: Sequence[Sentence], orphan: Orphan) -> list[Pair]:
    """The spans of each sentence that are scored, less those that touch tokens without annotation."""
    return [_pair(one.tags, other.tags or (), orphan) for one, other in zip(gold, predicted, strict=True)]


def labels_of(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Labels of gold and predicted spans, sorted."""
    return tuple(sorted({span.label for pair in pairs for span in (*pair.gold, *pair.predicted)}))


def count_labels(pairs: Sequence[Pair], labels: Sequence[str]) -> Counts:
    """Exact matches: (N, L, 3)."""
    index = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(pairs), len(labels), 3), np.int64)
    for row, pair in enumerate(pairs):
        for span in pair.predicted:
            counts[row, index[span.label], 1] += 1
        for span in pair.gold:
            counts[row, index[span.label], 2] += 1
        for span in set(pair.gold).intersection(pair.predicted) if pair.gold and pair.predicted else ():
            counts[row, index[span.label], 0] += 1
    return counts


def count_boundaries(pairs: Sequence[Pair]) -> Counts:
    """Matches of first and last token, whatever the label: (N, 3)."""
    counts = np.zeros((len(pairs), 3), np.int64)
    for row, pair in enumerate(pairs):
        borders = [{(span.start, span.end) for span in spans} for spans in (pair.predicted, pair.gold)]
        counts[row] = len(borders[0] & borders[1]), len(borders[0]), len(borders[1])
    return counts


def count_unseen(pairs: Sequence[Pair], gold: Sequence[Sentence], known: Known) -> Counts:
    """Exact matches of spans whose tokens are no entity of any label in training: (N, 3)."""
    counts = np.zeros((len(pairs), 3), np.int64)
    for row, (pair, sentence) in enumerate(zip(pairs, gold, strict=True)):
        sides = [
            {span for span in spans if fingerprint(sentence.tokens[span.start : span.end]) not in known.mentions}
            for spans in (pair.predicted, pair.gold)
        ]
        counts[row] = len(sides[0] & sides[1]), len(sides[0]), len(sides[1])
    return counts


def _pair(gold: Tags | None, predicted: Tags, orphan: Orphan) -> Pair:
    if gold is None:
        return Pair((), ())
    right, guessed = spans_of(gold, orphan=orphan), spans_of(predicted, orphan=orphan)
    if None in gold:
        closed = _unknown_tokens(gold)
        right = [span for span in right if closed.isdisjoint(range(span.start, span.end))]
        guessed = [span for span in guessed if closed.isdisjoint(range(span.start, span.end))]
    return Pair(tuple(right), tuple(guessed))


def _unknown_tokens(gold: Tags) -> set[int]:
    """Tokens that are not annotated, and those of gold spans that may go on in one."""
    unknown = {index for index, tag in enumerate(gold) if tag is None}
    for span in spans_of(gold):
        continues = span.start - 1 in unknown and split_tag(gold[span.start])[0] == "I"
        if continues or span.end in unknown:
            unknown.update(range(span.start, span.end))
    return unknown


def _difference(gold: Sentence, predicted: Sentence, number: int) -> str:
    here, there = _place(gold, number), _place(predicted, number)
    pairs = enumerate(zip(gold.tokens, predicted.tokens, strict=False))
    token = next((index for index, (one, other) in pairs if one != other), None)
    if token is None:
        return (
            f"{here}: the gold sentence has {len(gold)} tokens ({_shown(gold)}), "
            f"the predicted one at {there} has {len(predicted)}"
        )
    return (
        f"{here}: token {token + 1} of the gold sentence is {gold.tokens[token]!r}, "
        f"of the predicted one at {there} it is {predicted.tokens[token]!r}"
    )


def _place(sentence: Sentence, number: int) -> str:
    return sentence.source or f"sentence {number}"


def _shown(sentence: Sentence) -> str:
    text = " ".join(sentence.tokens)
    return text if len(text) <= 60 else text[:57] + "..."
