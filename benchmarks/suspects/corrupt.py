"""Corrupt a share of the entities of a file, and keep a list of where: a wrong label, a moved border, none at all."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass

from onomast import Sentence, Span
from onomast.tags import tags_of

KINDS = ("label", "border", "missed")


@dataclass(frozen=True)
class Corruption:
    """Tokens `start` to `end` of a sentence: the entity as it was and as it is now."""

    sentence: int
    start: int
    end: int
    kind: str


def corrupt(sentences: Sequence[Sentence], share: float, seed: int) -> tuple[list[Sentence], list[Corruption]]:
    """`share` of all entities, drawn without replacement, a kind drawn for each; what cannot be done is drawn again."""
    draw = random.Random(seed)
    labels = sorted({span.label for sentence in sentences for span in sentence.spans})
    places = [(index, number) for index, one in enumerate(sentences) for number in range(len(one.spans))]
    draw.shuffle(places)
    wanted = round(share * len(places))
    spans = [list(sentence.spans) for sentence in sentences]
    removed: dict[int, list[Span]] = {}
    done: list[Corruption] = []
    for index, number in places:
        if len(done) == wanted:
            break
        kind, old = draw.choice(KINDS), spans[index][number]
        new = _changed(kind, old, spans[index], len(sentences[index]), labels, draw)
        if new is None and kind != "missed":
            continue
        if new is None:
            removed.setdefault(index, []).append(old)
        else:
            spans[index][number] = new
        around = [old, new or old]
        done.append(Corruption(index, min(s.start for s in around), max(s.end for s in around), kind))
    made = []
    for index, sentence in enumerate(sentences):
        kept = [span for span in spans[index] if span not in removed.get(index, [])]
        made.append(dataclasses.replace(sentence, tags=tags_of(kept, len(sentence))))
    return made, done


def _changed(
    kind: str, old: Span, spans: Sequence[Span], length: int, labels: Sequence[str], draw: random.Random
) -> Span | None:
    """The span with another label, or one border moved by one token and free of all others; None: not possible."""
    if kind == "label":
        return (
            Span(old.start, old.end, draw.choice([one for one in labels if one != old.label]))
            if len(labels) > 1
            else None
        )
    if kind == "missed":
        return None
    moves = [(old.start - 1, old.end), (old.start + 1, old.end), (old.start, old.end - 1), (old.start, old.end + 1)]
    free = [
        (start, end)
        for start, end in moves
        if 0 <= start < end <= length
        and all(end <= other.start or other.end <= start for other in spans if other != old)
    ]
    return Span(*draw.choice(free), old.label) if free else None
