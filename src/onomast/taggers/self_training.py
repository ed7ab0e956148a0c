"""Self-training: a tagger tags raw sentences, and its confident predictions train the next tagger.

Every tagger's `fit` calls it where the recipe has rounds of self-training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from onomast.corpus import Corpus
from onomast.errors import RecipeError
from onomast.recipe import Recipe, SelfTraining
from onomast.sentence import Sentence
from onomast.tagger import History, Tagger
from onomast.taggers.word_list_baseline import entity_f1
from onomast.tags import Tag, tags_of

NAME = "raw text"  # of the source that the tagged sentences form


T = TypeVar("T", bound=Tagger)


@dataclass(frozen=True)
class _Round(Generic[T]):
    tagger: T
    history: History
    f1: float | None
    """On the dev sentences, if there are any."""


def self_train(
    recipe: Recipe, corpus: Corpus, new_tagger: Callable[[Recipe], T], checkpoints: Path | None = None
) -> tuple[T, History]:
    """Fit, tag `corpus.raw`, and fit again with the confident predictions as a source, as the recipe says.

    With dev sentences it stops at the first round that does not raise dev F1, and the best round's tagger is returned;
    without them, the last one. What was tagged is a source of its own (`raw text`), in the target's language, and
    counts as [sources] says. Each round has its own folder of checkpoints. Raises RecipeError without raw sentences.
    """
    settings = recipe.self_training
    if not corpus.raw:
        raise RecipeError(
            "needs raw text; give --raw FILE, or in Python a Corpus with `raw` sentences", key="self_training.rounds"
        )
    raw = _without(corpus.raw, (*corpus.train, *corpus.dev, *corpus.test))[: settings.sentences]
    recipe = replace(recipe, self_training=SelfTraining())  # each round is one ordinary training
    corpus = replace(corpus, raw=())

    def fit(certain: Sequence[Sentence], number: int) -> _Round[T]:
        folder = checkpoints / f"round-{number}" if checkpoints else None
        return _fit(new_tagger(recipe), _with_source(corpus, certain), folder, number)

    best = fit((), 0)
    rows, notes, seconds = list(best.history.epochs), list(best.history.notes), best.history.seconds
    last = best
    for number in range(1, settings.rounds + 1):
        certain = certain_of(last.tagger.tag(raw), settings.confidence)
        if not certain:
            notes.append(f"self-training stopped: no entity in {len(raw):,} raw sentences was certain enough")
            break
        last = fit(certain, number)
        rows += last.history.epochs
        seconds += last.history.seconds
        notes += [*last.history.notes, _note(number, raw, certain, last, best)]
        if last.f1 is not None and best.f1 is not None and last.f1 <= best.f1:
            break
        best = last
    return best.tagger, History(seconds, tuple(rows), tuple(notes))


def sampled(sentences: Iterable[Sentence], settings: SelfTraining, seed: int) -> tuple[Sentence, ...]:
    """A seeded sample for `Corpus.raw`: twice what is asked for, as some sentences may be left out later."""
    generator = random.Random(seed)
    kept: list[Sentence] = []
    wanted = 2 * settings.sentences
    for number, sentence in enumerate(sentences, 1):
        if len(kept) < wanted:
            kept.append(sentence)
        elif (place := generator.randrange(number)) < wanted:
            kept[place] = sentence
    generator.shuffle(kept)
    return tuple(kept)


def certain_of(tagged: Sequence[Sentence], confidence: float) -> list[Sentence]:
    """Sentences with an entity that is certain: every token of it has this confidence or more.

    Other entities, and tokens outside whose tag is less certain, count as not annotated (`None`), never as `O`.
    Sentences without a certain entity are left out: they would teach that nothing is an entity.
    """
    kept = []
    for sentence in tagged:
        sure = [probability >= confidence for probability in sentence.confidence or ()]
        certain = [span for span in sentence.spans if all(sure[span.start : span.end])]
        if not certain:
            continue
        tags: list[Tag] = list(tags_of(certain, len(sentence)))
        inside = {index for span in certain for index in range(span.start, span.end)}
        unsure = {index for span in sentence.spans for index in range(span.start, span.end)} - inside
        for index in range(len(sentence)):
            if index in unsure or (index not in inside and not sure[index]):
                tags[index] = None
        kept.append(sentence.tagged(tags))
    return kept


def _with_source(corpus: Corpus, certain: Sequence[Sentence]) -> Corpus:
    """The corpus with the confidently tagged sentences as one more source, in the target's language."""
    if not certain:
        return corpus
    language = next((sentence.language for sentence in corpus.train), None)
    source = Corpus(NAME, tuple(replace(sentence, language=language) for sentence in certain))
    return replace(corpus, sources=(*corpus.sources, source))


def _fit(tagger: T, corpus: Corpus, checkpoints: Path | None, number: int) -> _Round[T]:
    history = tagger.fit(corpus, checkpoints=checkpoints)
    rows = tuple({"round": number, **row} for row in history.epochs)
    predicted = tagger.tag([sentence.bare() for sentence in corpus.dev])
    f1 = entity_f1(corpus.dev, predicted) if corpus.dev else None
    return _Round(tagger, replace(history, epochs=rows), f1)


def _note(number: int, raw: Sequence[Sentence], certain: Sequence[Sentence], now: _Round[T], before: _Round[T]) -> str:
    entities = sum(len(sentence.spans) for sentence in certain)
    open_ = sum((sentence.tags or ()).count(None) for sentence in certain) / sum(map(len, certain))
    figures = "" if now.f1 is None or before.f1 is None else f"; dev F1 {before.f1:.3f} -> {now.f1:.3f}"
    return (
        f"self-training round {number}: {len(certain):,} of {len(raw):,} raw sentences with {entities:,} certain "
        f"entities, {open_:.0%} of their tokens not annotated{figures}"
    )


def _without(raw: Sequence[Sentence], known: Sequence[Sentence]) -> list[Sentence]:
    """Raw sentences that are none of the known ones, however they were cut into tokens."""
    seen = {"".join(sentence.tokens) for sentence in known}
    return [sentence for sentence in raw if len(sentence) and "".join(sentence.tokens) not in seen]
