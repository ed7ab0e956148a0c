"""The rows of a report, in percent, before they are laid out for the terminal, Markdown or HTML."""

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
    score: Score | Average | None
    """None: nothing is left to score."""
    ci95: Interval | None = None
    support: int | None = None
    explained: str = ""


def label_rows(report: Report) -> list[Row]:
    """One row per label."""
    intervals = report.label_intervals
    return [Row(label, score, intervals[label], score.support) for label, score in report.label_scores.items()]


def summary_rows(report: Report) -> list[Row]:
    """Averages over labels, and micro scores of boundaries, unseen entities and sentences that are not leaked."""
    micro, boundaries = report.micro, report.boundaries
    rows = [
        Row("micro", micro, report.ci95, micro.support, "over all entities"),
        Row("macro", report.macro, explained="mean over labels"),
        Row("weighted", report.weighted, explained="mean over labels, weighted by support"),
        Row("boundaries", boundaries, support=boundaries.support, explained="any label"),
    ]
    if report.unseen is not None:
        why = "entities whose words are no entity in training"
        rows.append(Row("unseen entities", report.unseen, support=report.unseen.support, explained=why))
    if report.leaked is not None:
        left, why = report.without_leaked, "without sentences that occur in training"
        rows.append(Row("without leaked", left, support=left.support if left else 0, explained=why))
    return rows


def facts(report: Report) -> list[tuple[str, str]]:
    """Everything that is no entity score: (name, value)."""
    tags = report.tags
    rows = [
        (
            f"{tags.scheme.upper()} tags",
            f"accuracy {percent(tags.accuracy)}, macro F1 {percent(tags.macro_f1)}, "
            f"weighted F1 {percent(tags.weighted_f1)}",
        )
    ]
    if report.leaked is not None:
        rows.append(("leaked", f"{int(report.leaked.sum()):,} of {count(len(report.leaked), 'sentence')} in training"))
    for name, accuracy in (("parts of speech", report.pos), ("sentence labels", report.sentence)):
        if accuracy is not None:
            rows.append((name, f"{percent(accuracy.accuracy)} % of {accuracy.support:,} correct"))
    if report.repairs:
        repairs = ", ".join(f"{number:,} {kind}" for kind, number in report.repairs.items())
        rows.append(("repaired while reading", repairs))
    if report.seconds:
        times = [f"{seconds:,.1f} s to {step}" for step, seconds in report.seconds.items() if seconds]
        speed = [f"{report.tokens_per_second:,.0f} tokens a second"] if report.tokens_per_second else []
        rows.append(("time", ", ".join([*times, *speed])))
    return rows


def count(number: int, noun: str) -> str:
    """1 -> 1 sentence, 1200 -> 1,200 sentences"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(fraction: float) -> str:
    """0.85407 -> 85.41"""
    return f"{100 * fraction:.2f}"


def percent_interval(ci95: Interval | None, dash: str = "–") -> str:
    """(0.8419, 0.8659) -> 84.2 – 86.6"""
    return "" if ci95 is None else f"{100 * ci95[0]:.1f} {dash} {100 * ci95[1]:.1f}"
