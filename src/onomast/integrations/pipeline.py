"""Called and answered as Hugging Face's `token-classification` pipeline is, with groups of tokens joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from onomast.apps.model import Entities, Model

Answer = list[dict[str, Any]]


class Pipeline:
    """A model as a pipeline: `pipe("text")` or `pipe(["text", ...])`; a generator of texts gives a generator."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __call__(self, texts: str | Sequence[str] | Iterable[str]) -> Answer | list[Answer] | Iterator[Answer]:
        """A list of `entity_group`, `score`, `word`, `start`, `end` for a text; a list of such lists for several."""
        if isinstance(texts, str):
            return _answer(self.model.entities(texts))
        if isinstance(texts, Sequence):
            return [_answer(one) for one in self.model.entities(list(texts))]
        return (_answer(one) for one in self.model.entities(iter(texts)))


def pipeline(model: str | Path | Model) -> Pipeline:
    """A pipeline of a model or its folder. Raises ModelError."""
    return Pipeline(model if isinstance(model, Model) else Model.load(model))


def _answer(entities: Entities) -> Answer:
    return [
        {"entity_group": one.label, "score": one.confidence, "word": one.text, "start": one.start, "end": one.end}
        for one in entities
    ]
