"""Hostile input: work grows no faster than the input (operations are counted, not time), and bombs are refused."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from onomast.data.formats.registry import read_file
from onomast.data.raw_text import read_blocks
from onomast.data.tokenize import sentences
from onomast.errors import DataError

RATIO = 2.6  # of the operations for twice the input; a quadratic algorithm has 4


def operations(function: Callable[[], object]) -> int:
    """Lines of Python that run."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("text", [".", "A.", '."', "..! ", "a.b/", "1.", "…", "A. ", "ก ", "।", ". . "])
@pytest.mark.parametrize("end", ["", " a", "a"])
def test_cutting_text_is_linear(text: str, end: str) -> None:
    few, many = (operations(lambda size=size: sentences(text * size + end)) for size in (1_000, 2_000))
    assert many < RATIO * few + 1_000


def brat(folder: Path, size: int, mark: str) -> Path:
    folder.mkdir()
    text = "Łódź 😀 " * size
    width = len("Łódź 😀 ")
    (folder / "a.txt").write_text(text, "utf-8")
    rows = [mark.format(n=n, start=n * width, end=n * width + 4, all=len(text)) for n in range(size)]
    (folder / "a.ann").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def json_lines(path: Path, size: int, span: dict[str, Any]) -> Path:
    text = "Łódź 😀 " * size
    spans = [{key: value(n) if callable(value) else value for key, value in span.items()} for n in range(size)]
    path.write_text(json.dumps({"text": text, "spans": spans}) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    "mark",
    [
        "T{n}\tLOC {start} {end}\tŁódź",
        "T{n}\tLOC 0 {all}\t",
        "T{n}\tLOC {start} {all}\tx",
        "T{n}\tLOC {n} {end}\tŁódź",
    ],
)
def test_marks_of_brat_are_placed_in_linear_time(mark: str, tmp_path: Path) -> None:
    folders = [brat(tmp_path / str(size), size, mark) for size in (300, 600)]
    few, many = (operations(partial(read_file, folder)) for folder in folders)
    assert many < RATIO * few


@pytest.mark.parametrize(
    "span",
    [
        {"start_byte": lambda n: n * 12, "limit_byte": lambda n: n * 12 + 7, "label": "LOC"},
        {"start": lambda n: n * 8, "end": lambda n: n * 8 + 4, "label": "LOC", "text": "Łódź"},
        {"start": 1, "end": lambda n: n + 2, "label": "LOC"},
    ],
)
def test_offsets_in_bytes_and_utf16_are_moved_in_linear_time(span: dict[str, Any], tmp_path: Path) -> None:
    paths = [json_lines(tmp_path / f"{size}.jsonl", size, span) for size in (300, 600)]
    few, many = (operations(partial(read_file, path)) for path in paths)
    assert many < RATIO * few


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes(b"Asha\tB-PER " * 400_000)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.conll:1: a line of 4,400,000 characters; expected a token and its tag"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000
    tracemalloc.stop()


def test_a_gzip_bomb_is_refused_unless_the_user_insists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt.gz"
    with gzip.open(path, "wb", 9) as file:
        for _ in range(80):
            file.write(b"a" * 1_000_000)
    with pytest.raises(DataError, match=r"bytes hold more than .*ONOMAST_UNBOUNDED=1"):
        sum(map(len, read_blocks(path)))
    monkeypatch.setenv("ONOMAST_UNBOUNDED", "1")
    assert sum(map(len, read_blocks(path))) == 80_000_000


def test_a_docbin_bomb_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    (tmp_path / "a.docbin").write_bytes(zlib.compress(b"\0" * 90_000_000))
    with pytest.raises(DataError, match="bytes hold more than"):
        read_file(tmp_path / "a.docbin")


def test_a_parquet_bomb_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    tokens = pyarrow.array([["a"] * 3_000_000], pyarrow.list_(pyarrow.string()))
    parquet.write_table(pyarrow.table({"tokens": tokens}), tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(DataError, match="bytes hold"):
        read_file(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "record",
    [
        '{"data": {"text": "a"}, "annotations": [{"result": 5}]}',
        '{"tokens": ["a"], "tags": ["O"], "confidence": [1' + "0" * 400 + "]}",
        '{"tokens": ["a"], "tags": ["O"], "confidence": [Infinity]}',
        "[" * 100_000,
        '{"text": ' + '{"a": ' * 100_000,
    ],
)
def test_records_that_crashed_the_reader_are_errors(record: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(record + "\n")
    with pytest.raises(DataError):
        read_file(tmp_path / "a.jsonl")
