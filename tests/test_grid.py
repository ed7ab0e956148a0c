"""Grids: reading and multiplying, running once, failures, kills; processes and Ray give the same numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onomast.data.catalogue import resolve
from onomast.data.formats.registry import read
from onomast.errors import OnomastError, RecipeError
from onomast.evaluation.report import evaluate
from onomast.experiments.cells import cells_of, identity
from onomast.experiments.corpora import checksums, corpus_of, leaked_of, learn_vectors, missing_vectors, vectors_of
from onomast.experiments.engines import on_processes
from onomast.experiments.grid import read_grid
from onomast.experiments.measure import run_cell, scores_of
from onomast.experiments.pretraining import encoder_of, learn_encoder, missing_encoders
from onomast.experiments.results import appending, pack_counts, read_results, unpack_counts
from onomast.experiments.run import RunOptions, describe, plan_of, run_grid
from onomast.recipe import read_recipe
from onomast.taggers.registry import new_tagger

EXAMPLE = Path(__file__).parent.parent / "examples" / "grid" / "grid.toml"
SMALL = """
title = "test"
budgets = [20, 40]
seeds = [0, 1]
set = { linear.max_iterations = 5 }
[[corpus]]
name = "swa"
train = "sample:swahili-news/train"
test = "sample:swahili-news/test"
[[system]]
name = "CRF"
recipe = "crf"
"""
LAST = 'recipe = "crf"\n'
AXES = """
[[axis]]
name = "affixes"
value = [{ name = "yes" }, { name = "no", set = { "linear.features.prefix" = 0, linear.features.suffix = 0 } }]
[[axis]]
name = "c2"
value = [{ name = "weak" }, { name = "strong", set = { linear.c2 = 5 } }]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "grid.toml"
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in a fixed order, without what differs from run to run."""
    kept = [{key: row[key] for key in row.keys() - {"seconds", "memory_mb"}} for row in rows]
    return sorted(kept, key=lambda row: json.dumps(row, sort_keys=True))


def quiet(_line: str) -> None:
    """Say nothing."""


def kill_itself(task: int) -> dict[str, Any]:
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"status": "done", "task": task}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("budgets", "budgest"), "budgest: unknown field; did you mean 'budgets'"),
        (("train =", "trian ="), "corpus.trian: unknown field; did you mean 'train'"),
        (("linear.max_iterations", "linear.max_iteration"), "did you mean 'max_iterations'"),
        (('recipe = "crf"', 'recipe = "crv"'), "did you mean 'crf'"),
        (("seeds = [0, 1]", 'seeds = [0, "x"]'), "'x' is not a whole number"),
        (("title", '[[leave_out]]\ncorpus = "swe"\n[x]\ntitle'), "unknown field"),
        ((LAST, LAST + '[[leave_out]]\ncorpus = "swe"\n'), "there is no 'swe'; did you mean 'swa'"),
        ((LAST, LAST + '[table]\nbaseline = "CFR"\n'), "there is no 'CFR'; did you mean 'CRF'"),
        ((LAST, LAST + 'use = ["raw"]\n'), "uses 'raw', but corpus 'swa' has none"),
        ((LAST, LAST + 'use = ["encoder"]\n'), "uses 'encoder', but the grid has no text in [encoder]"),
        ((LAST, LAST + "[full]\nsedes = [1]\n"), "sedes: unknown field; did you mean 'seeds'"),
    ],
)
def test_a_wrong_key_is_answered_with_the_nearest(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = written(tmp_path, SMALL.replace(*change))
    with pytest.raises(RecipeError, match=message.replace("[", r"\[")) as error:
        cells_of(read_grid(path), tmp_path)
    assert "\n" not in str(error.value)


def test_axes_corpora_sizes_and_seeds_multiply(tmp_path: Path) -> None:
    left_out = '[[leave_out]]\naffixes = "no"\nc2 = "strong"\nsize = 40\n'
    cells = cells_of(read_grid(written(tmp_path, SMALL + AXES + left_out)), tmp_path)
    assert len(cells) == 2 * 2 * 2 * 2 - 2
    assert len({cell.identity for cell in cells}) == len(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    strong = next(cell for cell in cells if cell.coordinates["c2"] == "strong" and cell.coordinates["affixes"] == "no")
    assert (strong.row, strong.recipe.linear.c2, strong.recipe.linear.features.prefix) == ("CRF, no, strong", 5.0, 0)
    assert strong.recipe.linear.max_iterations == 5


def test_a_seed_can_be_left_out_of_some_rows(tmp_path: Path) -> None:
    left_out = '[[leave_out]]\naffixes = "no"\nseed = 1\n'
    every = cells_of(read_grid(written(tmp_path, SMALL + AXES)), tmp_path)
    cells = cells_of(read_grid(written(tmp_path, SMALL + AXES + left_out)), tmp_path)
    gone = {cell.identity for cell in every} - {cell.identity for cell in cells}
    assert gone == {cell.identity for cell in every if cell.seed == 1 and cell.coordinates["affixes"] == "no"} != set()


def test_full_replaces_values_and_blocks_of_one_name(tmp_path: Path) -> None:
    full = '[full]\nseeds = [0, 1, 2]\nset = { linear.c2 = 1 }\n[[full.system]]\nname = "CRF"\nuse = ["rest"]\n'
    path = written(tmp_path, SMALL + full)
    reduced, whole = read_grid(path), read_grid(path, "full")
    assert (reduced.seeds, whole.seeds) == ((0, 1), (0, 1, 2))
    assert whole.set == {"linear": {"max_iterations": 5, "c2": 1}}
    assert (whole.system[0].recipe, whole.system[0].use) == ("crf", ("rest",))


def test_each_writes_a_block_for_every_item(tmp_path: Path) -> None:
    text = SMALL.replace('name = "swa"', 'name = "{each}"\neach = ["swahili-news", "english-news"]').replace(
        "sample:swahili-news", "sample:{each}"
    )
    sources = 'sources = ["sample:english-news/train", "sample:swahili-news/train"]'
    text = text.replace("[[system]]", f'{sources}\n[[system]]\nuse = ["sources"]', 1)
    swahili, english = read_grid(written(tmp_path, text)).corpus
    assert (swahili.name, english.train) == ("swahili-news", "sample:english-news/train")
    cells = {cell.corpus: cell for cell in cells_of(read_grid(tmp_path / "grid.toml"), tmp_path)}
    assert cells["swahili-news"].files["sources"] == ("sample:english-news/train",)
    assert cells["english-news"].files["sources"] == ("sample:swahili-news/train",)  # never the target itself


def test_what_a_cell_is_does_not_depend_on_names_or_new_fields(tmp_path: Path) -> None:
    one = cells_of(read_grid(written(tmp_path, SMALL)), tmp_path)
    other = cells_of(
        read_grid(written(tmp_path, SMALL.replace('"swa"', '"Swahili"').replace('"CRF"', '"C"'))), tmp_path
    )
    assert [cell.identity for cell in one] == [cell.identity for cell in other]
    old = one[0].parts
    del old["recipe"]["linear"]["minimum_count"]  # a field that was not there when the row was written
    assert identity(old) == one[0].identity
    old["recipe"]["linear"]["c2"] = 7.0
    assert identity(old) != one[0].identity


def test_a_cell_has_the_sentences_of_its_budget_or_fraction(tmp_path: Path) -> None:
    whole = read(resolve("sample:swahili-news/train"), language="swa")
    text = SMALL.replace("budgets = [20, 40]", 'budgets = [20, "all"]\nfractions = [0.5]')
    cells = {cell.coordinates["size"]: cell for cell in cells_of(read_grid(written(tmp_path, text)), tmp_path)}
    sizes = {label: len(corpus_of(cell).train) for label, cell in cells.items()}
    assert sizes == {"20": 20, "all": len(whole), "50 %": round(len(whole) / 2)}
    assert corpus_of(cells["20"]).train == corpus_of(cells["50 %"]).train[:20]


def test_leaked_sentences_are_removed_on_request(tmp_path: Path) -> None:
    lines = [f"{name} B-PER\nruns O\n" for name in ("Ann", "Bob", "Cid", "Dan")]
    (tmp_path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "test.txt").write_text("\n".join([lines[0], "Eva B-PER\nruns O\n"]), encoding="utf-8")
    text = SMALL.replace("sample:swahili-news/", "").replace('/train"', '"').replace("[20, 40]", "[2]")
    text = text.replace('"train"', '"train.txt"').replace('"test"\n[[', '"test.txt"\nleaked = "removed"\n[[')
    cell = cells_of(read_grid(written(tmp_path, text)), tmp_path)[0]
    assert [sentence.tokens[0] for sentence in corpus_of(cell).test] == ["Eva"]


def test_a_run_has_the_scores_of_evaluate(tmp_path: Path) -> None:
    cell = cells_of(read_grid(written(tmp_path, SMALL)), tmp_path)[0]
    row = run_cell(cell)
    corpus = corpus_of(cell)
    tagger = new_tagger(read_recipe("crf", {"linear.max_iterations": "5"}))
    tagger.fit(corpus)
    predicted = tagger.tag([sentence.bare() for sentence in corpus.test])
    report = evaluate(corpus.test, predicted, train=corpus.train)
    assert row["status"] == "done"
    assert row["scores"]["f1"]["value"] == pytest.approx(report.micro.f1, abs=1e-6)
    assert row["scores"]["f1"]["ci95"] == pytest.approx(report.ci95, abs=1e-6)
    assert row["scores"]["tag_accuracy"]["value"] == pytest.approx(report.tags.accuracy, abs=1e-6)
    assert row["scores"]["tag_macro_f1"]["value"] == pytest.approx(report.tags.macro_f1, abs=1e-6)
    assert row["scores"]["tag_weighted_f1"]["value"] == pytest.approx(report.tags.weighted_f1, abs=1e-6)
    assert row["scores"]["macro_f1"]["value"] == pytest.approx(report.macro.f1, abs=1e-6)
    assert row["scores"]["weighted_f1"]["value"] == pytest.approx(report.weighted.f1, abs=1e-6)
    assert row["labels"]["LOC"]["recall"]["value"] == pytest.approx(report.label_scores["LOC"].recall, abs=1e-4)
    assert (unpack_counts(row["counts"]) == report.counts.sum(axis=1)).all()
    assert row["sentences"] == {"train": 20, "labelled": 20, "dev": 0, "test": len(corpus.test), "sources": 0}
    assert scores_of(report)["f1"] == row["scores"]["f1"]


def test_sources_teach_along_with_their_labels_renamed(tmp_path: Path) -> None:
    text = SMALL.replace("[20, 40]", "[20]").replace(
        LAST, f'{LAST}use = ["sources"]\nset = {{ labels = {{ DATE = "" }} }}'
    )
    text = text.replace("[[system]]", 'sources = ["sample:english-news/train"]\n[[system]]', 1)
    row = run_cell(cells_of(read_grid(written(tmp_path, text)), tmp_path)[0])
    assert row.get("error") is None
    assert row["sentences"]["sources"] == len(read(resolve("sample:english-news/train")))


def test_counts_survive_as_text() -> None:
    counts = np.random.default_rng(0).integers(0, 300, (500, 3))
    assert (unpack_counts(pack_counts(counts)) == counts).all()


def test_every_cell_is_run_once_and_failures_do_not_stop_the_rest(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace("[20, 40]", "[20, 100000]").replace("seeds = [0, 1]", "seeds = [0]"))
    said: list[str] = []
    ran = run_grid(path, RunOptions(jobs=2), said.append)
    assert (ran.done, ran.failed, ran.before) == (1, 1, 0)
    rows = {row["coordinates"]["size"]: row for row in rows_of(tmp_path)}
    assert rows["20"]["status"] == "done" and rows["20"]["memory_mb"] > 10
    assert rows["20"]["checksums"].keys() == {"sample:swahili-news/train", "sample:swahili-news/test"}
    assert rows["100000"]["status"] == "failed" and "100000 sentences was asked of" in rows["100000"]["error"]
    assert any("FAILED" in line for line in said)
    again = run_grid(path, RunOptions(), quiet)
    assert (again.done, again.failed, again.before) == (0, 1, 2) and len(rows_of(tmp_path)) == 2
    retried = run_grid(path, RunOptions(failed=True), quiet)
    assert (retried.done, retried.failed, len(rows_of(tmp_path))) == (0, 1, 3)


def test_a_dry_run_lists_what_is_left_and_how_long_it_takes(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    cells = cells_of(read_grid(path), tmp_path)
    lines = list(describe(plan_of(path, RunOptions()), RunOptions()))
    assert len(lines) == 5 and lines[-1].startswith("4 cells, 4 to run; time not known yet")
    assert not (tmp_path / "results.jsonl").exists()
    with appending(tmp_path / "results.jsonl") as append:
        for cell, seconds in zip(cells[:2], (100, 300), strict=True):
            outcome = {"status": "done", "seconds": {"total": seconds}}
            append(_row(cell, outcome))
    lines = list(describe(plan_of(path, RunOptions(jobs=2)), RunOptions(jobs=2)))
    assert lines[0].endswith("about 2 min") and lines[1].endswith("about 5 min")
    assert lines[-1] == "4 cells, 2 to run; about 5 min left with 2 at a time"


def _row(cell: Any, outcome: dict[str, Any]) -> dict[str, Any]:
    from onomast.experiments.results import row_of

    return row_of(cell, checksums(cell), outcome)


def test_a_change_of_a_file_makes_its_cells_new(tmp_path: Path) -> None:
    text = SMALL.replace('"sample:swahili-news/train"', '"train.conll"')
    (tmp_path / "train.conll").write_bytes(resolve("sample:swahili-news/train").read_bytes())
    path = written(tmp_path, text)
    with appending(tmp_path / "results.jsonl") as append:
        for cell in cells_of(read_grid(path), tmp_path):
            append(_row(cell, {"status": "done", "seconds": {"total": 1}}))
    assert not plan_of(path, RunOptions()).todo
    with (tmp_path / "train.conll").open("a", encoding="utf-8") as more:
        more.write("\nNairobi\tB-LOC\n")
    assert len(plan_of(path, RunOptions()).todo) == 4


def test_a_killed_run_goes_on_to_the_same_results(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        written(folder, SMALL)
    command = [sys.executable, "-m", "onomast.cli", "grid", "run", str(killed / "grid.toml"), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    results = killed / "results.jsonl"
    until = time.monotonic() + 120
    while not (results.is_file() and results.read_bytes().count(b"\n")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results.read_bytes()
    kept = before[: before.rindex(b"\n") + 1]
    assert 1 <= kept.count(b"\n") < 4
    results.write_bytes(kept + kept[:200])  # a line that the kill tore
    resumed = run_grid(killed / "grid.toml", RunOptions(jobs=2), quiet)
    assert resumed.before == kept.count(b"\n") and resumed.done + resumed.before == 4
    assert results.read_bytes().startswith(kept)
    run_grid(whole / "grid.toml", RunOptions(), quiet)
    assert timeless(rows_of(killed)) == timeless(rows_of(whole))


def test_two_runs_of_one_grid_do_not_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with appending(path), pytest.raises(OnomastError, match="another `onomast grid run`"), appending(path):
        pass


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"status": "failed"}\n{"sta\n{"status": "failed"}\n', encoding="utf-8")
    with pytest.raises(OnomastError, match=r"results.jsonl:2: not a row of results"):
        read_results(tmp_path / "results.jsonl")


def test_a_process_that_dies_is_one_failed_outcome() -> None:
    outcomes = dict(on_processes(kill_itself, [0, 1, 2], 2))
    assert outcomes[0] == {"status": "done", "task": 0} and outcomes[2] == {"status": "done", "task": 2}
    assert outcomes[1]["status"] == "failed" and "killed by signal 9" in outcomes[1]["error"]


def test_vectors_of_raw_text_are_learnt_once_for_all_cells(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    text = SMALL.replace('recipe = "crf"', 'recipe = "crf-fasttext"\nuse = ["raw"]').replace(
        "[[system]]", 'raw = "train"\n[[system]]', 1
    )
    text += "[vectors]\nwidth = 8\nepochs = 1\n"
    cells = cells_of(read_grid(written(tmp_path, text)), tmp_path)
    learnings = missing_vectors(cells)
    assert len(learnings) == 1 and len({vectors_of(cell) for cell in cells}) == 1
    assert learn_vectors(learnings[0])["status"] == "done"
    assert missing_vectors(cells) == [] and (tmp_path / ".cache" / ".gitignore").read_text() == "*\n"
    assert run_cell(cells[0])["status"] == "done"


def test_vectors_are_learnt_from_the_tokens_of_a_labelled_file(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    from onomast.vectors.files import open_vectors

    (tmp_path / "more.conll").write_text("Zanzikwi\tB-LOC\nni\tO\n\n" * 30, encoding="utf-8")
    text = SMALL.replace('recipe = "crf"', 'recipe = "crf-fasttext"\nuse = ["raw"]').replace(
        "[[system]]", 'raw = ["train", "text:more.conll"]\n[[system]]', 1
    )
    cells = cells_of(read_grid(written(tmp_path, text + "[vectors]\nwidth = 8\nepochs = 1\n")), tmp_path)
    learning = missing_vectors(cells)[0]
    learn_vectors(learning)
    words = open_vectors(learning.path).words
    assert "Zanzikwi" in words and "B-LOC" not in words and len(words) > 100


def test_vectors_can_be_learnt_in_lower_case_and_with_passes_of_a_corpus_own(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    from onomast.vectors.files import open_vectors

    text = SMALL.replace('recipe = "crf"', 'recipe = "crf-fasttext"\nuse = ["raw"]')
    text = text.replace("[[system]]", 'raw = "train"\nraw_epochs = 2\n[[system]]', 1) + "[vectors]\nwidth = 8\n"
    plain, lowered = (cells_of(read_grid(written(tmp_path, text + end)), tmp_path)[0] for end in ("", "lower = true\n"))
    assert plain.vectors.epochs == 2 and "lower" not in plain.parts["vector_training"]
    assert plain.identity != lowered.identity
    learning = missing_vectors([lowered])[0]
    learn_vectors(learning)
    words = open_vectors(learning.path).words
    assert words and all(word == word.lower() for word in words)


ENCODER = (
    SMALL.replace('recipe = "crf"', 'recipe = "transformer"\nuse = ["encoder"]').replace(
        "set = { linear.max_iterations = 5 }",
        "set = { neural.training.epochs = 1, neural.training.steps = 0 }\nleave_out = [{ seed = 1 }]",
    )
    + """
