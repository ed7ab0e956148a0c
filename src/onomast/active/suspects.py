"""Labels that are probably wrong: what a tagger that was not trained on a sentence thinks of each of its entities.

Unlike `data/check.py`, which finds what contradicts itself, this needs a tagger and gives a probability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from onomast.active.folds import Fold, out_of_fold
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.taggers.posteriors import Stretch, stretch_probabilities
from onomast.tags import Span, Tag

Kind = Literal["label", "border", "no entity", "missed"]

FOLDS = 5
_LEAST = 0.5  # of the probability that something is wrong
_TINY = 1e-9  # the smallest probability whose logarithm is taken
_SMOOTHING = 0.3  # added to counts of tags


@dataclass(frozen=True)
class Suspect:
    """One entity that is probably wrong, or one that is probably missing."""

    sentence: int
    """Index of the sentence."""
    source: str
    """`file:line` of the sentence's first token, or `sentence N`."""
    start: int
    end: int
    """Tokens `start` to `end` (exclusive): those of what stands there and what the tagger would say together."""
    text: str
    given: str
    """What stands there: `Asha [PER]`; `O`: no entity."""
    suggestion: str
    """What the tagger would say, in the same form."""
    spans: tuple[Span, ...]
    """The entities that the tagger would put in the place of all that stands between `start` and `end`."""
    kind: Kind
    suspicion: float
    """The probability that what stands there is wrong, in [0, 1], by the tagger."""
    confidence: float
    """The probability of the tagger's own suggestion; of no entity: at most this."""


def suspects(
    sentences: Sequence[Sentence],
    recipe: Recipe | None = None,
    *,
    folds: int = FOLDS,
    least: float = _LEAST,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Suspect]:
    """All suspects of a labelled file, the most suspicious first; of two alike, an entity before an `O`.

    `recipe` (default: `crf`) is trained `folds` times, each time without one contiguous block of the file (documents
    stay whole where the file marks them). Suspicion is 1 less the probability of exactly what stands there, by the
    tagger that was not trained on it. Suspects below `least` are left out.
    Raises DataError as `out_of_fold` does.
    """
    found: list[Suspect] = []
    for fold in out_of_fold(sentences, recipe or read_recipe("crf"), folds, advance):
        found += suspects_of_fold(sentences, fold)
    return ordered(sentences, [one for one in found if one.suspicion >= least])


def ordered(sentences: Sequence[Sentence], found: Sequence[Suspect]) -> list[Suspect]:
    """The most suspicious first; of two alike, an entity before an `O`, then in the order of the file.

    The order is that of log P(suggestion) - log P(what stands there), and two terms that a tagger alone cannot know:

    - how often the same words carry the suggested tags elsewhere in the file, against the given ones (log ratio);
    - how often the tagger disagrees in this way (such as: it says `O` where PER stands), as a log that is taken off:
      what a tagger does often is its own weakness.

    (Both were chosen on dev files: benchmarks/suspects.)
    """
    tags_of_word: dict[str, Counter[Tag]] = {}
    for sentence in sentences:
        for token, tag in zip(sentence.tokens, sentence.tags or (), strict=False):
            tags_of_word.setdefault(token, Counter())[tag] += 1
    ways = Counter(map(_way, found))

    def key(one: Suspect) -> tuple[float, bool, int, int]:
        odds = math.log(max(_TINY, one.confidence)) - math.log(max(_TINY, 1.0 - one.suspicion))
        odds += _elsewhere(sentences[one.sentence], one, tags_of_word) - math.log(ways[_way(one)])
        return -odds, one.given == "O", one.sentence, one.start

    return sorted(found, key=key)


def _way(one: Suspect) -> tuple[Kind, str, str]:
    """The kind of disagreement, and the last label on either side."""
    return one.kind, one.given.rpartition("[")[2], one.suggestion.rpartition("[")[2]


