"""Results -> pictures: learning curves of corpora with several sizes, bars for one; PNG and SVG (extra `plots`).

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart; markers and lines differ, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.errors import MissingExtra, OnomastError
from onomast.experiments.analysis.groups import Group, groups_of
from onomast.experiments.analysis.statistics import Estimate
from onomast.experiments.analysis.tables import PLAIN, score_of, title_of
from onomast.experiments.grid import Grid, Theirs, Variant, meets, read_grid
from onomast.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", "-.", ":")
_STYLE: Any = {
    "font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3,
    "lines.linewidth": 2.2, "lines.markersize": 8, "legend.frameon": False, "svg.hashsalt": "onomast",
    "svg.fonttype": "path", "figure.dpi": 100, "savefig.dpi": 200,
}  # fmt: skip
_PANELS = 3  # side by side

Point = tuple[float, Estimate]
"""Training sentences, and the score."""


def draw(path: Path, out: Path, variant: Variant = "reduced") -> list[Path]:
    """Draw the pictures of a grid into the folder `out`; return the files. Raises OnomastError before any result."""
    grid = read_grid(path, variant)
    groups = _chosen(grid, groups_of(grid, path.resolve().parent))
    if not any(group.runs for group in groups):
        raise OnomastError(f"{path}: no cell has a result yet; run: onomast grid run {path}")
    written = []
    sizes = Counter(corpus for corpus, _ in {(group.corpus, group.size) for group in groups})
    grown = [group for group in groups if sizes[group.corpus] > 1]
    if grown:
        written += save(lambda figure: curves(grid, grown, figure), out / f"{path.stem}-curves")
    return [*written, *save(lambda figure: bars(grid, groups, figure), out / f"{path.stem}-bars")]


def save(drawn: Callable[[Figure], object], stem: Path) -> list[Path]:
    """Draw into a new figure and write it as PNG and SVG, the same bytes for the same results. Raises MissingExtra."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plots") from None
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        drawn(figure)
        for path, empty in zip(paths, ({"Software": None}, {"Date": None}), strict=True):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, metadata=empty)
    return paths


def curves(grid: Grid, groups: Sequence[Group], figure: Figure) -> Figure:
    """Score against number of training sentences, one panel for each corpus."""
    score = _score(grid)
    found: dict[str, dict[str, list[Point]]] = {}
    for group in groups:
        points = found.setdefault(group.corpus, {}).setdefault(group.row, [])
        estimate = score_of(group, score)
        if estimate is not None:
            points.append((_sentences(group), _scaled(estimate, score)))
    return curve_panels(found, _rows(groups), _label(grid), figure)


