"""What a report says, line by line, before it is laid out for the terminal, Markdown or HTML; in percent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onomast.evaluation.counting import Score
from onomast.evaluation.significance import Interval

if TYPE_CHECKING:
    from onomast.evaluation.report import Average, Report


@dataclass(frozen=True)
class Row:
    """One line of the table of scores; `support` is the number of gold entities."""

    name: str
    score: Score | Average
    ci95: Interval | None = None
    support: int | None = None
    explained: str = ""


def label_rows(report: Report) -> list[Row]:
    """One row per label."""
    intervals = report.label_intervals
    return [Row(label, score, intervals[label], score.support) for label, score in report.label_scores.items()]


def summary_rows(report: Report) -> list[Row]:
    """Averages over labels, and micro scores from other points of view."""
    micro, boundaries = report.micro, report.boundaries
    rows = [
        Row("micro", micro, report.ci95, micro.support, "every entity counts the same"),
        Row("macro", report.macro, explained="every label counts the same"),
        Row("weighted", report.weighted, explained="every label counts by its gold entities"),
        Row("borders alone", boundaries, support=boundaries.support, explained="whatever the label"),
    ]
    if report.unseen is not None:
        why = "words that are no entity in training"
        rows.append(Row("unseen entities", report.unseen, support=report.unseen.support, explained=why))
    if report.without_leaked is not None:
        why = "without sentences that stand in training"
        rows.append(Row("without leaked", report.without_leaked, support=report.without_leaked.support, explained=why))
    return rows


def facts(report: Report) -> list[tuple[str, str]]:
    """Everything that is no entity score: (name, value)."""
    tags = report.tags
    found = [
        (
            f"{tags.scheme.upper()} tags",
            f"accuracy {percent(tags.accuracy)}, macro F1 {percent(tags.macro_f1)}, "
            f"weighted F1 {percent(tags.weighted_f1)}",
        )
    ]
    if report.leaked is not None:
        found.append(("leaked", f"{int(report.leaked.sum()):,} of {len(report.leaked):,} sentences stand in training"))
    for name, accuracy in (("parts of speech", report.pos), ("sentence labels", report.sentence)):
        if accuracy is not None:
            found.append((name, f"{percent(accuracy.accuracy)} % of {accuracy.support:,} right"))
    if report.repairs:
        mended = ", ".join(f"{number:,} {kind}" for kind, number in report.repairs.items())
        found.append(("mended while reading", mended))
    if report.seconds:
        times = [f"{seconds:,.1f} s to {step}" for step, seconds in report.seconds.items()]
        speed = [f"{report.tokens_per_second:,.0f} tokens a second"] if report.tokens_per_second else []
        found.append(("time", ", ".join([*times, *speed])))
    return found


def percent(fraction: float) -> str:
    """0.85407 -> 85.41"""
    return f"{100 * fraction:.2f}"


def percent_interval(ci95: Interval | None, dash: str = "–") -> str:
    """(0.8419, 0.8659) -> 84.2 – 86.6"""
    return "" if ci95 is None else f"{100 * ci95[0]:.1f} {dash} {100 * ci95[1]:.1f}"
