"""`onomast tag --jobs`: every row once, whatever is killed and however often; bad rows are reported and kept."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Onomast
from made_up import labelled
from onomast.apps.model import Model
from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.recipe import read_recipe
from onomast.taggers.registry import new_tagger

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from onomast.apps.shards.table import tag_batch  # noqa: E402

TEXT = "Asha alisafiri huko Tanga ."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "model"
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("made up", labelled(40)))
    tagger.save(path)
    return path


def shard(path: Path, rows: int, seed: int) -> Path:
    texts = [" ".join(one.tokens) for one in labelled(rows, seed=seed)]
    columns = {"id": [f"{seed}-{row}" for row in range(rows)], "text": texts, "n": list(range(rows))}
    pq.write_table(pa.table(columns), path, row_group_size=500)
    return path


def test_a_table_gets_entities_and_keeps_its_columns(model: Path) -> None:
    table = pa.table({"text": [TEXT, None, "", "😀 Juma alilala ."], "n": [1, 2, 3, 4]})
    made = tag_batch(table, model)
    assert made.column_names == ["text", "n", "entities", "error"] and made.select(["text", "n"]) == table
    entities = made.column("entities").to_pylist()
    wanted = Model.load(model).entities([TEXT])[0]
    assert [(one["start"], one["end"], one["label"], one["text"]) for one in entities[0]] == [
        (one.start, one.end, one.label, one.text) for one in wanted
    ]
    assert entities[1] is None and entities[2] == [] and "Juma" in [one["text"] for one in entities[3]]
    assert made.column("error").to_pylist() == [None, "no text but None", None, None]
    for wrong, said in ((table.drop(["text"]), "no column 'text'"), (made, "already"), (table, "of type int64")):
        with pytest.raises(DataError, match=said):
            tag_batch(wrong, model, column="n" if said.startswith("of") else "text")


def test_every_kind_of_file_and_bad_rows(model: Path, tmp_path: Path, onomast: Onomast) -> None:
    (tmp_path / "a.txt").write_text(f"{TEXT}\n\nJuma alilala huko Moshi .", encoding="utf-8")
    with gzip.open(tmp_path / "b.jsonl.gz", "wb") as file:
        file.write(json.dumps({"text": TEXT, "id": 1}).encode() + b'\n{"id": 2}\nnonsense\n\xff\n[1]\n')
    with pa.output_stream(str(tmp_path / "c.txt.zst"), compression="zstd") as packed:
        packed.write(f"{TEXT}\n".encode() * 3000)
    shard(tmp_path / "d.parquet", 2500, 1)
    files = sorted(path for path in tmp_path.iterdir())
    out = tmp_path / "out"
    ran = onomast("tag", model, *files, "--out", out, "--jobs", "1")
    assert ran.status == 0 and "4 rows with an error" in ran.err, ran.err
    lines = [json.loads(line) for line in (out / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [len(line["entities"]) for line in lines] == [2, 0, 2] and lines[0]["text"] == TEXT
    with gzip.open(out / "b.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    assert rows[0]["id"] == 1 and len(rows[0]["entities"]) == 2 and "error" not in rows[0]
    assert [row["error"].partition(": line ")[::2][1][0] for row in rows[1:]] == ["2", "3", "4", "5"]
    with pa.input_stream(str(out / "c.jsonl.zst"), compression="zstd") as file:
        assert len(file.read().splitlines()) == 3000
    assert pq.read_table(out / "d.parquet").select(["id", "text", "n"]) == pq.read_table(tmp_path / "d.parquet")
    again = onomast("tag", model, *files, "--out", out, "--jobs", "2")
    assert again.status == 0 and "4 of them done before" in again.err


def test_what_does_not_fit_is_refused(model: Path, tmp_path: Path, onomast: Onomast) -> None:
    file = shard(tmp_path / "a.parquet", 10, 1)
    out = tmp_path / "out"
    assert onomast("tag", model, file, "--out", out, "--jobs", "1").status == 0
    other = tmp_path / "other"
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("other", labelled(9)))
    tagger.save(other)
    (tmp_path / "twin").mkdir()
    twin = shard(tmp_path / "twin" / "a.parquet", 10, 2)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    for words, said in (
        ((other, file, "--out", out, "--jobs", "1"), "output of another model"),
        ((model, file, "--out", out, "--jobs", "1", "--min-confidence", "0.5"), "output of another options"),
        ((model, file, twin, "--out", out, "--jobs", "1"), "rename one"),
        ((model, tmp_path / "no.txt", "--out", out, "--jobs", "1"), "no such file"),
        ((model, model / "tags.json", "--out", out, "--jobs", "1"), "expected .parquet"),
        ((model, tmp_path / "bad.parquet", "--out", out, "--jobs", "1"), "Parquet"),
        ((model, file, file, "--out", out), "--jobs 2"),
    ):
        ran = onomast("tag", *words)
        assert ran.status != 0 and said in ran.err, ran.err
    shard(file, 12, 3)  # the input has changed: it is tagged again
    assert onomast("tag", model, file, "--out", out, "--jobs", "1").status == 0
    assert pq.read_table(out / "a.parquet").num_rows == 12


@pytest.mark.slow
def test_killed_drivers_and_workers_leave_the_output_of_an_unbroken_run(model: Path, tmp_path: Path) -> None:
    files = [shard(tmp_path / f"s{number:02}.parquet", 2000, number) for number in range(16)]
    command = [sys.executable, "-m", "onomast.cli", "tag", str(model), *map(str, files), "--jobs", "2", "--out"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    draw, killed = random.Random(1), {"driver": 0, "worker": 0}
    for number in range(10):
        process = subprocess.Popen([*command, str(broken)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while process.poll() is None and not _children(process.pid) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(draw.uniform(0.2, 1.4))
        victims = _children(process.pid) if number % 2 and process.poll() is None else [process.pid]
        if process.poll() is None and victims:
            killed["worker" if number % 2 else "driver"] += 1
            os.kill(draw.choice(victims), signal.SIGKILL)
        process.wait(60)
        time.sleep(1.0)  # workers whose driver is gone end within half a second
    assert min(killed.values()) >= 2
    subprocess.run([*command, str(broken)], check=True, capture_output=True)
    for file in files:
        assert pq.read_table(broken / file.name) == pq.read_table(whole / file.name)
    assert sorted(path.name for path in broken.iterdir()) == sorted(path.name for path in whole.iterdir())


def _children(pid: int) -> list[int]:
    """Worker processes of a driver (not Python's resource tracker)."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []
