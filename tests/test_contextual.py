"""Frozen contextual vectors: against the encoder itself, cached or not, whatever the batch; taggers that need them."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onomast.corpus import Corpus
from onomast.errors import ModelError, RecipeError
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.tags import Span, tags_of

pytest.importorskip("transformers")
from onomast.pretrained import contextual
from onomast.pretrained.contextual import ContextualVectors
from onomast.pretrained.frozen_encoder import Reading
from onomast.pretrained.vector_cache import VectorCache
from onomast.taggers.registry import load_tagger, new_tagger
from tiny_encoders import tiny_encoder

READING = Reading((1, 2), precision="single")
TEXTS = [
    ["Asha", "visited", "Nairobi", "."],
    ["Juma", "said", "the", "lake", "in", "Nairobi"] * 9,  # longer than the encoder's window
    ["lake"],
    ["xyzzy", " ", "\ud800", "1234"],
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONOMAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contextual, "_CACHES", {})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder("xlm-roberta", tmp_path_factory.mktemp("encoder"))


def test_vectors_are_the_layers_of_the_encoder(encoder: Path) -> None:
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(encoder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    batch = tokenizer([TEXTS[0]], is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch, output_hidden_states=True).hidden_states
    words = torch.tensor([-1 if word is None else word for word in batch.word_ids(0)])
    means = torch.stack(
        [torch.stack([hidden[layer][0][words == word].mean(0) for layer in (1, 2)]) for word in range(4)]
    )
    expected = torch.nn.functional.layer_norm(means, means.shape[-1:])  # (T, L, D)
    found = ContextualVectors(str(encoder), READING).of(TEXTS[:1])[0]
    assert found.shape == (4, 2, 32)
    assert np.allclose(found, expected.numpy(), atol=5e-3)


@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
def test_a_batch_equals_single_sentences(encoder: Path, pooling: str) -> None:
    reading = replace(READING, pooling=pooling)  # type: ignore[arg-type]
    together = ContextualVectors(str(encoder), reading)
    together.remembers = False
    alone = [together.of([words])[0] for words in TEXTS]
    for one, other in zip(together.of(TEXTS), alone, strict=True):
        assert np.allclose(one, other, atol=2e-3)


def test_cached_vectors_equal_computed_ones_and_need_no_encoder(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ContextualVectors(str(encoder), READING)
    computed = first.of(TEXTS)
    first.flush()
    monkeypatch.setattr(contextual, "_CACHES", {})  # as in another process
    monkeypatch.setattr(contextual, "FrozenEncoder", None)
    second = ContextualVectors(str(encoder), READING)
    for one, other in zip(computed, second.of(TEXTS), strict=True):
        assert np.array_equal(one, other)
    assert second.words_computed == 0


def test_other_layers_and_another_encoder_are_cached_apart(encoder: Path, tmp_path: Path) -> None:
    other = tiny_encoder("bert", tmp_path / "bert")
    folders = {
        ContextualVectors(str(folder), reading).cache.folder
        for folder in (encoder, other)
        for reading in (READING, replace(READING, layers=(1,)), replace(READING, pooling="first"))
    }
    assert len(folders) == 6


def _compute(arguments: tuple[str, int]) -> list[bytes]:
    encoder, start = arguments
    texts = [["Juma", "said", str(number)] for number in range(start, start + 1500)]
    vectors = ContextualVectors(encoder, READING)
    found = [rows.tobytes() for rows in vectors.of(texts)]
    vectors.flush()
    return found


def test_two_processes_share_a_cache(encoder: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, other = pool.map(_compute, [(str(encoder), 0), (str(encoder), 750)], chunksize=1)
    assert len(one) == len(other) == 1500
    shared = zip(one[750:], other[:750], strict=True)
    pairs = [(np.frombuffer(a, np.float16), np.frombuffer(b, np.float16)) for a, b in shared]
    assert all(np.allclose(a, b, atol=2e-3) for a, b in pairs)


def test_a_damaged_or_deleted_part_is_computed_again(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ContextualVectors(str(encoder), READING)
    expected = first.of(TEXTS)
    first.flush()
    part = next(path for path in first.cache.folder.glob("*.npy") if ".index" not in path.name)
    for damage in (lambda: part.write_bytes(part.read_bytes()[:200]), part.unlink):
        damage()
        monkeypatch.setattr(contextual, "_CACHES", {})
        again = ContextualVectors(str(encoder), READING)
        again.remembers = False
        found = again.of(TEXTS)
        assert again.words_computed == sum(map(len, TEXTS))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_cache_stays_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONOMAST_CACHE_GB", "0.00005")  # 50 kB
    cache = VectorCache(tmp_path / "cache" / "contextual" / "one")
    for number in range(6):
        cache.put({bytes([number]) * 16: np.full((10, 2, 500), number, np.float16)})  # 20 kB
        cache.flush()
        assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 50_000
    kept = [number for number in range(6) if VectorCache(cache.folder).get(bytes([number]) * 16) is not None]
    assert 5 in kept and 0 not in kept
    rows = cache.get(bytes(16))  # deleted since, but still mapped here
    assert rows is not None and float(rows.max()) == 0.0


def test_a_cache_that_cannot_be_written_costs_time_only(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ONOMAST_CACHE", str(tmp_path / "file"))
    vectors = ContextualVectors(str(encoder), READING)
    vectors.of(TEXTS)
    vectors.flush()
    assert len(vectors.of(TEXTS)) == len(TEXTS)


def sentence(text: str, *spans: Span) -> Sentence:
    words = tuple(text.split())
    return Sentence(words, tags_of(spans, len(words)))


SENTENCES = (
    sentence("Asha visited Nairobi", Span(0, 1, "PER"), Span(2, 3, "LOC")),
    sentence("Juma said the lake in Nairobi", Span(0, 1, "PER"), Span(5, 6, "LOC")),
    sentence(
        "the lake said",
    ),
    sentence("Nairobi", Span(0, 1, "LOC")),
)


def recipe(encoder: Path, **more: str) -> Recipe:
    changes = {
        "neural.context.model": json.dumps(str(encoder)),
        "neural.context.layers": "[1, 2]",
        "neural.context.width": "16",
        "neural.encoder.width": "16",
        "neural.training.steps": "60",
    }
    return read_recipe("small-context", changes | {name.replace("__", "."): value for name, value in more.items()})


def trained(encoder: Path, folder: Path, **more: str) -> Path:
    tagger = new_tagger(recipe(encoder, **more))
    tagger.fit(Corpus("four", SENTENCES))
    tagger.save(folder)
    return folder


def tags(folder: Path) -> list[list[object]]:
    return [list(one.tags or ()) for one in load_tagger(folder).tag([one.bare() for one in SENTENCES])]


def test_a_saved_tagger_tags_the_same_in_a_fresh_process_without_a_cache(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(encoder, tmp_path / "model")
    expected = tags(folder)
    assert expected == [list(one.tags or ()) for one in SENTENCES]
    monkeypatch.setenv("ONOMAST_CACHE", str(tmp_path / "empty"))
    code = (
        "import json, sys; from pathlib import Path; from onomast.taggers.registry import load_tagger\n"
        "from onomast.sentence import Sentence\n"
        "texts = json.loads(sys.argv[2])\n"
        "tagger = load_tagger(Path(sys.argv[1]))\n"
        "print(json.dumps([one.tags for one in tagger.tag([Sentence(tuple(text)) for text in texts])]))"
    )
    texts = json.dumps([one.tokens for one in SENTENCES])
    run = subprocess.run([sys.executable, "-c", code, str(folder), texts], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == expected
    assert not list((tmp_path / "empty").rglob("*.npy"))  # what is tagged by a saved tagger is not written


def test_a_changed_encoder_is_refused(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", tmp_path / "encoder")
    folder = trained(encoder, tmp_path / "model")
    weights = encoder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ModelError, match=r"is not the encoder that this tagger was trained with.*put that one back"):
        load_tagger(folder)


def test_a_missing_encoder_is_one_line(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", tmp_path / "encoder")
    folder = trained(encoder, tmp_path / "model")
    encoder.rename(tmp_path / "moved")
    with pytest.raises(ModelError, match=r"needs this encoder.*ONOMAST_ENCODER") as caught:
        load_tagger(folder)
    assert "\n" not in str(caught.value)


def test_a_moved_encoder_is_found_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder("bert", tmp_path / "encoder")
    folder = trained(encoder, tmp_path / "model")
    expected = tags(folder)
    monkeypatch.setenv("ONOMAST_ENCODER", str(encoder.rename(tmp_path / "moved")))
    assert tags(folder) == expected


def test_with_encoder_the_folder_is_enough(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", tmp_path / "encoder")
    folder = trained(encoder, tmp_path / "model", neural__context__with_encoder="true")
    expected = tags(folder)
    encoder.rename(tmp_path / "moved")
    assert tags(folder) == expected
    (folder / "encoder" / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        load_tagger(folder)


def test_export_is_refused(encoder: Path, tmp_path: Path) -> None:
    from onomast.export.build import export

    with pytest.raises(ModelError, match="reads a pre-trained encoder"):
        export(trained(encoder, tmp_path / "model"), tmp_path / "exported")


def test_a_recipe_without_a_model_says_so(encoder: Path) -> None:
    with pytest.raises(RecipeError, match="--encoder"):
        new_tagger(recipe(encoder, neural__context__model='""')).fit(Corpus("four", SENTENCES))


def test_a_layer_that_is_not_there_is_refused(encoder: Path) -> None:
    with pytest.raises(RecipeError, match="0 to 2"):
        new_tagger(recipe(encoder, neural__context__layers="[3]")).fit(Corpus("four", SENTENCES))


@pytest.mark.parametrize("more", [{"neural__context__layers": "mix"}, {"neural__context__combine": "mix"}])
def test_layers_may_be_mixed(encoder: Path, tmp_path: Path, more: dict[str, str]) -> None:
    assert tags(trained(encoder, tmp_path / "model", **more)) == [list(one.tags or ()) for one in SENTENCES]


def test_the_command_line_trains_with_an_encoder_copied_in(encoder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from onomast.cli.main import app

    text = "".join(
        f"{word}\t{tag}\n" for one in SENTENCES for word, tag in zip(one.tokens, one.tags or (), strict=True)
    )
    (tmp_path / "train.tsv").write_text(text.replace("Nairobi\tB-LOC\n", "Nairobi\tB-LOC\n\n"), encoding="utf-8")
    command = ["train", str(tmp_path / "train.tsv"), "--recipe", "small-context", "--encoder", str(encoder)]
    command += ["--with-encoder", "--set", "neural.context.layers=[1,2]", "--set", "neural.training.steps=4"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "model")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model" / "encoder" / "model.safetensors").is_file()
    listed = CliRunner().invoke(app, ["recipes"]).output
    assert sum("needs a pre-trained encoder" in line for line in listed.splitlines()) >= 4
