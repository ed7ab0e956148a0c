"""The training sentences of target and sources: selection, alignment of labels, weights; without torch.

The neural tagger's batches and stages of sources are in `source_batches.py`.
"""

from __future__ import annotations

from dataclasses import replace

from onomast.corpus import Corpus
from onomast.data.augment import augment
from onomast.data.transfer.label_alignment import align
from onomast.data.transfer.ranking import choose
from onomast.errors import DataError, RecipeError, nearest
from onomast.recipe import Recipe, Sources
from onomast.sentence import Sentence

_MANY_LABELS = 100  # from here on each needs several entities
_MENTIONS_OF_A_LABEL = 2
_MOST_LABELS = 1000


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
    require_possible_labels(corpus)
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


def require_possible_labels(corpus: Corpus) -> None:
    """Raise DataError for so many labels that the tag column must have been another one."""
    labels = corpus.labels
    if len(labels) <= _MANY_LABELS:
        return
    mentions = sum(len(sentence.spans) for sentence in corpus.train)
    if len(labels) > _MOST_LABELS or _MENTIONS_OF_A_LABEL * len(labels) > mentions:
        raise DataError(
            f"there are {len(labels):,} entity labels for {mentions:,} entities, such as {', '.join(labels[:5])}; "
            f"expected at most {_MOST_LABELS:,}, and {_MENTIONS_OF_A_LABEL} entities of each on average; check which "
            "column was read as tags (`onomast describe FILE`), and name the columns with --columns",
            path=corpus.name,
        )


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
