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
from onomast.tags import Span, convert, split_tag

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
    expected_entities: float
    """The number of entities, averaged over all paths by their probability."""

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
    expected = _expected_entities(chain)
    return [
        Posterior(one, min(0.0, float(path - total)), float(number))
        for one, path, total, number in zip(tagged, paths, log_z, expected, strict=True)
    ]


def span_probabilities(
    tagger: Tagger, sentences: Sequence[Sentence], spans: Sequence[Sequence[Span]]
) -> list[list[float]]:
    """For each sentence, the probability of each of its `spans`: exactly these tokens, with this label.

    A label that the tagger does not know has probability 0.
    """
    bare = [sentence.bare() for sentence in sentences]
    if not isinstance(tagger, LinearTagger):
        tagged = tagger.tag(bare)
        return [[_estimated_span(one, span) for span in asked] for one, asked in zip(tagged, spans, strict=True)]
    chain = tagger.chain_scores(bare)
    log_z = _log_partitions(chain, chain.scores)
    owners = [index for index, asked in enumerate(spans) for _ in asked]
    asked_spans = [span for asked in spans for span in asked]
    limited = [_span_scores(chain, index, span) for index, span in zip(owners, asked_spans, strict=True)]
    log_p = iter(_log_partitions(chain, limited) - log_z[owners] if owners else ())
    return [[float(min(1.0, math.exp(min(0.0, next(log_p))))) for _ in asked] for asked in spans]


def _path_scores(chain: ChainScores, index: int, tagged: Sentence) -> Floats:
    """The scores (T, K) of a sentence with everything but its tags ruled out."""
    scores = chain.scores[index]
    only = np.full_like(scores, -np.inf)
    for place, tag in enumerate(convert(tagged.tags or (), "iob2", chain.style)):
        if tag in chain.tags:
            column = chain.tags.index(tag)
            only[place, column] = scores[place, column]
    return only


def _span_scores(chain: ChainScores, index: int, span: Span) -> Floats:
    """The scores (T, K) of a sentence with all paths ruled out that do not have the span."""
    scores = chain.scores[index].copy()
    inside = ["B-" + span.label] + ["I-" + span.label] * (span.end - span.start - 1)
    wanted = convert(inside, "iob2", chain.style)
    for place, tag in enumerate(wanted, start=span.start):
        ruled_out = np.array([known != tag for known in chain.tags])
        scores[place, ruled_out] = -np.inf
    if span.end < len(scores):
        scores[span.end, [tag == f"I-{span.label}" for tag in chain.tags]] = -np.inf
    return scores


def _log_partitions(chain: ChainScores, scores: Sequence[Floats]) -> Floats:
    """(N,): the log partition function of each sentence; 0 for one without tokens."""
    total = np.zeros(len(scores))
    for batch, padded, lengths in _batches(chain, scores):
        total[batch] = chain.decoder.log_partition(padded, lengths)
    return total


def _expected_entities(chain: ChainScores) -> Floats:
    """(N,): the sum of the probabilities that an entity begins, over the tokens of each sentence."""
    opens = np.array([split_tag(tag)[0] in ("B", "S", "U") for tag in chain.tags])
    total = np.zeros(len(chain.scores))
    for batch, padded, lengths in _batches(chain, chain.scores):
        marginals = chain.decoder.marginals(padded, lengths)
        begins = marginals[:, :, opens].sum(axis=2)  # (T, B)
        total[batch] = np.where(np.arange(len(padded))[:, None] < lengths, begins, 0.0).sum(axis=0)
    return total


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


def _estimated(tagged: Sentence) -> tuple[float, float]:
    """Log probability of the path, its tags taken as independent; its entities plus half the doubt elsewhere."""
    sure = tagged.confidence or ()
    log_p = sum(math.log(max(_LEAST, p)) for p in sure)
    entities = sum(min(sure[span.start : span.end]) for span in tagged.spans)
    doubt = sum(1.0 - p for p, tag in zip(sure, tagged.tags or (), strict=True) if tag == "O")
    return min(0.0, log_p), entities + doubt / 2


def _estimated_span(tagged: Sentence, span: Span) -> float:
    """The least probability of its tags where the best path has the span; else what the best path leaves for it."""
    sure = tagged.confidence or ()
    if span in tagged.spans:
        return min(sure[span.start : span.end])
    inside = ["B-" + span.label] + ["I-" + span.label] * (span.end - span.start - 1)
    others = [
        1.0 - p
        for p, tag, wanted in zip(sure[span.start :], (tagged.tags or ())[span.start :], inside, strict=False)
        if tag != wanted
    ]
    after = span.end < len(tagged) and (tagged.tags or ())[span.end] == f"I-{span.label}"
    return max(
        0.0, min([*others, *([1.0 - sure[span.end]] if after else [])], default=min(sure[span.start : span.end]))
    )
