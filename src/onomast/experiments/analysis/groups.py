"""The runs of a grid that differ in nothing but the seed, together; two such groups compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onomast.experiments.analysis.statistics import Difference, difference
from onomast.experiments.cells import Cell, cells_of
from onomast.experiments.grid import Grid
from onomast.experiments.results import RESULTS, Row, read_results, unpack_counts


@dataclass(frozen=True)
class Group:
    """The runs of one row on one corpus of one size: one for each seed."""

    row: str
    corpus: str
    size: str
    coordinates: Mapping[str, str]
    runs: Mapping[int, Row]
    """Seed -> result."""
    wanted: int
    """Number of seeds of the grid."""


def groups_of(grid: Grid, folder: Path) -> list[Group]:
    """The runs of the grid's cells, seeds together."""
    results = read_results(folder / RESULTS)
    gathered: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells_of(grid, folder):
        gathered.setdefault((cell.row, cell.corpus, cell.coordinates["size"]), []).append(cell)
    groups = []
    for (row, corpus, size), cells in gathered.items():
        runs = {cell.seed: run for cell in cells if (run := results.latest(cell)) is not None}
        groups.append(Group(row, corpus, size, cells[0].coordinates, runs, len(cells)))
    return groups


def compared(first: Group, second: Group) -> Difference | None:
    """Micro F1 of the second less that of the first.

    None: no seed in common, not the same test sentences, or rows that lack the counts of their test sentences.
    """
    runs = [*first.runs.values(), *second.runs.values()]
    if not _same_sentences(runs) or not all("counts" in run for run in runs):
        return None
    counts = [{seed: unpack_counts(run["counts"]) for seed, run in group.runs.items()} for group in (first, second)]
    return difference(*counts)


def _same_sentences(runs: Sequence[Row]) -> bool:
    """Are these scores of the same test sentences? Versions may differ; sentences and rules may not."""
    return len({run["signature"].partition("|")[2] for run in runs}) <= 1
