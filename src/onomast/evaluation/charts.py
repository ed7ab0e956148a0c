"""The charts of the HTML page, each a fragment of HTML or SVG. Colours are CSS variables; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from onomast.drawing import hue_of
from onomast.evaluation.counting import Counts, Score, score_of
from onomast.evaluation.figures import Row, percent, percent_interval
from onomast.evaluation.metrics import f1_of
from onomast.evaluation.mistakes import KINDS, Kind
from onomast.evaluation.report import Report
from onomast.evaluation.significance import Interval, interval, resample

_WIDTH = 220  # of the bar in a row of scores
_TOP, _FLOOR, _COLUMN = 16, 116, 52  # of the column charts
_LEVEL_HEADS = 60  # letters that fit above a confusion matrix; with more, its heads are rotated


@dataclass(frozen=True)
class Slice:
    """Part of the entities: its counts (N, 3) per sentence."""

    name: str
    counts: Counts


def score_table(rows: Sequence[Row], summary: Sequence[Row]) -> str:
    """Precision, recall and F1 of each label with bars and whiskers; clicking a label filters the mistakes."""
    head = "".join(f"<th>{name}</th>" for name in ("precision", "recall", "F1", "", "95 % interval", "support"))
    lines = [_score_line(row, f"--hue:{hue_of(row.name)}", row.name) for row in rows]
    lines.append("</tbody><tbody>")
    lines += [_score_line(row, "", None) for row in summary]
    return f'<table class="scores"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def kinds_chart(errors: dict[Kind, int]) -> str:
    """A bar per kind of mistake; clicking one filters the mistakes."""
    most, total = max([*errors.values(), 1]), max(sum(errors.values()), 1)
    lines = [
        f'<button class="kind" type="button" data-kind="{kind}" title="{escape(KINDS[kind])}">'
        f'<span class="name">{kind.replace("_", " ")}<small>{escape(KINDS[kind])}</small></span>'
        f'<span class="track"><span class="fill" style="width:{100 * number / most:.1f}%"></span></span>'
        f'<span class="number">{number:,}<small>{100 * number / total:.0f} %</small></span></button>'
        for kind, number in errors.items()
    ]
    return "".join(lines)


def confusion_table(report: Report) -> str:
    """Gold by predicted label of spans on the same tokens, shaded by the share of the gold label's entities.

    Rows without a gold and columns without a predicted entity are left out.
    """
    scores, matrix = report.label_scores, report.confusion
    rows = [place for place, label in enumerate(report.labels) if scores[label].gold]
    columns = [place for place, label in enumerate(report.labels) if scores[label].predicted]
    names = [report.labels[place] for place in columns]
    head = "".join(f'<th dir="auto"><span>{escape(name)}</span></th>' for name in names)
    lines = []
    for row in rows:
        label = report.labels[row]
        gold = scores[label].gold
        cells = [
            _heat_cell(int(matrix[row, column]), gold, (label, report.labels[column]), right=row == column)
            for column in columns
        ]
        cells.append(_heat_cell(gold - int(matrix[row].sum()), gold, (label, "")))
        cells.append(f'<td class="total">{gold:,}</td>')
        lines.append(f'<tr><th dir="auto">{escape(label)}</th>{"".join(cells)}</tr>')
    cells = []
    for column, label in zip(columns, names, strict=True):
        predicted = scores[label].predicted
        cells.append(_heat_cell(predicted - int(matrix[:, column].sum()), predicted, ("", label)))
    lines.append(f'<tr><th class="none">no such span</th>{"".join(cells)}<td></td><td></td></tr>')
    totals = "".join(f'<td class="total">{scores[label].predicted:,}</td>' for label in names)
    lines.append(f'<tr><th class="none">predicted, in all</th>{totals}<td></td><td></td></tr>')
    ends = '<th class="none"><span>no such span</span></th><th class="none"><span>gold, in all</span></th>'
    rotated = " rotated" if max(map(len, names), default=0) * len(names) > _LEVEL_HEADS else ""
    corner = '<th class="corner">gold ↓ predicted →</th>'
    return (
        f'<div class="wide"><table class="heat{rotated}"><thead><tr>{corner}{head}{ends}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def column_chart(title: str, slices: Sequence[Slice], samples: int, seed: int) -> str:
    """F1 of each slice that holds an entity, with 95 % whiskers."""
    import numpy as np

    slices = [part for part in slices if part.counts.any()]
    if not slices:
        return ""
    totals = resample(np.stack([part.counts for part in slices], axis=1), samples, seed)  # (samples, slices, 3)
    width = 34 + _COLUMN * len(slices)
    lines = [
        f'<line class="grid" x1="30" x2="{width}" y1="{_height(level)}" y2="{_height(level)}"/>'
        f'<text class="tick" x="25" y="{_height(level) + 3.5}">{level}</text>'
        for level in (0, 25, 50, 75, 100)
    ]
    for number, part in enumerate(slices):
        lines.append(
            _column(34 + _COLUMN * number, part.name, score_of(part.counts), interval(f1_of(totals[:, number])))
        )
    size = f'viewBox="0 0 {width} 154" width="{1.22 * width:.0f}"'
    label = f"F1 by {escape(title)}, with n gold entities"
    drawing = f'<svg class="columns" {size} role="img" aria-label="{label}">{"".join(lines)}</svg>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawing}</figure>"


def _column(left: int, name: str, score: Score, ci95: Interval) -> str:
    f1, middle = 100 * score.f1, left + _COLUMN // 2
    tip = (
        f"{name}: F1 {f1:.2f} ({percent_interval(ci95)}), precision {percent(score.precision)}, "
        f"recall {percent(score.recall)}, {score.support:,} entities"
    )
    low, high = (_height(100 * end) for end in ci95)
    bar = f'x="{left + 8}" width="{_COLUMN - 16}" y="{_height(f1)}" height="{_FLOOR - _height(f1):.1f}"'
    return (
        f'<g><title>{escape(tip)}</title><rect class="hit" x="{left}" y="0" width="{_COLUMN}" height="154"/>'
        f'<rect class="bar" {bar} rx="2"/>'
        f'<path class="whisker" d="M{middle} {low}V{high}M{middle - 4} {low}h8M{middle - 4} {high}h8"/>'
        f'<text class="value" x="{middle}" y="{min(high, _height(f1)) - 4:.1f}">{f1:.1f}</text>'
        f'<text class="name" x="{middle}" y="{_FLOOR + 15}">{escape(name)}</text>'
        f'<text class="tick middle" x="{middle}" y="{_FLOOR + 29}">n = {score.support:,}</text></g>'
    )


def _height(f1: float) -> float:
    return round(_FLOOR - (_FLOOR - _TOP) * f1 / 100, 1)


def _score_line(row: Row, style: str, label: str | None) -> str:
    swatch = f'<i class="swatch" style="{style}"></i>' if style else ""
    attributes = f' class="label" tabindex="0" data-label="{escape(label)}"' if label is not None else ""
    explained = f"<small>{escape(row.explained)}</small>" if row.explained else ""
    support = "" if row.support is None else f"{row.support:,}"
    score = row.score
    values = ["–"] * 3 if score is None else [percent(value) for value in (score.precision, score.recall, score.f1)]
    return (
        f'<tr{attributes}><th>{swatch}<span dir="auto">{escape(row.name)}</span>{explained}</th>'
        f"<td>{values[0]}</td><td>{values[1]}</td><td><b>{values[2]}</b></td><td>{_bar(row, style)}</td>"
        f"<td>{percent_interval(row.ci95)}</td><td>{support}</td></tr>"
    )


def _bar(row: Row, style: str) -> str:
    ends = ""
    if row.ci95 is not None:
        low, high = (round(_WIDTH * end, 1) for end in row.ci95)
        ends = f'<path class="whisker" d="M{low} 8H{high}M{low} 4v8M{high} 4v8"/>'
    quarters = "".join(f'<path class="grid" d="M{_WIDTH * part / 4} 0v16"/>' for part in range(5))
    kind = "bar tinted" if style else "bar"
    f1 = row.score.f1 if row.score else 0.0
    return (
        f'<svg class="row" viewBox="0 0 {_WIDTH} 16" style="{style}" aria-hidden="true">{quarters}'
        f'<rect class="{kind}" y="3" height="10" width="{_WIDTH * f1:.1f}" rx="2"/>{ends}</svg>'
    )


def _heat_cell(number: int, of: int, labels: tuple[str, str], *, right: bool = False) -> str:
    """`labels`: gold and predicted; an empty one stands for no span on those tokens."""
    if not number:
        return '<td class="zero">0</td>'
    share = number / of
    # Mistakes are rare: shade them by the square root, so that a few per cent can be seen.
    strength = 12 + 63 * share if right else 8 + 67 * share**0.5
    tip = (
        f"{labels[0] or 'no gold entity'} tagged as {labels[1] or 'no entity on the same tokens'}: {100 * share:.1f} %"
    )
    data = "" if right else f' tabindex="0" data-gold="{escape(labels[0])}" data-predicted="{escape(labels[1])}"'
    kind = "right" if right else "wrong"
    return f'<td class="{kind}" style="--share:{strength:.0f}%" title="{escape(tip)}"{data}>{number:,}</td>'
