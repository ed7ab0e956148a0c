"""Parquet and DocBin: numbers become tags by their names, and a missing library is said to be missing."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from onomast.data.formats.registry import read_file
from onomast.errors import DataError, MissingExtra


def write_table(path: Path, columns: dict[str, Any], names: dict[str, Any] | None = None) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    table = pyarrow.table(columns)
    if names is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": names}})})
    parquet.write_table(table, path)
    return path


def class_label(*names: str) -> dict[str, Any]:
    return {"feature": {"names": list(names), "_type": "ClassLabel"}, "_type": "Sequence"}


def test_class_labels_name_the_numbers(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "a.dat",
        {
            "tokens": [["Amina", "went"], ["Kano", "."]],
            "ner_tags": [[1, 0], [3, -100]],
            "pos_tags": [[0, 1], [0, 2]],
            "label": [1, 0],
            "lang": ["sw", None],
        },
        {
            "ner_tags": class_label("O", "B-PER", "I-PER", "B-LOC"),
            "pos_tags": class_label("PROPN", "VERB", "PUNCT"),
            "label": {"names": ["travel", "news"], "_type": "ClassLabel"},
        },
    )
    reading = read_file(path)
    first, second = reading.sentences
    assert (reading.format, reading.style) == ("parquet", "iob2")
    assert (first.tokens, first.tags, first.pos) == (("Amina", "went"), ("B-PER", "O"), ("PROPN", "VERB"))
    assert (first.label, first.language, first.source) == ("news", "sw", f"{path}:1")
    assert (second.tags, second.label, second.language) == (("B-LOC", None), "travel", None)


def test_tags_in_words_and_spans_need_no_names(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", {"tokens": [["a", "b"]], "tags": [["B-X", "I-X"]]})
    assert read_file(path).sentences[0].tags == ("B-X", "I-X")
    spans = [[{"start": 0, "end": 4, "label": "LOC"}]]
    path = write_table(tmp_path / "b.parquet", {"text": ["Kano."], "spans": spans})
    assert read_file(path).sentences[0].tags == ("B-LOC", "O")


def test_numbers_without_names_are_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", {"tokens": [["a"]], "ner_tags": [[1]]})
    with pytest.raises(DataError, match=r"a\.parquet:1: ner_tags are numbers"):
        read_file(path)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="not a whole Parquet file"):
        read_file(tmp_path / "a.parquet")
    pytest.importorskip("spacy")
    (tmp_path / "a.spacy").write_bytes(b"\x78\x9cno")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="spaCy DocBin"):
            read_file(tmp_path / "a.spacy")


@pytest.mark.parametrize(("library", "name"), [("pyarrow", "a.parquet"), ("spacy", "a.spacy")])
def test_a_missing_library_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, name: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=library + r" is not installed.*pip install 'onomast\["):
        read_file(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_documents_of_spacy_are_cut_into_sentences(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    vocab = spacy.blank("xx").vocab
    words = ["Amina", "went", ".", "\n", "Dar", "es", "Salaam", "!"]
    starts = [True, False, False, False, True, False, False, False]
    document = Doc(vocab, words=words, spaces=[True, False, False, False, True, True, False, False], sent_starts=starts)
    document.set_ents([Span(document, 0, 1, "PER"), Span(document, 4, 7, "LOC")], default="outside")
    document.cats = {"news": 0.0, "travel": 1.0}
    partly = Doc(vocab, words=["Kano", "is", "Kano"], pos=["PROPN", "AUX", "PROPN"])
    partly.set_ents([Span(partly, 0, 1, "LOC")], default="missing")
    DocBin(
        docs=[document, partly], attrs=["ORTH", "ENT_IOB", "ENT_TYPE", "SENT_START", "POS"], store_user_data=True
    ).to_disk(tmp_path / "a.dat")
    reading = read_file(tmp_path / "a.dat")
    first, second, third = reading.sentences
    assert reading.format == "docbin"
    assert (first.tokens, first.tags, first.text) == (("Amina", "went", "."), ("B-PER", "O", "O"), "Amina went.")
    assert (second.tags, second.offsets) == (("B-LOC", "I-LOC", "I-LOC", "O"), ((12, 15), (16, 18), (19, 25), (25, 26)))
    assert second.text == "Dar es Salaam!" and second.text_start == 12
    assert (third.tags, third.pos) == (("B-LOC", None, None), ("PROPN", "AUX", "PROPN"))
    assert third.source == f"{tmp_path}/a.dat:2"
