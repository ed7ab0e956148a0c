"""Bulk tagging: raw text and labelled files of any size, in order, with offsets into the original text."""

from __future__ import annotations

import dataclasses
import gzip
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from onomast.apps import bulk
from onomast.apps.bulk import json_line, tag_file, tag_stream
from onomast.data import raw_text
from onomast.data.formats.registry import read_file
from onomast.data.raw_text import read_blocks, stream_text
from onomast.data.tokenize import segment, tokenize
from onomast.errors import DataError, OnomastError
from onomast.sentence import Sentence


class Capitals:
    """A tagger that needs no training: words with a capital are PER, neighbours one entity; shorter is surer."""

    def __init__(self) -> None:
        self.most = 0

    def tag(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        self.most = max(self.most, len(sentences))
        tagged = []
        for sentence in sentences:
            assert sentence.tags is None and sentence.label is None
            tags, inside = [], False
            for token in sentence.tokens:
                name = token[0].isupper() or not token.isascii()
                tags.append(("I-PER" if inside else "B-PER") if name else "O")
                inside = name
            tagged.append(sentence.tagged(tags, [1 / (1 + len(token)) for token in sentence.tokens]))
        return tagged


TAGGER: Any = Capitals()

pieces_of_text = st.lists(
    st.one_of(
        st.sampled_from(
            ["Asha ", "alizaliwa ", "Mombasa. ", "ng'ombe", "\r\n", "\n", "\r", "\ufeff", "\u200b", "\u200d"]
        ),
        st.sampled_from(
            ["👩\u200d👧 ", "🇰🇪", "e\u0301", "กรุงเทพ  ", "ရန်ကုန်။", "東京。", "नई दिल्ली। ", "\u00a0", "\x00", "Dr. "]
        ),
        st.text(max_size=8),
    ),
    max_size=25,
)


def cuts_of(text: str, places: list[int]) -> list[str]:
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(borders)]


@settings(max_examples=300, deadline=None)
@given(pieces_of_text.map("".join))
def test_offsets_count_from_the_beginning_of_the_text(text: str) -> None:
    spans = []
    for sentence in stream_text([text], source="made", language="swa"):
        assert sentence.offsets is not None and sentence.text is not None
        assert sentence.text == text[sentence.text_start : sentence.text_start + len(sentence.text)]
        assert [text[start:end] for start, end in sentence.offsets] == list(sentence.tokens)
        assert sentence.offsets[0][0] == sentence.text_start
        assert sentence.offsets[-1][1] == sentence.text_start + len(sentence.text)
        assert sentence.language == "swa"
        line = 1 + text.count("\n", 0, sentence.text_start)
        assert sentence.source == f"made:{line}"
        spans += sentence.offsets
    assert spans == tokenize(text)


@pytest.mark.parametrize("window", [8, 40, 1 << 16])
@settings(max_examples=200, deadline=None)
@given(text=pieces_of_text.map("".join), places=st.lists(st.integers(0, 300), max_size=6))
def test_the_result_does_not_depend_on_where_the_text_was_cut(window: int, text: str, places: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_text, "WINDOW", window)
        whole = list(stream_text([text]))
        assert list(stream_text(cuts_of(text, places))) == whole
        assert list(stream_text(list(text))) == whole
    covered = {index for sentence in whole for start, end in sentence.offsets or () for index in range(start, end)}
    shows = {index for index, character in enumerate(text) if not regex.match(r"[\s\p{Cc}\p{Cf}]", character)}
    assert shows <= covered


def test_a_long_line_is_cut_between_sentences() -> None:
    line = "Asha alienda Mombasa. Juma alibaki Lamu. " * 8_000
    assert len(line) > 4 * raw_text.WINDOW
    sentences = list(stream_text(cuts_of(line, [7, 70_000, 70_001, 200_000])))
    assert {sentence.text for sentence in sentences} == {"Asha alienda Mombasa.", "Juma alibaki Lamu."}
    assert len(sentences) == 16_000


def test_a_token_without_end_is_cut_at_a_grapheme() -> None:
    line = "e\u0301" * raw_text.WINDOW
    sentences = list(stream_text([line]))
    assert len(sentences) > 1
    assert "".join(sentence.tokens[0] for sentence in sentences) == line
    assert all(len(sentence) == 1 and not sentence.tokens[0].startswith("\u0301") for sentence in sentences)


