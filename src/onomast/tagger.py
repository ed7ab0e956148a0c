"""The contract every tagger fulfils, and `load_tagger`. Scores, bulk tagging and the command line know nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from onomast.corpus import Corpus
from onomast.errors import ModelError, RecipeError
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.tags import TagScheme


@dataclass(frozen=True)
class History:
    """How a fit went: seconds of wall time, and one row of figures per epoch or iteration."""

    seconds: float
    epochs: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What the user should know: a collapse, a retry, an early stop."""


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


def new_tagger(recipe: Recipe) -> Tagger:
    """The untrained tagger that a recipe describes."""
    return _tagger_class(recipe)(recipe)  # type: ignore[call-arg]


def load_tagger(folder: str | Path) -> Tagger:
    """Load any saved tagger. Raises ModelError naming the folder and what is wrong with it."""
    folder = Path(folder)
    path = folder / "recipe.toml"
    if not path.is_file():
        found = "no such folder" if not folder.is_dir() else "there is no recipe.toml in it"
        raise ModelError(f"{found}; expected a folder written by `onomast train ... --out {folder}`", folder=folder)
    try:
        recipe = read_recipe(path)
    except RecipeError as error:
        raise ModelError(f"recipe.toml cannot be read: {error}", folder=folder) from None
    return _tagger_class(recipe).load(folder)


def _tagger_class(recipe: Recipe) -> type[Tagger]:
    if recipe.tagger == "linear":
        from onomast.taggers.linear import LinearTagger

        return LinearTagger
    from onomast.taggers.neural import NeuralTagger

    return NeuralTagger
