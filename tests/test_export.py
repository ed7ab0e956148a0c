"""Exported taggers equal those they were made of; int8 is refused where it costs too much; no PyTorch is loaded.

What every exported tagger promises beyond that is in test_contract.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Onomast
from made_up import SMALL, bare, fitted, labelled, with_languages
from onomast.corpus import Corpus
from onomast.data.named_files import read_named
from onomast.errors import ModelError, OnomastError
from onomast.recipe import read_recipe
from onomast.sentence import Sentence
from onomast.taggers.registry import load_tagger, new_tagger
from onomast.tags import TagScheme
from tiny_encoders import tiny_encoder

onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from onomast.export.build import export  # noqa: E402
from onomast.export.chain import add_chain  # noqa: E402
from onomast.export.graph import Graph, Tensors  # noqa: E402
from onomast.export.int8 import export_int8  # noqa: E402
from onomast.layers.crf import LinearChain  # noqa: E402


def assert_equal(made: Sequence[Sentence], wanted: Sequence[Sentence]) -> None:
    for new, old in zip(made, wanted, strict=True):
        assert (new.tags, new.pos, new.label) == (old.tags, old.pos, old.label)
        assert new.confidence == pytest.approx(old.confidence, abs=1e-4)


def chain_graph(scheme: TagScheme, weights: dict[str, Any]) -> Any:
    graph = Graph()
    scores = graph.input("scores", np.float32, ("B", "T", "K"))
    lengths = graph.input("lengths", np.int64, ("B",))
    ids, sure = add_chain(graph, Tensors(graph, weights, ("",)), scheme, scores, lengths)
    graph.output("ids", ids, np.int64, ("B", "T"))
    graph.output("sure", sure, np.float64, ("B", "T"))
    return onnxruntime.InferenceSession(graph.model("chain").SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("style", ["iob2", "iobes"])
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 300.0])
def test_paths_and_marginals_equal_those_of_the_layers(style: Any, spread: float) -> None:
    scheme = TagScheme(("LOC", "PER"), style)
    count, random = len(scheme.tags), np.random.default_rng(3)
    weights = {name: random.normal(size=count).astype(np.float32) for name in ("starts", "ends")}
    weights["transitions"] = random.normal(size=(count, count)).astype(np.float32)
    lengths = np.array([1, 2, 7, 40, 3])
    scores = (spread * random.normal(size=(5, 40, count))).astype(np.float32)
    ids, sure = chain_graph(scheme, weights).run(None, {"scores": scores, "lengths": lengths})
    mask = torch.arange(40) < torch.from_numpy(lengths)[:, None]
    illegal = (~torch.from_numpy(one) for one in (scheme.transitions, scheme.starts, scheme.ends))
    chain = LinearChain(
        torch.from_numpy(scores),
        mask,
        *(
            torch.from_numpy(weights[name]).masked_fill(wrong, -torch.inf)
            for name, wrong in zip(("transitions", "starts", "ends"), illegal, strict=True)
        ),
    )
    path = chain.best_path()
    wanted = chain.marginals().gather(2, path[:, :, None])[:, :, 0]
    assert (torch.from_numpy(ids)[mask] == path[mask]).all()
    assert np.allclose(sure[mask.numpy()], wanted[mask].numpy(), atol=1e-9)


LAYOUTS = {
    "cnn, affixes, two layers": {
        "neural.characters.kind": "cnn", "neural.characters.sizes": "[2, 3]", "neural.encoder.layers": "2",
        "neural.encoder.order": '["char", "affix", "word", "char", "shape"]', "neural.words.affixes": "3",
    },
    "soft attention": {"neural.encoder.attention": "soft", "neural.encoder.skip": "[]"},
    "scaled attention": {"neural.encoder.attention": "scaled", "neural.encoder.attention_heads": "4"},
    "unscaled attention": {"neural.encoder.attention": "unscaled", "neural.encoder.residual": "false"},
    "learned attention": {"neural.encoder.attention": "learned", "neural.encoder.skip": "[-3, 2]"},
    "softmax": {"neural.heads.entities.kind": "softmax"},
    "nothing shared": {"neural.sharing": "[]"},
    "nothing shared, three networks": {"neural.sharing": "[]", "neural.ensemble_size": "3"},
}  # fmt: skip


@pytest.mark.parametrize("changes", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_part_of_the_lstm_encoder(changes: dict[str, str], tmp_path: Path) -> None:
    corpus = with_languages(8, yy=6, zz=6)
    quick = {"neural.training.epochs": "2", "neural.training.steps": "0"}
    tagger = fitted(read_recipe("small", {**SMALL, **quick, **changes}), corpus)
    tagger.save(tmp_path / "model")
    loaded = load_tagger(export(tmp_path / "model", tmp_path / "onnx"))
    sentences = [*corpus.train, *(one for source in corpus.sources for one in source.train), *labelled(30, seed=5)]
    sentences += [replace(sentences[0], language="qq"), Sentence(("x" * 120, "\ud800", "")), Sentence(())]
    assert_equal(loaded.tag(bare(sentences)), tagger.tag(bare(sentences)))
    assert_equal(loaded.tag(bare(sentences)), tagger.tag(bare(sentences)))  # now from the cache


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bert", {"neural.pretrained.pooling": "mean", "neural.pretrained.window": "6"}),
        ("roberta", {"neural.pretrained.layer": '"mix"', "neural.pretrained.shape_width": "4"}),
        ("xlm-roberta", {"neural.pretrained.pooling": "mean"}),
        ("electra", {"neural.pretrained.layer": "1", "neural.pretrained.pooling": "last"}),
    ],
)
def test_encoders_of_berts_kind(family: str, changes: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = tiny_encoder(family, tmp_path / "encoder")
    settings = {"neural.pretrained.model": json.dumps(str(folder)), "neural.training.epochs": "1", **changes}
    tagger = new_tagger(read_recipe("transformer-crf", {"neural.training.dev": "none", **settings}))
    tagger.fit(Corpus("made up", labelled(8)))
    tagger.save(tmp_path / "model")
    loaded = load_tagger(export(tmp_path / "model", tmp_path / "onnx"))
    sentences = bare([*labelled(20, seed=9), Sentence(("Nairobi", "\u00a0", "x" * 90, "\U0001f600"))])
    assert_equal(loaded.tag(sentences), tagger.tag(sentences))


@pytest.mark.parametrize(("family", "said"), [("deberta-v2", "family 'deberta-v2'"), ("slow", "tokenizer")])
def test_refuses_encoders_that_it_cannot_build(family: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = tiny_encoder(family, tmp_path / "encoder")
    settings = {"neural.pretrained.model": json.dumps(str(folder)), "neural.training.epochs": "1"}
    tagger = new_tagger(read_recipe("transformer", {"neural.training.dev": "none", **settings}))
    tagger.fit(Corpus("made up", labelled(4)))
    tagger.save(tmp_path / "model")
    with pytest.raises(ModelError, match=said):
        export(tmp_path / "model", tmp_path / "onnx")


@pytest.fixture(scope="module")
def swahili(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger of the shipped sample."""
    tagger = new_tagger(read_recipe("small", {"neural.training.steps": "150", "neural.training.epochs": "3"}))
    tagger.fit(Corpus("swahili", tuple(read_named("sample:swahili-news/train").sentences)))
    folder = tmp_path_factory.mktemp("swahili") / "model"
    tagger.save(folder)
    return folder


