"""Results -> tables: their number, ours with an interval, the difference from the baseline.

`to_csv` writes them as CSV, `markdown.py` as Markdown.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onomast.errors import RecipeError, nearest
from onomast.evaluation.significance import holm
from onomast.experiments.analysis.claims import Verdict, verdict_of
from onomast.experiments.analysis.groups import Group, compared, groups_of
from onomast.experiments.analysis.statistics import Difference, Estimate, estimate
from onomast.experiments.grid import Grid, Variant, meets, read_grid
from onomast.experiments.results import Row, mixed_files

SCORES: Mapping[str, str] = {
    "f1": "F1", "precision": "precision", "recall": "recall", "macro_f1": "macro F1", "weighted_f1": "weighted F1",
    "tag_accuracy": "tag accuracy", "tag_macro_f1": "tag macro F1", "tag_weighted_f1": "tag weighted F1",
    "sentence_accuracy": "sentence accuracy", "pos_accuracy": "POS accuracy", "unseen_f1": "unseen F1",
    "without_leaked_f1": "F1 without leaked", "with_leaked_f1": "F1 with leaked",
    "seconds": "training seconds", "memory": "memory, MB",
}  # fmt: skip
"""Names of scores -> what tables call them; `f1:LABEL`, `precision:LABEL` and `recall:LABEL` are those of a label."""
PLAIN = ("seconds", "memory")
_COLUMNS = (
    "corpus", "size", "score", "theirs", "source", "ours", "low", "high", "seeds",
    "difference", "difference_low", "difference_high", "p", "adjusted_p",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One score of one group."""

    group: Group
    score: str
    theirs: float | None
    source: str
    """Where theirs is from."""
    ours: Estimate | None
    """None: nothing has been run, or the runs do not have this score."""
    difference: Difference | None = None
    """Of F1, from the baseline."""
    adjusted_p: float | None = None
    """After Holm's correction for all the differences of the table."""


@dataclass(frozen=True)
class Table:
    """Everything that is shown."""

    grid: Grid
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]


def table_of(path: Path, variant: Variant = "reduced") -> Table:
    """Read a grid and its results; the corpora need not be here. Raises RecipeError, DataError."""
    grid = read_grid(path, variant)
    folder = path.resolve().parent
    groups = groups_of(grid, folder)
    for name in {*grid.table.scores, *([grid.plot.score] if grid.plot.score else [])}:
        _check_score(name)
    chosen = grid.table.rows or tuple(dict.fromkeys(group.row for group in groups))
    shown = sorted((group for group in groups if group.row in chosen), key=lambda group: chosen.index(group.row))
    lines = [_line(grid, group, score) for group in shown for score in grid.table.scores]
    if grid.table.baseline:
        lines = _tested(lines, {(g.corpus, g.size): g for g in groups if g.row == grid.table.baseline})
    verdicts = [verdict_of(claim, groups) for claim in grid.claim]
    return Table(grid, tuple(lines), tuple(verdicts), tuple(_notes(grid, groups, variant)))


def score_of(group: Group, name: str) -> Estimate | None:
    """One score of a group, over its seeds; None: not known."""
    scores = [_figure(run, name) for run in group.runs.values()]
    if not scores or any(figure is None for figure in scores):
        return None
    figures = [figure for figure in scores if figure is not None]
    errors = [figure["error"] for figure in figures if "error" in figure]
    result = estimate([figure["value"] for figure in figures], errors)
    if result.ci95 is None or name in PLAIN:  # how busy a machine was has no distribution worth an interval
        return replace(result, ci95=None)
    return replace(result, ci95=(max(0.0, result.ci95[0]), min(1.0, result.ci95[1])))


def title_of(score: str) -> str:
    """What a table calls a score."""
    name, colon, label = score.partition(":")
    return f"{SCORES[name]} of {label}" if colon else SCORES[name]


def to_csv(table: Table) -> str:
    """Every figure, one group and score a line; scores are fractions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    axes = [axis.name for axis in table.grid.axis]
    writer.writerow(["row", "system", *axes, *_COLUMNS])
    for line in table.lines:
        ours, change = line.ours, line.difference
        writer.writerow(
            [line.group.row, *(line.group.coordinates.get(name, "") for name in ("system", *axes)), line.group.corpus]
            + [line.group.size, line.score, _number(line.theirs), line.source]
            + ([_number(ours.value), *map(_number, ours.ci95 or (None, None)), ours.seeds] if ours else [""] * 3 + [0])
            + ([_number(change.value), *map(_number, change.ci95), f"{change.p:.3g}"] if change else [""] * 4)
            + ["" if line.adjusted_p is None else f"{line.adjusted_p:.3g}"]
        )
    return out.getvalue()


def _figure(run: Row, name: str) -> Mapping[str, float] | None:
    """`value`, and `error` where it is known."""
    if name == "seconds":
        return {"value": run["seconds"]["train"]}
    if name == "memory":
        return None if run["memory_mb"] is None else {"value": run["memory_mb"]}
    kind, colon, label = name.partition(":")
    figure = run["labels"].get(label, {}).get(kind) if colon else run["scores"].get(name)
    return figure if isinstance(figure, dict) else None


def _line(grid: Grid, group: Group, score: str) -> Line:
    published = (one for one in grid.theirs if score in one.scores and meets(one.where, group.coordinates))
    theirs = next(published, None)
    number, source = (theirs.scores[score], theirs.source) if theirs else (None, "")
    return Line(group, score, number, source, score_of(group, score))


def _tested(lines: Sequence[Line], baselines: Mapping[tuple[str, str], Group]) -> list[Line]:
    """The lines of F1 with their difference from the baseline's."""
    tested_lines = list(lines)
    for place, line in enumerate(lines):
        baseline = baselines.get((line.group.corpus, line.group.size))
        if line.score == "f1" and baseline is not None and baseline.row != line.group.row:
            tested_lines[place] = replace(line, difference=compared(baseline, line.group))
    tested = [place for place, line in enumerate(tested_lines) if line.difference is not None]
    adjusted = holm([change.p for place in tested if (change := tested_lines[place].difference) is not None])
    for place, p in zip(tested, adjusted, strict=True):
        tested_lines[place] = replace(tested_lines[place], adjusted_p=p)
    return tested_lines


def _notes(grid: Grid, groups: Sequence[Group], variant: Variant) -> list[str]:
    notes = [grid.reduced] if grid.reduced and variant == "reduced" else []
    missing = sum(group.wanted - len(group.runs) for group in groups)
    if missing:
        notes.append(f"{missing} of {sum(group.wanted for group in groups)} cells have no result yet, or failed")
    rows = [run for group in groups for run in group.runs.values()]
    for name in mixed_files(rows):
        notes.append(f"{name} was not the same file in all runs: run the grid again")
    signatures = sorted({(run["coordinates"]["corpus"], run["signature"]) for run in rows})
    notes += [f"{corpus}: {signature}" for corpus, signature in signatures]
    return notes


def _check_score(name: str) -> None:
    kind, colon, _label = name.partition(":")
    if (colon and kind not in ("f1", "precision", "recall")) or (not colon and name not in SCORES):
        raise RecipeError(f"there is no score {name!r}; {nearest(name, [*SCORES, 'f1:LABEL'])}", key="table.scores")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
