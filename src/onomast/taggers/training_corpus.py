"""Which sources teach along, with how many of their sentences, and how often each counts for a tagger without batches.

The neural tagger's batches and stages of sources are in `transfer.py`; here is no torch.
"""

from __future__ import annotations

from dataclasses import replace

from onomast.corpus import Corpus
from onomast.data.augment import augment
from onomast.data.transfer.label_alignment import align
from onomast.data.transfer.ranking import choose
from onomast.errors import RecipeError, nearest
from onomast.recipe import Recipe, Sources
from onomast.sentence import Sentence


def with_sources(corpus: Corpus, recipe: Recipe) -> Corpus:
    """The corpus with its sources as the recipe wants them: in the target's label set (`data.labels.align`), sampled,
    chosen, each with a language of its own name.

    Label sets are those of whole sources: a label that is missing from a sample is no label that was not annotated.
    Raises RecipeError for a weight of a source that is not there, DataError for labels that do not fit together.
    """
    settings = recipe.sources
    names = [source.name for source in corpus.sources]
    for name in settings.weights:
        if names and name not in names:
            raise RecipeError(f"there is no such source; {nearest(name, names)}", key=f"sources.weights.{name}")
    if not corpus.sources:
        return corpus
    corpus = align(corpus, corpus.sources, recipe.labels).corpus
    kept: list[Corpus] = []
    for source in corpus.sources:
        if settings.weights.get(source.name, 1.0) <= 0:
            continue
        if 0 < settings.limit < len(source.train):
            source = source.sample(settings.limit, recipe.seed)
        train = tuple(
            sentence if sentence.language else replace(sentence, language=source.name)
            for sentence in source.train
            if len(sentence)
        )
        kept.append(replace(source, train=train))
    if 0 < settings.choose < len(kept):
        kept = list(choose(corpus, kept, settings.choose))
    if settings.missing == "outside":
        kept = [
            replace(source, train=tuple(replace(sentence, unannotated=()) for sentence in source.train))
            for source in kept
        ]
    return replace(corpus, sources=tuple(kept))


def augmented(corpus: Corpus, recipe: Recipe, untagged: tuple[Sentence, ...] = ()) -> Corpus:
    """The corpus with what [augment] of the recipe makes of its training sentences and of `untagged` ones.

    Dev sentences must be set aside before: copies of them would teach. Raises RecipeError.
    """
    if recipe.augment.lists and recipe.script:
        raise RecipeError("cannot be had with `script`; leave out one of them", key="augment.lists")
    made = augment(replace(corpus, train=(*corpus.train, *untagged)), recipe.augment, recipe.seed)
    first = len(corpus.train)
    return replace(corpus, train=(*corpus.train, *made.train[first + len(untagged) :]))


def repeated(corpus: Corpus, settings: Sources) -> list[Sentence]:
    """Training sentences of target and sources, those that count more several times.

    The target counts 1, a source mu times its weight; whatever counts least stands there once, the others so much more
    often, rounded. With mu 0 the sources are left out. Raises RecipeError for a mu below 0, and where mu or the
    weights leave nothing.
    """
    if settings.mu < 0:
        raise RecipeError(f"is {settings.mu}; expected 0 (without sources) or more", key="sources.mu")
    parts = [(1.0, corpus.train)]
    parts += [(settings.mu * settings.weights.get(source.name, 1.0), source.train) for source in corpus.sources]
    parts = [(weight, sentences) for weight, sentences in parts if weight > 0 and sentences]
    if not parts:
        raise RecipeError("leaves out all that there is to learn from; expected more than 0", key="sources.mu")
    least = min(weight for weight, _ in parts)
    return [sentence for weight, sentences in parts for sentence in sentences * round(weight / least)]
