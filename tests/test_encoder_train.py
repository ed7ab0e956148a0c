"""Small encoders of one's own: text, sub-words, masking, training that resumes, and the folder that comes out."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from made_up import fitted, labelled, start_script
from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, OnomastError
from onomast.pretrained import train as encoder_training
from onomast.pretrained.masked_lm import MaskedModel, MaskedText, Masking, Stream, is_held_out, stream_of
from onomast.pretrained.subwords import WordPieces
from onomast.pretrained.text import gather
from onomast.pretrained.train import texts_of, train_encoder
from onomast.recipe import read_recipe
from onomast.taggers.neural.masked_lm_stage import starting_head
from onomast.taggers.neural.transformer_encoder import TransformerEncoder
from tiny_encoders import TINY

transformers = pytest.importorskip("transformers")

HINDI = ("गीता", "दिल्ली", "में", "रहती", "है", "।", "कविता", "मुंबई", "ज़रूर", "गई")
BURMESE = ("မောင်မောင်", "ရန်ကုန်", "မြို့", "သို့", "သွားသည်", "။")
SWAHILI = ("Asha", "alisafiri", "huko", "Nairobi", "jana", ".")


def sentences(words: Sequence[str], number: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return "".join(" ".join(draw.choices(words, k=draw.randint(4, 9))) + "\n" for _ in range(number))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Raw text of two languages, and a labelled file of a third."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "hin.txt").write_text(sentences(HINDI, 300), encoding="utf-8")
    (folder / "mya.txt").write_text(sentences(BURMESE, 60), encoding="utf-8")
    lines = [f"{word}\tO\n" if word != "." else ".\tO\n\n" for word in SWAHILI] * 50
    (folder / "swa.txt").write_text("Asha\tB-PER\n.\tO\n\n" + "".join(lines), encoding="utf-8")
    return {name: [folder / f"{name}.txt"] for name in ("hin", "mya", "swa")}


@pytest.fixture(scope="module")
def trained(texts: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "encoder"
    train_encoder(texts, folder, TINY)
    return folder


def _checksum(line: str) -> int:
    return zlib.crc32(f"{line}\n".encode())


def encoder_of(folder: Path) -> TransformerEncoder:
    recipe = read_recipe("transformer", {"neural.pretrained.model": json.dumps(str(folder))})
    return TransformerEncoder.pretrained(recipe.neural, ("",))


def test_the_folder_is_an_ordinary_one_of_hugging_face(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training.json"}
    model, report = transformers.AutoModelForMaskedLM.from_pretrained(trained, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    made = encoder_of(trained)
    ours = MaskedModel(made.model, starting_head(made)).eval()
    ids = torch.randint(len(made.tokenizer), (3, 20))
    asked = torch.rand(3, 20) < 0.3
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids, asked), model.eval()(input_ids=ids).logits[asked], atol=1e-5, rtol=1e-5)
    assert made.size == TINY.block - 2 and made.tokenizer.model_max_length == TINY.block
    assert model.config.hidden_dropout_prob == 0.1


def test_signs_of_every_script_stay_and_nothing_met_is_unknown(trained: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(trained)
    for word in (*HINDI, *BURMESE, *SWAHILI):
        numbers = tokenizer(word, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in numbers
        assert tokenizer.decode(numbers) == unicodedata.normalize("NFC", word)
        apart = tokenizer(unicodedata.normalize("NFD", word), add_special_tokens=False)["input_ids"]
        assert apart == numbers
    pieces = WordPieces(tokenizer)
    line = tokenizer(" ".join(HINDI), add_special_tokens=False)["input_ids"]
    assert [piece for word in pieces.of(HINDI) for piece in word] == line


def test_the_summary_tells_of_each_language(texts: dict[str, list[Path]], tmp_path: Path) -> None:
    said: list[str] = []
    summary = train_encoder(texts, tmp_path / "encoder", TINY, say=said.append)
    assert [*summary.languages] == ["hin", "mya", "swa"] and summary.steps == 20
    assert all(figures.unknown == 0 and figures.subwords_per_word >= 1 for figures in summary.languages.values())
    kept = [
        line for line in texts["hin"][0].read_text(encoding="utf-8").splitlines() if not is_held_out(_checksum(line))
    ]
    assert summary.languages["hin"].words == sum(len(line.split()) for line in kept)
    assert "raw text" in said[0] and "token tag" in said[2]
    told = json.loads((tmp_path / "encoder" / "training.json").read_text(encoding="utf-8"))
    assert told["settings"] == dataclasses.asdict(TINY)
    assert told["history"][-1]["masked_accuracy"] >= 0
    assert not (tmp_path / "encoder" / "checkpoints").exists()


def test_hidden_words_are_learnt_from_their_neighbours(tmp_path: Path) -> None:
    """Each line says one of ten words again and again."""
    words = ["moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa", "kumi"]
    draw = random.Random(0)
    lines = [" ".join([draw.choice(words)] * draw.randint(20, 40)) for _ in range(400)]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = dataclasses.replace(TINY, steps=200, vocabulary=60)
    summary = train_encoder({"a": [tmp_path / "a.txt"]}, tmp_path / "encoder", settings)
    assert summary.languages["a"].accuracy > 0.4 and summary.languages["a"].perplexity < 6


def test_excluded_sentences_markup_and_bad_bytes_are_left_out_and_counted(tmp_path: Path) -> None:
    hidden = ("Juma", "aliondoka", "Mombasa", "jana", "asubuhi")
    lines = [
        "<doc docid='1'>",
        "Asha alilala .",
        "Watu walisema Juma aliondoka Mombasa jana asubuhi , kweli .",
        "</doc>",
    ]
    (tmp_path / "raw.txt").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe bytes\n")
    (tmp_path / "gold.txt").write_text("".join(f"{word}\tO\n" for word in hidden) + "\nAsha\tB-PER\n", encoding="utf-8")
    found = gather({"swa": [tmp_path / "raw.txt", tmp_path / "gold.txt"]}, tmp_path, exclude=[hidden])
    text = found.languages["swa"]
    kept = [*text.read(), *text.read(held_out=True)]
    assert {word for line in kept for word in line} & {*hidden, "doc", "bytes"} == set()
    assert ["Watu", "walisema"] in kept and ["Asha"] in kept
    assert (found.dropped, found.skipped) == (2, 3)


def test_text_is_converted_after_what_is_excluded(tmp_path: Path) -> None:
    (tmp_path / "tel.txt").write_text("హైదరాబాద్ నగరం పెద్దది\nవిజయ్ వచ్చాడు\n", encoding="utf-8")
    found = gather({"tel": [tmp_path / "tel.txt"]}, tmp_path, exclude=[("విజయ్", "వచ్చాడు")], script="deva")
    assert [*found.languages["tel"].read()] == [["हैदराबाद्", "नगरं", "पॆद्ददि"]] and found.dropped == 1


def test_names_of_files_say_their_language() -> None:
    assert texts_of(["hin=a/b.txt", "hin=c.txt", "x/news.txt.gz"]) == {
        "hin": ["a/b.txt", "c.txt"],
        "news": ["x/news.txt.gz"],
    }


class _Lettered:
    """Sub-words of a made-up vocabulary: 0 padding, 1 unknown, 2 start, 3 end, 4 mask."""

    before, after, unknown, mask = (2,), (3,), 1, 4
    tokenizer = type("Tokenizer", (), {"mask_token_id": 4})


def task(text: dict[str, Stream], masking: Masking, **settings: Any) -> MaskedText:
    config = transformers.BertConfig(
        vocab_size=1000, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    module = MaskedModel(transformers.BertModel(config, add_pooling_layer=False))
    return MaskedText(module, text, text, _Lettered(), masking, rows=4, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["word", "subword"])
def test_fifteen_in_a_hundred_are_asked_for_and_words_as_a_whole(unit: Any) -> None:
    torch.manual_seed(0)
    made = task({}, Masking(block=102, unit=unit))
    ids = torch.arange(100).repeat(2000, 1) + 10
    ids[:, ::10] = 3  # separators
    words = torch.arange(100).repeat(2000, 1) // 2
    read, asked = made._masked(ids, words)
    assert (read[:, 0] == 2).all() and (read[:, -1] == 3).all()
    assert (asked[:, [0, -1]] == -100).all()
    read, asked = read[:, 1:-1], asked[:, 1:-1]
    chosen = asked != -100
    assert not chosen[ids == 3].any()
    assert (asked[chosen] == ids[chosen]).all()
    real = ids != 3
    assert float(chosen[real].float().mean()) == pytest.approx(0.15, abs=0.005)
    together = (chosen[:, 2::10] == chosen[:, 3::10]).all()
    assert bool(together) == (unit == "word")
    assert float((read[chosen] == 4).float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float((read[chosen] == ids[chosen]).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert (read[~chosen] == ids[~chosen]).all()


def test_languages_are_drawn_by_their_size_to_a_power_and_windows_begin_with_words() -> None:
    def stream(first: int, length: int) -> Stream:
        ids = np.arange(length, dtype=np.int32) % 2 + first
        return Stream(ids, ids == first, 1, length // 2, 0)

    text = {"large": stream(100, 8000), "small": stream(200, 500), "tiny": stream(300, 4)}
    made = task(text, Masking(block=18), smoothing=0.5)
    seen: list[torch.Tensor] = []
    made._masked = lambda ids, words: (seen.append(ids), MaskedText._masked(made, ids, words))[1]  # type: ignore[func-returns-value, method-assign]
    torch.manual_seed(0)
    for _ in range(300):
        made.loss(range(8), 0.0)
    rows = torch.cat(seen)
    assert (rows[:, 0] % 100 == 0).all() and rows.shape[1] == 16
    sizes = np.sqrt([8000, 500, 4])
    drawn = [float((rows[:, 0] == first).float().mean()) for first in (100, 200, 300)]
    assert drawn == pytest.approx(sizes / sizes.sum(), abs=0.03)


def test_streams_mark_where_words_begin(trained: Path) -> None:
    pieces = WordPieces(transformers.AutoTokenizer.from_pretrained(trained))
    words = [["गीता", "Nairobi"], ["xyz☃", "।"]]
    made = stream_of(words, pieces)
    cut = [[*word] for line in words for word in [*pieces.of(line), pieces.after]]
    assert made.ids.tolist() == [piece for word in cut for piece in word]
    assert made.starts.tolist() == [place == 0 for word in cut for place in range(len(word))]
    assert (made.lines, made.words) == (2, 4) and made.unknown > 0


KILLED = """
import dataclasses, sys
from tiny_encoders import TINY
from onomast.pretrained import train as encoder_training
from onomast.training import loop
encoder_training._ROUND = 40
loop._PAUSE = 0.0
texts = {"hin": [sys.argv[2]], "mya": [sys.argv[3]]}
encoder_training.train_encoder(texts, sys.argv[1], dataclasses.replace(TINY, steps=400), resume=True)
"""


def test_sigkill_then_resume_gives_the_same_bytes(texts: dict[str, list[Path]], tmp_path: Path) -> None:
    files = [texts[name][0] for name in ("hin", "mya")]

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return start_script(KILLED, folder, *files)

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / "checkpoint.safetensors"
    while process.poll() is None and not checkpoint.is_file():
        time.sleep(0.002)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file() and not (tmp_path / "killed" / "model.safetensors").exists()
    assert start(tmp_path / "killed").wait() == 0
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_checkpoints_of_other_settings_are_refused(
    texts: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder_training, "_save", stop)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(texts, tmp_path, TINY)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="another recipe, seed or corpus"):
        train_encoder(texts, tmp_path, dataclasses.replace(TINY, seed=1), resume=True)
    train_encoder(texts, tmp_path, dataclasses.replace(TINY, seed=1))
    assert (tmp_path / "model.safetensors").is_file()


def test_a_limit_of_time_lets_the_rate_fall_by_the_time_used(texts: dict[str, list[Path]], tmp_path: Path) -> None:
    settings = dataclasses.replace(TINY, steps=0, minutes=0.02)
    summary = train_encoder(texts, tmp_path, settings)
    history = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))["history"]
    assert history[-1]["rate"] < 0.1 * settings.rate and summary.steps == history[-1]["steps"] > 0


def test_bf16_trains_too(texts: dict[str, list[Path]], tmp_path: Path) -> None:
    summary = train_encoder(texts, tmp_path, dataclasses.replace(TINY, steps=60, precision="bf16"))
    assert summary.languages["hin"].perplexity < 20


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"steps": 0}, "neither steps nor minutes"),
        ({"width": 33}, "33 cannot be divided among 2 heads"),
        ({"layers": 0}, "layers is 0; expected 1 or more"),
        ({"block": 4}, "block is 4"),
        ({"script": "devanagari"}, "there is no script"),
    ],
)
def test_settings_that_cannot_be_end_in_one_line(
    changes: dict[str, Any], what: str, texts: dict[str, list[Path]], tmp_path: Path
) -> None:
    with pytest.raises(OnomastError, match=what):
        train_encoder(texts, tmp_path, dataclasses.replace(TINY, **changes))


def test_no_text_and_no_file_end_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(OnomastError, match="no text in"):
        train_encoder({"x": [tmp_path / "empty.txt"]}, tmp_path / "encoder", TINY)
    with pytest.raises(DataError, match=r"nothing\.txt"):
        train_encoder({"x": [tmp_path / "nothing.txt"]}, tmp_path / "encoder", TINY)


def test_a_tagger_learns_with_it(trained: Path) -> None:
    changes = {"neural.pretrained.model": json.dumps(str(trained)), "neural.training.epochs": "1"}
    changes |= {"neural.training.dev": '"none"', "neural.training.steps": "0"}
    tagger = fitted(read_recipe("transformer", changes), Corpus("x", labelled(20)))
    long = dataclasses.replace(labelled(1)[0], tokens=SWAHILI * 40, tags=None, pos=None)
    assert len(tagger.tag([long])[0].tags or ()) == 240


def test_the_command_trains_and_says_what_came_of_it(texts: dict[str, list[Path]], tmp_path: Path) -> None:
    words = ["encoder", "train", f"hin={texts['hin'][0]}", f"mya={texts['mya'][0]}", "--exclude", str(texts["swa"][0])]
    words += ["--out", str(tmp_path / "e"), "--steps", "5", "--layers", "1", "--width", "16", "--heads", "2"]
    words += ["--vocabulary", "150", "--batch", "64", "--block", "32"]
    code = "import sys; from onomast.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sub-words/word" in done.stdout and "5 steps" in done.stdout
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--width", "15"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.count("onomast: ") == 1 and "Traceback" not in done.stderr
