"""Onomast inside spaCy, scikit-learn, a Hugging Face pipeline and Label Studio, used as their users use them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_up import labelled
from onomast.apps.model import Model
from onomast.apps.serve.label_studio import predictions, read_config, texts_of
from onomast.corpus import Corpus
from onomast.errors import DataError, OnomastError
from onomast.recipe import read_recipe
from onomast.taggers.registry import new_tagger

TEXT = "Asha  alisafiri huko Tanga .\nJuma alilala huko Moshi ."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("integrations") / "model"
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("made up", labelled(60)))
    tagger.save(path)
    return path


def test_spacy_sets_entities_on_its_own_tokens_and_saves_them_with_the_pipeline(folder: Path, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from onomast.integrations.spacy import OnomastComponent  # registers the factory, as the entry point does

    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("onomast", config={"model": str(folder)})
    doc = nlp(TEXT)
    assert [(span.text, span.label_) for span in doc.ents] == [
        ("Asha", "PER"), ("Tanga", "LOC"), ("Juma", "PER"), ("Moshi", "LOC"),
    ]  # fmt: skip
    assert all(0 < span._.confidence <= 1 for span in doc.ents)
    nlp.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    copied = spacy.blank("xx")
    copied.add_pipe("sentencizer")
    copied.add_pipe("onomast").from_bytes(nlp.get_pipe("onomast").to_bytes())
    for again in (loaded, copied):
        docs = list(again.pipe([TEXT, "", "  "] * 40, batch_size=7))
        assert [str(one.ents) for one in docs[::3]] == [str(doc.ents)] * 40 and not docs[1].ents
    assert isinstance(loaded.get_pipe("onomast"), OnomastComponent)
    with pytest.raises(OnomastError, match="config="):
        spacy.blank("xx").add_pipe("onomast")(nlp.make_doc("Asha"))
    with pytest.raises(OnomastError, match="no such folder"):
        spacy.blank("xx").add_pipe("onomast", config={"model": str(tmp_path / "no")})


def test_spacy_keeps_entities_that_are_there_and_leaves_out_the_uncertain(folder: Path) -> None:
    spacy = pytest.importorskip("spacy")
    import onomast.integrations.spacy  # noqa: F401

    nlp = spacy.blank("xx")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "RULE", "pattern": "huko Tanga"}])
    nlp.add_pipe("onomast", config={"model": str(folder)})
    assert [span.label_ for span in nlp("Asha alisafiri huko Tanga .").ents] == ["PER", "RULE"]
    strict = spacy.blank("xx")
    strict.add_pipe("onomast", config={"model": str(folder), "min_confidence": 1.0})
    assert not strict("Asha alisafiri huko Tanga .").ents


def test_the_entry_points_name_what_is_there() -> None:
    from importlib import import_module

    table = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, name = table["project"]["entry-points"]["spacy_factories"]["onomast"].partition(":")
    pytest.importorskip("spacy")
    assert callable(getattr(import_module(module), name))


def test_scikit_learn_clones_validates_and_searches() -> None:
    sklearn = pytest.importorskip("sklearn.base")
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV, cross_val_score

    from onomast.integrations.scikit_learn import OnomastTagger

    sentences = labelled(60)
    tokens, tags = [list(one.tokens) for one in sentences], [list(one.tags or ()) for one in sentences]
    tagger = OnomastTagger(changes={"linear.max_iterations": 30})
    twin = sklearn.clone(tagger)
    assert twin.get_params() == tagger.get_params() and twin is not tagger
    with pytest.raises(NotFittedError):
        tagger.predict(tokens)
    with pytest.raises(DataError, match="expected as many"):
        tagger.fit(tokens, tags[1:])
    assert tagger.fit(tokens[:40], tags[:40]) is tagger and set(tagger.classes_) == {"LOC", "PER"}
    predicted = tagger.predict(tokens[40:])
    assert [len(row) for row in predicted] == [len(row) for row in tokens[40:]]
    assert tagger.score(tokens[40:], tags[40:]) == 1.0 and predicted == tags[40:]
    assert all(0 <= value <= 1 for row in tagger.predict_confidence(tokens[40:]) for value in row)
    assert not hasattr(twin, "tagger_")
    assert min(cross_val_score(twin, tokens, tags, cv=3)) > 0.9
    search = GridSearchCV(twin, {"changes": [{"linear.max_iterations": 1}, {"linear.max_iterations": 30}]}, cv=2)
    assert search.fit(tokens, tags).best_params_ == {"changes": {"linear.max_iterations": 30}}


def test_pipeline_answers_as_token_classification_does(folder: Path) -> None:
    from onomast.integrations.pipeline import pipeline

    pipe = pipeline(folder)
    answer = pipe(TEXT)
    assert isinstance(answer, list)
    assert [set(one) for one in answer if isinstance(one, dict)] == [
        {"entity_group", "score", "word", "start", "end"}
    ] * 4
    assert [(one["entity_group"], TEXT[one["start"] : one["end"]]) for one in answer if isinstance(one, dict)] == [
        ("PER", "Asha"), ("LOC", "Tanga"), ("PER", "Juma"), ("LOC", "Moshi"),
    ]  # fmt: skip
    assert pipe([TEXT, ""]) == [answer, []]
    stream = pipe(text for text in [TEXT, ""])
    assert isinstance(stream, Iterator) and list(stream) == [answer, []]


CONFIG = """<View><Labels name="tags" toName="doc"><Label value="PER"/><Label value="ORG"/></Labels>
<Text name="doc" value="$body"/></View>"""


def test_label_studio_gets_predictions_in_its_own_names(folder: Path) -> None:
    config = read_config(CONFIG)
    tasks = [{"id": 7, "data": {"body": TEXT}}, {"id": 8, "data": {"body": ""}}]
    found = Model.load(folder).entities(texts_of(tasks, config))
    made = predictions(found, config, "v1")
    assert [one["value"] for one in made[0]["result"]] == [
        {"start": 0, "end": 4, "text": "Asha", "labels": ["PER"]},
        {"start": 29, "end": 33, "text": "Juma", "labels": ["PER"]},
    ]  # the project has no LOC
    assert {(one["from_name"], one["to_name"], one["type"]) for one in made[0]["result"]} == {("tags", "doc", "labels")}
    assert made[1] == {"result": [], "score": 1.0, "model_version": "v1"}


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<View>", "not XML"),
        ("<View/>", "no <Labels>"),
        ('<View><Labels name="a" toName="b"/></View>', "no <Labels>"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "plain tags"),
    ],
)
def test_label_studio_configs_that_do_not_fit_are_refused(xml: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_config(xml)
    with pytest.raises(DataError, match="task 3"):
        texts_of([{"id": 3, "data": {}}], read_config(CONFIG))
