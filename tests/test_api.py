"""The Python API: three calls from a file to entities, whatever holds the texts and the labels."""

from __future__ import annotations

import inspect
import json
import logging
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import onomast
from onomast.apps.inputs import read_labelled
from onomast.apps.raw_vectors import recipe_for

TEXT = "Asha alisafiri kwenda Dodoma.  😀 Jana alirudi Nairobi kwa Juma."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> onomast.Model:
    return onomast.train("sample:swahili-news", out=tmp_path_factory.mktemp("api") / "model")


def test_a_corpus_without_a_split_is_training_and_test_data(model: onomast.Model) -> None:
    assert model.report is not None
    assert len(model.report.counts) == len(onomast.read("sample:swahili-news/test"))
    assert model.report.leaked is not None and not model.report.leaked.any()
    assert model.labels == ("DATE", "LOC", "ORG", "PER")


def test_entities_of_a_text_a_list_and_a_stream(model: onomast.Model) -> None:
    entities = model.entities(TEXT)
    assert [one.text for one in entities if one.label == "LOC"] == ["Dodoma", "Nairobi"]
    assert all(TEXT[one.start : one.end] == one.text for one in entities)
    assert all(one.confidence is not None and 0 < one.confidence <= 1 for one in entities)
    assert model.entities([TEXT, "", TEXT]) == [entities, [], entities]
    stream = model.entities(text for text in (TEXT, TEXT))
    assert isinstance(stream, Iterator) and list(stream) == [entities, entities]
    assert model.entities(TEXT, min_confidence=1.0) == []
    many = model.entities([TEXT] * 150)
    assert many == [entities] * 150


def test_a_long_document_is_one_text(model: onomast.Model) -> None:
    text = "\n".join([TEXT] * 400)
    entities = model.entities(text)
    assert len(entities) == 400 * len(model.entities(TEXT))
    assert all(text[one.start : one.end] == one.text for one in entities)


def test_tokens_and_sentences_are_texts_too(model: onomast.Model) -> None:
    tokens = ["Asha", "alisafiri", "kwenda", "Dodoma", "."]
    (from_tokens,) = model.entities([tokens])
    assert [(one.text, one.start, one.end) for one in from_tokens] == [("Dodoma", 22, 28)]
    assert model.entities(onomast.Sentence(tuple(tokens))) == from_tokens
    (tagged,) = model.tag([tokens])
    assert tagged.tags == ("O", "O", "O", "B-LOC", "O")
    assert isinstance(model.tag(iter([tokens])), Iterator)
    with pytest.raises(onomast.OnomastError, match=r"call model\.entities"):
        model.tag("Asha")  # type: ignore[call-overload]


def test_a_loaded_model_is_the_same(model: onomast.Model, tmp_path: Path) -> None:
    loaded = onomast.load(model.folder)
    assert loaded.entities(TEXT) == model.entities(TEXT)
    report = loaded.evaluate("sample:swahili-news")
    assert model.report is not None and report.micro == model.report.micro
    assert "train" not in report.seconds, "how long it was trained is not known here"
    loaded.save(tmp_path / "copy")
    copy = onomast.load(tmp_path / "copy")
    assert copy.evaluate("sample:swahili-news").unseen == report.unseen
    assert (tmp_path / "copy" / "README.md").is_file()


def test_a_model_without_a_folder_lasts_as_long_as_it_is_used() -> None:
    model = onomast.train(onomast.read("sample:swahili-news/train"), budget=60, set={"linear.c2": 0.5})
    folder = model.folder
    assert model.recipe.linear.c2 == 0.5
    assert "sentences in memory" in (folder / "README.md").read_text(encoding="utf-8")
    del model
    assert not folder.exists()


def test_a_model_is_not_replaced_unless_asked(model: onomast.Model, tmp_path: Path) -> None:
    weights = (model.folder / "model.crfsuite").read_bytes()
    with pytest.raises(onomast.ModelError, match="--force"):
        onomast.train("sample:swahili-news/train", out=model.folder, budget=20)
    assert (model.folder / "model.crfsuite").read_bytes() == weights
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(onomast.ModelError, match="no model"):
        onomast.train("sample:swahili-news/train", out=tmp_path, force=True)
    onomast.train("sample:swahili-news/train", out=tmp_path / "m", budget=20)
    onomast.train("sample:swahili-news/train", out=tmp_path / "m", budget=40, force=True)
    assert "40 sentences" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


ROWS = [
    {"tokens": ["Asha", "went", "to", "Oslo"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]},
    {"tokens": ["Juma", "slept"], "ner_tags": ["B-PER", "O"]},
]


def tables() -> Iterator[Any]:
    yield ROWS
    for name in ("pandas", "polars"):
        try:
            yield __import__(name).DataFrame(ROWS)
        except ImportError:
            continue
    try:
        import datasets
    except ImportError:
        return
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    numbers = [{**row, "ner_tags": [names.index(tag) for tag in row["ner_tags"]]} for row in ROWS]
    tags = datasets.Sequence(datasets.ClassLabel(names=names))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    yield datasets.Dataset.from_list(numbers, features=features)


