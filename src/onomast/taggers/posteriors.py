"""What a tagger believes beyond its best path: probabilities of whole paths, of single entities, of any entity at all.

Exact for the linear tagger, by the partition function of its CRF under constraints. Any other tagger gives only the
probability of each tag of its best path; from these the same figures are estimated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.linear.tagger import ChainScores, LinearTagger
from onomast.tags import OUTSIDE, Span, Tag, convert, split_tag, tags_of

Floats = npt.NDArray[np.float64]

_BATCH_NUMBERS = 200_000  # tokens times tags scored at once
_LEAST = 1e-12  # the smallest probability whose logarithm is taken


@dataclass(frozen=True)
class Posterior:
    """What a tagger believes of one sentence of T tokens."""

    tagged: Sentence
    """The best path."""
    path_log_probability: float
    """Natural logarithm of the probability of that path."""
    begins: tuple[float, ...]
    """(T,): the probability that an entity begins at the token."""

    @property
    def expected_entities(self) -> float:
        """The number of entities, averaged over all paths by their probability."""
        return sum(self.begins)

    @property
    def normalised_path_probability(self) -> float:
        """The T-th root of the probability of the best path (Shen et al. 2018), in [0, 1]; 1 without tokens."""
        return math.exp(self.path_log_probability / len(self.tagged)) if len(self.tagged) else 1.0


def posteriors(tagger: Tagger, sentences: Sequence[Sentence]) -> list[Posterior]:
    """What the tagger believes of each sentence, in order. Gold tags are not read."""
    bare = [sentence.bare() for sentence in sentences]
    tagged = tagger.tag(bare)
    if not isinstance(tagger, LinearTagger):
        return [Posterior(one, *_estimated(one)) for one in tagged]
    chain = tagger.chain_scores(bare)
    log_z = _log_partitions(chain, chain.scores)
    paths = _log_partitions(chain, [_path_scores(chain, index, one) for index, one in enumerate(tagged)])
    begins = _begins(*token_probabilities(tagger, bare))
    return [
        Posterior(one, min(0.0, float(path - total)), row)
        for one, path, total, row in zip(tagged, paths, log_z, begins, strict=True)
    ]


@dataclass(frozen=True)
class Stretch:
    """Tokens `start` to `end` (exclusive) of a sentence, and all entities in them: every other token of them is `O`."""

    start: int
    end: int
    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, span: Span) -> Stretch:
        """The tokens of one entity."""
        return cls(span.start, span.end, (span,))

    @property
    def tags(self) -> tuple[Tag, ...]:
        """IOB2."""
        moved = [Span(span.start - self.start, span.end - self.start, span.label) for span in self.spans]
        return tags_of(moved, self.end - self.start)


def stretch_probabilities(
    tagger: Tagger, sentences: Sequence[Sentence], stretches: Sequence[Sequence[Stretch]]
) -> list[list[float]]:
    """For each sentence, the probability of each of its stretches: exactly these entities, and none that goes on.

    A label that the tagger does not know has probability 0. For a tagger other than the linear one this is an upper
    bound.
    """
    bare = [sentence.bare() for sentence in sentences]
    if not isinstance(tagger, LinearTagger):
        tagged = tagger.tag(bare)
        return [[_upper_bound(one, asked) for asked in row] for one, row in zip(tagged, stretches, strict=True)]
    chain = tagger.chain_scores(bare)
    log_z = _log_partitions(chain, chain.scores)
    owners = [index for index, row in enumerate(stretches) for _ in row]
    asked = [stretch for row in stretches for stretch in row]
    limited = [_stretch_scores(chain, index, stretch) for index, stretch in zip(owners, asked, strict=True)]
    log_p = iter(_log_partitions(chain, limited) - log_z[owners] if owners else ())
    return [[math.exp(min(0.0, float(next(log_p)))) for _ in row] for row in stretches]


def token_probabilities(tagger: LinearTagger, sentences: Sequence[Sentence]) -> tuple[tuple[str, ...], list[Floats]]:
    """The K tags in the tagger's scheme, and for each sentence (T, K): the probability of each tag of each token."""
    chain = tagger.chain_scores([sentence.bare() for sentence in sentences])
    rows = [np.zeros((0, len(chain.tags)))] * len(chain.scores)
    for batch, padded, lengths in _batches(chain, chain.scores):
        marginals = chain.decoder.marginals(padded, lengths)
        for column, index in enumerate(batch):
            rows[index] = marginals[: lengths[column], column]
    return chain.tags, rows


