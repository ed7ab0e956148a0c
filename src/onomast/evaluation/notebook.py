"""A report as a small table for notebooks; `page.py` draws the whole page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from onomast.drawing import hue_of
from onomast.evaluation.figures import Row, label_rows, percent, percent_interval, summary_rows

if TYPE_CHECKING:
    from onomast.evaluation.report import Report

_HEADINGS = ("", "precision", "recall", "F1", "95 % interval", "support")


def report_html(report: Report) -> str:
    """Scores by label and their averages, in percent, with the colours of the report page."""
    head = "".join(f"<th>{name}</th>" for name in _HEADINGS)
    labels = "".join(_line(row, f"oklch(0.66 0.13 {hue_of(row.name)})") for row in label_rows(report))
    means = "".join(_line(row, "transparent") for row in summary_rows(report))
    spread = percent_interval(report.ci95)
    warnings = "".join(f"<p><b>Warning:</b> {escape(warning)}.</p>" for warning in report.warnings)
    return (
        f"{warnings}<p><b>F1 {percent(report.micro.f1)}</b> [{spread}], {report.micro.support:,} entities in "
        f"{len(report.counts):,} sentences</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{labels}</tbody><tbody>{means}</tbody></table>"
    )


def _line(row: Row, colour: str) -> str:
    swatch = f'<span style="background: {colour}; border-radius: 3px; padding: 0 5px; margin-inline-end: 6px"></span>'
    score = row.score
    figures = ["–"] * 3 if score is None else [percent(one) for one in (score.precision, score.recall, score.f1)]
    cells = [*figures, percent_interval(row.ci95), "" if row.support is None else f"{row.support:,}"]
    return f"<tr><td>{swatch}{escape(row.name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
