"""Tagging by a word list of the training data: a trained tagger that does worse has diverged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from onomast.corpus import Corpus
from onomast.data.phrase_matching import lengths_of, longest_matches
from onomast.sentence import Sentence
from onomast.tags import Span, tags_of


def entity_f1(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> float:
    """Micro F1 over entities in [0, 1]; 0 where there are none. For choosing weights; results come from evaluation."""
    right = predictions = wanted = 0
    for truth, guess in zip(gold, predicted, strict=True):
        spans, guesses = set(truth.spans), set(guess.spans)
        right, wanted = right + len(spans & guesses), wanted + len(spans)
        predictions += len(guesses)
    return 2 * right / (predictions + wanted) if right else 0.0


def tag_by_list(train: Sequence[Sentence], sentences: Sequence[Sentence]) -> list[Sentence]:
    """Tag the longest mentions of `train`, each with its most frequent label there."""
    labels: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in train:
        for span in sentence.spans:
            labels[sentence.tokens[span.start : span.end]][span.label] += 1
    label_of = {mention: counts.most_common(1)[0][0] for mention, counts in labels.items()}
    lengths = lengths_of(label_of)
    tagged = []
    for sentence in sentences:
        matches = longest_matches(sentence.tokens, label_of, lengths)
        spans = [Span(start, end, label_of[sentence.tokens[start:end]]) for start, end in matches]
        tagged.append(sentence.tagged(tags_of(spans, len(sentence))))
    return tagged


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
