"""The contract that every tagger fulfils. Evaluation, bulk tagging and the command line use nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from onomast.corpus import Corpus
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.tags import TagScheme


@dataclass(frozen=True)
class History:
    """How a fit went: seconds of wall time, and one row of figures per epoch or iteration."""

    seconds: float
    epochs: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What the user should know: divergence, a retry, an early stop."""


class Tagger(Protocol):
    """fit, tag, save, load. Nothing else may be asked of a tagger outside `taggers/`."""

    recipe: Recipe

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags this tagger predicts. Raises OnomastError before `fit` or `load`."""
        ...

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> History:
        """Learn from `corpus.train` (and `corpus.dev`, if the tagger stops early by it); never look at `corpus.test`.

        `checkpoints`: a folder where a long fit keeps what it needs to resume to the same result; a folder that
        holds checkpoints of the same run is resumed from. Raises DataError when the corpus lacks what the recipe needs.
        """
        ...

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """New sentences with predicted `tags` and `confidence`, in the same order and number.

        Gold tags of the input are not read. Tags are legal IOB2.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything `load` needs into `folder` (created; files are replaced atomically)."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved tagger. Raises ModelError when a file is missing, malformed or of the wrong shape."""
        ...
