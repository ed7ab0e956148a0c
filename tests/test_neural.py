"""The neural tagger beyond the contract: heads, partial annotation, vectors, resuming, refusals."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from made_up import PEOPLE, PLACES, bare, fitted, labelled, network_of, neural_recipe, start_script
from onomast.corpus import Corpus
from onomast.data.catalogue import resolve
from onomast.data.formats.registry import read
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.recipe import read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.heads import gold_of, scheme_of, targets_of
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.registry import load_tagger
from onomast.taggers.word_list_baseline import entity_f1, tag_by_list


def test_joint_heads_predict_entities_pos_and_category() -> None:
    test = labelled(20, seed=1)
    joint = neural_recipe(neural__heads__pos="1.0", neural__heads__sentence="1.0", neural__training__epochs="12")
    predicted = fitted(joint, Corpus("x", labelled(80))).tag(bare(test))
    assert entity_f1(test, predicted) > 0.9
    assert sum(a.pos == b.pos for a, b in zip(test, predicted, strict=True)) > 15
    assert sum(a.label == b.label for a, b in zip(test, predicted, strict=True)) > 15


def test_bf16_changes_the_products_and_nothing_else() -> None:
    corpus = Corpus("x", labelled(80))
    weights = {
        precision: fitted(neural_recipe(neural__training__precision=precision, neural__training__epochs="8"), corpus)
        for precision in ("auto", "single", "bf16")
    }
    single, automatic, half = (network_of(weights[name]).state_dict() for name in ("single", "auto", "bf16"))
    if not torch.cuda.is_available():
        assert all(torch.equal(single[name], automatic[name]) for name in single)
    assert all(half[name].dtype == single[name].dtype for name in single)
    assert any(not torch.equal(single[name], half[name]) for name in single)
    test = labelled(20, seed=1)
    assert entity_f1(test, weights["bf16"].tag(bare(test))) > 0.9


@pytest.mark.parametrize("head", ["pos", "sentence"])
def test_a_head_without_its_annotation_is_refused(head: str) -> None:
    plain = tuple(dataclasses.replace(sentence, pos=None, label=None) for sentence in labelled(10))
    with pytest.raises(DataError, match="the training sentences carry none"):
        fitted(neural_recipe(**{f"neural__heads__{head}": "1.0"}), Corpus("x", plain))


def test_class_only_sentences_pretrain_the_encoder() -> None:
    class_only = tuple(
        sentence.bare().__class__(sentence.tokens, label=sentence.label) for sentence in labelled(40, seed=2)
    )
    settings = neural_recipe(neural__training__pretrain_epochs="2", neural__heads__sentence="1.0")
    tagger = NeuralTagger(settings)
    history = tagger.fit(Corpus("x", (*labelled(10), *class_only)))
    stages = [row.get("stage") for row in history.epochs]
    assert stages[:2] == ["pretrain", "pretrain"] and stages[2] is None
    without = fitted(neural_recipe(neural__heads__sentence="1.0"), Corpus("x", labelled(10)))
    assert "sana" in network_of(tagger).encoder.lexicon.vocabulary.words
    assert not torch.equal(*(network_of(t).heads["entities"].projection.weight for t in (tagger, without)))


def test_partial_annotation_beats_treating_it_as_outside() -> None:
    draw = random.Random(0)
    whole, test = labelled(120), labelled(40, seed=1)
    partial = tuple(s.tagged([tag if draw.random() < 0.3 else None for tag in s.tags or ()]) for s in whole)
    as_outside = tuple(s.tagged([tag or "O" for tag in s.tags or ()]) for s in partial)
    settings = neural_recipe(neural__training__epochs="8")
    scores = [
        entity_f1(test, fitted(settings, Corpus("x", sentences)).tag(bare(test))) for sentences in (partial, as_outside)
    ]
    assert scores[0] > scores[1] + 0.1


@pytest.mark.parametrize("kind", ["softmax", "crf", "bernoulli"])
def test_every_entity_head_learns_from_partial_annotation(kind: str) -> None:
    sentences = tuple(s.tagged(["B-PER", *[None] * (len(s) - 1)]) for s in labelled(40))
    settings = neural_recipe(neural__heads__entities__kind=json.dumps(kind), neural__training__epochs="6")
    predicted = fitted(settings, Corpus("x", (*sentences, *labelled(10, seed=3)))).tag(bare(labelled(10, seed=1)))
    assert sum((sentence.tags or [""])[0] == "B-PER" for sentence in predicted) > 7


def test_gold_of_a_cut_off_entity_allows_both_ends() -> None:
    made = neural_recipe(scheme='"iobes"')
    corpus = Corpus("x", (Sentence(("a", "b", "c"), ("B-PER", None, "O")), Sentence(("d", "e"), ("B-PER", "I-PER"))))
    targets = targets_of(made, corpus, ())
    allowed = gold_of(corpus.train[0], targets)["entities"]
    names = [{scheme_of(targets).tags[k] for k in row.nonzero()[:, 0]} for row in allowed]
    assert names[0] == {"B-PER", "S-PER"} and names[2] == {"O"} and len(names[1]) == 5


def test_long_and_empty_sentences_are_tagged() -> None:
    tagger = fitted(neural_recipe(), Corpus("x", labelled(10)))
    sentences = [Sentence(()), Sentence(("Asha",) * 3000), Sentence(("x" * 500,))]
    predicted = tagger.tag(sentences)
    assert [len(sentence.tags or ()) for sentence in predicted] == [0, 3000, 1]


def test_an_untrained_tagger_says_so() -> None:
    with pytest.raises(OnomastError, match="not trained yet"):
        NeuralTagger(neural_recipe()).tag([Sentence(("a",))])


def test_sentences_without_tags_are_refused() -> None:
    with pytest.raises(DataError, match="no training sentence carries tags"):
        fitted(neural_recipe(), Corpus("x", (Sentence(("a",), label="c"),)))


def test_vectors_modes_need_a_file_and_an_order_needs_its_parts() -> None:
    with pytest.raises(RecipeError, match="vectors"):
        fitted(neural_recipe(neural__words__mode='"frozen"'), Corpus("x", labelled(5)))
    with pytest.raises(RecipeError, match=r"neural\.words\.affixes"):
        fitted(neural_recipe(neural__encoder__order='["affix"]'), Corpus("x", labelled(5)))
    with pytest.raises(RecipeError, match="small-vectors"):
        fitted(neural_recipe(neural__words__vectors='"some.bin"'), Corpus("x", labelled(5)))


def test_a_collapse_is_said_aloud() -> None:
    hopeless = neural_recipe(neural__training__learning_rate="1e-9", neural__training__epochs="1")
    history = NeuralTagger(hopeless).fit(Corpus("x", labelled(30), dev=labelled(10, seed=1)))
    assert any("DIVERGED" in note and "learning_rate" in note for note in history.notes)


def test_word_list_baseline_takes_the_longest_match_and_majority_label() -> None:
    train = [
        Sentence(("New", "York", "Times"), ("B-ORG", "I-ORG", "I-ORG")),
        Sentence(("New", "York"), ("B-LOC", "I-LOC")),
    ]
    train += [Sentence(("Paris",), (tag,)) for tag in ("B-LOC", "B-PER", "B-LOC")]
    tagged = tag_by_list(train, [Sentence(("New", "York", "Times", "in", "New", "York", "Paris", "New"))])
    assert tagged[0].tags == ("B-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC", "B-LOC", "O")


@pytest.fixture(scope="module")
def vectors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of people and places far apart, and nothing else."""
    path = tmp_path_factory.mktemp("vectors") / "made-up.vec"
    generator = random.Random(0)
    rows = []
    for sign, words in ((1.0, [*PEOPLE, "Zawadi"]), (-1.0, [*PLACES, "Iringa"])):
        rows += [f"{word} " + " ".join(f"{sign + generator.gauss(0, 0.1):.4f}" for _ in range(8)) for word in words]
    path.write_text(f"{len(rows)} 8\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("mode", ["frozen", "projected", "tuned"])
def test_vectors_reach_words_that_training_never_saw(vectors_file: Path, mode: str, tmp_path: Path) -> None:
    settings = neural_recipe(
        neural__words__mode=json.dumps(mode),
        neural__words__vectors=json.dumps(str(vectors_file)),
        neural__encoder__order='["word"]',
        neural__words__lower="false",
        neural__training__epochs="30",
    )
    tagger = fitted(settings, Corpus("x", labelled(40)))
    sentence = Sentence(("Zawadi", "alilala", "huko", "Iringa", "."))
    assert tagger.tag([sentence])[0].tags == ("B-PER", "O", "O", "B-LOC", "O")
    tagger.save(tmp_path / "model")
    moved = vectors_file.rename(vectors_file.with_suffix(".gone"))
    try:
        assert load_tagger(tmp_path / "model").tag([sentence])[0].tags == ("B-PER", "O", "O", "B-LOC", "O")
    finally:
        moved.rename(vectors_file)


def test_no_way_of_starting_overwrites_the_vectors_of_a_file(vectors_file: Path) -> None:
    settings = neural_recipe(
        neural__words__mode='"tuned"',
        neural__words__vectors=json.dumps(str(vectors_file)),
        neural__words__lower="false",
        neural__encoder__order='["word"]',
        neural__encoder__initialization='"uniform"',
        neural__training__learning_rate="1e-12",
        neural__training__epochs="1",
    )
    part = network_of(fitted(settings, Corpus("x", labelled(10)))).encoder.parts[0]
    assert part.table.weight[2:].abs().mean() > 0.3


def test_two_runs_with_one_seed_are_byte_identical(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fitted(neural_recipe(), Corpus("x", labelled(20))).save(tmp_path / name)
    assert (tmp_path / "one/weights.safetensors").read_bytes() == (tmp_path / "two/weights.safetensors").read_bytes()


KILLED = """
import sys
from pathlib import Path
from made_up import labelled
from onomast.corpus import Corpus
from onomast.recipe import read_recipe
from onomast.taggers.neural.tagger import NeuralTagger
tagger = NeuralTagger(read_recipe(sys.argv[2]))
tagger.fit(Corpus("x", labelled(60)), checkpoints=Path(sys.argv[1]) / "checkpoints")
tagger.save(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("members", "place"), [("1", ""), ("2", "member-2")])
def test_sigkill_in_mid_epoch_then_resume_gives_the_same_bytes(tmp_path: Path, members: str, place: str) -> None:
    settings = neural_recipe(
        neural__ensemble_size=members, neural__training__epochs="6", neural__training__checkpoint_minutes="0.001"
    )
    (tmp_path / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return start_script(KILLED, folder, tmp_path / "recipe.toml")

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / place / "checkpoint.safetensors"
    kills = 0
    for epochs in (1, 3):
        history = tmp_path / "killed" / "checkpoints" / place / "history.jsonl"
        while process.poll() is None and not (history.is_file() and len(history.read_text().splitlines()) >= epochs):
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert checkpoint.is_file()
        process = start(tmp_path / "killed")
    assert process.wait() == 0
    assert kills
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neural") / "model"
    fitted(neural_recipe(), Corpus("x", labelled(10))).save(folder)
    return folder


@pytest.mark.parametrize("name", ["weights.safetensors", "vocabulary.json", "tags.json"])
@pytest.mark.parametrize("damage", ["missing", "cut off", "pickle"])
def test_a_damaged_folder_is_one_clear_line(model: Path, tmp_path: Path, name: str, damage: str) -> None:
    for path in model.iterdir():
        data = path.read_bytes()
        if path.name == name:
            data = {"missing": b"", "cut off": data[: len(data) // 2], "pickle": b"\x80\x04\x95\x10."}[damage]
        if path.name != name or damage != "missing":
            (tmp_path / path.name).write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_tagger(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(model: Path, tmp_path: Path) -> None:
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = (tmp_path / "recipe.toml").read_text().replace("width = 16", "width = 24")
    (tmp_path / "recipe.toml").write_text(changed)
    with pytest.raises(ModelError, match=r"recipe\.toml is not the file that was saved"):
        load_tagger(tmp_path)
    sums = json.loads((tmp_path / "tags.json").read_text(encoding="utf-8"))
    sums.pop("checksum", None)
    sums["sha256"]["recipe.toml"] = hashlib.sha256(changed.encode()).hexdigest()
    (tmp_path / "tags.json").write_text(json.dumps(sums), encoding="utf-8")
    with pytest.raises(ModelError, match="do not fit together"):
        load_tagger(tmp_path)


def test_a_saved_tagger_loads_in_a_fresh_process_without_data(model: Path) -> None:
    code = (
        "import sys; from onomast import load_tagger, Sentence; tagger = load_tagger(sys.argv[1]);"
        "print(*tagger.tag([Sentence(('Asha', 'alilala', 'huko', 'Tanga', '.'))])[0].tags)"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], env=environment, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 5


def test_small_beats_the_word_list_on_the_sample() -> None:
    train, test = (read(resolve(f"sample:swahili-news/{split}")) for split in ("train", "test"))
    quick = read_recipe("small", {"neural.training.steps": "150"})
    predicted = fitted(quick, Corpus("x", tuple(train))).tag([sentence.bare() for sentence in test])
    assert entity_f1(test, predicted) > entity_f1(test, tag_by_list(train, test)) + 0.05
