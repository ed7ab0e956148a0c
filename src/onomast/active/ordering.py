"""Which sentences to label next: the order of a pool of unlabelled sentences, and a varied selection from it.

Sources: expected gain by the normalised path probability (Shen et al. 2018), disagreement of taggers as vote entropy
(Engelson and Dagan 1996), fluctuation of the predictions between training runs (as in Kohl et al. 2024).
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from onomast.errors import OnomastError, nearest
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.posteriors import Posterior, posteriors

Order = Literal["gain", "uncertainty", "disagreement", "fluctuation", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)

RANDOM_SHARE = 0.2
ENTITY_POWER = 0.5  # chosen on dev files: benchmarks/active
_SIMILAR = 0.6  # of the words of two sentences in common: near-duplicates
_REPEATED = 0.5  # what a word counts for that has been chosen once already, and again for each further time


@dataclass(frozen=True)
class Choice:
    """One sentence to label."""

    index: int
    """In the pool."""
    gain: float
    """What it was chosen by; 0 for a random one."""
    is_random: bool
    """Drawn at random: only such sentences give an honest score."""


@dataclass(frozen=True)
class Rating:
    """What is known of one sentence of the pool when the next one is chosen."""

    posterior: Posterior
    gain: float
    """Of the order, before anything is chosen."""


def rate(order: Order, pool: Sequence[Sentence], tagger: Tagger, others: Sequence[Tagger] = ()) -> list[Rating]:
    """Rate each sentence of the pool.

    - `gain`: (expected number of entities / tokens) ** ENTITY_POWER x (1 - normalised path probability);
    - `uncertainty`: 1 - normalised path probability;
    - `disagreement`: mean vote entropy over tokens, of `tagger` and `others` (query by vote);
    - `fluctuation`: the share of tokens whose tag changed from one tagger to the next, `others` (older first), then
      `tagger`; summed over the steps;
    - `random`: all alike.

    Raises OnomastError for an unknown order, and where an order needs `others` and there are none.
    """
    if order not in ORDERS:
        raise OnomastError(f"there is no order {order!r}; {nearest(order, ORDERS)}")
    if order in ("disagreement", "fluctuation") and not others:
        raise OnomastError(f"the order {order!r} compares taggers, and there is one; give another one as well")
    believed = posteriors(tagger, pool)
    if order in ("disagreement", "fluctuation"):
        bare = [sentence.bare() for sentence in pool]
        rows = [*(other.tag(bare) for other in others), [one.tagged for one in believed]]
        measure = _vote_entropy if order == "disagreement" else _changes
        return [Rating(one, measure(votes)) for one, *votes in zip(believed, *rows, strict=True)]
    if order == "random":
        return [Rating(one, 0.0) for one in believed]
    uncertain = [1.0 - one.normalised_path_probability for one in believed]
    if order == "uncertainty":
        return [Rating(one, doubt) for one, doubt in zip(believed, uncertain, strict=True)]
    return [
        Rating(one, (one.expected_entities / max(1, len(one.tagged))) ** ENTITY_POWER * doubt)
        for one, doubt in zip(believed, uncertain, strict=True)
    ]


def choose(
    ratings: Sequence[Rating],
    count: int,
    *,
    labelled: Sequence[Sentence] = (),
    random_share: float = RANDOM_SHARE,
    varied: bool = True,
    seed: int = 0,
) -> list[Choice]:
    """`count` sentences of the pool (or all of them), in the order in which to label them.

    `random_share` of them are drawn at random and spread among the others. With `varied`, the gain of a sentence falls
    with every word in it that probably begins an entity and stands in a chosen sentence already, and near-duplicates
    of chosen or `labelled` sentences come last. Sentences without tokens are never chosen.
    """
    draw = random.Random(seed)
    open_ = [index for index, one in enumerate(ratings) if len(one.posterior.tagged)]
    draw.shuffle(open_)  # of sentences rated alike, any
    drawn = open_[: round(random_share * min(count, len(open_)))]
    rest = open_[len(drawn) :]
    wanted = min(count, len(open_)) - len(drawn)
    best = _varied(ratings, rest, wanted, labelled) if varied else _highest(ratings, rest, wanted)
    return _spread(best, [Choice(index, 0.0, is_random=True) for index in drawn])


def _highest(ratings: Sequence[Rating], rest: Sequence[int], wanted: int) -> list[Choice]:
    order = sorted(rest, key=lambda index: -ratings[index].gain)[:wanted]
    return [Choice(index, ratings[index].gain, is_random=False) for index in order]


def _varied(ratings: Sequence[Rating], rest: Sequence[int], wanted: int, labelled: Sequence[Sentence]) -> list[Choice]:
    """Greedily the highest gain, discounted by what has been chosen already."""
    chosen: list[Choice] = []
    late: list[int] = []
    words: Counter[str] = Counter()
    index_of_words = _WordSets([set(sentence.tokens) for sentence in labelled])
    queue = sorted(rest, key=lambda index: -ratings[index].gain)
    bound = {index: ratings[index].gain for index in queue}
    while queue and len(chosen) < wanted:
        best, best_gain = -1, -math.inf
        for index in queue:
            if bound[index] <= best_gain:
                break  # gains only fall: no later one can be higher
            bound[index] = ratings[index].gain * _freshness(ratings[index].posterior, words)
            if bound[index] > best_gain:
                best, best_gain = index, bound[index]
        queue.remove(best)
        queue.sort(key=lambda index: -bound[index])
        tokens = ratings[best].posterior.tagged.tokens
        if index_of_words.has_similar(set(tokens)):
            late.append(best)
            continue
        index_of_words.add(set(tokens))
        begins = zip(tokens, ratings[best].posterior.begins, strict=True)
        words.update({token for token, p in begins if p > 0.1})
        chosen.append(Choice(best, best_gain, is_random=False))
    missing = wanted - len(chosen)
    return [*chosen, *(Choice(index, ratings[index].gain, is_random=False) for index in late[:missing])]


def _freshness(posterior: Posterior, words: Counter[str]) -> float:
    """The share of the expected entities that is left when a word counts `_REPEATED` for each time it was chosen."""
    total = posterior.expected_entities
    if total <= 0 or not words:
        return 1.0
    tokens = posterior.tagged.tokens
    left = sum(p * _REPEATED ** words[token] for token, p in zip(tokens, posterior.begins, strict=True))
    return left / total


class _WordSets:
    """Sets of words, by which near-duplicates are recognised."""

    def __init__(self, sets: Sequence[set[str]]) -> None:
        self._sets: list[set[str]] = []
        self._of_word: dict[str, list[int]] = {}
        for one in sets:
            self.add(one)

    def add(self, words: set[str]) -> None:
        for word in words:
            self._of_word.setdefault(word, []).append(len(self._sets))
        self._sets.append(words)

    def has_similar(self, words: set[str]) -> bool:
        """Does one of the sets have so many words in common with these (Jaccard similarity)?"""
        common = Counter(number for word in words for number in self._of_word.get(word, ()))
        return any(
            shared / (len(words) + len(self._sets[number]) - shared) >= _SIMILAR for number, shared in common.items()
        )


def _spread(best: Sequence[Choice], drawn: Sequence[Choice]) -> list[Choice]:
    """The random sentences at even distances among the others."""
    every = max(1, (len(best) + len(drawn)) // max(1, len(drawn)))
    made, waiting = list[Choice](), list(drawn)
    for choice in best:
        made.append(choice)
        if waiting and len(made) % every == every - 1:
            made.append(waiting.pop(0))
    return [*made, *waiting]


def _vote_entropy(votes: Sequence[Sentence]) -> float:
    """The mean over tokens of the entropy of the taggers' tags, in [0, 1]: 1 where all of them differ."""
    columns = list(zip(*(vote.tags or () for vote in votes), strict=True))
    entropies = [
        -sum(n / len(column) * math.log(n / len(column)) for n in Counter(column).values()) for column in columns
    ]
    return sum(entropies) / (len(columns) * math.log(len(votes))) if columns else 0.0


def _changes(runs: Sequence[Sentence]) -> float:
    """The share of tokens whose tag changed from one tagger to the next, summed over the steps."""
    tags = [run.tags or () for run in runs]
    changed = sum(a != b for before, after in itertools.pairwise(tags) for a, b in zip(before, after, strict=True))
    return changed / len(tags[0]) if tags[0] else 0.0
