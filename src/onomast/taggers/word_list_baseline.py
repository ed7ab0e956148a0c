"""Tagging by a word list of the training data: a trained tagger that does worse has diverged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from onomast.corpus import Corpus
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


def minimum_f1(train: Sequence[Sentence], dev: Sequence[Sentence]) -> float:
    """F1 of a word list of the training sentences, on those dev sentences that are annotated throughout."""
    gold = _annotated(dev)
    return entity_f1(gold, tag_by_list(train, [sentence.bare() for sentence in gold])) if gold and train else 0.0


def divergence_note(tag: Callable[[Sequence[Sentence]], Sequence[Sentence]], corpus: Corpus) -> list[str]:
    """A note when a trained tagger does no better than a word list of the training data."""
    gold = _annotated(corpus.dev or corpus.train)
    if not gold:
        return []
    listed = corpus.train if corpus.dev else corpus.train[::2]
    bare = [sentence.bare() for sentence in gold]
    ours, theirs = entity_f1(gold, list(tag(bare))), entity_f1(gold, tag_by_list(listed, bare))
    if ours >= theirs:
        return []
    where = "dev" if corpus.dev else "the training"
    return [
        f"DIVERGED: F1 {ours:.3f} on {where} sentences is below the {theirs:.3f} of a word list of training "
        "data. Try another --set neural.training.learning_rate, more epochs, another --seed, or --recipe crf"
    ]


def _annotated(sentences: Sequence[Sentence]) -> list[Sentence]:
    return [sentence for sentence in sentences if sentence.tags is not None and None not in sentence.tags]


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