[[system]]
name = "from nothing"
recipe = "transformer"
use = ["untrained"]
[encoder]
text = ["swa=more.txt", "sample:swahili-news/train"]
layers = 1
width = 8
heads = 2
vocabulary = 200
steps = 3
batch = 256
block = 32
"""
)


def test_an_encoder_is_learnt_once_without_test_sentences(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    hidden = read(resolve("sample:swahili-news/test"))[0].tokens
    (tmp_path / "more.txt").write_text(" ".join(hidden) + "\nZanzikwi ni kubwa .\n" * 9, encoding="utf-8")
    cells = cells_of(read_grid(written(tmp_path, ENCODER)), tmp_path)
    learnings = missing_encoders(cells)
    assert len(learnings) == 1 and str(learnings[0]) == "an encoder from swa=more.txt, sample:swahili-news/train"
    assert learn_encoder(learnings[0])["status"] == "done" and missing_encoders(cells) == []
    folders = {cell.row: encoder_of(cell) for cell in cells}
    learnt, untrained = folders["CRF"], folders["from nothing"]
    assert learnt is not None and untrained == learnt / "untrained"
    assert json.loads((learnt / "training.json").read_text())["summary"]["dropped"] >= 1
    one, other = (transformers.AutoModel.from_pretrained(folder).state_dict() for folder in (learnt, untrained))
    assert one.keys() == other.keys() and not any(
        one[name].equal(other[name]) for name in one if name.endswith("dense.weight")
    )
    for cell in (cells[0], next(cell for cell in cells if cell.row == "from nothing")):
        assert (row := run_cell(cell))["status"] == "done", row
    assert learn_encoder(learnings[0])["summary"].endswith("was there already")


def test_other_settings_or_text_are_another_encoder(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("Zanzikwi ni kubwa .\n", encoding="utf-8")
    cell = cells_of(read_grid(written(tmp_path, ENCODER)), tmp_path)[0]
    found = {encoder_of(cell), encoder_of(replace(cell, recipe=replace(cell.recipe, script="deva")))}
    found.add(encoder_of(replace(cell, encoder=replace(cell.encoder, steps=4))))
    (tmp_path / "more.txt").write_text("Zanzikwi ni ndogo sana .\n", encoding="utf-8")
    found.add(encoder_of(cell))
    assert len(found) == 4
    assert encoder_of(replace(cell, seed=5, size=7, recipe=replace(cell.recipe, seed=5))) in found


def test_scores_with_leaked_sentences_stand_beside_those_without(tmp_path: Path) -> None:
    train, test = (resolve(f"sample:swahili-news/{name}") for name in ("train", "test"))
    leaky = tmp_path / "test.conll"
    some = "\n\n".join(train.read_text(encoding="utf-8").split("\n\n")[:20])
    leaky.write_text(some + "\n\n" + test.read_text(encoding="utf-8"), encoding="utf-8")
    text = SMALL.replace('"sample:swahili-news/test"', '"test.conll"\nleaked = "removed"')
    text = text.replace("[20, 40]", '["all"]').replace("max_iterations = 5", "max_iterations = 60")
    cell = cells_of(read_grid(written(tmp_path, text)), tmp_path)[0]
    assert len(leaked_of(cell)) + len(corpus_of(cell).test) == len(read(leaky)) and len(leaked_of(cell)) >= 20
    scores = run_cell(cell)["scores"]
    assert scores["with_leaked_f1"]["support"] > scores["f1"]["support"]
    assert scores["with_leaked_f1"]["value"] > scores["f1"]["value"]


def test_the_command_line_says_what_happened(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace("[20, 40]", "[100000]").replace("[0, 1]", "[0]"))
    command = [sys.executable, "-m", "onomast.cli", "grid", "run", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "1 failed" in ran.stderr and "Traceback" not in ran.stderr
    missing = subprocess.run([*command[:-1], "none.toml"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1 and missing.stderr == (
        "onomast: none.toml: no such file; expected a grid (see docs/how-to/grids.md)\n"
    )


def test_the_example_is_a_grid() -> None:
    for variant, cells in (("reduced", 36), ("full", 90)):
        assert len(cells_of(read_grid(EXAMPLE, variant), EXAMPLE.parent)) == cells  # type: ignore[arg-type]


def test_the_grid_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[2] / "docs" / "how-to" / "grids.md").read_text(encoding="utf-8")
    path = written(tmp_path, page.split("```toml\n")[1].split("```")[0])
    cells = cells_of(read_grid(path), tmp_path)
    assert len(cells) == 2 * 2 * 3 * 3 - 3 * 3  # corpora, outputs, sizes, seeds, less softmax on Hausa
    assert {cell.recipe.neural.training.epochs for cell in cells_of(read_grid(path, "full"), tmp_path)} == {100}


@pytest.mark.slow
def test_ray_gives_the_same_numbers_as_processes(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    found = []
    for engine in ("processes", "ray"):
        folder = tmp_path / engine
        folder.mkdir()
        command = [sys.executable, "-m", "onomast.cli", "grid", "run", str(written(folder, SMALL)), "--engine", engine]
        subprocess.run([*command, "--jobs", "2"], check=True, capture_output=True, timeout=600)
        found.append(timeless(rows_of(folder)))
    assert len(found[0]) == 4 and found[0] == found[1]


def test_the_number_of_class_only_sentences_can_be_limited(tmp_path: Path) -> None:
    blocks = ["# intent: go\nAsha\tB-PER\nalienda\tO\n", "# intent: rest\nJuma\tB-PER\nalilala\tO\n"]
    (tmp_path / "train.conll").write_text("\n".join(blocks * 10), encoding="utf-8")
    text = """
