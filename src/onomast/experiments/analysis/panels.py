"""Panels of learning curves and of bars, from names and numbers alone: matplotlib, no grid.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart; markers and lines differ, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onomast.experiments.analysis.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
STYLE: Any = {
    "font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3,
    "lines.linewidth": 2.2, "lines.markersize": 8, "legend.frameon": False, "svg.hashsalt": "onomast",
    "svg.fonttype": "path", "figure.dpi": 100, "savefig.dpi": 200,
}  # fmt: skip
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", "-.", ":")
_PUBLISHED: Any = {"marker": "D", "color": "white", "markeredgecolor": "black", "linestyle": ""}
_WIDE = 3  # panels side by side
_MOST_TICKS = 4  # whose labels fit in full size
_LETTER = 0.115  # inches of a letter in the legend

Point = tuple[float, Estimate]
"""Training sentences, and the score."""


@dataclass(frozen=True)
class Bar:
    """One bar: a score, and the number that a paper gives for it."""

    row: str
    score: Estimate | None
    published: float | None = None


def curve_panels(
    panels: Mapping[str, Mapping[str, Sequence[Point]]],
    systems: Sequence[str],
    label: str,
    figure: Figure,
    *,
    note: str = "",
) -> Figure:
    """One panel for each title, in it a curve with intervals for each of the systems that has points there.

    `label` is that of the scores, which are drawn as they are; `note` stands below the legend.
    """
    columns = min(len(panels), _WIDE)
    rows = -(-len(panels) // columns)
    width = 1.5 + 4.2 * columns
    axes = _axes(figure, (rows, columns), (width, 1.2 + 3.6 * rows))
    for panel, (title, curves) in zip(axes, panels.items(), strict=False):
        _draw_curves(panel, curves, systems)
        panel.set_title(title)
        panel.set_xlabel("labelled training sentences")
        panel.set_ylabel(label)
    _close(figure, axes[len(panels) :])
    handles = {name: handle for panel in axes for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)}
    _legend(figure, {system: handles[system] for system in systems if system in handles}, width, note)
    return figure


def bar_panels(
    panels: Mapping[str, Sequence[Bar]], rows: Sequence[str], label: str, figure: Figure, *, note: str = ""
) -> None:
    """One panel for each title, in it a bar with its value and interval for each row; a diamond is a paper's number."""
    columns = min(len(panels), _WIDE)
    lines = -(-len(panels) // columns)
    width = 1.3 + _LETTER * max(map(len, rows)) + 3.6 * columns
    axes = _axes(figure, (lines, columns), (width, 1.2 + lines * (1.0 + 0.42 * len(rows))), sharex=True)
    for place, (panel, (title, bars)) in enumerate(zip(axes, panels.items(), strict=False)):
        _draw_bars(panel, bars, rows)
        panel.set_title(title)
        panel.set_xlabel(label)
        panel.tick_params(labelleft=place % columns == 0)
    axes[0].set_yticks(range(len(rows)), rows)
    axes[0].invert_yaxis()
    axes[0].set_xlim(right=axes[0].get_xlim()[1] * 1.12)  # room for the values
    _close(figure, axes[len(panels) :])
    diamond = {}
    if any(bar.published is not None for bars in panels.values() for bar in bars):
        from matplotlib.lines import Line2D

        diamond = {"the paper's number": Line2D([], [], **_PUBLISHED)}
    _legend(figure, diamond, width, note)


def _axes(figure: Figure, shape: tuple[int, int], size: tuple[float, float], *, sharex: bool = False) -> list[Axes]:
    figure.set_size_inches(*size)
    axes: list[Axes] = list(figure.subplots(*shape, squeeze=False, sharex=sharex, sharey=True).flatten())
    for panel in axes:
        panel.tick_params(labelbottom=True, labelleft=True)
    return axes


def _close(figure: Figure, unused: Sequence[Axes]) -> None:
    for panel in unused:
        figure.delaxes(panel)


def _legend(figure: Figure, handles: Mapping[str, Any], width: float, note: str) -> None:
    """Below the panels, in as many columns as fit; the note is its title."""
    if handles or note:
        longest = max(map(len, handles), default=1)
        columns = max(1, min(len(handles), math.floor(width / (0.8 + _LETTER * longest))))
        legend = figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=columns, title=note or None
        )
        legend.get_title().set_fontsize(11)


def _draw_curves(panel: Axes, curves: Mapping[str, Sequence[Point]], systems: Sequence[str]) -> None:
    for place, system in enumerate(systems):
        points = sorted(curves.get(system, ()), key=lambda point: point[0])
        if points:
            panel.errorbar(
                [sentences * _aside(place, len(systems)) for sentences, _ in points],
                [estimate.value for _, estimate in points],
                yerr=_reach([estimate for _, estimate in points]),
                label=system,
                color=COLOURS[place % len(COLOURS)],
                marker=_MARKERS[(place + 3 * (place // len(COLOURS))) % len(_MARKERS)],
                linestyle=_LINES[place // len(COLOURS) % len(_LINES)],
                elinewidth=1.2,
                capsize=3,
            )
    panel.set_xscale("log")
    ticks = sorted({round(sentences) for points in curves.values() for sentences, _ in points})
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=11 if len(ticks) > _MOST_TICKS else 13)
    panel.minorticks_off()


def _draw_bars(panel: Axes, bars: Sequence[Bar], rows: Sequence[str]) -> None:
    for bar in bars:
        place, score = rows.index(bar.row), bar.score
        if score is not None:
            panel.barh(place, score.value, color=COLOURS[place % len(COLOURS)], alpha=0.75, height=0.7)
            panel.errorbar(score.value, place, xerr=_reach([score]), color="black", capsize=4, linewidth=1.5)
            ends = [score.value, *(score.ci95 or ()), *([bar.published] if bar.published is not None else [])]
            text = f"{score.value:,.0f}" if score.value >= 100 else f"{score.value:.1f}"
            panel.annotate(text, (max(ends), place), (7, 0), textcoords="offset points", va="center", fontsize=11)
        if bar.published is not None:
            panel.plot(bar.published, place, **_PUBLISHED)
    panel.grid(visible=False, axis="y")


def _aside(place: int, rows: int) -> float:
    """A factor that puts the intervals of different rows beside each other."""
    return float(min(1.03, 1.12 ** (1 / rows)) ** (place - (rows - 1) / 2))


def _reach(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far the intervals reach below and above the values."""
    pairs = [(one.value, *(one.ci95 or (one.value, one.value))) for one in estimates]
    return [[value - low for value, low, _ in pairs], [high - value for value, _, high in pairs]]
