"""`onomast convert IN OUT` and the writers it calls: what is written of every format is read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from onomast.apps.convert import convert_format
from onomast.data.formats.registry import SUFFIXES, WRITERS, read_file, write
from onomast.errors import DataError
from onomast.sentence import Sentence

TEXT = "Asha alifika Dar es Salaam . 😀 काठमाडौँ !"
TOKENS = tuple(TEXT.split())
TAGS = ("B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "O", "O", "B-LOC", "O")
SENTENCES = [
    Sentence(TOKENS, TAGS, language="swa"),
    Sentence(("Juma", "yupo", "."), ("B-PER", "O", "O"), language="swa"),
]
TOOLS = ("doccano", "label-studio", "prodigy")
NEEDS = {"parquet": "pyarrow", "docbin": "spacy"}


def plain(sentences: tuple[Sentence, ...]) -> list[tuple[tuple[str, ...], tuple[str | None, ...] | None]]:
    return [(sentence.tokens, sentence.tags) for sentence in sentences]


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"html"}))
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "json"))
    suffix = {value: key for key, value in SUFFIXES.items()}.get(name, ".jsonl")
    path = tmp_path / f"a{suffix}"
    write(SENTENCES, path, format=name)
    reading = read_file(path)
    assert plain(reading.sentences) == [(one.tokens, one.tags) for one in SENTENCES]
    assert reading.repairs == ()
    if name not in ("docbin", "doccano"):  # which have no place for a language
        assert {one.language for one in reading.sentences} == {"swa"}


@pytest.mark.parametrize("name", sorted({*TOOLS, "parquet", "docbin", "json"}))
def test_what_a_format_cannot_say_is_refused_or_kept(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "json"))
    partly = [dataclasses.replace(SENTENCES[1], tags=("B-PER", None, "O"))]
    if name in TOOLS:
        with pytest.raises(DataError, match="not annotated"):
            write(partly, tmp_path / "a.jsonl", format=name)
    else:
        write(partly, tmp_path / "a", format=name)
        assert read_file(tmp_path / "a").sentences[0].tags == partly[0].tags
    bare = [dataclasses.replace(SENTENCES[0], tags=None)]
    write(bare, tmp_path / "b", format=name)
    assert read_file(tmp_path / "b").sentences[0].tags is None
    with pytest.raises(DataError, match="without tokens"):
        write([Sentence(())], tmp_path / "c", format=name)
    assert not (tmp_path / "c").exists()


def test_label_studio_and_prodigy_get_the_fields_they_import(tmp_path: Path) -> None:
    write(SENTENCES, tmp_path / "l.json", format="label-studio")
    (task, _) = json.loads((tmp_path / "l.json").read_text("utf-8"))
    assert task["data"]["text"] == TEXT
    results = task["annotations"][0]["result"]
    wide = TEXT.encode("utf-16-le")  # Label Studio counts as JavaScript does
    places = [(2 * r["value"]["start"], 2 * r["value"]["end"]) for r in results]
    assert [wide[start:end].decode("utf-16-le") for start, end in places] == ["Asha", "Dar es Salaam", "काठमाडौँ"]
    assert {(r["from_name"], r["to_name"], r["type"]) for r in results} == {("label", "text", "labels")}
    write(SENTENCES, tmp_path / "p.jsonl", format="prodigy")
    row = json.loads((tmp_path / "p.jsonl").read_text("utf-8").splitlines()[0])
    assert [token["id"] for token in row["tokens"]] == list(range(len(TOKENS)))
    assert row["spans"][1] == {"start": 13, "end": 26, "label": "LOC", "token_start": 2, "token_end": 4}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".conllu", ".parquet", ".docbin", ".ann"])
def test_the_suffix_decides_and_the_way_back_gives_the_same_columns(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(suffix[1:], "json"))
    first, there, back = tmp_path / "a.conll", tmp_path / f"b{suffix}", tmp_path / "c.conll"
    write([dataclasses.replace(one, language=None) for one in SENTENCES], first)
    assert convert_format(str(first), str(there)) == 2
    assert convert_format(str(there), str(back)) == 2
    assert back.read_bytes() == first.read_bytes()


def test_conversion_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    write(SENTENCES, path)
    content = path.read_bytes()
    for out, message in ((path, "is the input"), (tmp_path / "a.xlsx", "the suffix .xlsx stands for no format")):
        with pytest.raises(DataError, match=message):
            convert_format(str(path), str(out))
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]