title = "Class-only sentences"
budgets = [4]
seeds = [0]
[[corpus]]
name = "made up"
train = "train.conll"
test = "train.conll"
[[system]]
name = "all"
recipe = "joint-sentence"
use = ["rest"]
[[system]]
name = "five"
recipe = "joint-sentence"
use = ["rest"]
rest_sentences = 5
"""
    cells = cells_of(read_grid(written(tmp_path, text)), tmp_path)
    sizes = [[one.tags is not None for one in corpus_of(cell).train].count(False) for cell in cells]
    assert sizes == [16, 5]
    assert cells[0].identity != cells[1].identity
    assert "rest_sentences" not in cells[0].parts  # rows from before there was this field stay valid


def test_a_dry_run_scales_from_runs_of_another_size_and_says_so(tmp_path: Path) -> None:
    """20 and 40 sentences: CRFsuite takes about twice as long; with --full twice the iterations, again twice."""
    text = SMALL + "[full]\nset = { linear.max_iterations = 10 }\n"
    path = written(tmp_path, text)
    small = [cell for cell in cells_of(read_grid(path), tmp_path) if cell.size == 20 and cell.seed == 0]
    with appending(tmp_path / "results.jsonl") as append:
        for cell in small:
            append(_row(cell, {"status": "done", "seconds": {"total": 100}, "sentences": {"labelled": 20}}))
    lines = list(describe(plan_of(path, RunOptions()), RunOptions()))
    assert [line.partition(": ")[2] for line in lines[:-1]] == [
        "about 3 min (scaled from other runs)",
        "about 2 min",
        "about 3 min (scaled from other runs)",
    ]
