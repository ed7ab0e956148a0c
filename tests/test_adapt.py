"""Adapting an encoder to raw text: what is learnt, what stays as it was, resuming, refusals."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")
from onomast.errors import OnomastError
from onomast.pretrained.adapt import AdaptationSettings, adapt_encoder, kept_subwords
from onomast.pretrained.hub import read_encoder
from onomast.pretrained.masked_lm import stream_of
from onomast.pretrained.subwords import WordPieces
from tiny_encoders import tiny_encoder

LINES = ["Juma said the lake in Nairobi", "Asha visited the lake", "the lake said Juma"] * 40
SETTINGS = AdaptationSettings(steps=60, batch=128, block=16, rate=5e-3, precision="single")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "raw.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
def test_hidden_subwords_are_learnt_and_unused_ones_stay(family: str, text: Path, tmp_path: Path) -> None:
    source = tiny_encoder(family, tmp_path / "source")
    summary = adapt_encoder(str(source), {"swa": [text]}, tmp_path / "out", SETTINGS)
    before, after = summary.accuracy["swa"]
    assert after > before + 0.2
    old, tokenizer = read_encoder(str(source))
    new, _ = read_encoder(str(tmp_path / "out"))
    pieces = WordPieces(tokenizer)
    kept = kept_subwords([stream_of([line.split() for line in LINES], pieces)], pieces, 1000)
    old_table, new_table = (model.get_input_embeddings().weight.detach().numpy() for model in (old, new))  # type: ignore[operator]
    unused = np.setdiff1d(np.arange(len(old_table)), kept)
    assert len(unused) and np.array_equal(old_table[unused], new_table[unused])
    word = pieces.of(["lake"])[0]
    assert not np.allclose(old_table[word], new_table[word])


def test_a_resumed_adaptation_ends_as_one_that_was_not_stopped(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onomast.pretrained import adapt

    monkeypatch.setattr(adapt, "_ROUND", 20)
    source = tiny_encoder("bert", tmp_path / "source")
    adapt_encoder(str(source), {"swa": [text]}, tmp_path / "whole", SETTINGS)
    stops = [3]

    def measured(_task: adapt.MaskedText) -> dict[str, float]:
        stops[0] -= 1
        if not stops[0]:
            raise KeyboardInterrupt
        return {}

    with monkeypatch.context() as patch:
        patch.setattr("onomast.training.loop._PAUSE", 0.0)
        patch.setattr(adapt.MaskedText, "score", measured)
        with pytest.raises(KeyboardInterrupt):
            adapt_encoder(str(source), {"swa": [text]}, tmp_path / "stopped", SETTINGS)
    assert (tmp_path / "stopped" / "checkpoints").is_dir()
    adapt_encoder(str(source), {"swa": [text]}, tmp_path / "stopped", SETTINGS, resume=True)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert one == other


def test_what_cannot_be_done_is_said(text: Path, tmp_path: Path) -> None:
    source = tiny_encoder("bert", tmp_path / "source")
    with pytest.raises(OnomastError, match="--minutes"):
        adapt_encoder(str(source), {"swa": [text]}, tmp_path / "out", AdaptationSettings())
    with pytest.raises(OnomastError, match="another one"):
        adapt_encoder(str(source), {"swa": [text]}, source, SETTINGS)
    shutil.rmtree(source)
    with pytest.raises(OnomastError):
        adapt_encoder(str(source), {"swa": [text]}, tmp_path / "out", SETTINGS)
