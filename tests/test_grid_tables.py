"""Tables, verdicts and pictures of grids, from results made up here: every number is worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import pytest

from onomast.evaluation.metrics import f1_of
from onomast.evaluation.significance import holm
from onomast.experiments.analysis.markdown import to_markdown
from onomast.experiments.analysis.statistics import (
    Difference,
    average,
    difference,
    estimate,
    t_outside,
    t_quantile,
)
from onomast.experiments.analysis.tables import table_of, to_csv
from onomast.experiments.cells import cells_of
from onomast.experiments.grid import read_grid
from onomast.experiments.results import appending, pack_counts, row_of

GRID = """
title = "Made up"
reduced = "everything"
budgets = [100, 200]
seeds = [0, 1, 2]
[[corpus]]
name = "swa"
train = "train.txt"
test = "test.txt"
[[system]]
name = "CRF"
recipe = "crf"
[[system]]
name = "strong"
recipe = "crf"
set = { linear.c2 = 5 }
[[theirs]]
where = { system = "strong", size = 100 }
scores = { f1 = 0.79 }
source = "A. Body 2020, table 3"
[[claim]]
text = "strong is better"
better = { system = "strong" }
worse = { system = "CRF" }
[[claim]]
text = "by far"
better = { system = "strong" }
worse = { system = "CRF" }
by = 0.9
[table]
scores = ["f1", "tag_accuracy", "recall:LOC", "seconds"]
baseline = "CRF"
across = "scores"
"""
VALUES = {"CRF": (0.50, 0.52, 0.54), "strong": (0.80, 0.81, 0.85)}


def counts(share: float) -> Any:
    """100 sentences of two entities each; this share of the sentences is right."""
    made = np.full((100, 3), 2)
    made[:, 0] = np.where(np.arange(100) < round(100 * share), 2, 0)
    return made


def made_up(folder: Path, text: str = GRID, seeds: Sequence[int] = (0, 1, 2)) -> Path:
    """A grid with results of these seeds."""
    path = folder / "grid.toml"
    path.write_text(text, encoding="utf-8")
    with appending(folder / "results.jsonl") as append:
        for cell in cells_of(read_grid(path), folder):
            if cell.seed in seeds:
                value = VALUES[cell.row][cell.seed]
                append(row_of(cell, {"train.txt": "aa", "test.txt": "bb"}, outcome(value)))
    return path


def outcome(value: float) -> dict[str, Any]:
    return {
        "status": "done",
        "scores": {"f1": {"value": value, "error": 0.03, "ci95": [value - 0.06, value + 0.06]}}
        | {"tag_accuracy": {"value": 0.9, "error": 0.01, "ci95": [0.88, 0.92]}},
        "labels": {"LOC": {"recall": {"value": 0.4, "error": 0.1}, "support": 12}},
        "sentences": {"train": 100, "labelled": 100, "dev": 0, "test": 100, "sources": 0},
        "signature": "onomast:0|scheme:iob2|n:100|sha:1",
        "seconds": {"train": 3.0, "total": 4.0},
        "memory_mb": 50.0,
        "counts": pack_counts(counts(value)),
    }


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042), (1e4, 1.960)])
def test_quantiles_of_students_t_are_those_of_the_tables(freedom: float, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, abs=6e-4)
    assert t_outside(expected, freedom) == pytest.approx(0.05, abs=1e-4)


def test_students_t_equals_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1.0, 1.7, 2.0, 3.4, 12.0, 250.0):
        for t in (0.1, 1.0, 2.5, 6.0):
            assert t_outside(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=2e-5)


def test_an_interval_holds_over_seeds_and_test_sentences() -> None:
    values = VALUES["CRF"]
    seeds, sentences = stdev(values) ** 2 / 3, 0.03**2
    total = seeds + sentences
    freedom = total**2 / (seeds**2 / 2)
    reach = t_quantile(freedom) * total**0.5
    found = estimate(values, [0.03] * 3)
    assert (found.value, found.seeds) == (pytest.approx(0.52), 3)
    assert found.ci95 == pytest.approx((0.52 - reach, 0.52 + reach))
    assert estimate(values, []).ci95 == pytest.approx(
        (0.52 - 4.3027 * seeds**0.5, 0.52 + 4.3027 * seeds**0.5), abs=1e-4
    )
    assert estimate([0.5], []).ci95 is None
    alike = estimate([0.5, 0.5, 0.5], [0.03] * 3).ci95  # a trainer that draws nothing still has test sentences
    assert alike == pytest.approx((0.5 - 1.96 * 0.03, 0.5 + 1.96 * 0.03), abs=1e-4)


def test_a_difference_is_paired_by_seed_and_sentence() -> None:
    generator = np.random.default_rng(1)
    first = {seed: generator.integers(0, 3, (60, 3)) for seed in range(3)}
    second = {seed: first[seed].copy() for seed in (0, 1, 2)}
    same = difference(first, second)
    assert same is not None and (same.value, same.p, same.error) == (0.0, 1.0, 0.0)
    for made in second.values():
        made[:20, 0] += 1
    found = difference(first, {seed: second[seed] for seed in (1, 2)} | {7: second[0]})
    assert found is not None and found.seeds == 2
    each = [float(f1_of(second[s].sum(0) * 1.0) - f1_of(first[s].sum(0) * 1.0)) for s in (1, 2)]
    assert found.value == pytest.approx(sum(each) / 2)
    assert difference(first, {9: second[0]}) is None


def test_differences_of_one_corpus_do_not_average_out_but_corpora_do() -> None:
    one = Difference(0.1, 0.02, 1e4, 0.0, 3)
    assert average([[one, one]]).error == pytest.approx(0.02)
    assert average([[one], [one]]).error == pytest.approx(0.02 / 2**0.5)
    assert average([[one]]) == one


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_table_has_their_number_ours_and_the_difference(tmp_path: Path) -> None:
    table = table_of(made_up(tmp_path))
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == 2 * 2 * 4
    strong = next(row for row in rows if (row["row"], row["size"], row["score"]) == ("strong", "100", "f1"))
    assert float(strong["ours"]) == pytest.approx(0.82)
    low, high = estimate(VALUES["strong"], [0.03] * 3).ci95 or (0.0, 0.0)
    assert (float(strong["low"]), float(strong["high"])) == pytest.approx((low, high), abs=1e-5)
    assert (strong["theirs"], strong["source"], strong["seeds"]) == ("0.79", "A. Body 2020, table 3", "3")
    assert float(strong["difference"]) == pytest.approx(0.30) and float(strong["adjusted_p"]) < 0.05
    assert float(strong["adjusted_p"]) == pytest.approx(2 * float(strong["p"]), rel=0.01)  # two equal tests
    assert [row["theirs"] for row in rows if row["size"] == "200"] == [""] * 8
    label = next(row for row in rows if row["score"] == "recall:LOC")
    assert float(label["ours"]) == pytest.approx(0.4)
    text = to_markdown(table)
    assert "## swa, 100 sentences" in text and "| strong | 79.0 | 82.0 [" in text
    assert "| strong is better | reproduced | +30.0 [" in text and "| by far | not reproduced |" in text
    assert "- everything" in text and "A. Body 2020, table 3" in text and "sha:1" in text
    assert "- everything" not in to_markdown(table_of(tmp_path / "grid.toml", "full"))


def test_sizes_stand_side_by_side(tmp_path: Path) -> None:
    text = to_markdown(table_of(made_up(tmp_path, GRID.replace('across = "scores"', ""))))
    assert "|  | 100 | 200 |" in text
    assert "## F1: swa" in text and " ↑ (theirs 79.0) | 82.0 [" in text


def test_missing_runs_are_said(tmp_path: Path) -> None:
    text = to_markdown(table_of(made_up(tmp_path, seeds=(0,))))
    assert "8 of 12 cells have no result yet" in text and "1 of 3" in text
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "not testable" in to_markdown(table_of(made_up(empty, seeds=())))


def test_an_unknown_score_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="did you mean 'tag_accuracy'"):
        table_of(made_up(tmp_path, GRID.replace('"tag_accuracy"', '"tag_acuracy"')))


def test_pictures_are_written_as_png_and_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from onomast.experiments.analysis.plots import draw

    path = made_up(tmp_path)
    written = draw(path, tmp_path / "pictures")
    assert {one.name for one in written} == {
        f"grid-{kind}.{ending}" for kind in ("curves", "bars") for ending in ("png", "svg")
    }
    first = {one.name: one.read_bytes() for one in written}
    assert all(len(data) > 5000 for data in first.values())
    assert first["grid-bars.png"].startswith(b"\x89PNG") and b"<svg" in first["grid-bars.svg"]
    assert {one.name: one.read_bytes() for one in draw(path, tmp_path / "pictures")} == first


def test_a_curve_is_drawn_for_corpora_of_several_sizes_alone(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from onomast.experiments.analysis.plots import draw

    other = '[[corpus]]\nname = "hau"\ntrain = "h.txt"\ntest = "i.txt"\nbudgets = [100]\n'
    one_size = GRID.replace("budgets = [100, 200]", "budgets = [100]")
    one_size = one_size[: one_size.index("[[theirs]]")] + '[table]\nscores = ["f1"]\n'
    for name, text, kinds in (
        ("both", GRID.replace("[[system]]", other + "[[system]]", 1), {"curves", "bars"}),
        ("one", one_size, {"bars"}),
    ):
        (tmp_path / name).mkdir()
        written = draw(made_up(tmp_path / name, text), tmp_path / name)
        assert {one.stem.removeprefix("grid-") for one in written} == kinds
    curves = (tmp_path / "both/grid-curves.svg").read_text()
    bars = (tmp_path / "both/grid-bars.svg").read_text()
    assert [text.count('id="axes_') for text in (curves, bars)] == [1, 2]


def test_what_rests_on_one_seed_is_marked_in_every_table(tmp_path: Path) -> None:
    three = to_markdown(table_of(made_up(tmp_path)))
    assert "¹" not in three
    (tmp_path / "results.jsonl").unlink()
    for across in ("scores", "sizes", "corpora"):
        text = GRID.replace('across = "scores"', f'across = "{across}"')
        (tmp_path / "results.jsonl").unlink(missing_ok=True)
        page = to_markdown(table_of(made_up(tmp_path, text, seeds=(1,))))
        assert "¹: one seed; its intervals and p-values are over test sentences only." in page
        rows = [line for line in page.splitlines() if line.startswith(("| CRF |", "| strong |"))]
        assert rows and all("¹" in row for row in rows)


def test_rows_without_counts_have_a_score_and_no_difference(tmp_path: Path) -> None:
    """Rows converted from older results may lack the counts of their test sentences."""
    path = made_up(tmp_path)
    results = tmp_path / "results.jsonl"
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        del row["counts"]
        row["memory_mb"] = None
    results.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = table_of(path)
    assert all(line.difference is None for line in table.lines)
    assert table.lines[0].ours is not None


def drawn(folder: Path, text: str) -> tuple[dict[str, Any], list[str]]:
    """The figure of the bars of a grid: panels by title, and the texts below them."""
    matplotlib = pytest.importorskip("matplotlib")
    from onomast.experiments.analysis import plots

    figures: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save", lambda drawing, stem: figures.append((stem.name, drawing)) or [])
        plots.draw(made_up(folder, text), folder)
    figure = matplotlib.figure.Figure(layout="constrained")
    dict(figures)["grid-bars"](figure)
    legends = [part.get_text() for one in figure.legends for part in (one.get_title(), *one.get_texts())]
    return {panel.get_title(): panel for panel in figure.axes}, legends


def test_bars_have_values_the_papers_number_and_the_names_of_languages(tmp_path: Path) -> None:
    panels, legends = drawn(tmp_path, GRID)
    [(title, panel)] = panels.items()
    assert title == "Swahili, 100 sentences" and panel.get_xlabel() == "F1, %"
    assert {text.get_text() for text in panel.texts} >= {"52.0", "82.0"}
    diamonds = [line for line in panel.lines if line.get_marker() == "D"]
    assert [list(line.get_xdata()) for line in diamonds] == [[pytest.approx(79.0)]]
    assert "the paper's number" in legends
    assert panel.get_legend() is None  # no legend over the data


def test_at_most_five_rows_are_drawn_unless_the_grid_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = "".join(
        f'[[system]]\nname = "s{number}"\nrecipe = "crf"\nset = {{ linear.c2 = {number + 20} }}\n'
        for number in range(6)
    )
    text = GRID.replace("[[theirs]]", systems + "[[theirs]]", 1)
    values = {**VALUES, **{f"s{number}": (0.1 * number,) * 3 for number in range(6)}}
    monkeypatch.setitem(globals(), "VALUES", values)
    panels, legends = drawn(tmp_path, text)
    [panel] = panels.values()
    assert [label.get_text() for label in panel.get_yticklabels()] == ["CRF", "strong", "s3", "s4", "s5"]
    assert "3 more rows are in the table" in legends
    named = text + '[plot]\nrows = ["CRF", "strong", "s0", "s1", "s2", "s3"]\n'
    (tmp_path / "named").mkdir()
    panels, legends = drawn(tmp_path / "named", named)
    [panel] = panels.values()
    assert len(panel.get_yticklabels()) == 6 and not any("more rows" in text for text in legends)
