"""One score: per sentence and label, counts of right, predicted and gold entities. Everything is a sum of its rows."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast._version import __version__
from onomast.errors import DataError
from onomast.evaluation.mistakes import Mistake, mistakes
from onomast.sentence import Sentence
from onomast.tags import Orphan, Span, Style, Tag, convert

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_CHUNK = 4_000_000  # numbers in one block of bootstrap weights


@dataclass(frozen=True)
class Known:
    """What a tagger has seen: fingerprints of its training sentences and of their mentions."""

    sentences: frozenset[str]
    mentions: frozenset[str]

    @classmethod
    def of(cls, train: Sequence[Sentence]) -> Known:
        """Fingerprints of these sentences."""
        mentions = {fingerprint(s.tokens[span.start : span.end]) for s in train for span in s.spans}
        return cls(frozenset(fingerprint(sentence.tokens) for sentence in train), frozenset(mentions))


def fingerprint(tokens: Sequence[str]) -> str:
    """16 hexadecimal digits that stand for a token sequence."""
    text = "\x1f".join(tokens).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


@dataclass(frozen=True)
class TagScores:
    """Scores over single tags of one scheme; every tag that occurs in gold counts, `O` too."""

    scheme: Style
    accuracy: float
    macro_f1: float
    weighted_f1: float


@dataclass(frozen=True, eq=False)
class Report:
    """How good the predicted tags of N sentences with L labels are. Fractions lie in [0, 1].

    A tagger is judged by exact matches of whole entities (borders and label), micro-averaged, as by conlleval.
    Where nothing is right, precision, recall and F1 are 0, also if there was nothing to find.
    """

    signature: str
    """Version, scheme, orphan rule, number of sentences, checksum of the gold: equal signatures can be compared."""
    labels: tuple[str, ...]
    counts: Counts
    """(N, L, 3): right, predicted, gold"""
    boundaries: Counts
    """(N, 3): the same without looking at labels"""
    unseen: Counts | None
    """(N, 3): entities whose words are no mention of the training sentences; None if those are not known"""
    leaked: npt.NDArray[np.bool_] | None
    """(N,): the sentence stands in the training file"""
    tags: TagScores
    mistakes: tuple[Mistake, ...]
    confusion: Mapping[str, Mapping[str, int]]
    """gold label -> predicted label -> number, of spans whose borders are right"""
    pos_accuracy: float | None
    label_accuracy: float | None
    """Accuracy of part-of-speech tags and of sentence labels, where both sides have them."""
    samples: int = 1000
    """Bootstrap samples of the intervals."""
    seed: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    tokens_per_second: float = 0

    @property
    def micro(self) -> tuple[float, float, float]:
        """Precision, recall, F1 over all entities."""
        precision, recall, f1 = scores(self.counts.sum((0, 1)))
        return float(precision), float(recall), float(f1)

    def label_scores(self) -> Floats:
        """(L, 3) precision, recall, F1 of each label."""
        return np.stack(scores(self.counts.sum(0)), -1)

    def intervals(self) -> Floats:
        """(L + 1, 2) 95 % bootstrap intervals of F1 over sentences: each label's, then the micro average's."""
        rows = np.concatenate([self.counts, self.counts.sum(1, keepdims=True)], 1)  # (N, L + 1, 3)
        if not len(rows):
            return np.zeros((len(self.labels) + 1, 2))
        sums = resampled(rows.reshape(len(rows), -1), self.samples, self.seed)
        f1 = scores(sums.reshape(self.samples, -1, 3))[2]  # (S, L + 1)
        return np.quantile(f1, [0.025, 0.975], axis=0).T

    def to_json(self) -> dict[str, Any]:
        """The figures under the names that scripts rely on; see docs/scores.md."""
        per_label, intervals, support = self.label_scores(), self.intervals(), self.counts.sum(0)[:, 2]
        precision, recall, f1 = self.micro
        present = support > 0
        macro = float(per_label[present, 2].mean()) if present.any() else 0.0
        weighted = float((per_label[:, 2] * support).sum() / support.sum()) if present.any() else 0.0
        kinds = Counter(mistake.kind for mistake in self.mistakes)
        boundary = scores(self.boundaries.sum(0))
        return {
            "signature": self.signature,
            "entities": {
                "micro": {
                    **_prf(precision, recall, f1),
                    "ci95": _rounded(intervals[-1]),
                    "support": int(support.sum()),
                },
                "macro": {"f1": _round(macro)},
                "weighted": {"f1": _round(weighted)},
                "labels": {
                    label: {**_prf(*row), "ci95": _rounded(interval), "support": int(number)}
                    for label, row, interval, number in zip(self.labels, per_label, intervals, support, strict=False)
                },
            },
            "boundaries": _prf(*boundary),
            "tags": {
                "scheme": self.tags.scheme,
                "accuracy": _round(self.tags.accuracy),
                "macro_f1": _round(self.tags.macro_f1),
                "weighted_f1": _round(self.tags.weighted_f1),
            },
            "unseen": self._unseen(),
            "without_leaked": self._without_leaked(),
            "errors": {kind: kinds.get(kind, 0) for kind in ("missed", "spurious", "wrong border", "wrong label")},
            "confusion": {gold: dict(row) for gold, row in self.confusion.items()},
            "pos": {"accuracy": None if self.pos_accuracy is None else _round(self.pos_accuracy)},
            "sentences": {"accuracy": None if self.label_accuracy is None else _round(self.label_accuracy)},
            "repairs": dict(self.repairs),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "tokens_per_second": self.tokens_per_second,
        }

    def _unseen(self) -> dict[str, Any]:
        if self.unseen is None:
            return {"f1": None, "support": None}
        total = self.unseen.sum(0)
        return {"f1": _round(float(scores(total)[2])), "support": int(total[2])}

    def _without_leaked(self) -> dict[str, Any]:
        if self.leaked is None:
            return {"f1": None, "sentences": None}
        kept = self.counts[~self.leaked]
        return {"f1": _round(float(scores(kept.sum((0, 1)))[2])), "sentences": len(kept)}


def evaluate(
    gold: Sequence[Sentence],
    predicted: Sequence[Sentence],
    *,
    train: Sequence[Sentence] | Known = (),
    scheme: Style = "iobes",
    orphan: Orphan = "conlleval",
    samples: int = 1000,
    seed: int = 0,
) -> Report:
    """Score predicted sentences against gold ones, in the same order.

    `train` tells unseen entities and leaked sentences; `scheme` is that of the tag-level scores; `orphan`, for the
    signature, is the rule by which tags were read. Entities that touch a token whose gold tag is None are not scored.
    Raises DataError naming the first sentence whose tokens differ.
    """
    _same_tokens(gold, predicted)
    gold_spans, predicted_spans = _scored_spans(gold, gold), _scored_spans(predicted, gold)
    labels = tuple(sorted({span.label for spans in (*gold_spans, *predicted_spans) for span in spans}))
    known = train if isinstance(train, Known) else Known.of(train) if train else None
    found = [
        mistake
        for index, pair in enumerate(zip(gold_spans, predicted_spans, strict=True))
        for mistake in mistakes(index, *pair)
    ]
    both = list(zip(gold, predicted, strict=True))
    pos = [pair for one, other in both if one.pos and other.pos for pair in zip(one.pos, other.pos, strict=True)]
    categories = [(one.label, other.label) for one, other in both if one.label is not None and other.label is not None]
    return Report(
        signature=_signature(gold, orphan),
        labels=labels,
        counts=_counts(gold_spans, predicted_spans, labels),
        boundaries=_totals(_unlabelled(gold_spans), _unlabelled(predicted_spans)),
        unseen=None if known is None else _unseen_counts(gold, gold_spans, predicted_spans, known),
        leaked=None if known is None else np.array([fingerprint(s.tokens) in known.sentences for s in gold], bool),
        tags=_tag_scores(gold, predicted, scheme),
        mistakes=tuple(found),
        confusion=_confusion(gold_spans, predicted_spans),
        pos_accuracy=_accuracy(pos),
        label_accuracy=_accuracy(categories),
        samples=samples,
        seed=seed,
    )


def scores(counts: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of counts (..., 3): right, predicted, gold -> three arrays (...,); 0 where 0 / 0."""
    right, predicted, gold = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(gold, 1)
    return precision, recall, 2 * right / np.maximum(predicted + gold, 1)


