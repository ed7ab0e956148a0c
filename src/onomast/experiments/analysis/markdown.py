"""A table of results as Markdown: one section for each corpus and size, or sizes or corpora as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onomast.experiments.analysis.claims import Verdict
from onomast.experiments.analysis.statistics import Difference, Estimate
from onomast.experiments.analysis.tables import PLAIN, Line, Table, title_of

ONE_SEED = "¹"
"""Marks what rests on a single seed."""
_TESTS = (
    " Δ: difference of F1 from the baseline *{baseline}*, paired by seed and test sentence; p: two-sided, "
    "Holm-corrected for the {tests} differences of this table."
)
_INTERVALS = "Mean over seeds [95 % interval over seeds and test sentences together]; scores in percent."
_MARK = f"{ONE_SEED}: one seed; its intervals and p-values are over test sentences only."


def to_markdown(table: Table) -> str:
    """The whole page."""
    tests = sum(line.adjusted_p is not None for line in table.lines)
    baseline = table.grid.table.baseline
    method = _INTERVALS + (_TESTS.format(baseline=baseline, tests=tests) if baseline else "")
    lines = [f"# {table.grid.title}", "", *([table.grid.description, ""] if table.grid.description else [])]
    lines += [method, ""]
    across = table.grid.table.across or ("sizes" if len(_distinct(line.group.size for line in table.lines)) > 1 else "")
    lines += _side_by_side(table, across) if across in ("sizes", "corpora") else _sections(table)
    lines += _verdicts(table.verdicts, table.grid.table.digits)
    sources = _distinct(line.source for line in table.lines if line.source)
    lines += [f"- Theirs: {source}." for source in sources]
    lines += [f"- {note}" for note in table.notes]
    text = "\n".join(lines).rstrip() + "\n"
    return text.replace(method, f"{method} {_MARK}", 1) if ONE_SEED in text else text


def _sections(table: Table) -> list[str]:
    """Rows by scores, for each corpus and size."""
    lines: list[str] = []
    places = list(dict.fromkeys((line.group.corpus, line.group.size) for line in table.lines))
    published = {line.score for line in table.lines if line.theirs is not None}
    tested = bool(table.grid.table.baseline)
    for corpus, size in places:
        here = [line for line in table.lines if (line.group.corpus, line.group.size) == (corpus, size)]
        head = ["", *(t for s in table.grid.table.scores for t in _titles(s, s in published))]
        head += (["Δ F1", "p"] if tested else []) + ["seeds"]
        lines += [f"## {corpus}" + ("" if size == "all" else f", {size} sentences"), ""] if len(places) > 1 else []
        lines += _table(head, [_row(here, row, published, table) for row in _distinct(one.group.row for one in here)])
    return lines


def _titles(score: str, published: bool) -> list[str]:
    return [f"their {title_of(score)}", f"our {title_of(score)}"] if published else [title_of(score)]


def _row(here: Sequence[Line], row: str, published: set[str], table: Table) -> list[str]:
    own = [line for line in here if line.group.row == row]
    digits = table.grid.table.digits
    cells = [row]
    for line in own:
        theirs = "" if line.theirs is None else _percent(line.theirs, digits, line.score)
        cells += [theirs, _ours(line, digits)] if line.score in published else [_ours(line, digits)]
    if table.grid.table.baseline:
        change = next((line for line in own if line.difference is not None), None)
        cells += ["", ""]
        if change is not None:
            mark = _mark(change.difference)
            cells[-2:] = [_change(change.difference, digits), _p(change.adjusted_p) + mark]
    runs, wanted = len(own[0].group.runs), own[0].group.wanted
    seeds = str(runs) if runs == wanted else f"{runs} of {wanted}"
    return [*cells, seeds + (ONE_SEED if runs == 1 else "")]


def _side_by_side(table: Table, across: str) -> list[str]:
    """For each score: rows by sizes (one table for each corpus), or rows by corpora (one for each size)."""
    lines: list[str] = []
    digits = table.grid.table.digits
    sections = _distinct(line.group.corpus if across == "sizes" else line.group.size for line in table.lines)
    for score in table.grid.table.scores:
        for section in sections:
            here = {
                (line.group.row, _column(line, across)): line
                for line in table.lines
                if line.score == score and section == (line.group.corpus if across == "sizes" else line.group.size)
            }
            columns = _distinct(column for _, column in here)
            suffix = "" if across == "sizes" or section == "all" else " sentences"
            lines += [f"## {title_of(score)}: {section}{suffix}", ""]
            rows = [
                [row, *(_cell(here.get((row, column)), digits) for column in columns)]
                for row in _distinct(row for row, _ in here)
            ]
            lines += _table(["", *columns], rows)
    if any(line.adjusted_p is not None for line in table.lines):
        lines += ["↑ ↓: above or below the baseline, corrected p < 0.05.", ""]
    return lines


def _column(line: Line, across: str) -> str:
    return line.group.size if across == "sizes" else line.group.corpus


def _cell(line: Line | None, digits: int) -> str:
    if line is None:
        return ""
    mark = ""
    if line.difference is not None and line.adjusted_p is not None and line.adjusted_p < 0.05:
        mark = " ↑" if line.difference.value > 0 else " ↓"
    theirs = "" if line.theirs is None else f" (theirs {_percent(line.theirs, digits, line.score)})"
    return _ours(line, digits) + mark + theirs


def _verdicts(verdicts: Sequence[Verdict], digits: int) -> list[str]:
    if not verdicts:
        return []
    rows = []
    for verdict in verdicts:
        change = verdict.difference
        mark = _mark(change)
        p = "" if change is None else _p(change.p) + mark
        seeds = "" if change is None else f"{change.seeds}{mark}"
        rows.append([verdict.claim.text, verdict.word, _change(change, digits), p, str(verdict.pairs), seeds])
    return ["## Claims", "", *_table(["claim", "verdict", "Δ F1", "p", "pairs", "seeds"], rows)]


def _mark(change: Difference | None) -> str:
    return ONE_SEED if change is not None and change.seeds == 1 else ""


def _ours(line: Line, digits: int) -> str:
    ours: Estimate | None = line.ours
    if ours is None:
        return "–"
    value = _percent(ours.value, digits, line.score)
    mark = ONE_SEED if ours.seeds == 1 else ""
    if ours.ci95 is None:
        return value + mark
    low, high = (_percent(end, digits, line.score) for end in ours.ci95)
    return f"{value} [{low}, {high}]{mark}"


def _percent(value: float, digits: int, score: str) -> str:
    return f"{value:,.{0 if value >= 100 else 1}f}" if score in PLAIN else f"{100 * value:.{digits}f}"


def _change(change: Difference | None, digits: int) -> str:
    if change is None:
        return "–"
    low, high = change.ci95
    return f"{100 * change.value:+.{digits}f} [{100 * low:+.{digits}f}, {100 * high:+.{digits}f}]"


def _p(p: float | None) -> str:
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[cell.replace("|", "\\|") for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return [f"| {' | '.join(row)} |" for row in shown] + [""]


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
