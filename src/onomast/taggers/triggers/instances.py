"""What the Trigger Matching Network learns from: sentences with one trigger each, and random triggers as a control."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.recipe import Recipe
from onomast.sentence import Sentence, Trigger


@dataclass(frozen=True)
class Instance:
    """A sentence, one trigger, and the label of the entity that it explains."""

    sentence: Sentence
    """With this trigger alone."""
    label: str

    @property
    def text(self) -> tuple[str, ...]:
        """The words of the trigger."""
        return tuple(self.sentence.tokens[index] for index in self.sentence.triggers[0].tokens)


def instances_of(recipe: Recipe, corpus: Corpus) -> list[Instance]:
    """One for each trigger of the training sentences whose entity is among the tags, in the order of the sentences.

    Raises DataError if there are none.
    """
    instances = []
    for sentence in corpus.train:
        labels = {(span.start, span.end): span.label for span in sentence.spans}
        for trigger in sentence.triggers:
            if trigger.entity in labels:
                instances.append(Instance(replace(sentence, triggers=(trigger,)), labels[trigger.entity]))
    if not instances:
        raise DataError(
            f"recipe {recipe.name} learns from entity triggers, but the training sentences carry none; give a file "
            "with triggers (format `triggers`), or take another recipe",
            path=corpus.name,
        )
    return instances


def once_for_each_trigger(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Each sentence as often as it has triggers, each time with one of them; once where it has none."""
    repeated: list[Sentence] = []
    for sentence in sentences:
        repeated += [replace(sentence, triggers=(trigger,)) for trigger in sentence.triggers] or [sentence]
    return repeated


def with_random_triggers(corpus: Corpus, seed: int) -> Corpus:
    """The corpus with every training trigger moved to a random place of its sentence, outside its entity.

    The tokens of a trigger keep their distances if there is such a place; otherwise they are any tokens outside the
    entity, or of the whole sentence where there are too few.
    """
    rng = random.Random(seed)
    train = tuple(
        replace(sentence, triggers=tuple(_moved(trigger, len(sentence), rng) for trigger in sentence.triggers))
        for sentence in corpus.train
    )
    return replace(corpus, train=train)


def _moved(trigger: Trigger, length: int, rng: random.Random) -> Trigger:
    inside = set(range(*trigger.entity))
    first, last = trigger.tokens[0], trigger.tokens[-1]
    places = [[index - first + start for index in trigger.tokens] for start in range(length - (last - first))]
    places = [place for place in places if not inside & set(place)]
    if places:
        return replace(trigger, tokens=tuple(rng.choice(places)))
    outside = [index for index in range(length) if index not in inside]
    chosen = outside if len(outside) >= len(trigger.tokens) else list(range(length))
    return replace(trigger, tokens=tuple(sorted(rng.sample(chosen, len(trigger.tokens)))))
