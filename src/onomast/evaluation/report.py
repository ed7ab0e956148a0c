"""`evaluate` and its `Report`: scores of predicted sentences, each computed from one matrix of counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import eq
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast._version import __version__
from onomast.evaluation.counting import (
    Counts,
    Known,
    Score,
    count_boundaries,
    count_labels,
    count_unseen,
    fingerprint,
    labels_of,
    require_same_tokens,
    score_of,
    scored_pairs,
)
from onomast.evaluation.metrics import Floats, f1_of
from onomast.evaluation.mistakes import Kind, count_confusion, count_kinds, mistakes_of
from onomast.evaluation.significance import Interval, interval, resample
from onomast.evaluation.tag_scores import TagScores, score_tags
from onomast.evaluation.train_test_checks import check_labels, check_leaks
from onomast.sentence import Sentence
from onomast.tags import Orphan, Style

__all__ = ["Accuracy", "Average", "Known", "Report", "evaluate"]


@dataclass(frozen=True)
class Average:
    """A mean over labels; fractions in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Share of decisions that are right."""

    counts: Counts
    """(N, 3): of each sentence the right decisions, and all of them twice (predicted and gold are equally many)."""

    @property
    def right(self) -> int:
        """Number of right decisions."""
        return int(self.counts[:, 0].sum())

    @property
    def support(self) -> int:
        """Number of decisions."""
        return int(self.counts[:, 2].sum())

    @property
    def accuracy(self) -> float:
        """Fraction in [0, 1]."""
        return self.right / self.support if self.support else 0.0


@dataclass(frozen=True, eq=False)
class Report:
    """N sentences, L labels. Fractions lie in [0, 1]; intervals are 95 % bootstrap intervals over sentences."""

    signature: str
    """Everything that has to be equal for two scores to be comparable."""
    labels: tuple[str, ...]
    """Labels of gold or predicted entities, sorted."""
    counts: Counts
    """(N, L, 3): true positives, predicted and gold entities of each sentence and label."""
    boundary_counts: Counts
    """(N, 3): the same, whatever the label."""
    unseen_counts: Counts | None
    """(N, 3): entities whose words are no entity of the training sentences; None: those are not known."""
    leaked: npt.NDArray[np.bool_] | None
    """(N,): the same tokens are a training sentence; None: those are not known."""
    tags: TagScores
    confusion: Counts
    """(L, L): gold label by predicted label, of spans on the same tokens."""
    errors: Mapping[Kind, int]
    """Number of mistakes of each kind of `mistakes.KINDS`."""
    pos: Accuracy | None
    """Parts of speech, over tokens; None unless both sides have them."""
    sentence: Accuracy | None
    """Sentence labels; None unless both sides have them."""
    orphan: Orphan = "conlleval"
    """What became of tags that no legal sequence contains."""
    samples: int = 1000
    """Bootstrap samples of each interval."""
    seed: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was mended while reading, by kind."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of `train` and `tag`."""
    tokens_per_second: float = 0
    """Of tagging."""
    warnings: tuple[str, ...] = ()
    """Why the scores may not mean what they seem to: leaked sentences, labels that only one side has."""

    @property
    def micro(self) -> Score:
        """Every entity counts the same; the figure meant by "F1"."""
        return score_of(self.counts)

    @property
    def label_scores(self) -> dict[str, Score]:
        """The score of each label."""
        return {label: score_of(self.counts[:, number]) for number, label in enumerate(self.labels)}

    @property
    def macro(self) -> Average:
        """Every label that occurs in gold or predicted counts the same."""
        return self._average([1] * len(self.labels))

    @property
    def weighted(self) -> Average:
        """Every label counts by its number of gold entities."""
        return self._average([score.gold for score in self.label_scores.values()])

    @property
    def boundaries(self) -> Score:
        """Entities found on the right tokens, whatever their label."""
        return score_of(self.boundary_counts)

    @property
    def unseen(self) -> Score | None:
        """Entities whose words are no entity, of any label, in the training sentences; None: those are not known."""
        return None if self.unseen_counts is None else score_of(self.unseen_counts)

    @property
    def without_leaked(self) -> Score | None:
        """Micro score of the sentences that do not occur in training; None: training is not known, or all occur."""
        return None if self.leaked is None or self.leaked.all() else score_of(self.counts[~self.leaked])

    @property
    def ci95(self) -> Interval:
        """Interval of micro F1."""
        return interval(f1_of(self._resampled.sum(axis=1)))

    @property
    def label_intervals(self) -> dict[str, Interval]:
        """Interval of the F1 of each label."""
        f1 = f1_of(self._resampled)  # (samples, L)
        return {label: interval(f1[:, number]) for number, label in enumerate(self.labels)}

    @cached_property
    def _resampled(self) -> Floats:
        """(samples, L, 3): the counts, summed over resampled sentences."""
        return resample(self.counts, self.samples, self.seed)

    def _average(self, weights: Sequence[int]) -> Average:
        scores, total = self.label_scores.values(), max(sum(weights), 1)
        means = (
            sum(weight * getattr(score, name) for weight, score in zip(weights, scores, strict=True)) / total
            for name in ("precision", "recall", "f1")
        )
        return Average(*means)

    def _repr_html_(self) -> str:
        """The scores as a table, for notebooks."""
        from onomast.evaluation.notebook import report_html

        return report_html(self)

    def to_json(self) -> dict[str, Any]:
        """The figures by name, as `--json` and `report.json` hold them; `null`: not known."""
        micro = _score(self.micro, self.ci95)
        intervals = self.label_intervals
        kept = None if self.leaked is None else len(self.leaked) - int(self.leaked.sum())
        return {
            "signature": self.signature,
            "warnings": list(self.warnings),
            "entities": {
                "micro": micro,
                "macro": vars(self.macro),
                "weighted": vars(self.weighted),
                "labels": {label: _score(score, intervals[label]) for label, score in self.label_scores.items()},
            },
            "tags": {
                "scheme": self.tags.scheme,
                "accuracy": self.tags.accuracy,
                "macro_f1": self.tags.macro_f1,
                "weighted_f1": self.tags.weighted_f1,
            },
            "unseen": None if self.unseen is None else _score(self.unseen),
            "without_leaked": None
            if self.without_leaked is None
            else {**_score(self.without_leaked), "sentences": kept},
            "boundaries": _score(self.boundaries),
            "errors": dict(self.errors),
            "confusion": {
                label: dict(zip(self.labels, row, strict=True))
                for label, row in zip(self.labels, self.confusion.tolist(), strict=True)
            },
            "pos": None if self.pos is None else {"accuracy": self.pos.accuracy, "support": self.pos.support},
            "sentences": None
            if self.sentence is None
            else {"accuracy": self.sentence.accuracy, "support": self.sentence.support},
            "repairs": dict(self.repairs),
            "seconds": dict(self.seconds),
            "tokens_per_second": self.tokens_per_second,
        }


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
    """Score predicted sentences against gold ones: the same sentences and tokens, in the same order.

    `train`, or the `Known` of it, is needed for the scores of unseen entities and without leaked sentences. `scheme` is
    that of the tag-level scores; entities do not depend on it. `samples` and `seed` are those of the bootstrap.
    Gold tokens without annotation (tag `None`) are not scored, nor any span that touches them.
    Raises DataError naming the first place where gold and predicted are not the same sentences.
    """
    require_same_tokens(gold, predicted)
    pairs = scored_pairs(gold, predicted, orphan)
    labels = labels_of(pairs)
    known = train if isinstance(train, Known) else Known.of(train) if train else None
    counts = count_labels(pairs, labels)
    leaked = None if known is None else np.array([fingerprint(one.tokens) in known.sentences for one in gold], bool)
    warnings = [*check_labels(labels, counts, None if known is None else known.labels), *check_leaks(leaked, counts)]
    return Report(
        signature=f"onomast:{__version__}|scheme:iob2|orphan:{orphan}|n:{len(gold)}|sha:{_fingerprint(gold)}",
        labels=labels,
        counts=counts,
        boundary_counts=count_boundaries(pairs),
        unseen_counts=None if known is None else count_unseen(pairs, gold, known),
        leaked=leaked,
        tags=score_tags(gold, predicted, scheme, orphan),
        confusion=count_confusion(pairs, labels),
        errors=count_kinds([mistakes_of(pair) for pair in pairs]),
        pos=_pos_accuracy(gold, predicted),
        sentence=_sentence_accuracy(gold, predicted),
        orphan=orphan,
        samples=samples,
        seed=seed,
        warnings=tuple(warnings),
    )