@pytest.mark.parametrize("table", list(tables()), ids=lambda table: type(table).__module__.split(".")[0])
def test_tables_are_labelled_data(table: Any) -> None:
    sentences = onomast.read(table)
    assert [one.tags for one in sentences] == [("B-PER", "O", "O", "B-LOC"), ("B-PER", "O")]


def test_rows_of_text_and_entities_are_labelled_data() -> None:
    rows = [{"text": "Asha went to Oslo.", "entities": [(0, 4, "PER"), {"start": 13, "end": 17, "label": "LOC"}]}]
    (sentence,) = onomast.read(rows)  # type: ignore[arg-type]
    assert [(sentence.span_text(span), span.label) for span in sentence.spans] == [("Asha", "PER"), ("Oslo", "LOC")]
    with pytest.raises(onomast.DataError, match="is not labelled data"):
        onomast.read({1, 2})  # type: ignore[arg-type]


def test_evaluate_and_compare_read_names() -> None:
    name = "sample:swahili-news/test"
    assert onomast.evaluate(name, onomast.read(name)).micro.f1 == 1
    (comparison,) = onomast.compare(name, {"a": name, "b": onomast.read(name)}, samples=100)
    assert comparison is not None


def test_notebooks_draw_entities_sentences_and_reports(model: onomast.Model) -> None:
    entities = model.entities("Asha & co. alirudi Dodoma")._repr_html_()
    assert "&amp;" in entities and ">Dodoma</bdi>" in entities
    (sentence,) = model.tag([["Asha", "alirudi", "<Dodoma>"]])
    assert "<Dodoma>" not in sentence._repr_html_()
    assert model.report is not None
    assert f"{100 * model.report.micro.f1:.2f}" in model.report._repr_html_()


def test_notes_are_logged_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    onomast.train("sample:swahili-news/train", budget=20)
    assert capsys.readouterr() == ("", "")
    with caplog.at_level(logging.INFO, "onomast"):
        read_labelled("sample:swahili-news/train")
    assert "150 sentences" in caplog.text


def test_too_little_raw_text_is_named_and_the_safer_recipe_trained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("gensim")
    raw = tmp_path / "raw.txt"
    raw.write_text("Asha alifika Dodoma.\nJuma alilala Mombasa.\n" * 50, encoding="utf-8")
    model = onomast.train("sample:swahili-news/train", raw=raw, recipe="small-vectors", budget=40)
    assert model.recipe.name == "crf-fasttext"
    assert "the raw text has 400 words" in caplog.text and "57,000 to 109,000 words" in caplog.text
    assert "training crf-fasttext instead of small-vectors" in caplog.text


@pytest.mark.parametrize(
    ("recipe", "words", "changes", "expected"),
    [
        ("small-vectors", 199_999, {}, "crf-fasttext"),
        ("small-vectors", 200_000, {}, "small-vectors"),
        ("small-vectors", 60_000, {"neural.training.epochs": "3"}, "small-vectors"),
        ("transfer-vectors", 60_000, {}, "transfer-vectors"),
    ],
)
def test_the_recipe_depends_on_the_amount_of_raw_text(
    recipe: str, words: int, changes: dict[str, str], expected: str
) -> None:
    assert recipe_for(recipe, words, changes) == expected


def test_the_command_of_the_model_card_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine; really"
    folder.mkdir()
    rows = "".join(f"{token} {tag}\n" for token, tag in (("Asha", "B-PER"), ("slept", "O"))) + "\n"
    (folder / "a b.conll").write_text(rows * 20, encoding="utf-8")
    onomast.train(folder / "a b.conll", out=tmp_path / "model 1", set={"linear.c2": 0.5})
    card = (tmp_path / "model 1" / "README.md").read_text(encoding="utf-8")
    command = next(line.strip() for line in card.splitlines() if line.startswith("    onomast train"))
    words = shlex.split(command)
    assert str(folder / "a b.conll") in words and "linear.c2=0.5" in words
    words[-1] = str(tmp_path / "again")
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_public_names_are_listed_and_documented() -> None:
    assert {"train", "load", "read", "write", "evaluate", "compare", "Model", "Entity"} <= set(dir(onomast))
    for name in ("train", "load", "read", "write", "evaluate", "compare"):
        text = inspect.getdoc(getattr(onomast, name)) or ""
        assert text and "Raises" in text
    arguments = inspect.signature(onomast.train).parameters
    text = inspect.getdoc(onomast.train) or ""
    assert all(f"\n    {name}:" in text for name in arguments)


@pytest.mark.slow
def test_the_three_calls_in_a_fresh_environment_with_the_core_install(core_install: Path, tmp_path: Path) -> None:
    code = """
import sys, onomast
assert not {"torch", "numpy"} & set(sys.modules)
model = onomast.train("sample:swahili-news", out="model")
entities = model.entities("Asha alisafiri kwenda Dodoma.")
report = onomast.load("model").evaluate("sample:swahili-news/test")
import json
print(json.dumps([[one.text for one in entities], report.micro.f1]))
"""
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [core_install / "bin" / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found, f1 = json.loads(done.stdout)
    assert "Dodoma" in found and f1 > 0.6
