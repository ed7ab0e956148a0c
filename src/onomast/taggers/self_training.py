"""Self-training: a tagger tags raw sentences, and what it is sure of teaches the next one. Any tagger will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onomast.corpus import Corpus
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.tagger import History, Tagger
from onomast.taggers.registry import new_tagger
from onomast.taggers.word_list_baseline import entity_f1
from onomast.tags import Tag, tags_of

NAME = "raw text"  # of the source that the tagged sentences form


@dataclass(frozen=True)
class _Round:
    tagger: Tagger
    history: History
    f1: float | None
    """On the dev sentences, if there are any."""


def self_train(
    recipe: Recipe, corpus: Corpus, raw: Sequence[Sentence], *, checkpoints: Path | None = None
) -> tuple[Tagger, History]:
    """Fit, tag `raw`, fit again with what is certain beside the corpus, as often as [self_training] of the recipe says.

    With dev sentences it stops at the first round that does not raise dev F1, and the best round's tagger is returned;
    without them, the last one. What was tagged is a source of its own (`raw text`), in the target's language, and
    counts as [sources] says. Each round has its own folder of checkpoints.
    """
    settings = recipe.self_training
    raw = _without(raw, (*corpus.train, *corpus.dev, *corpus.test))[: settings.sentences]
    best = _fit(recipe, corpus, (), checkpoints, 0)
    rows, notes, seconds = list(best.history.epochs), list(best.history.notes), best.history.seconds
    last = best
    for number in range(1, settings.rounds + 1):
        certain = certain_of(last.tagger.tag(raw), settings.confidence)
        if not certain:
            notes.append(f"self-training stopped: no entity in {len(raw):,} raw sentences was certain enough")
            break
        last = _fit(recipe, corpus, certain, checkpoints, number)
        rows += last.history.epochs
        seconds += last.history.seconds
        notes += [*last.history.notes, _note(number, raw, certain, last, best)]
        if last.f1 is not None and best.f1 is not None and last.f1 <= best.f1:
            break
        best = last
    return best.tagger, History(seconds, tuple(rows), tuple(notes))


def certain_of(tagged: Sequence[Sentence], confidence: float) -> list[Sentence]:
    """Sentences with an entity that is certain: every token of it has this confidence or more.

    Other entities, and tokens outside whose tag is less certain, count as not annotated (`None`), never as `O`.
    Sentences without a certain entity are left out: they would teach that nothing is an entity.
    """
    made = []
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
        made.append(sentence.tagged(tags))
    return made


def _fit(recipe: Recipe, corpus: Corpus, certain: Sequence[Sentence], checkpoints: Path | None, number: int) -> _Round:
    if certain:
        language = next((sentence.language for sentence in corpus.train), None)
        taught = Corpus(NAME, tuple(replace(sentence, language=language) for sentence in certain))
        corpus = replace(corpus, sources=(*corpus.sources, taught))
    tagger = new_tagger(recipe)
    history = tagger.fit(corpus, checkpoints=checkpoints / f"round-{number}" if checkpoints else None)
    rows = tuple({"round": number, **row} for row in history.epochs)
    predicted = tagger.tag([sentence.bare() for sentence in corpus.dev])
    f1 = entity_f1(corpus.dev, predicted) if corpus.dev else None
    return _Round(tagger, replace(history, epochs=rows), f1)


def _note(number: int, raw: Sequence[Sentence], certain: Sequence[Sentence], now: _Round, before: _Round) -> str:
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
