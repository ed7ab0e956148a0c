"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from onomast.evaluation.report import Report
from onomast.sentence import Sentence


def render_html(report: Report, gold: Sequence[Sentence], predicted: Sequence[Sentence], title: str) -> str:
    """Placeholder until the page is drawn."""
    return f"<!doctype html><title>{title}</title>"
