"""Self-training: what counts as certain, when it stops, that it resumes, and the command line."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onomast.apps.train import TrainingOptions, train
from onomast.corpus import Corpus
from onomast.errors import RecipeError
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.tagger import History
from onomast.taggers.registry import new_tagger
from onomast.taggers.self_training import certain_of, self_train
from onomast.tags import TagScheme


def tagged(text: str) -> Sentence:
    """`Asha/B-PER/0.95 left/O/0.99`"""
    tokens, tags, confidence = zip(*(part.split("/") for part in text.split()), strict=True)
    return Sentence(tokens, language="xx").tagged(tags, [float(one) for one in confidence])


def test_an_entity_counts_if_every_token_of_it_is_certain() -> None:
    (one,) = certain_of(
        [tagged("Asha/B-PER/0.95 Juma/I-PER/0.9 left/O/0.99 Old/B-LOC/0.99 Moshi/I-LOC/0.5 ./O/0.3")], 0.9
    )
    assert one.tags == ("B-PER", "I-PER", "O", None, None, None)


def test_sentences_without_a_certain_entity_are_left_out() -> None:
    assert certain_of([tagged("it/O/0.99 rains/O/0.99"), tagged("Asha/B-PER/0.89")], 0.9) == []


class Stub:
    """Fulfils the contract; each fit knows one name more, and dev F1 follows `goods`."""

    fits: list[tuple[Corpus, Path | None]]
    goods: list[bool]

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.number = len(Stub.fits)

    @property
    def scheme(self) -> TagScheme:
        return TagScheme(("PER",))

    def fit(self, corpus: Corpus, *, checkpoints: Path | None = None) -> History:
        Stub.fits.append((corpus, checkpoints))
        return History(1.0, ({"epoch": 1},))

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        known = {"Asha"} if Stub.goods[self.number] else set()
        return [
            one.tagged(["B-PER" if token in known else "O" for token in one.tokens], [0.95] * len(one))
            for one in sentences
        ]


@pytest.fixture
def stub() -> type[Stub]:
    Stub.fits = []
    return Stub


GOLD = (Sentence(("Asha", "left"), ("B-PER", "O"), language="xx"),)
RAW = (Sentence(("Asha", "slept")), Sentence(("Asha", "left")), Sentence(("it", "rains")))


def recipe(**settings: Any) -> Recipe:
    return read_recipe("crf", {f"self_training.{name}": str(value) for name, value in settings.items()})


def test_rounds_without_dev_sentences_are_all_run(stub: type[Stub], tmp_path: Path) -> None:
    stub.goods = [True, True, True]
    tagger, history = self_train(recipe(rounds=2), Corpus("x", GOLD, raw=RAW), stub, tmp_path)
    assert tagger.number == 2  # type: ignore[attr-defined]
    assert [row["round"] for row in history.epochs] == [0, 1, 2]
    assert history.seconds == 3.0
    assert [folder for _, folder in stub.fits] == [tmp_path / f"round-{number}" for number in range(3)]
    assert stub.fits[0][0].sources == ()
    (source,) = stub.fits[1][0].sources
    assert [sentence.tokens for sentence in source.train] == [("Asha", "slept")]  # the training sentence is no news
    assert source.train[0].language == "xx" and source.train[0].tags == ("B-PER", "O")
    assert "1 of 2 raw sentences with 1 certain entities" in history.notes[-1]


def test_it_stops_when_dev_f1_does_not_rise_and_keeps_the_best(stub: type[Stub]) -> None:
    stub.goods = [True, True, True, True]
    dev = (Sentence(("Asha", "ran"), ("B-PER", "O")),)
    tagger, history = self_train(recipe(rounds=3), Corpus("x", GOLD, dev, raw=RAW), stub)
    assert tagger.number == 0 and len(stub.fits) == 2  # type: ignore[attr-defined]
    assert "dev F1 1.000 -> 1.000" in history.notes[-1]


def test_it_stops_when_nothing_is_certain(stub: type[Stub]) -> None:
    stub.goods = [False, True]
    _, history = self_train(recipe(rounds=3), Corpus("x", GOLD, raw=RAW), stub)
    assert len(stub.fits) == 1 and "no entity in 2 raw sentences" in history.notes[-1]


@pytest.mark.parametrize("name", ["crf", "small"])
def test_the_command_trains_on_raw_text_and_a_second_run_gives_the_same_bytes(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "small":
        pytest.importorskip("torch")
    raw = tmp_path / "raw.txt"
    raw.write_text("Asha alifika Dodoma.\nJuma alilala Mombasa.\n" * 30, encoding="utf-8")
    changes = {"self_training.rounds": "1", "self_training.confidence": "0.3"}
    if name == "small":
        changes |= {"neural.training.steps": "150", "neural.training.epochs": "1"}
    train_file, budget = "sample:swahili-news/train", 40
    options = TrainingOptions(
        train_file, tmp_path / "model", recipe=name, budget=budget, raw=(str(raw),), changes=changes
    )
    with caplog.at_level(logging.INFO, "onomast"):
        train(options)
    assert "self-training round 1" in caplog.text
    train(dataclasses.replace(options, out=tmp_path / "again"))
    weights = "weights.safetensors" if name == "small" else "model.crfsuite"
    assert (tmp_path / "model" / weights).read_bytes() == (tmp_path / "again" / weights).read_bytes()
    with pytest.raises(RecipeError, match="needs raw text"):
        train(dataclasses.replace(options, out=tmp_path / "third", raw=()))


@pytest.mark.parametrize("name", ["crf", "small"])
def test_python_and_grids_train_on_raw_text_as_the_command_does(name: str) -> None:
    """`fit` alone does it: what `new_tagger` gives is not told apart from a tagger without self-training."""
    if name == "small":
        pytest.importorskip("torch")
    changes = {"self_training.rounds": "1", "self_training.confidence": "0.0"}
    if name == "small":
        changes |= {"neural.training.steps": "3", "neural.training.epochs": "1", "neural.training.dev": "none"}
    tagger = new_tagger(read_recipe(name, changes))
    train = tuple(Sentence((word, "left"), ("B-PER", "O"), language="xx") for word in ("Asha", "Juma", "Neema"))
    history = tagger.fit(Corpus("x", train, raw=RAW))
    assert any("self-training round 1" in note for note in history.notes)
    assert {row["round"] for row in history.epochs} == {0, 1}
    assert tagger.recipe.self_training.rounds == 1
    with pytest.raises(RecipeError, match="needs raw text"):
        new_tagger(tagger.recipe).fit(Corpus("x", train))
