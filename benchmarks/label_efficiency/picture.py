"""The picture of label_efficiency.py: F1 against the number of labelled sentences, one panel for each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onomast.evaluation.metrics import f1_of
from onomast.evaluation.significance import bootstrap
from onomast.experiments.analysis.panels import Point, curve_panels
from onomast.experiments.analysis.plots import save
from onomast.experiments.analysis.statistics import estimate
from onomast.experiments.results import unpack_counts

_SAMPLES = 500

Row = Mapping[str, Any]


def draw(rows: Sequence[Row], systems: Sequence[str], languages: Mapping[str, str], stem: Path) -> list[Path]:
    """Write PNG and SVG of these systems; `languages`: code to title, in the order of the panels."""
    others = len({row["method"] for row in rows} - {*systems})
    note = f"{others} more systems: see the table in benchmarks/label_efficiency/README.md"
    rows = [row for row in rows if row["method"] in systems]
    cells: dict[str, dict[str, dict[int, list[Row]]]] = {title: {} for title in languages.values()}
    for row in rows:
        sizes = cells[languages[row["language"]]].setdefault(row["method"], {})
        sizes.setdefault(row["budget"], []).append(row)
    panels = {
        title: {system: [_point(size, found) for size, found in sizes.items()] for system, sizes in found_of.items()}
        for title, found_of in cells.items()
    }
    return save(lambda figure: curve_panels(panels, systems, "F1, %", figure, note=note), stem)


def _point(size: int, rows: Sequence[Row]) -> Point:
    """Mean over seeds; the interval holds over seeds and, where the rows have their counts, test sentences."""
    errors = [_error(row["counts"]) for row in rows] if all("counts" in row for row in rows) else []
    score = estimate([100 * row["f1"] for row in rows], errors)
    return size, score if score.ci95 is None else replace(
        score, ci95=(max(0.0, score.ci95[0]), min(100.0, score.ci95[1]))
    )


def _error(counts: str) -> float:
    """Standard error of F1 over test sentences, in points."""
    return 100 * bootstrap(unpack_counts(counts), f1_of, samples=_SAMPLES).error
