"""`onomast grid run`: which cells have not been run, how long they may take, and running them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onomast.errors import OnomastError, nearest
from onomast.experiments.cells import Cell, cells_of
from onomast.experiments.corpora import Pretraining, checksums, learn_vectors, missing_vectors, vectors_of
from onomast.experiments.durations import Durations, in_words
from onomast.experiments.engines import ENGINES, Engine
from onomast.experiments.grid import Variant, read_grid
from onomast.experiments.measure import failed, run_cell
from onomast.experiments.pretraining import encoder_of, learn_encoder, missing_encoders
from onomast.experiments.results import RESULTS, Results, Row, appending, read_results, row_of

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The cells of a grid and their results so far."""

    cells: tuple[Cell, ...]
    checksums: tuple[Mapping[str, str], ...]
    """Of each cell's files."""
    results: Results
    path: Path
    """results.jsonl"""
    todo: tuple[int, ...]
    """Places of the cells that have not been run."""
    failed: tuple[int, ...]
    """Places of those whose last run failed."""

    @property
    def learnings(self) -> list[Pretraining]:
        """Vectors and encoders that have to be trained first."""
        cells = [self.cells[place] for place in self.todo]
        return [*missing_vectors(cells), *missing_encoders(cells)]


@dataclass(frozen=True)
class RunOptions:
    """Options of `onomast grid run`."""

    jobs: int = 1
    engine: str = "processes"
    variant: Variant = "reduced"
    failed: bool = False
    """Run the failed ones again, too."""


@dataclass(frozen=True)
class Outcome:
    """Numbers of cells."""

    done: int
    failed: int
    """Of all cells of the grid, those whose last run failed."""
    before: int
    """Cells that had a result before this run."""


def plan_of(path: Path, options: RunOptions) -> Plan:
    """Read the grid and its results. Raises RecipeError, DataError for a file that is not here."""
    if options.engine not in ENGINES:
        raise OnomastError(f"--engine {options.engine}: there is no such engine; {nearest(options.engine, ENGINES)}")
    if options.jobs < 1:
        raise OnomastError(f"--jobs {options.jobs}: expected 1 or more")
    folder = path.resolve().parent
    cells = cells_of(read_grid(path, options.variant), folder)
    results = read_results(folder / RESULTS)
    sums = [checksums(cell) for cell in cells]
    todo, broken = [], []
    for place, (cell, digests) in enumerate(zip(cells, sums, strict=True)):
        row = results.of(cell, digests)
        if row is not None and row["status"] == "failed":
            broken.append(place)
        if row is None or (row["status"] == "failed" and options.failed):
            todo.append(place)
    return Plan(tuple(cells), tuple(sums), results, folder / RESULTS, tuple(todo), tuple(broken))


def describe(plan: Plan, options: RunOptions) -> Iterator[str]:
    """What `--dry-run` says: the cells still to be run, and how long that may take."""
    durations = Durations.of(plan.results.rows)
    for place in plan.todo:
        expected = durations.expected(plan.cells[place])
        yield f"{plan.cells[place]}: {'not known' if expected is None else expected}"
    for learning in plan.learnings:
        yield f"to be trained: {learning}"
    cells = [plan.cells[place] for place in plan.todo]
    broken = f", {len(plan.failed)} failed (--retry-failed)" if plan.failed and not options.failed else ""
    yield (
        f"{len(plan.cells)} cells, {len(plan.todo)} to run{broken}; {durations.left(cells, options.jobs)} "
        f"with {options.jobs} at a time"
    )


def run_grid(path: Path, options: RunOptions, say: Say) -> Outcome:
    """Run what is left of a grid. Every outcome is on disk before the next is looked at; a kill loses none.

    Raises OnomastError while another run of the same grid is going on.
    """
    plan = plan_of(path, options)
    if not plan.todo:
        return Outcome(0, len(plan.failed), len(plan.cells))
    with appending(plan.path) as append:
        plan = plan_of(path, options)  # another run may have ended meanwhile
        engine = ENGINES[options.engine]
        errors = _learn(plan, engine, options.jobs, say)
        broken = set(plan.failed)
        done = 0
        runs = _outcomes(plan, engine, options.jobs, errors)
        with _shown(plan, options.jobs, say) as show:
            for place, outcome in runs:
                row = row_of(plan.cells[place], plan.checksums[place], outcome)
                append(row)
                (broken.add if row["status"] == "failed" else broken.discard)(place)
                done += row["status"] == "done"
                show(place, row)
    return Outcome(done, len(broken), len(plan.cells) - len(plan.todo))


def _learn(plan: Plan, engine: Engine, jobs: int, say: Say) -> dict[Path, str]:
    """Learn the vectors and encoders that are missing; return the errors by path."""
    learnings, errors = plan.learnings, {}
    for learning in learnings:
        say(f"training {learning}")
    for place, outcome in engine(_learn_one, learnings, jobs) if learnings else ():
        if outcome["status"] == "failed":
            errors[learnings[place].path] = str(outcome["error"])
        else:
            say(outcome["summary"])
    return errors


def _learn_one(learning: Pretraining) -> dict[str, Any]:
    try:
        return learn_encoder(learning) if learning.kind == "encoder" else learn_vectors(learning)
    except OnomastError as error:
        return failed(f"no {learning.kind}: {error}")
    except Exception as error:
        return failed(f"no {learning.kind}: {type(error).__name__}: {error}")


def _outcomes(plan: Plan, engine: Engine, jobs: int, errors: Mapping[Path, str]) -> Iterator[tuple[int, Row]]:
    """Places of cells and what came of them, as they end."""
    ready = []
    for place in plan.todo:
        cell = plan.cells[place]
        paths = [path for path in (vectors_of(cell), encoder_of(cell)) if path in errors] if errors else []
        if paths:
            yield place, failed("; ".join(errors[path] for path in paths if path is not None))
        else:
            ready.append(place)
    if ready:
        for number, outcome in engine(run_cell, [plan.cells[place] for place in ready], jobs):
            yield ready[number], outcome


@contextmanager
def _shown(plan: Plan, jobs: int, say: Say) -> Iterator[Callable[[int, Row], None]]:
    """Yield a function that says what a run gave, and how long the rest may take."""
    from onomast.experiments.display import bar

    durations = Durations.of(plan.results.rows)
    left = dict.fromkeys(plan.todo)
    began = time.monotonic()
    with bar(len(plan.todo), durations.left([plan.cells[place] for place in left], jobs), say) as advance:

        def show(place: int, row: Row) -> None:
            durations.add(row)
            del left[place]
            cell = plan.cells[place]
            gained = f"F1 {100 * row['scores']['f1']['value']:.1f}" if row["status"] == "done" else f"{row['error']}"
            mark = "" if row["status"] == "done" else "FAILED: "
            advance(f"{cell}: {mark}{gained}", durations.left([plan.cells[other] for other in left], jobs))

        yield show
    if plan.todo:
        say(f"{len(plan.todo)} cells in {in_words(time.monotonic() - began)}")
