"""Reports and comparisons as text: terminal, Markdown, JSON. The HTML page is made in `page`.

Text shows percentages, JSON holds fractions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onomast.evaluation.figures import Row, count, facts, label_rows, percent, percent_interval, summary_rows
from onomast.evaluation.page import render_html
from onomast.evaluation.report import Report
from onomast.evaluation.significance import Comparison

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "comparisons_json",
    "comparisons_markdown",
    "render_comparisons",
    "render_html",
    "render_json",
    "render_markdown",
    "render_terminal",
]

_CHANCE = 0.05  # p-values below it tell two systems apart
_BAR = 16
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def render_json(report: Report) -> str:
    """The report as JSON text, fractions in [0, 1]."""
    return json.dumps(report.to_json(), ensure_ascii=False, indent=1)


def render_terminal(report: Report, console: Console | None = None) -> None:
    """Print the report; columns are left out where the terminal is narrow."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console(highlight=False)
    for warning in report.warnings:
        console.print(Text.assemble((" WARNING: ", "bold red"), _printable(warning)))
    if report.warnings:
        console.print()
    score, spread = report.micro, percent_interval(report.ci95, _dash(console))
    rates = f"  precision {percent(score.precision)}, recall {percent(score.recall)}"
    console.print(Text.assemble((f" F1 {percent(score.f1)}", "bold cyan"), (f" [{spread}]", "bold"), rates))
    size = f"{score.support:,} entit{'y' if score.support == 1 else 'ies'} in {count(len(report.counts), 'sentence')}"
    console.print(Text(f" {size}\n", style="dim"))
    console.print(_score_table(report, console))
    console.print()
    for name, value in facts(report):
        console.print(Text.assemble((f" {name}: ", "dim"), value))
    mistakes = sum(report.errors.values())
    console.print(Text(f" {mistakes:,} mistakes" if mistakes else " no mistakes", style="bold"))
    width = max(len(kind) for kind in report.errors)
    for kind, number in report.errors.items():
        bar = _bar(number / max(mistakes, 1), console)
        console.print(Text.assemble(f"   {kind.replace('_', ' '):{width}} {number:7,}  ", (bar, "red")), no_wrap=True)
    console.print(Text(f" {report.signature}", style="dim"), soft_wrap=True)


def render_markdown(report: Report) -> str:
    """The report as Markdown: warnings, a table of entity scores, then every other figure in a list."""
    lines = [line for warning in report.warnings for line in (f"> **Warning:** {_escaped(warning)}", "")]
    lines += ["| | precision | recall | F1 | 95 % interval | support |", "| --- | ---: | ---: | ---: | :---: | ---: |"]
    for row in [*label_rows(report), *summary_rows(report)]:
        cells = (_escaped(row.name), *_cells(row, "–"))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- {name}: {value}" for name, value in facts(report))]
    mistakes = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in report.errors.items())
    lines += [f"- mistakes: {mistakes}", "", f"Percent. Signature: `{report.signature}`", ""]
    return "\n".join(lines)


def render_comparisons(comparisons: Sequence[Comparison], console: Console | None = None) -> None:
    """Print the systems, then every pair of them with the interval of their difference and its p-values."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    letters = _letters(comparisons)
    for name, (letter, f1) in letters.items():
        console.print(Text.assemble((f" {letter} ", "bold"), (f"{percent(f1)} F1  ", "bold cyan"), name))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    for heading in _headings(comparisons):
        table.add_column(heading, justify="left" if heading in ("", "verdict") else "right", no_wrap=True)
    for comparison in comparisons:
        table.add_row(*map(Text, _comparison_cells(comparison, letters, _dash(console))))
    console.print(table)
    for line in _comparison_notes(comparisons):
        console.print(Text(f" {line}", style="dim"))


def comparisons_markdown(comparisons: Sequence[Comparison]) -> str:
    """The comparisons as Markdown: a list of systems, a table of pairs."""
    letters = _letters(comparisons)
    headings = _headings(comparisons)
    lines = [f"- **{letter}** {percent(f1)} F1: {_escaped(name)}" for name, (letter, f1) in letters.items()]
    lines += ["", f"| {' | '.join(headings)} |", f"| --- |{' ---: |' * (len(headings) - 2)} --- |"]
    lines += [f"| {' | '.join(_comparison_cells(comparison, letters, '–'))} |" for comparison in comparisons]
    return "\n".join([*lines, "", *_comparison_notes(comparisons), ""])


def comparisons_json(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The comparisons as objects for JSON, fractions in [-1, 1]."""
    return [comparison.to_json() for comparison in comparisons]


