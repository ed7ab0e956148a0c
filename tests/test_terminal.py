"""The command line and its terminal: closed and odd streams, Ctrl-C, broken pipes. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ONOMAST = f"{sys.executable} -m onomast"
TRAIN = "train sample:swahili-news/train"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal") / "model"
    subprocess.run(f"{ONOMAST} {TRAIN} --budget 40 --out {folder}", shell=True, check=True, capture_output=True)
    return folder


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, env={**os.environ, **environment}, timeout=60
    )


def test_closed_standard_streams_are_named(model: Path) -> None:
    done = shell(f"{ONOMAST} tag {model} <&-")
    assert done.returncode == 1 and b"onomast: standard input is closed" in done.stderr
    done = shell(f"echo Asha | {ONOMAST} tag {model} >&-")
    assert done.returncode == 1 and b"onomast: standard output is closed" in done.stderr
    done = shell(f"echo Asha | {ONOMAST} tag {model} 2>&-")
    assert done.returncode == 0 and done.stdout.startswith(b'{"text": "Asha"')
    done = shell(f"{ONOMAST} recipes >&-")
    assert done.returncode == 1 and b"Traceback" not in done.stderr


def test_a_closed_standard_error_leaves_data_files_alone(model: Path, tmp_path: Path) -> None:
    done = shell(f"echo Asha | {ONOMAST} tag {model} --out {tmp_path / 'out.jsonl'} <&0 2>&- >&-")
    assert done.returncode in (0, 1)
    written = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(written) == 1 and written[0].startswith('{"text": "Asha"')


def test_a_reader_that_has_enough_is_no_error(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Asha alirudi Dodoma.\n" * 20_000, encoding="utf-8")
    done = shell(f"{ONOMAST} tag {model} {tmp_path / 'text.txt'} | head -1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert shell(f"{ONOMAST} data list | head -1").returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_output_that_cannot_be_encoded_is_escaped(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "thai.conll"
    path.write_text("กรุงเทพ B-LOC\nสวย I-LOC\n\n" * 3, encoding="utf-8")
    done = shell(f"{ONOMAST} check {path}", PYTHONIOENCODING=encoding)
    assert b"Traceback" not in done.stderr and rb"\u0e01" in done.stdout


def test_a_file_name_that_is_not_utf8_ends_up_in_the_card(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.conll"
    Path(os.fsdecode(path)).write_bytes(b"Asha B-PER\nslept O\n\n" * 20)
    words = [sys.executable, "-m", "onomast", "train", path, "--out", os.fsencode(tmp_path / "model")]
    done = subprocess.run(words, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ctrl_c_says_what_to_type_to_go_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    words = ["train", "sample:swahili-news/train", "--recipe", "small", "--out", str(tmp_path / "a model")]
    process = subprocess.Popen([sys.executable, "-m", "onomast", *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "a model" / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    last = error.strip().splitlines()[-1]
    assert last.startswith("onomast: interrupted; to go on") and "Traceback" not in error
    assert last.endswith(f"onomast train sample:swahili-news/train --recipe small --out '{tmp_path}/a model' --resume")
