"""Results -> figures: learning curves of corpora with several sizes, bars for one; PNG and SVG (extra `plots`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onomast.data.catalogue import language_name
from onomast.errors import MissingExtra, OnomastError
from onomast.experiments.analysis.groups import Group, groups_of
from onomast.experiments.analysis.panels import STYLE, Bar, Point, bar_panels, curve_panels
from onomast.experiments.analysis.statistics import Estimate
from onomast.experiments.analysis.tables import PLAIN, score_of, title_of
from onomast.experiments.grid import Grid, Published, Variant, meets, read_grid
from onomast.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 5
"""Rows of a figure, unless `plot.rows` names them."""


def draw(path: Path, out: Path, variant: Variant = "reduced") -> list[Path]:
    """Draw the figures of a grid into the folder `out`; return the files. Raises OnomastError before any result."""
    grid = read_grid(path, variant)
    candidates = _candidates(grid, groups_of(grid, path.resolve().parent))
    groups = _chosen(grid, candidates)
    left_out = len(_rows(candidates)) - len(_rows(groups))
    note = f"{left_out} more rows are in the table" if left_out else ""
    if not any(group.runs for group in groups):
        raise OnomastError(f"{path}: no cell has a result yet; run: onomast grid run {path}")
    written = []
    curves = _several_sizes(groups)
    if len(_rows(curves)) > 1:
        written += save(lambda figure: _draw_curves(grid, curves, figure, note), out / f"{path.stem}-curves")
    return [*written, *save(lambda figure: _draw_bars(grid, groups, figure, note), out / f"{path.stem}-bars")]


def save(drawing: Callable[[Figure], object], stem: Path) -> list[Path]:
    """Draw into a new figure and write it as PNG and SVG, the same bytes for the same results. Raises MissingExtra."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plots") from None
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    with matplotlib.rc_context(STYLE):
        figure = Figure(layout="constrained")
        drawing(figure)
        for path, empty in zip(paths, ({"Software": None}, {"Date": None}), strict=True):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, metadata=empty)
    return paths


def _draw_curves(grid: Grid, groups: Sequence[Group], figure: Figure, note: str) -> None:
    """Score against number of training sentences, one panel for each corpus."""
    score = _score(grid)
    panels: dict[str, dict[str, list[Point]]] = {}
    for group in groups:
        points = panels.setdefault(_title(group.corpus), {}).setdefault(group.row, [])
        estimate = score_of(group, score)
        if estimate is not None:
            points.append((_sentences(group), _scaled(estimate, score)))
    curve_panels(panels, _rows(groups), _label(grid), figure, note=note)


def _draw_bars(grid: Grid, groups: Sequence[Group], figure: Figure, note: str) -> None:
    """Score of each row, one panel for each corpus."""
    score = _score(grid)
    size = grid.plot.bars or _smallest_size(groups)
    panels: dict[str, list[Bar]] = {}
    for group in groups:
        if group.size == size:
            title = _title(group.corpus)
            title += "" if size == "all" else f", {size}" + ("" if "%" in size else " sentences")
            estimate, theirs = score_of(group, score), _theirs(grid.theirs, group, score)
            own = None if estimate is None else _scaled(estimate, score)
            published = None if theirs is None else _as_drawn(theirs, score)
            panels.setdefault(title, []).append(Bar(group.row, own, published))
    bar_panels(panels, _rows(groups), _label(grid), figure, note=note)


def _title(corpus: str) -> str:
    """The name of a corpus, language codes written out: `swa` -> Swahili."""
    return " ".join(language_name(word) or word for word in corpus.split(" "))


def _candidates(grid: Grid, groups: Sequence[Group]) -> list[Group]:
    """The groups that a figure may show, in the order of the rows."""
    rows = grid.plot.rows or grid.table.rows or _rows(groups)
    kept = [group for group in groups if not grid.plot.corpora or group.corpus in grid.plot.corpora]
    return sorted((group for group in kept if group.row in rows), key=lambda group: rows.index(group.row))


def _chosen(grid: Grid, candidates: Sequence[Group]) -> list[Group]:
    """All candidates if the grid names the rows, else those of the baseline and of the best rows on average."""
    rows = _rows(candidates)
    if grid.plot.rows or len(rows) <= MOST_ROWS:
        return list(candidates)
    score = _score(grid)
    values: dict[str, list[float]] = {row: [] for row in rows}
    for group in candidates:
        estimate = score_of(group, score)
        if estimate is not None:
            values[group.row].append(estimate.value)
    means = {row: sum(scores) / len(scores) if scores else 0.0 for row, scores in values.items()}
    best = sorted(rows, key=lambda row: (row != grid.table.baseline, -means[row]))[:MOST_ROWS]
    return [group for group in candidates if group.row in best]


def _several_sizes(groups: Sequence[Group]) -> list[Group]:
    """The groups of a row that has results of two sizes or more on its corpus."""
    sizes: dict[tuple[str, str], set[str]] = {}
    for group in groups:
        if group.runs:
            sizes.setdefault((group.corpus, group.row), set()).add(group.size)
    return [group for group in groups if len(sizes.get((group.corpus, group.row), ())) > 1]


def _rows(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group.row for group in groups))


def _smallest_size(groups: Sequence[Group]) -> str:
    """Of those that have results."""
    return min((group for group in groups if group.runs), key=_sentences).size


def _sentences(group: Group) -> float:
    """Labelled training sentences, as the runs counted them."""
    counted = [run["sentences"]["labelled"] for run in group.runs.values()]
    return float(sum(counted) / max(len(counted), 1))


def _score(grid: Grid) -> str:
    return grid.plot.score or grid.table.scores[0]


def _label(grid: Grid) -> str:
    score = _score(grid)
    return title_of(score) if score in PLAIN else f"{title_of(score)}, %"


def _as_drawn(value: float, score: str) -> float:
    return value if score in PLAIN else 100 * value


def _scaled(estimate: Estimate, score: str) -> Estimate:
    """As it is drawn: in percent."""
    bounds = estimate.ci95 and (_as_drawn(estimate.ci95[0], score), _as_drawn(estimate.ci95[1], score))
    return replace(estimate, value=_as_drawn(estimate.value, score), ci95=bounds)


def _theirs(published: Sequence[Published], group: Group, score: str) -> float | None:
    numbers = (one.scores[score] for one in published if score in one.scores and meets(one.where, group.coordinates))
    return next(numbers, None)