def _path_scores(chain: ChainScores, index: int, tagged: Sentence) -> Floats:
    """The scores (T, K) of a sentence with everything but its tags ruled out."""
    scores = chain.scores[index]
    only = np.full_like(scores, -np.inf)
    for place, tag in enumerate(convert(tagged.tags or (), "iob2", chain.style)):
        if tag in chain.tags:
            column = chain.tags.index(tag)
            only[place, column] = scores[place, column]
    return only


def _stretch_scores(chain: ChainScores, index: int, stretch: Stretch) -> Floats:
    """The scores (T, K) of a sentence with all paths ruled out that do not have the stretch."""
    scores = chain.scores[index].copy()
    tags = stretch.tags
    for place, tag in enumerate(convert(tags, "iob2", chain.style), start=stretch.start):
        scores[place, [known != tag for known in chain.tags]] = -np.inf
    if stretch.end < len(scores) and tags[-1] != OUTSIDE:
        inside = f"I-{split_tag(tags[-1])[1]}"
        scores[stretch.end, [known == inside for known in chain.tags]] = -np.inf
    return scores


def _log_partitions(chain: ChainScores, scores: Sequence[Floats]) -> Floats:
    """(N,): the log partition function of each sentence; 0 for one without tokens."""
    total = np.zeros(len(scores))
    for batch, padded, lengths in _batches(chain, scores):
        total[batch] = chain.decoder.log_partition(padded, lengths)
    return total


def _begins(tags: Sequence[str], marginals: Sequence[Floats]) -> list[tuple[float, ...]]:
    """For each sentence (T,): the probability that an entity begins at the token."""
    opens = [split_tag(tag)[0] in ("B", "S", "U") for tag in tags]
    return [tuple(row[:, opens].sum(axis=1).tolist()) for row in marginals]


def _batches(chain: ChainScores, scores: Sequence[Floats]) -> Iterator[tuple[list[int], Floats, npt.NDArray[np.int64]]]:
    """Indices of sentences, the longest first, their padded scores (T, B, K) and their lengths (B,)."""
    order = sorted((index for index in range(len(scores)) if len(scores[index])), key=lambda at: -len(scores[at]))
    while order:
        size = max(1, _BATCH_NUMBERS // (len(scores[order[0]]) * len(chain.tags)))
        batch, order = order[:size], order[size:]
        lengths = np.array([len(scores[index]) for index in batch])
        padded = np.zeros((int(lengths[0]), len(batch), len(chain.tags)))
        for column, index in enumerate(batch):
            padded[: lengths[column], column] = scores[index]
        yield batch, padded, lengths


def _estimated(tagged: Sentence) -> tuple[float, tuple[float, ...]]:
    """Log probability of the path, its tags taken as independent; begins: the path's, elsewhere half the doubt."""
    sure = tagged.confidence or ()
    log_p = sum(math.log(max(_LEAST, p)) for p in sure)
    begins = [p if split_tag(tag)[0] == "B" else (1.0 - p) / 2 for p, tag in zip(sure, tagged.tags or (), strict=True)]
    return min(0.0, log_p), tuple(begins)


def _upper_bound(tagged: Sentence, stretch: Stretch) -> float:
    """The least of what the tagger gives or leaves for each tag of the stretch."""
    tags, sure, wanted = tagged.tags or (), tagged.confidence or (), stretch.tags
    bounds = [
        sure[place] if tags[place] == tag else 1.0 - sure[place]
        for place, tag in enumerate(wanted, start=stretch.start)
    ]
    if stretch.end < len(tagged) and wanted[-1] != OUTSIDE and tags[stretch.end] == f"I-{split_tag(wanted[-1])[1]}":
        bounds.append(1.0 - sure[stretch.end])
    return max(0.0, min(bounds, default=1.0))
