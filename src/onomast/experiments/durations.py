"""How long cells take: the mean of runs with the same recipe, corpus and size; else scaled from similar runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import mean

from onomast.errors import OnomastError
from onomast.experiments.cells import Cell
from onomast.experiments.results import Row
from onomast.recipe import Recipe
from onomast.typed_toml import from_table


@dataclass(frozen=True)
class Measured:
    """One run that is done."""

    recipe: Recipe
    row: str
    corpus: str
    size: str
    labelled: int
    """Training sentences with labels; 0: not recorded."""
    seconds: float


@dataclass(frozen=True)
class Expected:
    """Seconds of a cell."""

    seconds: float
    scaled: bool
    """Computed from runs of another size or with other settings, by the number of updates and their cost."""

    def __str__(self) -> str:
        return f"about {in_words(self.seconds)}" + (" (scaled from other runs)" if self.scaled else "")


@dataclass
class Durations:
    """Expected durations, from measured runs."""

    runs: list[Measured] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Durations:
        """Those of all rows that are done."""
        durations = cls()
        for row in rows:
            durations.add(row)
        return durations

    def add(self, row: Row) -> None:
        """Take one more row into account."""
        if row["status"] != "done":
            return
        try:
            recipe = _plain(from_table(Recipe, row["parts"]["recipe"]))
        except (OnomastError, KeyError):  # a recipe that this version cannot read
            return
        names = row["coordinates"]
        labelled = row.get("sentences", {}).get("labelled", 0)
        run = Measured(recipe, names["row"], names["corpus"], names["size"], labelled, row["seconds"]["total"])
        self.runs.append(run)

    def expected(self, cell: Cell) -> Expected | None:
        """None: nothing similar has been run."""
        recipe, size = _plain(cell.recipe), cell.coordinates["size"]
        same = [run for run in self.runs if (run.recipe, run.corpus, run.size) == (recipe, cell.corpus, size)]
        if same:
            return Expected(mean(run.seconds for run in same), scaled=False)
        labelled = self._labelled(cell)
        similar = [run for run in self.runs if run.recipe == recipe]
        similar = similar or [run for run in self.runs if run.row == cell.row]
        scaled = [
            run.seconds * work(recipe, labelled) / work(run.recipe, run.labelled)
            for run in similar
            if labelled and run.labelled and run.recipe.tagger == recipe.tagger
        ]
        return Expected(mean(scaled), scaled=True) if scaled else None

    def left(self, cells: Sequence[Cell], jobs: int) -> str:
        """In words: how long these cells take."""
        known = [one.seconds for cell in cells if (one := self.expected(cell)) is not None]
        unknown = len(cells) - len(known)
        if not known:
            return "time not known yet" if cells else "nothing left"
        seconds = max(sum(known) / max(min(jobs, len(cells)), 1), max(known))
        return f"about {in_words(seconds)} left" + (f", and {unknown} cells of unknown duration" if unknown else "")

    def _labelled(self, cell: Cell) -> int:
        """Training sentences of a cell; of a share of the file, or all of it, as earlier runs counted them."""
        if isinstance(cell.size, int):
            return cell.size
        place = (cell.corpus, cell.coordinates["size"])
        same_size = [run.labelled for run in self.runs if (run.corpus, run.size) == place]
        return max(same_size, default=0)


def work(recipe: Recipe, labelled: int) -> float:
    """A number that training time is about proportional to: updates times their cost."""
    if recipe.tagger == "linear":
        return float(labelled * max(recipe.linear.max_iterations, 1))
    training, encoder, words = recipe.neural.training, recipe.neural.encoder, recipe.neural.words
    batches = ceil(labelled / training.batch_size)
    if recipe.stage:
        updates = sum(stage.steps or stage.epochs * batches for stage in recipe.stage)
    else:
        updates = max(training.epochs * batches, training.steps)
    products = encoder.width * (words.width + encoder.width)
    return float(max(updates, 1) * training.batch_size * products * recipe.neural.ensemble_size)


def in_words(seconds: float) -> str:
    """95 -> "2 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def _plain(recipe: Recipe) -> Recipe:
    """Without what does not change the time: names, seed, and where vectors and encoders are."""
    return dataclasses.replace(recipe, name="", description="", seed=0)
