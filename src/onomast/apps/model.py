"""`Model`, a tagger as the Python API shows it: texts in, entities with offsets out."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from onomast.apps.bulk import tag_stream
from onomast.apps.inputs import Labelled
from onomast.apps.model_card import FILES, read_known
from onomast.data.raw_text import stream_text
from onomast.drawing import marked_html
from onomast.errors import OnomastError
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.registry import load_tagger

if TYPE_CHECKING:
    from onomast.evaluation.report import Report

Item = str | Sentence | Sequence[str]
"""A text (of any length), a sentence, or the tokens of one sentence."""
_GROUP = 64  # items tagged at once, where several are given


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a text: `text[start:end]`, in characters, with its label and confidence in [0, 1]."""

    text: str
    label: str
    start: int
    end: int
    confidence: float | None = None
    """The smallest tag probability in the entity; None for a tagger without probabilities."""


class Entities(list[Entity]):
    """The entities of one text, in order: a list that draws itself in a notebook."""

    def __init__(self, entities: Iterable[Entity], text: str) -> None:
        super().__init__(entities)
        self.text = text
        """The whole text that `start` and `end` count in; tokens given without a text are joined by spaces."""

    def _repr_html_(self) -> str:
        return marked_html(self.text, ((one.start, one.end, one.label, one.confidence) for one in self))


class Model:
    """A trained tagger; get one from `onomast.train` or `onomast.load`."""

    def __init__(self, tagger: Tagger, folder: Path, report: Report | None = None) -> None:
        self.tagger = tagger
        self.folder = folder
        """Where it is saved."""
        self.report = report
        """Scores on the test data it was trained with; None: there were none, or the model was loaded."""

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Load a saved model; see `onomast.load`."""
        return cls(load_tagger(folder), Path(folder))

    @property
    def recipe(self) -> Recipe:
        """The recipe it was trained by, with every change."""
        return self.tagger.recipe

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it predicts."""
        return tuple(self.tagger.scheme.labels)

    @overload
    def entities(  # type: ignore[overload-overlap]
        self, texts: str | Sentence, *, min_confidence: float = 0.0, segmenter: str = "unicode",
        language: str | None = None,
    ) -> Entities: ...  # fmt: skip
    @overload
    def entities(
        self, texts: Sequence[Item], *, min_confidence: float = 0.0, segmenter: str = "unicode",
        language: str | None = None,
    ) -> list[Entities]: ...  # fmt: skip
    @overload
    def entities(
        self, texts: Iterator[Item], *, min_confidence: float = 0.0, segmenter: str = "unicode",
        language: str | None = None,
    ) -> Iterator[Entities]: ...  # fmt: skip
    def entities(
        self, texts: Any, *, min_confidence: float = 0.0, segmenter: str = "unicode", language: str | None = None
    ) -> Any:
        """Find the entities of a text, of a list of texts, or of a stream of texts.

        Args:
            texts: one text of any length (cut into sentences and tokens here) gives its entities; a list gives a list,
                one element a text; a generator gives a generator, which reads up to 64 texts ahead. In place of a text
                there may be a `Sentence`, or in a list the tokens of a sentence (`[["Asha", "alirudi"]]`).
            min_confidence: leave out entities that are less probable than this, in [0, 1].
            segmenter: how texts are cut into tokens: a name, or the folder of a learned segmenter.
            language: of the texts (ISO 639-3), for models of several languages.

        Returns:
            `Entity(text, label, start, end, confidence)` objects, with `start` and `end` in characters of the text
            that was given: `text[start:end] == entity.text`.

        Raises:
            OnomastError: the segmenter is unknown, or `min_confidence` is not a probability.
        """
        if not 0 <= min_confidence <= 1:
            raise OnomastError(f"min_confidence is {min_confidence}; expected a probability between 0 and 1")
        if isinstance(texts, str | Sentence):
            return next(self._entities(iter([texts]), min_confidence, segmenter, language))
        results = self._entities(iter(texts), min_confidence, segmenter, language)
        return results if isinstance(texts, Iterator) else list(results)

    @overload
    def tag(self, sentences: Sequence[Sentence | Sequence[str]]) -> list[Sentence]: ...
    @overload
    def tag(self, sentences: Iterator[Sentence | Sequence[str]]) -> Iterator[Sentence]: ...
    def tag(self, sentences: Any) -> Any:
        """Tag sentences, or lists of tokens: new sentences with `tags` and `confidence`, in the same order.

        Labels that the sentences carry are not looked at. A list gives a list, a generator a generator.
        """
        if isinstance(sentences, str):
            raise OnomastError("tag takes sentences or lists of tokens; for a text call model.entities(text)")
        tagged = tag_stream(self.tagger, map(_as_sentence, sentences))
        return tagged if isinstance(sentences, Iterator) else list(tagged)

    def evaluate(self, test: Labelled, *, columns: str | None = None) -> Report:
        """Score the model on labelled data: a path, `sample:`, `data:`, sentences, or a table (see `onomast.train`).

        Raises DataError for data that cannot be read.
        """
        from onomast.apps.train import evaluate_tagger

        return evaluate_tagger(self.tagger, test, read_known(self.folder), columns=columns).report

    def save(self, folder: str | Path) -> None:
        """Save the model in another folder, with its model card and report; `onomast.load` reads it."""
        folder = Path(folder)
        self.tagger.save(folder)
        for name in FILES:
            if (self.folder / name).is_file() and self.folder.resolve() != folder.resolve():
                shutil.copyfile(self.folder / name, folder / name)

    def __repr__(self) -> str:
        return f"<onomast.Model {self.folder}: recipe {self.recipe.name}, labels {', '.join(self.labels)}>"

    def _entities(
        self, texts: Iterator[Item], min_confidence: float, segmenter: str, language: str | None
    ) -> Iterator[Entities]:
        while group := list(itertools.islice(texts, _GROUP)):
            whole, cut = [], []
            for item in group:
                if isinstance(item, str):
                    whole.append(item)
                    cut.append(list(stream_text([item], segmenter=segmenter, language=language)))
                else:
                    text, sentence = _placed(_as_sentence(item), language)
                    whole.append(text)
                    cut.append([sentence])
            tagged = tag_stream(self.tagger, itertools.chain.from_iterable(cut), min_confidence)
            for text, sentences in zip(whole, cut, strict=True):
                yield Entities(_entities_of(itertools.islice(tagged, len(sentences))), text)


def _as_sentence(item: Any) -> Sentence:
    if isinstance(item, Sentence):
        return item
    if isinstance(item, str) or not all(isinstance(token, str) for token in item):
        raise OnomastError(f"{item!r:.60} is neither a Sentence nor a list of tokens")
    return Sentence(tuple(item))


def _placed(sentence: Sentence, language: str | None) -> tuple[str, Sentence]:
    """The sentence's own text, and the sentence with offsets in it."""
    text, places = sentence.placed_tokens()
    language = sentence.language or language
    return text, dataclasses.replace(sentence, text=text, text_start=0, offsets=tuple(places), language=language)


def _entities_of(sentences: Iterable[Sentence]) -> Iterator[Entity]:
    for sentence in sentences:
        places = sentence.offsets or ()
        for span in sentence.spans:
            start, end = places[span.start][0], places[span.end - 1][1]
            confidence = sentence.span_confidence(span)
            confidence = None if confidence is None else round(confidence, 4)
            yield Entity(sentence.span_text(span), span.label, start, end, confidence)