def resampled(rows: npt.NDArray[Any], samples: int, seed: int) -> Floats:
    """Bootstrap: sums (S, C) of N rows (N, C) drawn with replacement, N at a time."""
    generator = np.random.default_rng(seed)
    number = len(rows)
    block = max(1, _CHUNK // number)
    chances = np.full(number, 1 / number)
    sums = [
        generator.multinomial(number, chances, min(block, samples - start)).astype(np.float64) @ rows
        for start in range(0, samples, block)
    ]
    return np.concatenate(sums)


def _same_tokens(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> None:
    for one, other in zip(gold, predicted, strict=False):
        if one.tokens != other.tokens:
            length = min(len(one), len(other))
            place = next((i for i in range(length) if one.tokens[i] != other.tokens[i]), length)
            shown = [s.tokens[place] if place < len(s) else "the end of the sentence" for s in (one, other)]
            where = other.source or "the prediction"
            raise DataError(
                f"token {place + 1} of the sentence is {shown[0]!r} in the gold and {shown[1]!r} in {where}; "
                "expected the same sentences in the same order",
                path=one.source,
            )
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold):,} gold and {len(predicted):,} predicted sentences; expected the same number")


def _scored_spans(sentences: Sequence[Sentence], gold: Sequence[Sentence]) -> list[set[Span]]:
    """The spans of each sentence that touch no token without a gold tag."""
    kept = []
    for sentence, truth in zip(sentences, gold, strict=True):
        spans = sentence.spans
        if truth.tags is None:
            spans = []
        elif None in truth.tags:
            spans = [span for span in spans if None not in truth.tags[span.start : span.end]]
        kept.append(set(spans))
    return kept