def curve_panels(
    panels: Mapping[str, Mapping[str, Sequence[Point]]], systems: Sequence[str], label: str, figure: Figure
) -> Figure:
    """One panel for each title, in it a curve with intervals for each of the systems that has points there.

    `label` is that of the scores, which are drawn as they are.
    """
    columns = min(len(panels), _PANELS)
    rows = -(-len(panels) // columns)
    figure.set_size_inches(1.5 + 4.2 * columns, 1.2 + 3.6 * rows)
    places = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for place, (title, found) in zip(places, panels.items(), strict=False):
        _curves_of(place, found, systems)
        place.set_title(title)
        place.set_xlabel("training sentences")
    for place in places[len(panels) :]:
        place.set_axis_off()
    for number in range(0, len(places), columns):
        places[number].set_ylabel(label)
    handles, labels = _legend(list(places), systems)
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    return figure


def bars(grid: Grid, groups: Sequence[Group], figure: Figure) -> Figure:
    """Score of each row with its interval, one panel for each corpus; a diamond is their number."""
    size = grid.plot.bars or _sizes(groups)[0][0]
    here = [group for group in groups if group.size == size]
    corpora, rows = list(dict.fromkeys(group.corpus for group in here)), _rows(groups)
    columns = min(len(corpora), _PANELS)
    lines = -(-len(corpora) // columns)
    figure.set_size_inches(3.5 + 3.4 * columns, 1.2 + lines * (1.0 + 0.42 * len(rows)))
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).flatten()
    for panel, corpus in zip(panels, corpora, strict=False):
        _bars_of(panel, [group for group in here if group.corpus == corpus], rows, grid)
        panel.set_title(corpus if size == "all" else f"{corpus}, {size}" + ("" if "%" in size else " sentences"))
        panel.set_xlabel(_label(grid))
    for panel in panels[len(corpora) :]:
        panel.set_axis_off()
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    return figure


def _curves_of(panel: Axes, found: Mapping[str, Sequence[Point]], systems: Sequence[str]) -> None:
    for place, system in enumerate(systems):
        points = sorted(found.get(system, ()), key=lambda point: point[0])
        if points:
            panel.errorbar(
                [sentences * _aside(place, len(systems)) for sentences, _ in points],
                [estimate.value for _, estimate in points],
                yerr=_reach([estimate for _, estimate in points]),
                label=system,
                color=_COLOURS[place % len(_COLOURS)],
                marker=_MARKERS[(place + 3 * (place // len(_COLOURS))) % len(_MARKERS)],
                linestyle=_LINES[place // len(_COLOURS) % len(_LINES)],
                elinewidth=1.2,
                capsize=3,
            )
    panel.set_xscale("log")
    ticks = sorted({round(sentences) for points in found.values() for sentences, _ in points})
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.minorticks_off()


def _bars_of(panel: Axes, groups: Sequence[Group], rows: Sequence[str], grid: Grid) -> None:
    score = _score(grid)
    for group in groups:
        place, estimate = rows.index(group.row), score_of(group, score)
        if estimate is not None:
            colour = _COLOURS[place % len(_COLOURS)]
            drawn = _scaled(estimate, score)
            panel.barh(place, drawn.value, color=colour, alpha=0.75, height=0.7)
            panel.errorbar(drawn.value, place, xerr=_reach([drawn]), color="black", capsize=4, linewidth=1.5)
        theirs = _theirs(grid.theirs, group, score)
        if theirs is not None:
            panel.plot(_shown(theirs, score), place, marker="D", color="white", markeredgecolor="black", linestyle="")
    panel.grid(visible=False, axis="y")


def _chosen(grid: Grid, groups: Sequence[Group]) -> list[Group]:
    picture = grid.plot
    rows = picture.rows or grid.table.rows or _rows(groups)
    kept = [group for group in groups if not picture.corpora or group.corpus in picture.corpora]
    return sorted((group for group in kept if group.row in rows), key=lambda group: rows.index(group.row))


def _rows(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group.row for group in groups))


def _sizes(groups: Sequence[Group]) -> list[tuple[str, float]]:
    """Sizes and how many sentences they are, the smallest first."""
    found = {group.size: _sentences(group) for group in groups if group.runs}
    return sorted(found.items(), key=lambda item: item[1])


def _sentences(group: Group) -> float:
    """Labelled training sentences, as the runs counted them."""
    counted = [run["sentences"]["labelled"] for run in group.runs.values()]
    return float(sum(counted) / max(len(counted), 1))


def _aside(place: int, rows: int) -> float:
    """A factor that puts the intervals of different rows beside each other."""
    return float(min(1.03, 1.12 ** (1 / rows)) ** (place - (rows - 1) / 2))


def _score(grid: Grid) -> str:
    return grid.plot.score or grid.table.scores[0]


def _label(grid: Grid) -> str:
    score = _score(grid)
    return title_of(score) if score in PLAIN else f"{title_of(score)}, %"


def _shown(value: float, score: str) -> float:
    return value if score in PLAIN else 100 * value


def _scaled(estimate: Estimate, score: str) -> Estimate:
    """As it is drawn: in percent."""
    bounds = estimate.ci95 and (_shown(estimate.ci95[0], score), _shown(estimate.ci95[1], score))
    return replace(estimate, value=_shown(estimate.value, score), ci95=bounds)


def _reach(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far the intervals reach below and above the values."""
    pairs = [(one.value, *(one.ci95 or (one.value, one.value))) for one in estimates]
    return [[value - low for value, low, _ in pairs], [high - value for value, _, high in pairs]]


def _theirs(published: Sequence[Theirs], group: Group, score: str) -> float | None:
    found = (one.scores[score] for one in published if score in one.scores and meets(one.where, group.coordinates))
    return next(found, None)


def _legend(panels: Sequence[Axes], systems: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Each system once, whichever panel shows it."""
    found = {
        label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    shown = [system for system in systems if system in found]
    return [found[system] for system in shown], shown