def _score(score: Score, ci95: Interval | None = None) -> dict[str, Any]:
    figures: dict[str, Any] = {"precision": score.precision, "recall": score.recall, "f1": score.f1}
    if ci95 is not None:
        figures["ci95"] = list(ci95)
    return {**figures, "support": score.support}


def _fingerprint(gold: Sequence[Sentence]) -> str:
    """Twelve hexadecimal digits that differ when a gold token or tag does."""
    digest = hashlib.sha256()
    for sentence in gold:
        for token, tag in zip(sentence.tokens, sentence.tags or (None,) * len(sentence), strict=True):
            digest.update(f"{token}\t{'' if tag is None else tag}\n".encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()[:12]


def _pos_accuracy(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> Accuracy | None:
    """None where the predicted sentences carry the very tuples of the gold ones: input handed on, not predicted."""
    pairs = [(one.pos or (), other.pos) for one, other in zip(gold, predicted, strict=True)]
    if all(guessed is None or guessed is right for right, guessed in pairs if right):
        return None
    decisions = [(sum(map(eq, right, guessed or ())), len(right)) for right, guessed in pairs]
    return Accuracy(np.array([(right, total, total) for right, total in decisions], np.int64))


def _sentence_accuracy(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> Accuracy | None:
    pairs = [(one.label, other.label) for one, other in zip(gold, predicted, strict=True)]
    if all(guessed is None for right, guessed in pairs if right is not None):
        return None
    decisions = [(int(right == guessed), 1) if right is not None else (0, 0) for right, guessed in pairs]
    return Accuracy(np.array([(right, total, total) for right, total in decisions], np.int64))
