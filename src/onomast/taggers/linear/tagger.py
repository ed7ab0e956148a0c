"""LinearTagger: a CRF on hand-made features, trained by CRFsuite in seconds, for 100 labelled sentences and up.

Tagging does not use CRFsuite: the scores of a word, at each position of the window, are added up once, and the best
legal paths of many sentences are found together.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from onomast.corpus import Corpus
from onomast.data.transliteration.scripts import converted, converted_corpus, require_script, restored
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.files import atomic_path
from onomast.recipe import Recipe, read_saved_recipe, to_toml
from onomast.sentence import Sentence
from onomast.tagger import History
from onomast.taggers.linear.crfsuite import Instance, Item, new_trainer, read_model, train
from onomast.taggers.linear.emissions import TokenScores
from onomast.taggers.linear.features import FeatureExtractor
from onomast.taggers.linear.gazetteers import Resources
from onomast.taggers.linear.vector_features import (
    VECTORS,
    NamedValues,
    VectorFeatures,
    learn_vector_features,
    load_vector_features,
    uses_vectors,
)
from onomast.taggers.linear.viterbi import ViterbiDecoder
from onomast.taggers.model_folder import seal, unseal
from onomast.taggers.self_training import self_train
from onomast.taggers.training_corpus import augmented, repeated, with_sources
from onomast.tags import OUTSIDE, Style, Tag, TagScheme, split_tag

_STYLES = ("iob2", "iobes", "bilou", "bmeso")
_MODEL = "model.crfsuite"
_CHUNK_TOKENS = 16_384  # tokens scored at once
_BATCH_NUMBERS = 100_000  # tokens times tags decoded at once: they fit a processor's cache
_TRAINING_WORDS = 50_000  # words whose feature strings are remembered in training


@dataclasses.dataclass(frozen=True)
class ChainScores:
    """The scores of a trained CRF for N sentences."""

    tags: tuple[str, ...]
    """The K tags, in `style`."""
    style: Style
    decoder: ViterbiDecoder
    """Transitions, and which of them are legal."""
    scores: list[npt.NDArray[np.float64]]
    """(T, K) of each sentence."""


class LinearTagger:
    """A linear-chain CRF on the features of the recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._model: _Model | None = None

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags. Raises OnomastError before `fit` or `load`."""
        return self._fitted().scheme

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> History:
        """Learn from `corpus.train` and the sources' sentences, some repeated as [sources] of the recipe says.

        Dev sentences and checkpoints are not needed.

        A sentence annotated in part gives its annotated stretches, each as a sequence of its own whose features see
        the whole sentence (CRFsuite cannot sum over unknown tags). Raises DataError for a sentence without any tag,
        RecipeError for parameters or word lists that cannot be used.
        """
        if self.recipe.self_training.rounds:
            tagger, history = self_train(self.recipe, corpus, type(self), checkpoints)
            self._model = tagger._model
            return history
        began = time.perf_counter()
        if self.recipe.scheme not in _STYLES:
            raise RecipeError(f"{self.recipe.scheme!r} is not possible; known: {', '.join(_STYLES)}", key="scheme")
        new_trainer(self.recipe.linear)  # complains before any work is done
        corpus = with_sources(corpus, self.recipe)
        corpus, skipped = _annotated_sentences(corpus)
        corpus = converted_corpus(augmented(corpus, self.recipe), self.recipe.script)
        sentences = repeated(corpus, self.recipe.sources)
        scheme = TagScheme(corpus.labels, self.recipe.scheme)
        features = self.recipe.linear.features
        resources = Resources.read(features)
        words = _words(sentences) if uses_vectors(features) else []
        vectors = learn_vector_features(features, words, self.recipe.seed)
        extractor = _extractor(self.recipe, resources, vectors)
        data, rows = train(_instances(sentences, scheme, extractor), self.recipe.linear, self.recipe.seed)
        self._model = _Model(scheme, resources, extractor, data)
        notes = [*skipped, *_notes(corpus), *(vectors.notes(words) if vectors is not None else ())]
        return History(time.perf_counter() - began, tuple(rows), tuple(notes))

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """New sentences with the best legal tags; `confidence` is each tag's probability among all legal sequences."""
        model = self._fitted()
        seen = converted(sentences, self.recipe.script)
        return restored((tagged for chunk in _chunks(seen) for tagged in model.tag(chunk)), sentences)

    def chain_scores(self, sentences: Sequence[Sentence]) -> ChainScores:
        """The scores of every tag of every token, and what turns them into probabilities (see `taggers/posteriors.py`).

        Raises OnomastError before `fit` or `load`.
        """
        model = self._fitted()
        seen = converted(sentences, self.recipe.script)
        scores = [part for chunk in _chunks(seen) for part in model.scores(chunk)]
        return ChainScores(model.tags, model.scheme.style, model.decoder, scores)

    def save(self, folder: Path) -> None:
        """Write `model.crfsuite`, lists, vectors, `recipe.toml`, and `tags.json` with the checksums of them all."""
        model = self._fitted()
        folder = Path(folder)
        recipe = to_toml(_with_features_in(self.recipe, model.resources, None)).encode()
        vectors = {} if model.vectors is None else model.vectors.files()
        contents = {_MODEL: model.data, **model.resources.files(), **vectors, "recipe.toml": recipe}
        for name, content in contents.items():
            with atomic_path(folder / name) as path:
                path.write_bytes(content)
        seal(folder, {"style": model.scheme.style, "labels": model.scheme.labels}, contents)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved tagger. Raises ModelError."""
        folder = Path(folder)
        described = unseal(folder, (_MODEL, "recipe.toml"))
        contents = {name: (folder / name).read_bytes() for name in described["sha256"]}
        try:
            scheme = TagScheme(tuple(described["labels"]), described["style"])
            recipe = read_saved_recipe(folder / "recipe.toml")
            require_script(recipe.script)
            features = recipe.linear.features
            lists = {Path(name).stem: contents[name] for name in features.lists}
            resources = Resources(lists, None if features.clusters is None else contents[features.clusters])
            tagger = cls(_with_features_in(recipe, resources, folder))
            extractor = _extractor(recipe, resources, load_vector_features(features, contents))
            tagger._model = _Model(scheme, resources, extractor, contents[_MODEL])
        except (OnomastError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"it cannot be used: {error}; save it again, or train again", folder=folder) from None
        return tagger

    def _fitted(self) -> _Model:
        if self._model is None:
            raise OnomastError(f"the tagger {self.recipe.name!r} knows nothing yet; call fit(corpus) or load(folder)")
        return self._model


class _Model:
    """A trained CRF and all that tagging needs."""

    def __init__(self, scheme: TagScheme, resources: Resources, extractor: FeatureExtractor, data: bytes) -> None:
        self.scheme = scheme
        self.resources = resources
        self.vectors = extractor.vectors
        self.data = data
        weights = read_model(data)
        if unknown := set(weights.tags) - set(scheme.tags):
            raise ValueError(f"{_MODEL} has tags that tags.json has not: {', '.join(sorted(unknown))}")
        if OUTSIDE not in weights.tags:  # as every sentence has a legal path: that of no entity
            tags = (*weights.tags, OUTSIDE)
            weights = dataclasses.replace(weights, tags=tags, transitions=np.pad(weights.transitions, (0, 1)))
        self.tags = weights.tags
        self._scores = TokenScores(weights, extractor)
        self._lock = threading.Lock()  # the scores remember words
        # Other tags that training never showed have no weights; they are left out rather than scored 0.
        ids = np.array([scheme.ids[tag] for tag in weights.tags])
        self.decoder = ViterbiDecoder(
            weights.transitions, scheme.transitions[np.ix_(ids, ids)], scheme.starts[ids], scheme.ends[ids]
        )
        self._iob2 = np.array([_iob2_of(scheme, index) for index in ids.tolist()], dtype=object)

    def scores(self, sentences: Sequence[Sentence]) -> list[npt.NDArray[np.float64]]:
        with self._lock:
            scores = self._scores(sentences)
        return np.split(scores, np.cumsum([len(sentence) for sentence in sentences])[:-1])

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        with self._lock:
            scores = self._scores(sentences)
        lengths = np.array([len(sentence) for sentence in sentences])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        made: list[Sentence | None] = [None] * len(sentences)
        for batch in _batches(lengths, scores.shape[1]):
            size, longest = lengths[batch], int(lengths[batch[0]])
            places = np.minimum(starts[batch] + np.arange(longest)[:, None], len(scores) - 1)  # (T, B)
            path, confidence = self.decoder.decode(scores[places], size)
            tags, sure = self._iob2[path].T.tolist(), confidence.T.tolist()
            for index, end, new_tags, probabilities in zip(batch.tolist(), size.tolist(), tags, sure, strict=True):
                made[index] = sentences[index].tagged(new_tags[:end], probabilities[:end])
        return [sentence.tagged((), ()) if new is None else new for sentence, new in zip(sentences, made, strict=True)]


def _chunks(sentences: Sequence[Sentence]) -> Iterator[Sequence[Sentence]]:
    """Sentences in order, in groups of a bounded number of tokens (or one long sentence)."""
    start, tokens = 0, 0
    for index, sentence in enumerate(sentences):
        if tokens and tokens + len(sentence) > _CHUNK_TOKENS:
            yield sentences[start:index]
            start, tokens = index, 0
        tokens += len(sentence)
    if start < len(sentences):
        yield sentences[start:]


def _batches(lengths: npt.NDArray[np.int64], tags: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of the sentences that have tokens, the longest first, in batches of a bounded size once padded."""
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        size = max(1, _BATCH_NUMBERS // (int(lengths[order[start]]) * tags))
        yield order[start : start + size]
        start += size


def _instances(sentences: Sequence[Sentence], scheme: TagScheme, extractor: FeatureExtractor) -> Iterator[Instance]:
    """Features and tags of every annotated stretch of every sentence."""
    of_word = lru_cache(_TRAINING_WORDS)(extractor.of_word)
    window = list(enumerate(extractor.window))
    reach = max((abs(position) for position in extractor.window), default=0)
    outside: list[str | None] = [None] * reach
    values = None if extractor.vectors is None else NamedValues(extractor.vectors, _words(sentences))
    for sentence in sentences:
        words = [of_word(token) for token in (*outside, *sentence.tokens, *outside)]
        found = extractor.of_sentence(sentence)
        for index, names in enumerate(found, start=reach):
            for column, position in window:
                names += words[index + position][column]
        features: Sequence[Item] = found
        if values is not None:
            features = [
                {**Counter(names), **values.of_token(sentence.tokens, index)} for index, names in enumerate(found)
            ]
        ids = scheme.encode(_opened(sentence.tags or ()))
        for start, end in _annotated(sentence.tags or ()):
            yield features[start:end], [scheme.tags[index] for index in ids[start:end]]


def _words(sentences: Sequence[Sentence]) -> list[str]:
    """Every word once, in order."""
    return list(dict.fromkeys(token for sentence in sentences for token in sentence.tokens))


def _opened(tags: Sequence[Tag]) -> list[Tag]:
    """Tags in which an entity that goes on after an unannotated token begins there, so that its `I-` stays one."""
    opened = list(tags)
    for index, tag in enumerate(tags[1:]):
        if tags[index] is None and tag is not None and tag.startswith("I-"):
            opened[index] = f"B-{split_tag(tag)[1]}"
    return opened


def _annotated(tags: Sequence[Tag]) -> Iterator[tuple[int, int]]:
    """Start and end of each longest stretch of tokens with a tag."""
    start = 0
    for index, tag in enumerate((*tags, None)):
        if tag is None:
            if index > start:
                yield start, index
            start = index + 1


def _annotated_sentences(corpus: Corpus) -> tuple[Corpus, list[str]]:
    """The corpus without the target's sentences that carry no tag at all, and a note on how many they are.

    Raises DataError where no sentence is left, of the target or of the sources.
    """
    kept = tuple(sentence for sentence in corpus.train if not len(sentence) or any(sentence.tags or ()))
    skipped = len(corpus.train) - len(kept)
    if not any(map(len, kept)) and not any(source.train for source in corpus.sources):
        found = "no sentence has tags" if skipped else "there are no training sentences"
        first = next((sentence.source for sentence in corpus.train if sentence.source), None)
        raise DataError(
            f"{found}, and a linear tagger learns from nothing else; expected a column of tags",
            path=first or corpus.name,
        )
    notes = [f"{skipped:,} sentences without any tag were left out"] if skipped else []
    return dataclasses.replace(corpus, train=kept), notes


def _everything(corpus: Corpus) -> tuple[Sentence, ...]:
    """Training sentences of target and sources, once each."""
    return (*corpus.train, *(sentence for source in corpus.sources for sentence in source.train))


def _notes(corpus: Corpus) -> Iterator[str]:
    everything = _everything(corpus)
    missing = [(sentence.tags or ()).count(None) for sentence in everything]
    if any(missing):
        yield (
            f"{sum(missing)} tokens of {sum(map(bool, missing))} sentences are not annotated; "
            "only the annotated stretches between them were learnt from"
        )
    if labels := sorted({label for sentence in everything for label in sentence.unannotated}):
        yield (
            f"{sum(bool(sentence.unannotated) for sentence in everything)} sentences do not annotate "
            f"{', '.join(labels)}; a linear tagger cannot learn that an O is uncertain, so there it stays O "
            "(neural recipes with a CRF can)"
        )
    if not corpus.labels:
        yield "the training sentences hold no entity, so the tagger will never find one"


def _extractor(recipe: Recipe, resources: Resources, vectors: VectorFeatures | None) -> FeatureExtractor:
    lists, clusters = resources.word_lists(recipe.script), resources.cluster_of(recipe.script)
    return FeatureExtractor(recipe.linear.features, lists, clusters, vectors)


def _with_features_in(recipe: Recipe, resources: Resources, folder: Path | None) -> Recipe:
    """The recipe with its files named as in the model folder (None: relative to it)."""
    features = resources.located(recipe.linear.features, folder)
    if features.vectors is not None:
        features = dataclasses.replace(features, vectors=VECTORS if folder is None else str(folder / VECTORS))
    return dataclasses.replace(recipe, linear=dataclasses.replace(recipe.linear, features=features))


def _iob2_of(scheme: TagScheme, index: int) -> Tag:
    """What a tag of a legal sequence is in IOB2, wherever it stands."""
    before = int(scheme.transitions[:, index].argmax())
    return scheme.decode([before, index])[1]
