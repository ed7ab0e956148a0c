"""Sentence, the one currency: readers make them, taggers return new ones, everything else consumes them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from onomast.drawing import marked_html
from onomast.errors import DataError
from onomast.tags import Span, Tag, spans_of

__all__ = ["Sentence", "Span", "Trigger"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """Words from which a reader can tell what an entity is (Lin et al. 2020): `said` in `Amina said`."""

    entity: tuple[int, int]
    """First token of the entity and the one after its last; its label is that of the sentence's tags."""
    tokens: tuple[int, ...]
    """Indices of the trigger's tokens, ascending; they need not be neighbours."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """T tokens and what is known of them. Immutable; every sequence is a tuple.

    Raises DataError when a per-token field has another length than `tokens`.
    """

    tokens: tuple[str, ...]
    tags: tuple[Tag, ...] | None = None
    """Entity tags, always IOB2; `None` for one token: not annotated (which is not `O`); `None` for all: no labels."""
    pos: tuple[str, ...] | None = None
    """Part-of-speech tag of each token."""
    label: str | None = None
    """Category of the whole sentence."""
    language: str | None = None
    confidence: tuple[float, ...] | None = None
    """Probability of each tag, in [0, 1], when a tagger set it."""
    offsets: tuple[tuple[int, int], ...] | None = None
    """Start and end (exclusive) of each token in the ORIGINAL text, in characters (Unicode code points)."""
    text: str | None = None
    """The part of the original text that this sentence covers, where it is known."""
    text_start: int = 0
    """Where `text` begins in the original text: `original[text_start + i] == text[i]`."""
    source: str | None = None
    """`file:line` of the first token."""
    unannotated: tuple[str, ...] = ()
    """Entity labels that this annotation leaves out: where it says `O` there may be an entity of one of them."""
    triggers: tuple[Trigger, ...] = ()
    """What explains the entities, where an annotator marked it."""

    def __post_init__(self) -> None:
        for name in ("tags", "pos", "confidence", "offsets"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.tokens):
                raise DataError(f"a sentence of {len(self.tokens)} tokens has {len(values)} {name}", path=self.source)
        for trigger in self.triggers:
            if not trigger.tokens or not 0 <= min(trigger.tokens) <= max(trigger.tokens) < len(self.tokens):
                raise DataError(f"{trigger} does not fit a sentence of {len(self.tokens)} tokens", path=self.source)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def spans(self) -> list[Span]:
        """The entities, in order. Empty when there are none or no tags."""
        return [] if self.tags is None else spans_of(self.tags)

    def span_text(self, span: Span) -> str:
        """What the entity looks like: the original text where it is known, else the tokens joined by spaces."""
        if self.offsets is not None and self.text is not None:
            start, end = self.offsets[span.start][0], self.offsets[span.end - 1][1]
            return self.text[start - self.text_start : end - self.text_start]
        return " ".join(self.tokens[span.start : span.end])

    def span_confidence(self, span: Span) -> float | None:
        """The smallest tag probability in the entity: no less than the probability of the entity as a whole."""
        return None if self.confidence is None else min(self.confidence[span.start : span.end])

    def tagged(self, tags: Sequence[Tag], confidence: Sequence[float] | None = None) -> Sentence:
        """A copy with these IOB2 tags, of all labels."""
        sure = None if confidence is None else tuple(confidence)
        return dataclasses.replace(self, tags=tuple(tags), confidence=sure, unannotated=(), triggers=())

    def bare(self) -> Sentence:
        """A copy without what a tagger must not see: tags, label, confidence, triggers. POS stays, as an input."""
        return dataclasses.replace(self, tags=None, label=None, confidence=None, unannotated=(), triggers=())

    def _repr_html_(self) -> str:
        """The sentence with its entities in colour, for notebooks."""
        text, places = self.placed_tokens()
        marks = (
            (places[span.start][0], places[span.end - 1][1], span.label, self.span_confidence(span))
            for span in self.spans
        )
        return marked_html(text, marks)

    def placed_tokens(self) -> tuple[str, list[tuple[int, int]]]:
        """The text and the place of each token in it; tokens joined by spaces where the original is not known."""
        if self.offsets is not None and self.text is not None:
            return self.text, [(start - self.text_start, end - self.text_start) for start, end in self.offsets]
        ends = list(itertools.accumulate(len(token) + 1 for token in self.tokens))
        places = [(end - 1 - len(token), end - 1) for token, end in zip(self.tokens, ends, strict=True)]
        return " ".join(self.tokens), places