@settings(max_examples=100, deadline=None)
@given(text=pieces_of_text.map("".join), block=st.integers(1, 9))
def test_a_file_is_read_unchanged_in_any_blocks(
    text: str, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("text") / "raw.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_text, "_BLOCK", block)
        assert "".join(read_blocks(path)) == text
        path.write_bytes(gzip.compress(text.encode()))
        assert "".join(read_blocks(path)) == text


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"Asha\nJuma\xff\n", 2, "byte 9 of the text, 0xff, is not UTF-8"),
        (b"a\n" * 40_000 + "é".encode()[:1] + b"x", 40_001, "byte 80,000 of the text, 0xc3"),
        (b"x" * 65_535 + "é".encode()[:1], 1, "byte 65,535 of the text, 0xc3"),
        ("Asha".encode("utf-16"), 1, "it looks like UTF-16"),
    ],
)
def test_bytes_that_are_not_utf_8_are_named(content: bytes, line: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(stream_text(read_blocks(path)))
    assert (caught.value.path, caught.value.line) == (str(path), line)
    with pytest.raises(DataError, match=message):
        tag_file(TAGGER, path, tmp_path / "out.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["raw.txt"]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        tag_file(TAGGER, tmp_path / "none.txt", tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        tag_file(TAGGER, tmp_path, tmp_path / "out.jsonl")
    (tmp_path / "half.gz").write_bytes(gzip.compress(b"Asha " * 9_000)[:60])
    with pytest.raises(DataError, match="gzip file is damaged"):
        tag_file(TAGGER, tmp_path / "half.gz", tmp_path / "out.jsonl")
    (tmp_path / "raw.txt").write_text("Asha", encoding="utf-8")
    with pytest.raises(OnomastError, match="no segmenter 'unicod'"):
        tag_file(TAGGER, tmp_path / "raw.txt", tmp_path / "out.jsonl", segmenter="unicod")
    with pytest.raises(OnomastError, match="expected a probability"):
        tag_file(TAGGER, tmp_path / "raw.txt", tmp_path / "out.jsonl", min_confidence=1.5)
    with pytest.raises(DataError, match="no writer 'jsonlines'"):
        tag_file(TAGGER, tmp_path / "raw.txt", tmp_path / "out.jsonl", format="jsonlines")
    assert not (tmp_path / "out.jsonl").exists()


@settings(max_examples=150, deadline=None)
@given(text=pieces_of_text.map("".join), mark=st.sampled_from(["", "\ufeff"]))
def test_entities_of_the_written_jsonl_stand_in_the_original_text(
    text: str, mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("jsonl")
    original = mark + text
    (folder / "raw.txt").write_bytes(original.encode())
    counts = tag_file(TAGGER, folder / "raw.txt", folder / "out.jsonl")
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_bytes().decode().split("\n")[:-1]]
    expected = TAGGER.tag([sentence.bare() for sentence in stream_text([original])])
    assert len(rows) == counts.sentences == len(expected)
    assert sum(len(row["entities"]) for row in rows) == counts.entities
    for row, sentence in zip(rows, expected, strict=True):
        assert original[row["start"] : row["start"] + len(row["text"])] == row["text"]
        assert [entity["label"] for entity in row["entities"]] == [span.label for span in sentence.spans]
        for entity, span in zip(row["entities"], sentence.spans, strict=True):
            assert row["text"][entity["start"] : entity["end"]] == entity["text"] == sentence.span_text(span)
            assert entity["confidence"] == pytest.approx(sentence.span_confidence(span), abs=1e-4)


def test_sentences_are_tagged_in_chunks_and_stay_in_order() -> None:
    tagger: Any = Capitals()
    sentences = [Sentence((f"Neno{index}", "ni"), tags=("O", "O"), label="x") for index in range(1_300)]
    tagged = list(tag_stream(tagger, iter(sentences)))
    assert [sentence.tokens for sentence in tagged] == [sentence.tokens for sentence in sentences]
    assert all(sentence.tags == ("B-PER", "O") for sentence in tagged)
    assert tagger.most == bulk.CHUNK


def test_a_chunk_is_written_before_the_next_is_read() -> None:
    read = 0

    def endless() -> Iterator[Sentence]:
        nonlocal read
        while True:
            read += 1
            yield Sentence(("Asha",))

    tagged = tag_stream(TAGGER, endless())
    for _ in range(bulk.CHUNK):
        next(tagged)
    assert read == bulk.CHUNK


def test_entities_that_are_not_sure_enough_are_left_out() -> None:
    sentence = Sentence(("Asha", "na", "Jo", "Wa", "Abdulrahman", "Li"))  # 0.2; 0.33 and 0.083 together; 0.33
    (tagged,) = tag_stream(TAGGER, [sentence], 0.1)
    assert tagged.tags == ("B-PER", "O", "O", "O", "O", "O")
    (tagged,) = tag_stream(TAGGER, [sentence], 0.2)
    assert tagged.tags is not None and tagged.tags[0] == "B-PER"
    (tagged,) = tag_stream(TAGGER, [sentence], 0.21)
    assert tagged.spans == []


def test_a_labelled_file_is_tagged_anew(tmp_path: Path) -> None:
    (tmp_path / "gold.conll").write_text("asha\tB-PER\nyuko\tO\nLamu\tO\n\nJuma\tO\n", encoding="utf-8")
    counts = tag_file(TAGGER, tmp_path / "gold.conll", tmp_path / "out.conll", format="columns", read="columns")
    assert (counts.sentences, counts.tokens, counts.entities) == (2, 4, 2)
    rows = [line.split() for line in (tmp_path / "out.conll").read_text(encoding="utf-8").split("\n")]
    assert [(row[0], row[-1]) for row in rows if row] == [
        ("asha", "O"),
        ("yuko", "O"),
        ("Lamu", "B-PER"),
        ("Juma", "B-PER"),
    ]


def test_jsonl_of_a_labelled_file_counts_in_the_joined_tokens(tmp_path: Path) -> None:
    (tmp_path / "gold.conll").write_text("Asha\tB-PER\nyuko\tO\nLamu\tO\n\nJuma\tO\n", encoding="utf-8")
    tag_file(TAGGER, tmp_path / "gold.conll", tmp_path / "out.jsonl", read="columns")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["text"], row["start"]) for row in rows] == [("Asha yuko Lamu", 0), ("Juma", 0)]
    assert [(entity["start"], entity["end"], entity["text"]) for row in rows for entity in row["entities"]] == [
        (0, 4, "Asha"),
        (10, 14, "Lamu"),
        (0, 4, "Juma"),
    ]


