"""spaCy: `nlp.add_pipe("onomast", config={"model": "FOLDER"})` sets entities on the tokens of the document."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from onomast.errors import OnomastError
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.registry import load_tagger

_FOLDER = "tagger"  # within a pipeline on disk
EXTENSION = "confidence"
"""`span._.confidence`: the smallest tag probability in the entity, in [0, 1]."""


class OnomastComponent:
    """Sets `doc.ents`; entities that are there already stay, and win where they overlap.

    Sentences are the document's, where it has some; else the document is one sentence. White-space tokens are left out.
    """

    def __init__(self, tagger: Tagger | None, min_confidence: float = 0.0) -> None:
        self._tagger = tagger
        self._least = min_confidence
        if not Span.has_extension(EXTENSION):
            Span.set_extension(EXTENSION, default=None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it sets."""
        return tuple(self._trained.scheme.labels)

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Tag documents, `batch_size` at a time."""
        rest = iter(docs)
        while batch := list(islice(rest, batch_size)):
            places = [_sentences(doc) for doc in batch]
            bare = [Sentence(tuple(doc[at].text for at in row)) for doc, rows in zip(batch, places, strict=True)
                    for row in rows]  # fmt: skip
            tagged = iter(self._trained.tag(bare))
            for doc, rows in zip(batch, places, strict=True):
                found = [span for row in rows for span in self._spans(doc, row, next(tagged))]
                doc.ents = filter_spans([*doc.ents, *_beside(found, doc.ents)])
                yield doc

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:  # noqa: ARG002 - spaCy's interface
        """Save the tagger within the pipeline."""
        self._trained.save(Path(path) / _FOLDER)

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> OnomastComponent:  # noqa: ARG002
        """Load the tagger of a pipeline."""
        self._tagger = load_tagger(Path(path) / _FOLDER)
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:  # noqa: ARG002
        """The tagger's files, as spaCy serialises plain data."""
        import srsly

        with tempfile.TemporaryDirectory() as folder:
            self._trained.save(Path(folder))
            files = {
                str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
            }
        packed: bytes = srsly.msgpack_dumps(files)
        return packed

    def from_bytes(self, data: bytes, *, exclude: Sequence[str] = ()) -> OnomastComponent:  # noqa: ARG002
        """The inverse of `to_bytes`. Raises OnomastError for a file outside the tagger's folder."""
        import srsly

        folder = Path(tempfile.mkdtemp(prefix="onomast-spacy-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # an exported tagger is saved from its files
        for name, content in srsly.msgpack_loads(data).items():
            path = (folder / name).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise OnomastError(f"the serialised tagger names a file outside its folder: {name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._tagger = load_tagger(folder)
        return self

    @property
    def _trained(self) -> Tagger:
        if self._tagger is None:
            raise OnomastError(
                'the component has no tagger; name a folder: nlp.add_pipe("onomast", config={"model": "FOLDER"})'
            )
        return self._tagger

    def _spans(self, doc: Doc, places: Sequence[int], sentence: Sentence) -> Iterator[Span]:
        for entity in sentence.spans:
            confidence = sentence.span_confidence(entity)
            if confidence is not None and confidence < self._least:
                continue
            span = Span(doc, places[entity.start], places[entity.end - 1] + 1, label=entity.label)
            span._.set(EXTENSION, confidence)
            yield span


@Language.factory("onomast", default_config={"model": None, "min_confidence": 0.0})
def create(nlp: Language, name: str, model: str | None, min_confidence: float) -> Any:  # noqa: ARG001
    """The factory behind `nlp.add_pipe("onomast")`. `model` may be missing for a pipeline that is loaded from disk."""
    folder = None if model is None or not Path(model).is_dir() else load_tagger(model)
    if model is not None and folder is None:
        load_tagger(model)  # raises, naming what is wrong
    return OnomastComponent(folder, min_confidence)


def _sentences(doc: Doc) -> list[list[int]]:
    """The places of the tokens of each sentence, without white space."""
    parts: Iterable[Any] = doc.sents if doc.has_annotation("SENT_START") else [doc]
    rows = [[token.i for token in part if not token.is_space] for part in parts]
    return [row for row in rows if row]


def _beside(found: Sequence[Span], known: Sequence[Span]) -> list[Span]:
    """The spans that overlap none of those that are there."""
    taken = {place for span in known for place in range(span.start, span.end)}
    return [span for span in found if taken.isdisjoint(range(span.start, span.end))]