def _score_table(report: Report, console: Console) -> Table:
    from rich.table import Table
    from rich.text import Text

    rows = [*label_rows(report), *summary_rows(report)]
    widest = min(max(len(row.name) for row in rows), 30)
    wide, cells_left = console.width >= widest + 52, min(_BAR, console.width - widest - 56)
    bars = cells_left >= _BAR // 2
    rates, bar = ["precision", "recall"] if wide else [], [""] if bars else []
    spread, support = console.width >= widest + 36, console.width >= widest + 20
    headings = ["", *rates, "F1", *bar, *(["95 % interval"] if spread else []), *(["support"] if support else [])]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    for place, heading in enumerate(headings):
        left = place == 0 or (bars and place == 4)
        table.add_column(heading, justify="left" if left else "right", overflow="fold", no_wrap=place > 0, max_width=30)
    for row in rows:
        precision, recall, f1, ci95, number = _cells(row, _dash(console))
        style = "bold" if row.name == "micro" else ""
        cells = [
            Text(_printable(row.name), style=style),
            *([Text(precision), Text(recall)] if wide else []),
            Text(f1, style="bold cyan" if row.name == "micro" else "cyan"),
            *([Text(_bar(row.score.f1 if row.score else 0, console, cells_left), style="cyan")] if bars else []),
            *([Text(ci95)] if spread else []),
            *([Text(number, style=style)] if support else []),
        ]
        if row.name == "micro" and report.labels:
            table.add_row()
        table.add_row(*cells)
    return table


def _cells(row: Row, dash: str) -> tuple[str, str, str, str, str]:
    """Precision, recall, F1, interval, support."""
    support = "" if row.support is None else f"{row.support:,}"
    if row.score is None:
        return (dash, dash, dash, "", support)
    figures = (row.score.precision, row.score.recall, row.score.f1)
    return (*map(percent, figures), percent_interval(row.ci95, dash), support)  # type: ignore[return-value]


def _letters(comparisons: Sequence[Comparison]) -> dict[str, tuple[str, float]]:
    """Name -> letter and F1."""
    scores: dict[str, float] = {}
    for one in comparisons:
        scores.setdefault(one.first, one.first_f1)
    for one in comparisons:
        scores.setdefault(one.second, one.second_f1)
    names = (chr(ord("A") + number) if number < 26 else f"S{number + 1}" for number in range(len(scores)))
    return {name: (letter, f1) for (name, f1), letter in zip(scores.items(), names, strict=True)}


def _headings(comparisons: Sequence[Comparison]) -> list[str]:
    adjusted = ["p adj."] if len(comparisons) > 1 else []
    return ["", "difference", "95 % interval", "p boot", "p swap", *adjusted, "verdict"]


def _comparison_cells(one: Comparison, letters: dict[str, tuple[str, float]], dash: str) -> list[str]:
    first, second = letters[one.first][0], letters[one.second][0]
    better, p = (second if one.difference > 0 else first), one.adjusted_p
    return [
        f"{second} - {first}",
        f"{100 * one.difference:+.2f}",
        f"{100 * one.ci95[0]:+.1f} {dash} {100 * one.ci95[1]:+.1f}",
        _probability(one.bootstrap_p),
        _probability(one.randomisation_p) + ("=" if one.exact else ""),
        *([_probability(p)] if len(letters) > 2 else []),
        f"{better} is better" if p < _CHANCE else "undecided",
    ]


def _comparison_notes(comparisons: Sequence[Comparison]) -> list[str]:
    notes = [
        "Difference of micro F1 in points. boot: paired bootstrap; swap: approximate randomisation; over sentences."
    ]
    if len(comparisons) > 1:
        notes.append(
            f"adj.: swap with Holm's correction for {len(comparisons)} comparisons; the verdict uses it (5 %)."
        )
    if any(one.exact for one in comparisons):
        notes.append("=: exact, over all possible swaps.")
    return notes


def _escaped(name: str) -> str:
    """Text as it is, in Markdown, in or out of a table."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", name)


def _probability(value: float) -> str:
    return f"{value:.4f}"


def _dash(console: Console) -> str:
    return "–" if _unicode(console) else "-"


def _unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _bar(fraction: float, console: Console, cells: int = _BAR) -> str:
    if not _unicode(console):
        return "#" * round(fraction * cells)
    eighths = round(fraction * cells * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _printable(name: str) -> str:
    """Without control characters."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
