"""A report as one self-contained HTML page: warnings, charts, a browser of every error. No network, no libraries.

Everything from the files is either escaped here or put into JSON that page.js shows as text, never as markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from onomast._version import __version__
from onomast.drawing import hue_of
from onomast.evaluation.charts import Slice, column_chart, confusion_table, kinds_chart, score_table
from onomast.evaluation.counting import Counts, Pair, scored_pairs
from onomast.evaluation.figures import count, facts, label_rows, percent, percent_interval, summary_rows
from onomast.evaluation.mistakes import KINDS, Mistake, mistakes_of
from onomast.evaluation.report import Report
from onomast.sentence import Sentence
from onomast.tags import Span

MOST_SENTENCES = 10_000  # with mistakes, shown on one page
_LENGTHS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, 50), (51, None))
_SPAN_LENGTHS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, None))
# Nothing may be loaded from anywhere, whatever a file contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def render_html(report: Report, gold: Sequence[Sentence], predicted: Sequence[Sentence], title: str) -> str:
    """Draw the page of `report`, which `evaluate(gold, predicted)` made."""
    pairs = scored_pairs(gold, predicted, report.orphan)
    mistakes = [mistakes_of(pair) for pair in pairs]
    data = _browser_data(report, gold, predicted, pairs, mistakes)
    folder = Path(__file__).parent
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
{(folder / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
{_banner(report)}
{_header(report, title)}
<main>
<section class="panel"><h2>Entities</h2>
{score_table(label_rows(report), summary_rows(report))}</section>
<section class="panel"><h2>Kinds of error</h2><p class="hint">Click one to see its sentences.</p>
{kinds_chart(dict(report.errors))}</section>
<section class="panel"><h2>Confusion matrix</h2><p class="hint">Spans on exactly the same tokens; labels without an
entity are left out. Click an error to see its sentences.</p>
{confusion_table(report)}</section>
<section class="panel"><h2>F1 by length and novelty</h2>
<p class="hint">With 95 % intervals; n: number of gold entities.</p>
<div class="charts">{_slices(report, gold, pairs)}</div></section>
{_browser(data)}
</main>
<footer><code>{escape(report.signature)}</code><br>Onomast {__version__}. Intervals: bootstrap over sentences,
{report.samples:,} samples. This page is one file and loads nothing.</footer>
<script type="application/json" id="data">{_safe_json(data)}</script>
<script>
{(folder / "page.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""
    return page.encode("utf-8", "replace").decode("utf-8")


def _banner(report: Report) -> str:
    """Warnings, above everything else."""
    lines = "".join(f"<p><b>Warning:</b> {escape(warning)}.</p>" for warning in report.warnings)
    return f'<section class="banner" role="alert">{lines}</section>' if lines else ""


def _header(report: Report, title: str) -> str:
    micro, (low, high) = report.micro, report.ci95
    sentences = (
        f"{count(len(report.counts), 'sentence')}, {micro.gold:,} gold and {micro.predicted:,} predicted entities"
    )
    spread = f"left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"
    rates = f"precision {percent(micro.precision)}, recall {percent(micro.recall)}"
    notes = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts(report))
    return f"""<header>
