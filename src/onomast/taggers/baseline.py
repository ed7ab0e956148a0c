"""Tagging by a word list of the training data: what a trained tagger has to beat, else it has collapsed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from onomast.sentence import Sentence
from onomast.tags import Span, tags_of


def entity_f1(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> float:
    """Micro F1 over entities in [0, 1]; 0 where there are none. For choosing weights; results come from evaluation."""
    right = found = wanted = 0
    for truth, guess in zip(gold, predicted, strict=True):
        spans, guesses = set(truth.spans), set(guess.spans)
        right, found, wanted = right + len(spans & guesses), found + len(guesses), wanted + len(spans)
    return 2 * right / (found + wanted) if right else 0.0


def tag_by_list(train: Sequence[Sentence], sentences: Sequence[Sentence]) -> list[Sentence]:
    """Tag the longest mentions of `train`, each with its most frequent label there."""
    labels: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in train:
        for span in sentence.spans:
            labels[sentence.tokens[span.start : span.end]][span.label] += 1
    longest = max(map(len, labels), default=0)
    return [sentence.tagged(_tags(sentence, labels, longest)) for sentence in sentences]


def _tags(sentence: Sentence, labels: dict[tuple[str, ...], Counter[str]], longest: int) -> tuple[str, ...]:
    spans: list[Span] = []
    start = 0
    while start < len(sentence):
        for end in range(min(start + longest, len(sentence)), start, -1):
            counts = labels.get(sentence.tokens[start:end])
            if counts:
                spans.append(Span(start, end, counts.most_common(1)[0][0]))
                start = end - 1
                break
        start += 1
    return tags_of(spans, len(sentence))
