"""Model folders: exchanged whole, sealed, and never a way to what lies outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_up import labelled, neural_recipe
from onomast.corpus import Corpus
from onomast.errors import ModelError
from onomast.recipe import read_recipe
from onomast.sentence import Sentence
from onomast.taggers.model_folder import TAGS, replaced_folder, seal, seal_also, unseal
from onomast.taggers.registry import load_tagger, new_tagger

TRAIN = tuple(Sentence((word, "left"), ("B-PER", "O")) for word in ("Asha", "Juma", "Neema"))


def saved(folder: Path) -> Path:
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("x", TRAIN))
    tagger.save(folder)
    return folder


def write(folder: Path, text: str) -> None:
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(text, encoding="utf-8")
    seal(folder, {"what": text}, ["a.txt", "b.txt"])


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("old", "new"):
        with replaced_folder(target) as folder:
            write(folder, text)
            if text == "new":
                assert unseal(target, ["a.txt"])["what"] == "old"
        assert unseal(target, ["a.txt", "b.txt"])["what"] == text
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_exception_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replaced_folder(target) as folder:
        write(folder, "old")
    with pytest.raises(FileNotFoundError), replaced_folder(target) as folder:
        seal(folder, {}, ["missing.txt"])
    assert unseal(target, ["a.txt"])["what"] == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_files_of_the_user_are_kept_and_those_of_the_old_model_are_not(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replaced_folder(target) as folder:
        write(folder, "old")
    for name in ("notes/mine.txt", "checkpoints/x", "report.json", ".left-over"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("x", encoding="utf-8")
    with replaced_folder(target) as folder:
        (folder / "c.txt").write_text("new", encoding="utf-8")
        seal(folder, {}, ["c.txt"])
    left = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert left == {"c.txt", "notes/mine.txt", TAGS}


KILLED = """
import sys
from pathlib import Path
from onomast.taggers.model_folder import replaced_folder, seal
number = 0
while True:
    number += 1
    with replaced_folder(Path(sys.argv[1])) as folder:
        for name in ("a.txt", "b.txt"):
            (folder / name).write_text(str(number), encoding="utf-8")
        seal(folder, {"what": str(number)}, ["a.txt", "b.txt"])
    print(number, flush=True)
"""


def test_kills_leave_the_old_folder_or_the_new_one_and_the_next_run_sweeps(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for pause in (0.0, 0.001, 0.003, 0.007):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        described = unseal(target, ["a.txt", "b.txt"])
        assert (target / "a.txt").read_text(encoding="utf-8") == described["what"]
    with replaced_folder(target) as folder:
        write(folder, "last")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_every_byte_of_tags_json_is_sealed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    text = (folder / TAGS).read_text(encoding="utf-8")
    (folder / TAGS).write_text(text.replace("PER", "LOC"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tags\.json is damaged \(its checksum differs\)"):
        load_tagger(folder)


def test_further_files_can_be_sealed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    (folder / "known.json").write_text("{}", encoding="utf-8")
    seal_also(folder, ["known.json"])
    load_tagger(folder)
    (folder / "known.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match=r"known\.json is not the file that was saved"):
        load_tagger(folder)


def test_a_folder_saved_before_tags_json_was_sealed_still_loads(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    described = json.loads((folder / TAGS).read_text(encoding="utf-8"))
    del described["checksum"]
    (folder / TAGS).write_text(json.dumps(described), encoding="utf-8")
    assert load_tagger(folder).scheme.labels == ("PER",)


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname", "lists/../../outside.txt"])
def test_no_path_leads_outside(name: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    (tmp_path / "outside.txt").write_text("x", encoding="utf-8")
    described = json.loads((folder / TAGS).read_text(encoding="utf-8"))
    described["sha256"][name] = "0" * 64
    del described["checksum"]
    (folder / TAGS).write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ModelError, match="not inside the folder"):
        load_tagger(folder)


@pytest.mark.parametrize("name", [TAGS, "recipe.toml", "vocabulary.json"])
def test_nested_bombs_are_one_clear_error(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tagger = new_tagger(neural_recipe())
    tagger.fit(Corpus("x", labelled(6)))
    folder = tmp_path / "model"
    tagger.save(folder)
    described = json.loads((folder / TAGS).read_text(encoding="utf-8"))
    (folder / name).write_text("a = " * (name == "recipe.toml") + "[" * 200_000, encoding="utf-8")
    if name == "vocabulary.json":
        described.pop("checksum")
        seal(folder, {key: value for key, value in described.items() if key != "sha256"}, described["sha256"])
    with pytest.raises(ModelError, match="model"):
        load_tagger(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neural.encoder.width": "4000"}, r"width is 4000"),
        ({"neural.ensemble_size": "90"}, r"ensemble_size is 90"),
        ({}, r"not finite"),
    ],
)
def test_recipe_sizes_and_weights_are_checked_before_a_network_is_built(
    change: dict[str, str], message: str, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    tagger = new_tagger(neural_recipe())
    tagger.fit(Corpus("x", labelled(6)))
    if change:
        tagger.recipe = neural_recipe(**{key.replace(".", "__"): value for key, value in change.items()})
    tagger.save(folder)
    if not change:
        tensors = load_file(folder / "weights.safetensors")
        name = next(iter(tensors))
        tensors[name].view(-1)[0] = torch.nan
        save_file(tensors, folder / "weights.safetensors")
        described = json.loads((folder / TAGS).read_text(encoding="utf-8"))
        described.pop("checksum")
        seal(folder, {key: value for key, value in described.items() if key != "sha256"}, described["sha256"])
    with pytest.raises(ModelError, match=message):
        load_tagger(folder)
