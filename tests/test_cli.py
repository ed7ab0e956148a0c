"""The command line as a user meets it: exit status, one clear line on bad input, JSON fields as documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Onomast

TRAIN, TEST = "sample:swahili-news/train", "sample:swahili-news/test"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear tagger trained by the command line."""
    folder = tmp_path_factory.mktemp("model") / "crf"
    command = [sys.executable, "-m", "onomast.cli", "train", TRAIN, "--test", TEST, "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_train_writes_a_folder_that_says_what_it_is(model: Path) -> None:
    report = json.loads((model / "report.json").read_text(encoding="utf-8"))
    entities = report["entities"]
    assert report["signature"].startswith("onomast:")
    assert 0.3 < entities["micro"]["f1"] < 1
    low, high = entities["micro"]["ci95"]
    assert low < entities["micro"]["f1"] < high
    assert set(entities["labels"]) == {"PER", "LOC", "ORG", "DATE"}
    assert set(report) >= {"tags", "unseen", "without_leaked", "repairs", "seconds", "tokens_per_second"}
    assert report["seconds"]["train"] > 0
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "150 sentences" in card and "onomast train" in card
    assert not [path for path in model.iterdir() if path.name.startswith(".") or path.suffix in (".pkl", ".pickle")]


def test_evaluate_prints_json_and_writes_a_page(onomast: Onomast, model: Path, tmp_path: Path) -> None:
    result = onomast("evaluate", model, TEST, "--json", "-", "--html", tmp_path / "page.html")
    assert result.status == 0
    trained = json.loads((model / "report.json").read_text(encoding="utf-8"))
    assert json.loads(result.out)["entities"]["micro"] == trained["entities"]["micro"]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<html" in page and 'src="' not in page and "https://" not in page


def test_tag_reads_raw_text_and_gives_offsets(onomast: Onomast, model: Path, tmp_path: Path) -> None:
    text = "Asha Juma alisafiri kwenda Dodoma.\r\n\r\nJana alirudi  Nairobi 😀."
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8", newline="")
    result = onomast("tag", model, path)
    assert result.status == 0
    rows = [json.loads(line) for line in result.out.splitlines()]
    found = [(row["text"], entity) for row in rows for entity in row["entities"]]
    assert found
    assert all(words[entity["start"] : entity["end"]] == entity["text"] for words, entity in found)
    assert all(text[row["start"] :].startswith(row["text"]) for row in rows)
    sure = onomast("tag", model, path, "--min-confidence", "0.999999")
    assert sum(len(json.loads(line)["entities"]) for line in sure.out.splitlines()) < len(found)


def test_score_of_a_file_against_itself_is_one(onomast: Onomast) -> None:
    result = onomast("score", TEST, TEST, "--json", "-")
    assert json.loads(result.out)["entities"]["micro"]["f1"] == 1.0


def test_compare_needs_no_model(onomast: Onomast, model: Path, tmp_path: Path) -> None:
    from onomast.data.catalogue import resolve

    tagged = tmp_path / "tagged.conll"
    assert onomast("tag", model, resolve(TEST), "--read", "columns", "--format", "columns", "--out", tagged).status == 0
    result = onomast("compare", TEST, tagged, TEST, "--json", "-")
    assert result.status == 0
    assert json.loads(result.out)


def test_check_exits_with_one_only_if_something_is_wrong(onomast: Onomast, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("Asha B-PER\nna O\nJuma I-LOC\n\n" + "Ali B-PER\nna O\nTanga B-LOC\n\n", encoding="utf-8")
    result = onomast("check", path)
    assert result.status == 1
    assert f"{path}:3: I-LOC" in result.out
    assert json.loads(onomast("check", path, "--json", "-").out)["counts"]["illegal-tag"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "/no/such/model", TEST], "no such folder"),
        (["train", "/no/such/file", "--out", "x"], "/no/such/file"),
        (["train", "sample:swahili", "--out", "x"], "swahili-news"),
        (["train", TRAIN, "--out", "x", "--recipe", "cfr"], "did you mean 'crf'"),
        (["train", TRAIN, "--out", "x", "--set", "linear.featurs=1"], "did you mean 'features'"),
        (["train", TRAIN, "--out", "x", "--set", "linear"], "expected KEY=VALUE"),
        (["train", TRAIN, "--out", "x", "--budget", "1000"], "150 training sentences"),
        (["recipes", "smal"], "did you mean"),
        (["score", TRAIN, TEST], "sentences"),
    ],
)
def test_bad_input_is_one_line_and_status_one(
    onomast: Onomast, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = onomast(*words)
    assert result.status == 1
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("onomast: ") and message in last
    assert "Traceback" not in result.err


def test_debug_shows_the_traceback(onomast: Onomast) -> None:
    from onomast.errors import OnomastError

    with pytest.raises(OnomastError):
        onomast("recipes", "nothing", "--debug")


def test_recipes_shows_the_commented_file(onomast: Onomast) -> None:
    assert "crf-myner" in onomast("recipes").out
    assert "#" in onomast("recipes", "crf").out


@pytest.mark.parametrize(
    "words",
    [[], ["check"], ["describe"], ["train"], ["evaluate"],
     ["score"], ["compare"], ["tag"], ["recipes"], ["data", "list"],
     ["data", "fetch"], ["vectors", "train"], ["vectors", "info"], ["vectors", "prune"], ["segment", "apply"],
     ["transfer", "rank"], ["convert"], ["grid", "run"], ["grid", "table"], ["grid", "plot"]],
)  # fmt: skip
def test_every_command_explains_itself(onomast: Onomast, words: list[str]) -> None:
    result = onomast(*words, "--help")
    assert result.status == 0
    assert "Usage: onomast" in result.out