def test_raw_text_becomes_an_html_page(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("Asha <yuko> Mombasa.\n", encoding="utf-8")
    tag_file(TAGGER, tmp_path / "raw.txt", tmp_path / "out.html", format="html")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "Mombasa" in page and "&lt;yuko" in page.replace("&lt;</span>yuko", "&lt;yuko") and "<yuko>" not in page


def test_standard_input_and_output(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Asha yuko Łódź.\r\nnia".encode())))
    monkeypatch.setattr(sys, "stdout", os.fdopen(os.dup(1), "w", encoding="utf-8"))
    with sys.stdout:
        counts = tag_file(TAGGER, "-", "-", format="columns")
    assert counts.sentences == 2
    lines = capfdbinary.readouterr().out.decode().split("\n")
    assert [line.split()[0] for line in lines if line] == ["Asha", "yuko", "Łódź", ".", "nia"]


def test_segments_are_printed_one_sentence_a_line(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_bytes("Asha yuko. Juma hayuko!\r\n東京。".encode())
    assert run("segment_file", tmp_path / "raw.txt").splitlines() == ["Asha yuko .", "Juma hayuko !", "東 京 。"]


def run(function: str, path: Path) -> str:
    script = f"import sys; from onomast.apps import bulk; bulk.{function}(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True, encoding="utf-8")
    assert done.stderr == ""
    return done.stdout


def test_a_broken_pipe_ends_quietly(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("Asha alienda Mombasa. " * 20_000, encoding="utf-8")
    script = (
        "import sys\nfrom onomast.apps import bulk\n"
        "try:\n    bulk.segment_file(sys.argv[1])\nexcept BrokenPipeError:\n    print('broken', file=sys.stderr)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "raw.txt")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    assert child.stdout.readline() == b"Asha alienda Mombasa .\n"
    child.stdout.close()
    assert child.stderr.read() == b"broken\n"
    child.stderr.close()
    assert child.wait(30) == 0


def test_the_segmenter_may_be_chosen() -> None:
    text = "Asha yuko Lamu. Juma pia."
    (first, second) = stream_text([text], segmenter="spaces")
    assert first.tokens == ("Asha", "yuko", "Lamu.") and second.offsets == ((16, 20), (21, 25))
    assert [list(sentence.offsets or ()) for sentence in stream_text([text])] == segment(text)


@pytest.mark.parametrize("is_old", [False, True])
def test_what_tag_writes_is_read_back(tmp_path: Path, is_old: bool) -> None:
    """Also beyond the first sentence, whose text does not begin at 0."""
    text = "Asha alifika Tanga.\nJuma alilala Moshi.\n"
    tagged = [
        dataclasses.replace(
            sentence, tags=tuple("B-PER" if token in ("Asha", "Juma") else "O" for token in sentence.tokens)
        )
        for sentence in stream_text([text], source="text", language=None, segmenter="unicode")
    ]
    path = tmp_path / "tagged.jsonl"
    lines = [json_line(sentence) for sentence in tagged]
    if is_old:  # offsets of earlier versions counted from the start of the file
        rows = [json.loads(line) for line in lines]
        for row in rows:
            for entity in row["entities"]:
                entity |= {"start": entity["start"] + row["start"], "end": entity["end"] + row["start"]}
        lines = [json.dumps(row) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    reading = read_file(path)
    assert reading.repairs == () and [one.text_start for one in reading.sentences] == [0, 20]
    assert [[sentence.span_text(span) for span in sentence.spans] for sentence in reading.sentences] == [
        ["Asha"],
        ["Juma"],
    ]


def test_records_keep_their_fields_one_line_for_each(tmp_path: Path) -> None:
    """JSON in, JSON out: `id` and every other field stay; offsets are those of the record's own text."""
    rows: list[dict[str, Any]] = [
        {"id": 7, "body": "Asha yuko Lamu.\nJuma pia. Neema!", "meta": {"a": [1]}},
        {"id": 8, "body": " "},
        {"id": 9, "body": "hapana"},
        {"id": 10, "body": "Moshi"},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    tag_file(TAGGER, path, tmp_path / "out.jsonl", text_field="body")
    tagged = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [{key: value for key, value in row.items() if key != "entities"} for row in tagged] == rows
    assert [[row["body"][e["start"] : e["end"]] for e in row["entities"]] for row in tagged] == [
        ["Asha", "Lamu", "Juma", "Neema"], [], [], ["Moshi"],
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"in\.jsonl:1: there is no text in the field 'text'.*body.*--text-field"):
        tag_file(TAGGER, path, tmp_path / "out.jsonl")
    path.write_text('{"text": "Asha"}\n[1]\n')
    with pytest.raises(DataError, match=r"in\.jsonl:2: .*expected an object"):
        tag_file(TAGGER, path, tmp_path / "out.jsonl")


def test_a_labelled_file_that_is_tagged_as_text_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.conll").write_text("Asha B-PER\nyuko O\nLamu B-LOC\n\n" * 3)
    (tmp_path / "a.txt").write_text("Asha yuko Lamu.\n" * 9)
    tag_file(TAGGER, tmp_path / "a.txt", tmp_path / "out.jsonl")
    assert not caplog.records
    tag_file(TAGGER, tmp_path / "a.conll", tmp_path / "out.jsonl")
    assert "labels are tagged as if they were text" in caplog.text and "--read columns" in caplog.text


def test_the_suffix_of_out_decides_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Asha yuko Lamu.")
    for name, start in (("o.jsonl", "{"), ("o", "{"), ("o.txt", "{"), ("o.conll", "Asha\tB-"), ("o.html", "<!DOC")):
        tag_file(TAGGER, tmp_path / "a.txt", tmp_path / name)
        assert (tmp_path / name).read_text("utf-8").startswith(start)
    with pytest.raises(DataError, match=r"o\.xls: the suffix \.xls stands for no format; expected one of \.conll"):
        tag_file(TAGGER, tmp_path / "a.txt", tmp_path / "o.xls")