def _elsewhere(sentence: Sentence, one: Suspect, tags_of_word: Mapping[str, Counter[Tag]]) -> float:
    """Log ratio of the suggested and the given tags of the same words elsewhere, over the tokens where they differ."""
    suggested = Stretch(one.start, one.end, one.spans).tags
    total = 0.0
    for place, tag in enumerate(suggested, start=one.start):
        given = (sentence.tags or ())[place]
        if given != tag:
            seen = tags_of_word[sentence.tokens[place]]
            total += math.log((seen[tag] + _SMOOTHING) / (seen[given] - 1 + _SMOOTHING))
    return total


def suspects_of_fold(sentences: Sequence[Sentence], fold: Fold) -> list[Suspect]:
    """Every place of the block where the tagger disagrees with what stands there."""
    block = [index for index in range(fold.start, fold.end) if sentences[index].tags is not None]
    tagged = fold.tagger.tag([sentences[index].bare() for index in block])
    places = [list(_disagreements(sentences[i], guess.spans)) for i, guess in zip(block, tagged, strict=True)]
    asked = [[stretch for place in row for stretch in place] for row in places]
    probabilities = stretch_probabilities(fold.tagger, [sentences[index] for index in block], asked)
    return [
        _suspect(index, sentences[index], given, guess, probability[2 * number], probability[2 * number + 1])
        for index, row, probability in zip(block, places, probabilities, strict=True)
        for number, (given, guess) in enumerate(row)
    ]


def _disagreements(sentence: Sentence, guess: Sequence[Span]) -> Iterator[tuple[Stretch, Stretch]]:
    """What stands there and what the tagger would say, for each shortest stretch of tokens that no entity crosses.

    Stretches with a token that is not annotated are left out.
    """
    common = set(sentence.spans) & set(guess)
    spans = sorted({*sentence.spans, *guess} - common)
    group: list[Span] = []
    for span in [*spans, None]:
        if group and (span is None or span.start >= max(one.end for one in group)):
            start, end = group[0].start, max(one.end for one in group)
            if None not in (sentence.tags or ())[start:end]:
                given = tuple(one for one in sentence.spans if start <= one.start < end)
                yield Stretch(start, end, given), Stretch(start, end, tuple(s for s in guess if start <= s.start < end))
            group = []
        if span is not None:
            group.append(span)


def _suspect(
    index: int, sentence: Sentence, given: Stretch, guess: Stretch, probability: float, confidence: float
) -> Suspect:
    borders = [[(span.start, span.end) for span in stretch.spans] for stretch in (given, guess)]
    kind: Kind = "border"
    if not given.spans or not guess.spans:
        kind = "no entity" if given.spans else "missed"
    elif borders[0] == borders[1]:
        kind = "label"
    return Suspect(
        sentence=index,
        source=sentence.source or f"sentence {index + 1}",
        start=given.start,
        end=given.end,
        text=sentence.span_text(Span(given.start, given.end, "")),
        given=_words(sentence, given),
        suggestion=_words(sentence, guess),
        spans=guess.spans,
        kind=kind,
        suspicion=1.0 - probability,
        confidence=confidence,
    )


def _words(sentence: Sentence, stretch: Stretch) -> str:
    return ", ".join(f"{sentence.span_text(span)} [{span.label}]" for span in stretch.spans) or "O"


def to_json(found: Sequence[Suspect]) -> list[dict[str, Any]]:
    """JSON-ready rows, probabilities rounded to four places."""
    return [
        {**asdict(one), "suspicion": round(one.suspicion, 4), "confidence": round(one.confidence, 4)} for one in found
    ]


def render(found: Sequence[Suspect], limit: int) -> str:
    """A table for the terminal, at most `limit` rows (0: all): file:line, what stands there, what else, how sure."""
    if not found:
        return "nothing looks wrong"
    shown = found if limit == 0 else found[:limit]
    width = max(len(one.source) for one in shown)
    lines = [
        f"{one.source:{width}}  {one.suspicion:4.0%} {one.kind:9}  {one.given}  ->  {one.suggestion}" for one in shown
    ]
    if len(shown) < len(found):
        lines.append(f"... and {len(found) - len(shown):,} more (--limit 0 shows all)")
    return "\n".join(lines)
