"""What a pre-trained tagger starts from: text read first (stages of mlm), and a checkpoint that already tags names."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from made_up import bare, fitted, labelled, network_of, start_script
from onomast.apps.train import TrainingOptions, train
from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, RecipeError
from onomast.pretrained.masked_lm import MaskedModel
from onomast.recipe import Recipe, Stage, read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.checkpoint_heads import rows_of
from onomast.taggers.neural.masked_lm_stage import masked_stage, starting_head
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.neural.transformer_encoder import TransformerEncoder
from tiny_encoders import tiny_encoder

transformers = pytest.importorskip("transformers")

FAMILIES = ("bert", "roberta", "xlm-roberta", "electra", "deberta-v2")
IOB2 = ("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE", "B-ORG", "I-ORG")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny encoder of each family, with the head of masked words."""
    folder = tmp_path_factory.mktemp("tiny")
    for family in FAMILIES:
        tiny_encoder(family, folder / family)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            model = transformers.AutoModelForMaskedLM.from_config(
                transformers.AutoConfig.from_pretrained(folder / family)
            )
            for name, value in model.named_parameters():
                if value.dim() > 1 or "bias" in name:
                    torch.nn.init.normal_(value, std=0.1)
        model.save_pretrained(folder / family)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that tags PERSON, GPE and ORG."""
    folder = tiny_encoder("bert", tmp_path_factory.mktemp("checkpoint"))
    labels = {"id2label": dict(enumerate(IOB2)), "label2id": {tag: place for place, tag in enumerate(IOB2)}}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(IOB2), **labels)
        torch.nn.init.normal_(model.classifier.weight, std=0.5)
        torch.nn.init.normal_(model.classifier.bias, std=0.5)
    model.save_pretrained(folder)
    return folder


def recipe(folder: Path | str, *stages: Stage, **changes: str) -> Recipe:
    settings = {
        "neural.pretrained.model": json.dumps(str(folder)),
        "neural.training.learning_rate": "0.001",
        "neural.training.steps": "0",
        "neural.training.epochs": "1",
        "neural.training.dev": '"none"',
        "neural.training.rescue_after": "0",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return dataclasses.replace(read_recipe("transformer", settings), stage=stages)


def encoder_of(folder: Path) -> TransformerEncoder:
    return TransformerEncoder.pretrained(recipe(folder).neural, ("",))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_of_hidden_words_is_that_of_transformers(tiny: Path, family: str) -> None:
    model = transformers.AutoModelForMaskedLM.from_pretrained(tiny / family).eval()
    made = encoder_of(tiny / family)
    ours = MaskedModel(made.model, starting_head(made)).eval()
    ids = torch.randint(5, len(made.tokenizer), (3, 12))
    asked = torch.rand(3, 12) < 0.5
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids, asked), model(input_ids=ids).logits[asked], atol=1e-5, rtol=1e-5)


def raw(folder: Path) -> Path:
    draw = random.Random(5)
    lines = [" ".join(draw.choice(["Asha Nairobi", "Juma lake", "said the"]) for _ in range(8)) for _ in range(300)]
    (folder / "raw.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "raw.txt"


def reading(text: Path, folder: Path, stage: Stage, *more: Stage, **changes: str) -> Recipe:
    return recipe(folder, stage, *more, neural__pretrained__text=json.dumps([str(text)]), **changes)


def test_a_stage_reads_text_and_leaves_the_heads_alone(tiny: Path, tmp_path: Path) -> None:
    given = reading(raw(tmp_path), tiny / "bert", Stage(task="mlm", corpus=("raw", "target"), steps=12))
    tagger = NeuralTagger(given)
    history = tagger.fit(Corpus("x", labelled(10)))
    untaught = NeuralTagger(dataclasses.replace(given, stage=(Stage(epochs=1, learning_rate=1e-30),)))
    untaught.fit(Corpus("x", labelled(10)))
    learnt, still = (network_of(one).state_dict() for one in (tagger, untaught))
    for name, value in learnt.items():
        same = torch.allclose(value, still[name], atol=1e-7)
        assert same == name.startswith("heads."), name
    assert len(history.epochs) == 1 and history.epochs[0]["steps"] == 12
    assert {"masked_accuracy", "dev_loss", "loss"} <= history.epochs[0].keys()


def test_text_is_learnt_and_helps_what_follows_go_on_from_it(tiny: Path, tmp_path: Path) -> None:
    stages = (Stage(task="mlm", corpus=("raw",), steps=400, learning_rate=0.003), Stage(epochs=1))
    history = NeuralTagger(reading(raw(tmp_path), tiny / "bert", *stages)).fit(Corpus("x", labelled(10)))
    rows = [row for row in history.epochs if row["stage"] == "1 mlm raw"]
    assert len(rows) == 2 and rows[-1]["dev_loss"] < rows[0]["dev_loss"]
    assert [row["stage"] for row in history.epochs][2:] == ["2 target"]


def test_dev_and_test_sentences_are_not_read(tiny: Path, tmp_path: Path) -> None:
    text = tmp_path / "raw.txt"
    text.write_text("Asha said in Nairobi the lake .\nJuma visited the lake .\n", encoding="utf-8")
    stage = Stage(task="mlm", corpus=("raw",), steps=1)
    secret = Sentence(("Asha", "said", "in", "Nairobi", "the", "lake", "."))
    network = network_of(fitted(recipe(tiny / "bert"), Corpus("x", labelled(4))))
    read = masked_stage(network, stage, Corpus("x", labelled(4)), reading(text, tiny / "bert", stage))
    kept = masked_stage(network, stage, Corpus("x", labelled(4), test=(secret,)), reading(text, tiny / "bert", stage))
    assert len(read.task.lengths) == len(kept.task.lengths) and read.digest != kept.digest
    lone = masked_stage(network, stage, Corpus("x", labelled(4)), reading(_second(tmp_path), tiny / "bert", stage))
    assert lone.digest == kept.digest


def _second(folder: Path) -> Path:
    (folder / "second.txt").write_text("Juma visited the lake .\n", encoding="utf-8")
    return folder / "second.txt"


def test_what_a_stage_of_mlm_cannot_do_is_said(tiny: Path) -> None:
    corpus = Corpus("x", labelled(6))
    with pytest.raises(RecipeError, match="no raw text; give --raw"):
        NeuralTagger(recipe(tiny / "bert", Stage(task="mlm", corpus=("raw",)))).fit(corpus)
    with pytest.raises(RecipeError, match="needs a pre-trained encoder"):
        NeuralTagger(dataclasses.replace(read_recipe("small"), stage=(Stage(task="mlm"),))).fit(corpus)
    frozen = recipe(tiny / "bert", Stage(task="mlm"), neural__pretrained__frozen='"all"')
    with pytest.raises(RecipeError, match="nothing to teach"):
        NeuralTagger(frozen).fit(corpus)
    with pytest.raises(RecipeError, match="learns from 'raw'"):
        NeuralTagger(recipe(tiny / "bert", Stage(corpus=("raw",)))).fit(corpus)
    with pytest.raises(DataError, match="needs sources"):
        NeuralTagger(recipe(tiny / "bert", Stage(task="mlm", corpus=("sources",)))).fit(corpus)


KILLED = """
import sys
from pathlib import Path
from made_up import labelled
from onomast.corpus import Corpus
from onomast.recipe import read_recipe
from onomast.taggers.neural import masked_lm_stage
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.training import loop
masked_lm_stage._ROUND, loop._PAUSE = 10, 0.0
tagger = NeuralTagger(read_recipe(sys.argv[2]))
tagger.fit(Corpus("x", labelled(30)), checkpoints=Path(sys.argv[1]) / "checkpoints")
tagger.save(Path(sys.argv[1]))
"""


def test_a_stage_killed_resumes_to_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    stages = (Stage(task="mlm", corpus=("raw", "target"), steps=120), Stage(epochs=2))
    settings = reading(raw(tmp_path), tiny / "roberta", *stages)
    (tmp_path / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return start_script(KILLED, folder, tmp_path / "recipe.toml")

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / "stage-1" / "checkpoint.safetensors"
    while process.poll() is None and not checkpoint.is_file():
        time.sleep(0.002)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file() and not (tmp_path / "killed" / "checkpoints" / "stage-2").exists()
    assert start(tmp_path / "killed").wait() == 0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_train_hands_raw_text_to_the_stage_and_reports_it(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text(
        'name = "chain"\ntagger = "neural"\n[[stage]]\ntask = "mlm"\ncorpus = ["raw"]\nsteps = 3\n'
        "[[stage]]\nepochs = 1\n",
        encoding="utf-8",
    )
    changes = {"neural.pretrained.model": json.dumps(str(tiny / "bert")), "neural.training.dev": '"split"'}
    options = TrainingOptions(
        train="sample:swahili-news/train", out=tmp_path / "out", recipe=str(tmp_path / "chain.toml"), budget=20,
        raw=(str(raw(tmp_path)),), changes=changes,
    )  # fmt: skip
    train(options)
    stages = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["stages"]
    assert [stage["stage"] for stage in stages] == ["1 mlm raw", "2 target"]
    assert "masked_accuracy" in stages[0] and "dev_f1" in stages[1]


def mapped(folder: Path, labels: dict[str, str], name: str = "transformer", **changes: str) -> Recipe:
    made = dataclasses.replace(recipe(folder, **changes), scheme="iob2")
    pretrained = dataclasses.replace(made.neural.pretrained, labels=labels)
    neural = dataclasses.replace(made.neural, pretrained=pretrained)
    if name == "transformer-crf":
        heads = read_recipe(name).neural.heads
        neural = dataclasses.replace(neural, heads=heads)
    return dataclasses.replace(made, neural=neural)


def test_a_mapped_head_tags_as_the_checkpoint_does(checkpoint: Path) -> None:
    """With a learning rate of nothing the tagger is the checkpoint, under our names."""
    made = mapped(checkpoint, {"PERSON": "PER", "GPE": "LOC"}, neural__training__learning_rate="1e-30")
    tagger = fitted(made, Corpus("x", labelled(10)))
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    model = transformers.AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
    ours = {"O": "O", "B-PERSON": "B-PER", "I-PERSON": "I-PER", "B-GPE": "B-LOC", "I-GPE": "I-LOC"}
    network = tagger.network
    for sentence in bare(labelled(10, seed=1)):
        given = tokenizer(list(sentence.tokens), is_split_into_words=True, return_tensors="pt")
        firsts = [given.word_ids().index(place) for place in range(len(sentence))]
        with torch.inference_mode():
            logits = model(**given).logits[0, firsts]
            hidden, _ = network.encoder(network.encoder.prepare([sentence]))
            scores: Any = network.head("entities").projection(hidden)[0]
        order = [network.scheme.tags.index(tag) for tag in ours.values()]
        torch.testing.assert_close(scores[:, order], logits[:, : len(ours)], atol=1e-5, rtol=1e-5)


def test_a_map_says_what_it_took_and_leaves_other_labels_alone(checkpoint: Path) -> None:
    made = mapped(checkpoint, {"PERSON": "PER"}, "transformer-crf", neural__training__learning_rate="1e-30")
    tagger = NeuralTagger(dataclasses.replace(made, scheme="iobes"))
    history = tagger.fit(Corpus("x", labelled(10)))
    assert "(PERSON -> PER); new ones for LOC" in history.notes[0]
    network = tagger.network
    weights: Any = network.head("entities").projection.weight
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(checkpoint).classifier.weight
    places = {tag: place for place, tag in enumerate(network.scheme.tags)}
    for tag, row in {"O": 0, "B-PER": 1, "S-PER": 1, "I-PER": 2, "E-PER": 2}.items():
        torch.testing.assert_close(weights[places[tag]], theirs[row])
    plain = fitted(
        dataclasses.replace(mapped(checkpoint, {}, "transformer-crf"), scheme="iobes"), Corpus("x", labelled(10))
    )
    assert plain.tag(bare(labelled(2)))  # without a map the checkpoint's head is dropped
    assert all(not torch.allclose(weights[places["B-LOC"]], row) for row in theirs)


def test_rows_go_by_prefix_whatever_the_schemes() -> None:
    names = {"PERSON": "PER", "FIGURE": "PER"}
    assert rows_of(("O", "B-PER", "I-PER"), ("O", "B-PERSON", "I-PERSON", "B-FIGURE"), names) == [[0], [1, 3], [2]]
    assert rows_of(("O", "B-PER", "I-PER", "L-PER", "U-PER"), ("PERSON", "O"), names) == [[1], [0], [0], [0], [0]]
    assert rows_of(("O", "B-PER", "I-PER"), ("S-PERSON", "E-PERSON", "B-ORG"), names) == [[], [0], [1]]


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (
            {"PER": "PER"},
            "the model has no label 'PER'; the model has GPE, ORG, PERSON; the training sentences have LOC, PER",
        ),
        ({"ORG": "NAME"}, "none of its labels becomes one of ours; the model has GPE, ORG, PERSON; .* have LOC, PER"),
    ],
)
def test_a_map_that_does_not_fit_shows_both_label_sets(checkpoint: Path, labels: dict[str, str], what: str) -> None:
    with pytest.raises(RecipeError, match=what):
        NeuralTagger(mapped(checkpoint, labels)).fit(Corpus("x", labelled(10)))


def test_a_map_needs_a_model_that_tags_tokens(tiny: Path) -> None:
    with pytest.raises(ModelError, match="no classifier of tokens"):
        NeuralTagger(mapped(tiny / "bert", {"PERSON": "PER"})).fit(Corpus("x", labelled(10)))
    small = read_recipe("small")
    pretrained = dataclasses.replace(small.neural.pretrained, labels={"PERSON": "PER"})
    lacking = dataclasses.replace(small, neural=dataclasses.replace(small.neural, pretrained=pretrained))
    with pytest.raises(RecipeError, match=r"set neural\.pretrained\.model"):
        NeuralTagger(lacking).fit(Corpus("x", labelled(10)))