<div class="title"><p class="eyebrow">Onomast report</p><h1 dir="auto">{escape(title)}</h1><p>{sentences}</p></div>
<div class="hero"><div class="big">{percent(report.micro.f1)}<small>F1</small></div>
<div class="scale" aria-hidden="true"><span class="range" style="{spread}"></span>
<span class="point" style="left:{100 * micro.f1:.1f}%"></span></div>
<p>95 % interval {percent_interval((low, high))}<br>{rates}</p>
</div>
<dl>{notes}</dl>
</header>"""


def _slices(report: Report, gold: Sequence[Sentence], pairs: Sequence[Pair]) -> str:
    """F1 by sentence length, by entity length, and by whether the entity occurs in training."""
    lengths = np.array([len(sentence) for sentence in gold])
    totals = report.counts.sum(axis=1)  # (N, 3)
    by_sentence = [
        Slice(_range_name(low, high), totals * ((lengths >= low) & (lengths <= (high or lengths.max())))[:, None])
        for low, high in _LENGTHS
    ]
    by_span = [Slice(_range_name(low, high), _count_lengths(pairs, low, high)) for low, high in _SPAN_LENGTHS]
    charts = [("tokens in the sentence", by_sentence), ("tokens in the entity", by_span)]
    if report.unseen_counts is not None:
        known = totals - report.unseen_counts
        charts.append(("entity in training", [Slice("seen", known), Slice("unseen", report.unseen_counts)]))
    return "".join(column_chart(title, slices, report.samples, report.seed) for title, slices in charts)


def _count_lengths(pairs: Sequence[Pair], low: int, high: int | None) -> Counts:
    """(N, 3): true positives, predicted and gold of the spans of `low` to `high` tokens."""
    counts = np.zeros((len(pairs), 3), np.int64)
    for row, pair in enumerate(pairs):
        sides = [
            {span for span in spans if low <= span.end - span.start and (high is None or span.end - span.start <= high)}
            for spans in (pair.predicted, pair.gold)
        ]
        counts[row] = len(sides[0] & sides[1]), len(sides[0]), len(sides[1])
    return counts


def _range_name(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else f"{low}" if low == high else f"{low}–{high}"


def _browser(data: Mapping[str, Any]) -> str:
    if not data["sentences"]:
        return '<section class="panel"><h2>Errors</h2><p>There are none.</p></section>'
    kinds = "".join(f'<option value="{kind}">{kind.replace("_", " ")}</option>' for kind in KINDS)
    names = "".join(f'<option value="{escape(label)}">{escape(label)}</option>' for label in data["labels"])
    labels = f'<option value="">any</option>{names}<option value="-">no entity</option>'
    left_out = data["found"] - len(data["sentences"])
    note = (
        f"<p>The first {MOST_SENTENCES:,} sentences with errors; {left_out:,} more are left out.</p>"
        if left_out
        else ""
    )
    return f"""<section class="panel" id="browser"><h2>Errors</h2>{note}
<noscript><p>Browsing the errors needs JavaScript, which is part of this page.</p></noscript>
<form id="filters">
<label>kind <select name="kind"><option value="">all</option>{kinds}</select></label>
<label>gold <select name="gold">{labels}</select></label>
<label>predicted <select name="predicted">{labels}</select></label>
<label class="grow">text <input name="words" type="search" dir="auto" autocomplete="off"
placeholder="part of a mention"></label>
<label>order <select name="order"><option value="file">as in the file</option>
<option value="many">most errors first</option><option value="sure">most confident first</option></select></label>
<button type="reset">Clear</button>
</form>
<details id="frequent" open><summary>Most frequent</summary><ol></ol></details>
<p id="found" aria-live="polite"></p>
<div id="sentences"></div>
<button id="more" type="button" hidden>Show more</button>
</section>"""


def _browser_data(
    report: Report,
    gold: Sequence[Sentence],
    predicted: Sequence[Sentence],
    pairs: Sequence[Pair],
    mistakes: Sequence[Sequence[Mistake]],
) -> dict[str, Any]:
    """What page.js shows: per sentence tokens, scored spans, and mistakes as (kind, gold span, predicted span)."""
    numbers = {label: number for number, label in enumerate(report.labels)}
    wrong = [row for row, errors in enumerate(mistakes) if errors]
    sentences = []
    for row in wrong[:MOST_SENTENCES]:
        pair, guess = pairs[row], predicted[row]
        sure = [guess.span_confidence(span) for span in pair.predicted]
        sentences.append(
            {
                "source": gold[row].source or f"sentence {row + 1}",
                "language": gold[row].language or "",
                "tokens": gold[row].tokens,
                "gold": [_span_data(span, numbers) for span in pair.gold],
                "predicted": [_span_data(span, numbers) for span in pair.predicted],
                "confidence": None if None in sure else [round(float(value or 0), 3) for value in sure],
                "unknown": [index for index, tag in enumerate(gold[row].tags or ()) if tag is None],
                "mistakes": [
                    [
                        mistake.kind,
                        -1 if mistake.gold is None else pair.gold.index(mistake.gold),
                        -1 if mistake.predicted is None else pair.predicted.index(mistake.predicted),
                    ]
                    for mistake in mistakes[row]
                ],
            }
        )
    hues = [hue_of(label) for label in report.labels]
    return {"labels": report.labels, "hues": hues, "found": len(wrong), "sentences": sentences}


def _span_data(span: Span, numbers: Mapping[str, int]) -> list[int]:
    return [span.start, span.end, numbers[span.label]]


def _safe_json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