def _counts(gold: Sequence[set[Span]], predicted: Sequence[set[Span]], labels: Sequence[str]) -> Counts:
    column = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(gold), len(labels), 3), np.int64)
    for index, (truth, guess) in enumerate(zip(gold, predicted, strict=True)):
        for place, spans in enumerate((truth & guess, guess, truth)):
            for span in spans:
                counts[index, column[span.label], place] += 1
    return counts


def _unlabelled(spans: Sequence[set[Span]]) -> list[set[Span]]:
    return [{Span(span.start, span.end, "") for span in each} for each in spans]


def _totals(gold: Sequence[set[Span]], predicted: Sequence[set[Span]]) -> Counts:
    """(N, 3)"""
    pairs = zip(gold, predicted, strict=True)
    return np.array([(len(a & b), len(b), len(a)) for a, b in pairs], np.int64).reshape(-1, 3)


def _unseen_counts(
    gold: Sequence[Sentence], gold_spans: Sequence[set[Span]], predicted: Sequence[set[Span]], known: Known
) -> Counts:
    def unseen(sentence: Sentence, spans: set[Span]) -> set[Span]:
        return {span for span in spans if fingerprint(sentence.tokens[span.start : span.end]) not in known.mentions}

    return _totals(
        [unseen(sentence, spans) for sentence, spans in zip(gold, gold_spans, strict=True)],
        [unseen(sentence, spans) for sentence, spans in zip(gold, predicted, strict=True)],
    )


def _confusion(gold: Sequence[set[Span]], predicted: Sequence[set[Span]]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for truth, guess in zip(gold, predicted, strict=True):
        guessed = {(span.start, span.end): span.label for span in guess}
        for span in truth:
            if (span.start, span.end) in guessed:
                table[span.label][guessed[span.start, span.end]] += 1
    return {label: dict(sorted(row.items())) for label, row in sorted(table.items())}


def _tag_scores(gold: Sequence[Sentence], predicted: Sequence[Sentence], scheme: Style) -> TagScores:
    pairs: Counter[tuple[Tag, Tag]] = Counter()
    for truth, guess in zip(gold, predicted, strict=True):
        if truth.tags is not None:
            guessed = guess.tags if guess.tags is not None else ("O",) * len(guess)
            pairs.update(zip(convert(truth.tags, "iob2", scheme), convert(guessed, "iob2", scheme), strict=True))
    right: Counter[Tag] = Counter()
    found: Counter[Tag] = Counter()
    wanted: Counter[Tag] = Counter()
    for (truth_tag, guessed_tag), number in pairs.items():
        if truth_tag is None:
            continue
        wanted[truth_tag] += number
        found[guessed_tag] += number
        right[truth_tag] += number * (truth_tag == guessed_tag)
    total = sum(wanted.values())
    if not total:
        return TagScores(scheme, 0.0, 0.0, 0.0)
    f1 = {tag: 2 * right[tag] / (found[tag] + wanted[tag]) for tag in wanted}
    weighted = sum(f1[tag] * wanted[tag] for tag in wanted) / total
    return TagScores(scheme, sum(right.values()) / total, sum(f1.values()) / len(f1), weighted)


def _accuracy(pairs: Sequence[tuple[Any, Any]]) -> float | None:
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def _signature(gold: Sequence[Sentence], orphan: Orphan) -> str:
    digest = hashlib.sha256()
    for sentence in gold:
        digest.update(repr((sentence.tokens, sentence.tags)).encode("utf-8", "surrogatepass"))
    return f"onomast:{__version__}|scheme:iob2|orphan:{orphan}|n:{len(gold)}|sha:{digest.hexdigest()[:12]}"


def _prf(precision: Any, recall: Any, f1: Any) -> dict[str, float]:
    return {"precision": _round(float(precision)), "recall": _round(float(recall)), "f1": _round(float(f1))}


def _round(value: float) -> float:
    return round(value, 6)


def _rounded(values: Floats) -> list[float]:
    return [_round(float(value)) for value in values]
