"""Which sources will help a target? Rank them before any training, by features of the data alone, and say why.

The features are those of `similarity.py`; the score is their mean, weighted by `WEIGHTS`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onomast.corpus import Corpus
from onomast.data.transfer.similarity import FEATURES, Profile, features_of, profile_of
from onomast.errors import DataError

# By the rule of benchmarks/ranking/README.md, on targets that it does not test on. `size` was set by hand.
WEIGHTS: Mapping[str, float] = {
    "entities": 15,
    "names": 10,
    "name_ngrams": 8,
    "agreement": 1,
    "contexts": 7,
    "words": 9,
    "types": 17,
    "ngrams": 3,
    "scripts": 2,
    "labels": 12,
    "mix": 2,
    "density": 1,
    "length": 2,
    "size": 5,
    "capitals": 3,
    "name_capitals": 1,
}
_REASONS = 3  # in an explanation


@dataclass(frozen=True)
class Ranked:
    """One source, its place among the others, and why."""

    rank: int
    """1 is the best."""
    name: str
    score: float
    """In [0, 1]: the mean of `features`, weighted by `WEIGHTS`."""
    features: Mapping[str, float]
    """Each in [0, 1]; without those that need labels where the target has none."""
    contributions: Mapping[str, float]
    """What each feature adds to the score."""
    explanation: str
    """In words: what it shares with the target, the features first in which it differs most from the others."""
    warnings: tuple[str, ...] = ()
    """What the user should know: the target's own language, labels that have no counterpart."""


def rank(target: Corpus, sources: Sequence[Corpus]) -> list[Ranked]:
    """The sources, best first; equals in the order of their names. Only training sentences are looked at.

    Labels mean the same where they are called the same: rename them first (`Corpus.relabel`). A target without labels
    is compared by its words alone. Raises DataError when the target has no sentence or a source no label.
    """
    return [ranked for _, ranked in _ranking(target, sources)]


def choose(target: Corpus, sources: Sequence[Corpus], number: int) -> tuple[Corpus, ...]:
    """The `number` best sources, best first; all of them as they stand where `number` is 0 or there are no more.

    Raises DataError as `rank` does.
    """
    if not 0 < number < len(sources):
        return tuple(sources)
    return tuple(source for source, _ in _ranking(target, sources)[:number])


def to_json(target: Corpus, ranking: Sequence[Ranked]) -> dict[str, Any]:
    """`{"target": {...}, "features": {name: {weight, meaning}}, "sources": [...]}`, the sources best first."""
    return {
        "target": {"name": target.name, "sentences": len(target.train), "labels": list(target.labels)},
        "features": {
            name: {"weight": WEIGHTS[name], "meaning": feature.words.format("x %")}
            for name, feature in FEATURES.items()
        },
        "sources": [
            {
                "rank": ranked.rank,
                "name": ranked.name,
                "score": ranked.score,
                "features": dict(ranked.features),
                "contributions": dict(ranked.contributions),
                "explanation": ranked.explanation,
                "warnings": list(ranked.warnings),
            }
            for ranked in ranking
        ],
    }


def _ranking(target: Corpus, sources: Sequence[Corpus]) -> list[tuple[Corpus, Ranked]]:
    if not target.train:
        raise DataError(
            "the target has no sentence to compare sources with; a few without labels are enough", path=target.name
        )
    own = profile_of(target.train)
    pairs = [(source, _profile(source)) for source in sources]
    features = [features_of(own, profile) for _, profile in pairs]
    shares = [_contributions(row) for row in features]
    scores = [math.fsum(row.values()) for row in shares]
    order = sorted(range(len(pairs)), key=lambda index: (-scores[index], pairs[index][0].name))
    return [
        (
            pairs[index][0],
            Ranked(
                rank=place,
                name=pairs[index][0].name,
                score=scores[index],
                features=features[index],
                contributions=shares[index],
                explanation=_explanation(index, features, shares),
                warnings=_warnings(target, own, *pairs[index]),
            ),
        )
        for place, index in enumerate(order, start=1)
    ]


def _profile(source: Corpus) -> Profile:
    profile = profile_of(source.train)
    if not profile.labels:
        raise DataError(
            "no sentence carries an entity label; a source teaches by its labels: give a labelled file, or learn "
            "vectors from this text",
            path=source.name,
        )
    return profile


def _contributions(features: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(WEIGHTS[name] for name in features)
    return {name: WEIGHTS[name] * value / total for name, value in features.items()}


def _explanation(
    index: int, features: Sequence[Mapping[str, float]], contributions: Sequence[Mapping[str, float]]
) -> str:
    """The features that move this source furthest from the mean of all, in words; of a lone one, the largest."""
    means = {
        name: math.fsum(row[name] for row in features) / len(features) for name in features[index]
    }  # in the order of `FEATURES`

    def moved(name: str) -> float:
        if len(features) == 1:
            return contributions[index][name]
        mean = math.fsum(row[name] for row in contributions) / len(contributions)
        return abs(contributions[index][name] - mean)

    reasons = []
    for name in sorted(means, key=lambda name: (-moved(name), name))[:_REASONS]:
        words = FEATURES[name].words.format(_percent(features[index][name]))
        reasons.append(words if len(features) == 1 else f"{words} (mean {_percent(means[name])})")
    return ", ".join(reasons)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if value >= 0.1 or value == 0 else f"{100 * value:.1f} %"


def _warnings(target: Corpus, own: Profile, source: Corpus, profile: Profile) -> tuple[str, ...]:
    found = []
    same = set(target.languages) & set(source.languages) - {""}
    if same:
        found.append(f"{source.name} is of the target's own language ({', '.join(sorted(same))})")
    missing = [label for label in own.labels if label not in profile.labels]
    if missing:
        found.append(
            f"{source.name} has no {', '.join(sorted(missing))}; it has {', '.join(sorted(profile.labels))}: "
            "rename labels that mean the same"
        )
    return tuple(found)
