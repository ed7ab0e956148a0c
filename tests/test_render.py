"""Reports and comparisons as text: what is printed is what the report says, at any width, for any label."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

from onomast.evaluation import render
from onomast.evaluation.report import Report, evaluate
from onomast.evaluation.significance import Comparison, compare
from onomast.sentence import Sentence


def sentence(tags: str, first: str = "w") -> Sentence:
    row = tuple(tags.split())
    return Sentence(tuple(f"{first}{index}" for index in range(len(row))), row)


GOLD = [sentence("B-PER I-PER O B-LOC"), sentence("B-ORG O O O", "x"), sentence("B-PER O B-LOC O", "y")]
GUESS = [sentence("B-PER I-PER O B-ORG"), sentence("B-ORG O B-LOC O", "x"), sentence("B-PER O O O", "y")]


@pytest.fixture(scope="module")
def report() -> Report:
    made = evaluate(GOLD, GUESS, train=[GOLD[1]], samples=200)
    return dataclasses.replace(made, seconds={"train": 2.5, "tag": 0.5}, repairs={"odd": 3}, tokens_per_second=24)


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    return compare(GOLD, {"first.txt": GUESS, "right.txt": GOLD, "again.txt": GUESS}, samples=200)


def console(width: int, encoding: str = "utf-8") -> tuple[Console, io.TextIOWrapper]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    return Console(file=file, width=width, highlight=False, color_system=None), file


def printed(what: Report | Sequence[Comparison], width: int = 100, encoding: str = "utf-8") -> str:
    target, file = console(width, encoding)
    if isinstance(what, Report):
        render.render_terminal(what, target)
    else:
        render.render_comparisons(what, target)
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(encoding)


def test_the_first_lines_tell_f1_interval_rates_and_size(report: Report) -> None:
    warning, empty, *lines = printed(report).splitlines()
    assert warning.strip().startswith("WARNING: 1 of 3 test sentences (33 %) occur in the training data") and not empty
    low, high = (f"{100 * end:.1f}" for end in report.ci95)
    assert lines[0].strip() == f"F1 60.00 [{low} – {high}]  precision 60.00, recall 60.00"
    assert lines[1].strip() == "5 entities in 3 sentences"


@pytest.mark.parametrize("made", [printed, render.render_markdown])
def test_every_score_of_the_report_is_told(report: Report, made) -> None:  # type: ignore[no-untyped-def]
    text = made(report)
    scores = {
        **report.label_scores,
        "macro": report.macro,
        "weighted": report.weighted,
        "boundaries": report.boundaries,
    }
    for name, score in {**scores, "unseen entities": report.unseen, "without leaked": report.without_leaked}.items():
        [row] = [line for line in text.splitlines() if re.match(rf"[| ]*{name} ", line)]
        for value in (score.precision, score.recall, score.f1):
            assert f"{100 * value:.2f}" in row
        if name in report.labels:
            low, high = report.label_intervals[name]
            assert f"{100 * low:.1f} – {100 * high:.1f}" in row and re.search(rf"\b{score.support}\b", row)
    assert f"accuracy {100 * report.tags.accuracy:.2f}" in text
    assert "3 odd" in text and "24 tokens a second" in text and "1 of 3 sentences in training" in text
    for kind, number in report.errors.items():
        assert re.search(rf"{kind.replace('_', ' ')} +{number}\b|\b{number} {kind.replace('_', ' ')}", text)
    assert text.rstrip().rstrip("`").endswith(report.signature)


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(report: Report, width: int) -> None:
    text = printed(report, width)
    *lines, signature = text.rstrip("\n").splitlines()
    assert signature.strip() == report.signature, "kept whole, so that it can be copied"
    assert max(map(len, lines)) <= width
    for label, score in report.label_scores.items():
        assert re.search(rf"^{label} .*\b{100 * score.f1:.2f}\b", text, re.MULTILINE)
    assert "…" not in text


def test_a_usual_terminal_has_room_for_bars(report: Report) -> None:
    assert re.search(r"^PER +100\.00 +100\.00 +100\.00  █{8,} ", printed(report, 80), re.MULTILINE)
    assert "█" not in printed(report, 60).split("mistakes")[0]


def test_a_terminal_without_unicode_gets_ascii(report: Report, comparisons: list[Comparison]) -> None:
    text = printed(report, 100, "ascii") + printed(comparisons, 100, "ascii")
    assert text.isascii() and "####" in text


def test_labels_and_names_are_never_taken_for_markup_or_commands() -> None:
    odd = "[bold]|*x*<b>"
    report = evaluate([Sentence(("a",), (f"B-{odd}",))], [Sentence(("a",), ("B-\x1b[31mRED",))], samples=10)
    text = printed(report)
    assert odd in text and "\x1b" not in text and "[31mRED" in text
    assert r"\[bold\]\|\*x\*\<b>" in render.render_markdown(report)
    pair = compare(GOLD, {"[red]a|b": GUESS, "c": GOLD}, samples=50)
    assert "[red]a|b" in printed(pair)
    assert r"\[red\]a\|b" in render.comparisons_markdown(pair)


def test_markdown_tables_have_as_many_cells_in_every_row(report: Report, comparisons: list[Comparison]) -> None:
    for text in (render.render_markdown(report), render.comparisons_markdown(comparisons)):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len(rows) > 3
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
        assert "\n# " not in text, "headings are the caller's"


def test_json_text_is_the_report(report: Report) -> None:
    assert json.loads(render.render_json(report)) == json.loads(json.dumps(report.to_json()))


def test_json_text_keeps_any_script() -> None:
    report = evaluate([Sentence(("a",), ("B-လူ",))], [Sentence(("a",), ("O",))], samples=10)
    assert '"လူ"' in render.render_json(report)


def test_nothing_to_score_is_told_without_failing() -> None:
    report = evaluate([sentence("O O")], [sentence("O O")], samples=10)
    text = printed(report)
    assert "0 entities in 1 sentence\n" in text and "no mistakes" in text
    assert "| micro | 0.00 |" in render.render_markdown(report)


def test_comparisons_name_the_better_system(comparisons: list[Comparison]) -> None:
    text = printed(comparisons)
    assert re.search(r"A +60\.00 F1 +first\.txt", text) and re.search(r"B +100\.00 F1 +right\.txt", text)
    assert re.search(r"B - A +\+40\.00", text)
    assert "C - A" in text and "+0.00" in text
    sure = dataclasses.replace(comparisons[0], adjusted_p=0.01, randomisation_p=0.004)
    assert "B is better" in printed([sure]) and "A is better" not in printed([sure])
    worse = dataclasses.replace(sure, difference=-0.4)
    assert "A is better" in printed([worse])
    unsure = dataclasses.replace(sure, adjusted_p=0.06)
    assert "better" not in printed([unsure])


def test_long_names_of_files_stay_whole() -> None:
    names = [f"runs/{number}/" + "very-long-" * 8 + "name.txt" for number in range(2)]
    text = printed(compare(GOLD, {names[0]: GUESS, names[1]: GOLD}, samples=50), 60)
    assert all(name in text.replace("\n", "") for name in names)


def test_comparisons_as_json_are_fractions(comparisons: list[Comparison]) -> None:
    [first, *_] = json.loads(json.dumps(render.comparisons_json(comparisons)))
    assert first["first"] == "first.txt" and first["second"] == "right.txt"
    assert first["difference"] == pytest.approx(0.4) and first["second_f1"] == 1