def test_commands_take_the_exported_folder_and_load_no_torch(swahili: Path, tmp_path: Path, onomast: Onomast) -> None:
    out = tmp_path / "onnx"
    assert onomast("export", swahili, "--out", out).status == 0
    text = tmp_path / "text.txt"
    text.write_text("Rais Samia Suluhu alikwenda Nairobi.\n" * 3, encoding="utf-8")
    lines = [onomast("tag", folder, text).out.splitlines() for folder in (swahili, out)]
    assert len(lines[0]) == 3
    for new, old in zip(*lines, strict=True):
        assert _rounded(new) == _rounded(old)
    code = (
        "import sys; from onomast.cli.main import app\n"
        f"sys.argv = ['onomast', 'evaluate', {str(out)!r}, 'sample:swahili-news/test', '--json', '-']\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules, 'onnx' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "False False False"
    wanted = json.loads(onomast("evaluate", swahili, "sample:swahili-news/test", "--json", "-").out)
    reports = [{**report, "seconds": 0, "tokens_per_second": 0} for report in (json.loads(ran.stdout), wanted)]
    assert reports[0] == reports[1]


def _rounded(line: str) -> Any:
    record = json.loads(line)
    return [{**entity, "confidence": round(entity["confidence"], 3)} for entity in record.pop("entities")], record


def test_int8_is_kept_where_f1_stays_and_refused_with_the_figure_where_it_falls(
    swahili: Path, tmp_path: Path, onomast: Onomast, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = list(read_named("sample:swahili-news/train").sentences)
    monkeypatch.setattr("onomast.export.int8.MOST_LOST", 1.0)  # of so few sentences one entity is worth 0.4
    loss = export_int8(swahili, tmp_path / "int8", gold)
    assert loss.f1 > 40 and loss.size_int8 * 3 < loss.size
    small = load_tagger(tmp_path / "int8").tag(bare(gold))
    same = [new.tags == old.tags for new, old in zip(small, load_tagger(swahili).tag(bare(gold)), strict=True)]
    assert sum(same) >= 0.9 * len(same)
    monkeypatch.setattr("onomast.export.int8.MOST_LOST", -1.0)  # nothing is good enough
    said = onomast("export", swahili, "--out", tmp_path / "no", "--int8", "--dev", "sample:swahili-news/train")
    assert said.status == 1 and f"F1 is {loss.f1_int8:.2f} in int8 and {loss.f1:.2f} in float32" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8"]


def test_says_what_cannot_be_exported(swahili: Path, tmp_path: Path) -> None:
    linear = new_tagger(read_recipe("crf", {"linear.max_iterations": "5"}))
    linear.fit(Corpus("made up", labelled(8)))
    linear.save(tmp_path / "linear")
    with pytest.raises(ModelError, match="needs no export"):
        export(tmp_path / "linear", tmp_path / "out")
    done = export(swahili, tmp_path / "onnx")
    with pytest.raises(ModelError, match="exported already"):
        export(done, tmp_path / "again")
    with pytest.raises(ModelError, match="own folder"):
        export(swahili, swahili)
    with pytest.raises(OnomastError, match="cannot be trained"):
        load_tagger(done).fit(Corpus("made up", labelled(8)))


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("language", ["hau", "ibo", "kin", "swa", "yor"])
def test_two_thousand_real_sentences_of_each_language(language: str, corpora: Path, tmp_path: Path) -> None:
    folder = corpora / "masakhaner2" / language
    train = list(read_named(str(folder / "train.txt")).sentences)
    recipe = read_recipe("small", {"neural.training.steps": "200", "neural.training.epochs": "1"})
    tagger = new_tagger(recipe)
    tagger.fit(Corpus(language, tuple(train[:100])))
    tagger.save(tmp_path / "model")
    loaded = load_tagger(export(tmp_path / "model", tmp_path / "onnx"))
    sentences = bare(train[100:2100])
    assert len(sentences) == 2000
    assert_equal(loaded.tag(sentences), tagger.tag(sentences))
