"""Sources beside the target, parts shared or apart, chains of stages."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from made_up import SPOKEN, fitted, network_of, spoken, start_script, with_languages
from onomast.corpus import Corpus
from onomast.errors import DataError, OnomastError, RecipeError
from onomast.recipe import Recipe, Sources, read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import PerLanguage
from onomast.taggers.neural.heads import gold_of
from onomast.taggers.neural.stages import DevEvaluator, LabelledTask
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.source_batches import SourceBatches, chain_of
from onomast.taggers.training_corpus import with_sources
from onomast.taggers.word_list_baseline import entity_f1

SMALL = {
    "neural.words.width": "16",
    "neural.characters.width": "8",
    "neural.encoder.width": "16",
    "neural.training.steps": "0",
    "neural.training.epochs": "3",
    "sources.batch_size": "8",
}


def recipe(changes: Mapping[str, str] | None = None) -> Recipe:
    return read_recipe("small", {**SMALL, **(changes or {})})


def test_sources_are_limited_weighed_and_named() -> None:
    plain = tuple(dataclasses.replace(sentence, language=None) for sentence in spoken("yy", 30))
    given = Corpus("xx", spoken("xx", 5), sources=(Corpus("a.txt", plain), Corpus("zz", spoken("zz", 10))))
    kept = with_sources(given, recipe({"sources.limit": "20", "sources.weights": '{"zz" = 0.0}'}))
    assert [(source.name, len(source.train)) for source in kept.sources] == [("a.txt", 20)]
    assert kept.sources[0].languages == ("a.txt",)
    with pytest.raises(RecipeError, match=r"no such source.*zz"):
        with_sources(given, recipe({"sources.weights": '{"z" = 2.0}'}))


def test_sources_come_in_the_targets_label_set_and_the_best_are_chosen() -> None:
    renamed = tuple(
        sentence.tagged([{"B-LOC": "B-NEL", "B-PER": "O"}.get(str(tag), tag) for tag in sentence.tags or ()])
        for sentence in spoken("yy", 10)
    )
    given = Corpus("xx", spoken("xx", 5), sources=(Corpus("yy", renamed),))
    (source,) = with_sources(given, recipe({"labels": '{NEL = "LOC"}'})).sources
    assert source.labels == ("LOC",) and source.train[0].unannotated == ("PER",)
    (source,) = with_sources(given, recipe({"labels": '{NEL = "LOC"}', "sources.missing": "outside"})).sources
    assert source.train[0].unannotated == ()
    several = Corpus(
        "xx", spoken("xx", 20), sources=(*with_languages(yy=20, zz=20).sources, Corpus("x2", spoken("xx", 20, 7)))
    )
    chosen = with_sources(several, recipe({"sources.choose": "1"})).sources
    assert [source.name for source in chosen] == ["x2"]


def test_chances_grow_with_the_power_of_the_size_and_mu_falls() -> None:
    sources = with_languages(yy=40, zz=10).sources
    batches = SourceBatches(sources, Sources(smoothing=0.5, weights={"zz": 3.0}, schedule="falling", mu=2.0))
    assert batches.chances.tolist() == pytest.approx([40**0.5, 3 * 10**0.5])
    assert [batches.weight(done) for done in (0.0, 0.25, 1.0)] == [2.0, 1.5, 0.0]
    torch.manual_seed(0)
    drawn = [batches.draw() for _ in range(400)]
    share = sum(batch[0].language == "yy" for batch in drawn) / 400
    assert share == pytest.approx(40**0.5 / (40**0.5 + 3 * 10**0.5), abs=0.08)
    assert all(len({sentence.language for sentence in batch}) == 1 for batch in drawn)
    assert {id(sentence) for batch in drawn for sentence in batch} == {
        id(sentence) for source in sources for sentence in source.train
    }


@pytest.mark.parametrize("sharing", [["words", "characters", "lstm", "transitions"], ["characters"], []])
def test_a_joint_loss_is_the_targets_plus_mu_times_the_sources(sharing: list[str]) -> None:
    given = with_languages(yy=20, zz=10)
    tagger = fitted(recipe({"neural.sharing": str(sharing), "sources.mu": "0.3"}), given)
    network = network_of(tagger)
    network.eval()
    beside = SourceBatches(given.sources, tagger.recipe.sources)
    torch.manual_seed(3)
    joint = LabelledTask(network, given.train, DevEvaluator(), source_batches=beside).loss([0, 5, 7], 0.0)
    torch.manual_seed(3)
    batch = beside.draw()
    alone = [
        network.losses([(sentences, [gold_of(sentence, network.targets) for sentence in sentences])])[0]
        for sentences in ([given.train[index] for index in (0, 5, 7)], batch)
    ]
    torch.testing.assert_close(joint, alone[0] + 0.3 * alone[1])


@pytest.mark.parametrize("part", ["words", "characters", "lstm", "transitions"])
def test_what_is_apart_learns_from_its_own_language_only(part: str) -> None:
    shared = [name for name in ("words", "characters", "lstm", "transitions") if name != part]
    given = with_languages(yy=20)
    network = network_of(fitted(recipe({"neural.sharing": str(shared)}), given))
    network.zero_grad()
    source = given.sources[0].train[:4]
    network.losses([(source, [gold_of(sentence, network.targets) for sentence in source])])[0].backward()
    if part == "words":
        vocabulary = network.encoder.lexicon.vocabulary
        (words,) = network.parts_of("words")
        moved = words.table.weight.grad.abs().sum(1) > 0
        assert {vocabulary.words[row - 2][:3] for row in moved.nonzero()[:, 0].tolist() if row > 1} == {"yy\t"}
        return
    name = {"characters": "characters", "lstm": "lstm", "transitions": "heads"}[part]
    (apart,) = (module for module in network.parts_of(name) if isinstance(module, PerLanguage))  # one for each language
    assert all(parameter.grad is None for parameter in apart[0].parameters())
    assert all(parameter.grad is not None for parameter in apart[1].parameters())


def test_languages_in_one_call_are_tagged_each_with_its_own_parts(tmp_path: Path) -> None:
    given = with_languages(yy=20, zz=20)
    tagger = fitted(recipe({"neural.sharing": '["characters"]', "neural.training.epochs": "20"}), given)
    rows = zip(*(spoken(language, 6, 1) for language in ("xx", "yy", "zz")), strict=True)
    mixed = [one.bare() for row in rows for one in row]
    together = tagger.tag(mixed)
    alone = [tagger.tag([sentence])[0] for sentence in mixed]
    assert [one.tags for one in together] == [one.tags for one in alone]
    tagger.save(tmp_path / "model")
    assert [one.tags for one in NeuralTagger.load(tmp_path / "model").tag(mixed)] == [one.tags for one in together]
    unknown = [dataclasses.replace(sentence, language=name) for sentence in mixed[::3] for name in (None, "qq")]
    assert [one.tags for one in tagger.tag(unknown)] == [one.tags for one in together[::3] for _ in range(2)]


def turned(sentence: Sentence) -> Sentence:
    """The place where the person was, and the other way round."""
    first, second = (index for index, tag in enumerate(sentence.tags or ()) if tag != "O")
    tokens = list(sentence.tokens)
    tokens[first], tokens[second] = tokens[second], tokens[first]
    tags = ["O"] * len(tokens)
    tags[first], tags[second] = "B-LOC", "B-PER"
    return dataclasses.replace(sentence, tokens=tuple(tokens)).tagged(tags)


def test_other_languages_labels_help() -> None:
    names = dict(zip([*SPOKEN["xx"][0], *SPOKEN["xx"][1]], [*SPOKEN["yy"][0], *SPOKEN["yy"][1]], strict=True))
    test = tuple(
        turned(dataclasses.replace(one, tokens=tuple(names.get(token, token) for token in one.tokens)))
        for one in spoken("xx", 60, 5)
    )  # people and places that only yy has shown, in an order that only yy has shown
    both = Corpus("yy", (*spoken("yy", 200), *map(turned, spoken("yy", 200, 1))))
    settings = recipe({"neural.training.steps": "150", "sources.schedule": '"falling"'})
    with_them, without = (
        entity_f1(test, fitted(settings, Corpus("xx", spoken("xx", 2, 3), sources=sources)).tag([*test]))
        for sources in ((both,), ())
    )
    assert with_them > without + 0.3


def test_without_target_sentences_the_sources_teach_alone() -> None:
    given = Corpus("none", (), sources=with_languages(yy=60, zz=60).sources)
    tagger = fitted(recipe({"neural.training.epochs": "10"}), given)
    test = spoken("zz", 20, 3)
    assert entity_f1(test, tagger.tag([sentence.bare() for sentence in test])) > 0.8
    with pytest.raises(DataError, match="no training sentence"):
        NeuralTagger(recipe()).fit(Corpus("none", ()))


CHAIN = '[{corpus = ["sources"], epochs = 2}, {corpus = ["target"], epochs = 2, frozen = ["words", "characters"]}]'


def test_a_chain_trains_stage_after_stage_and_says_so() -> None:
    given = with_languages(yy=20)
    history = NeuralTagger(recipe({"stage": CHAIN})).fit(dataclasses.replace(given, dev=spoken("xx", 5, 9)))
    assert [row["stage"] for row in history.epochs] == ["1 sources"] * 2 + ["2 target"] * 2


def test_frozen_parts_stay_and_reset_parts_start_anew() -> None:
    given = with_languages(yy=20)
    first = '{corpus = ["sources"], epochs = 2}'
    only = network_of(fitted(recipe({"stage": f"[{first}]"}), given)).state_dict()
    frozen = network_of(fitted(recipe({"stage": CHAIN}), given)).state_dict()
    moved = {name for name, value in only.items() if not torch.equal(value, frozen[name])}
    words = {name for name in only if name.startswith("encoder.parts")}
    assert moved == only.keys() - words
    still = '{corpus = ["target"], epochs = 1, learning_rate = 1e-30, reset = ["heads"]}'
    reset = network_of(fitted(recipe({"stage": f"[{first}, {still}]"}), given)).state_dict()
    changed = {name for name, value in only.items() if not torch.allclose(value, reset[name], atol=1e-6)}
    assert changed and all(name.startswith("heads.") for name in changed)


def test_stages_that_cannot_be_are_refused() -> None:
    given = with_languages(yy=5)
    for stage, wanted, what in (
        ('{corpus = ["sorces"]}', given, "'sorces'.*sources"),
        ('{corpus = ["target"]}', dataclasses.replace(given, train=()), "needs target sentences"),
        ('{corpus = ["sources"]}', dataclasses.replace(given, sources=()), "needs sources; give --source"),
    ):
        with pytest.raises(OnomastError, match=what):
            chain_of(recipe({"stage": f"[{stage}]"}), wanted)


KILLED = """
import sys
from pathlib import Path
from made_up import with_languages
from onomast.recipe import read_recipe
from onomast.taggers.neural.tagger import NeuralTagger
tagger = NeuralTagger(read_recipe(sys.argv[2]))
tagger.fit(with_languages(60, yy=60), checkpoints=Path(sys.argv[1]) / "checkpoints")
tagger.save(Path(sys.argv[1]))
"""


def test_a_chain_killed_in_any_stage_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    stages = CHAIN.replace("epochs = 2", "epochs = 8")
    settings = recipe({"stage": stages, "neural.training.checkpoint_minutes": "0.001"})
    (tmp_path / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return start_script(KILLED, folder, tmp_path / "recipe.toml")

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    kills = 0
    for stage in ("stage-1", "stage-2"):
        checkpoint = tmp_path / "killed" / "checkpoints" / stage / "checkpoint.safetensors"
        while process.poll() is None and not checkpoint.is_file():
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        process = start(tmp_path / "killed")
    assert process.wait() == 0
    assert kills == 2
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
