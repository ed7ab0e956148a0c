"""JSON records and brat: text with marked stretches becomes tokens with tags, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onomast.data.formats.registry import Reading, read_file, write
from onomast.data.input_file import Repair
from onomast.errors import DataError
from onomast.sentence import Sentence


def reading_of(folder: Path, *records: Any, name: str = "f.jsonl", **options: str) -> Reading:
    path = folder / name
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return read_file(path, **options)  # type: ignore[arg-type]


def marked(sentence: Sentence) -> list[tuple[str, str]]:
    return [(sentence.span_text(span), span.label) for span in sentence.spans]


TEXT = "Amina went to Dar es Salaam."
SPANS = [(0, 5, "PER"), (14, 27, "LOC")]
FOUND = [("Amina", "PER"), ("Dar es Salaam", "LOC")]


@pytest.mark.parametrize(
    "record",
    [
        {"text": TEXT, "spans": [{"start": a, "end": b, "label": c} for a, b, c in SPANS]},
        {"text": TEXT, "spans": [{"start_byte": a, "limit_byte": b, "label": c} for a, b, c in SPANS]},
        {"id": 7, "text": TEXT, "label": [list(span) for span in SPANS]},
        {"id": 7, "text": TEXT, "labels": [list(span) for span in SPANS]},
        {"text": TEXT, "entities": [{"id": 1, "start_offset": a, "end_offset": b, "label": c} for a, b, c in SPANS],
         "relations": []},
        {"text": TEXT, "tokens": [{"text": TEXT[a:b], "start": a, "end": b, "id": i} for i, (a, b) in enumerate(
            [(0, 5), (6, 10), (11, 13), (14, 17), (18, 20), (21, 27), (27, 28)])],
         "spans": [{"start": a, "end": b, "token_start": 0, "token_end": 0, "label": c} for a, b, c in SPANS],
         "answer": "accept"},
        {"id": 1, "data": {"text": TEXT}, "annotations": [{"was_cancelled": True}, {"result": [{"type": "labels",
            "value": {"start": a, "end": b, "text": TEXT[a:b], "labels": [c]}} for a, b, c in SPANS]}]},
        {"text": TEXT, "label": [{"start": a, "end": b, "text": TEXT[a:b], "labels": [c]} for a, b, c in SPANS]},
        [TEXT, {"entities": [list(span) for span in SPANS]}],
        [TEXT, ["B-PER", "O", "O", "B-LOC", "I-LOC", "I-LOC", "O"]],
        [["Amina", "went", "to", "Dar", "es", "Salaam", "."], ["U-PER", "O", "O", "B-LOC", "I-LOC", "L-LOC", "O"]],
        {"tokens": ["Amina", "went", "to", "Dar", "es", "Salaam", "."], "ner_tags": [
            "S-PER", "O", "O", "B-LOC", "I-LOC", "E-LOC", "O"]},
        {"words": ["Amina", "went", "to", "Dar", "es", "Salaam", "."], "labels": [
            "I-PER", "O", "O", "I-LOC", "I-LOC", "I-LOC", "O"]},
    ],
)  # fmt: skip
def test_every_shape_of_record_is_read(tmp_path: Path, record: Any) -> None:
    reading = reading_of(tmp_path, record)
    [sentence] = reading.sentences
    assert marked(sentence) == FOUND
    assert sentence.tokens == ("Amina", "went", "to", "Dar", "es", "Salaam", ".")
    assert sentence.source == f"{tmp_path}/f.jsonl:1"
    assert not reading.repairs


def test_arrays_and_pretty_printed_values_are_read(tmp_path: Path) -> None:
    records = [{"text": TEXT, "spans": [{"start": 0, "end": 5, "label": "PER"}]}, {"text": "Kano.", "spans": []}]
    for text in (
        json.dumps(records),
        json.dumps(records, indent=2),
        "\n".join(json.dumps(r, indent=1) for r in records),
    ):
        (tmp_path / "f.json").write_text(text, encoding="utf-8")
        first, second = read_file(tmp_path / "f.json").sentences
        assert (marked(first), second.tags) == (FOUND[:1], ("O", "O"))
    assert second.source == f"{tmp_path}/f.json:11"


def test_label_language_and_pos_come_from_keys(tmp_path: Path) -> None:
    reading = reading_of(
        tmp_path,
        {"text": "Kano.", "spans": [], "intent": "travel", "language": "ha"},
        {"text": "Kano.", "spans": [], "category": "news", "lang": "sw"},
        {"text": "Kano.", "label": ["sport"]},
        {"tokens": ["Kano"], "tags": ["B-LOC"], "pos": ["PROPN"], "label": "x"},
        {"data": {"text": "Kano."}, "annotations": [{"result": [{"type": "choices", "value": {"choices": ["y"]}}]}]},
    )
    assert [s.label for s in reading.sentences] == ["travel", "news", "sport", "x", "y"]
    assert [s.language for s in reading.sentences] == ["ha", "sw", None, None, None]
    assert reading.sentences[2].tags is None
    assert reading.sentences[3].pos == ("PROPN",)


def test_text_alone_is_not_annotated(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, {"text": "Kano."}, {"text": "Kano.", "spans": []}, {"tokens": ["a"], "tags": None})
    assert [s.tags for s in reading.sentences] == [None, ("O", "O"), None]


def test_a_document_is_cut_into_its_lines(tmp_path: Path) -> None:
    text = "Amina went.\n\nShe saw\nDar es\nSalaam."
    spans = [(0, 5, "PER"), (21, 34, "LOC")]
    sentences = reading_of(tmp_path, {"text": text, "label": spans}).sentences
    assert [s.text for s in sentences] == ["Amina went.", "She saw", "Dar es\nSalaam."]
    assert [s.text_start for s in sentences] == [0, 13, 21]
    for sentence in sentences:
        assert sentence.offsets is not None
        assert tuple(text[a:b] for a, b in sentence.offsets) == sentence.tokens
    assert marked(sentences[2]) == [("Dar es\nSalaam", "LOC")]


# --- offsets ---


def test_byte_offsets_are_put_in_characters(tmp_path: Path) -> None:
    text = "Ọ̀yọ́ níbí Kánò."
    content = text.encode()
    spans = [{"start_byte": content.find(w), "limit_byte": content.find(w) + len(w), "label": "LOC"}
             for w in ("Ọ̀yọ́".encode(), "Kánò".encode())]  # fmt: skip
    reading = reading_of(tmp_path, {"text": text, "spans": spans})
    assert marked(reading.sentences[0]) == [("Ọ̀yọ́", "LOC"), ("Kánò", "LOC")]
    assert "offsets count bytes" in reading.guess


def test_byte_offsets_that_count_characters_are_noticed(tmp_path: Path) -> None:
    text = "Ọ̀yọ́ níbí Kánò."
    start = text.find("Kánò")
    span = {"start_byte": start, "limit_byte": start + 4, "label": "LOC"}
    reading = reading_of(tmp_path, {"text": text, "spans": [span]}, {"text": "Kano", "spans": []})
    assert marked(reading.sentences[0]) == [("Kánò", "LOC")]
    assert "offsets count characters, though they are called bytes" in reading.guess


def test_offsets_of_javascript_are_noticed_by_the_text_beside_them(tmp_path: Path) -> None:
    text = "\U0001f600 Kano and \U0001f600 Abuja"
    values = [
        {"start": 3, "end": 7, "text": "Kano", "labels": ["LOC"]},
        {"start": 15, "end": 20, "text": "Abuja", "labels": ["LOC"]},
    ]
    record = {"data": {"text": text}, "annotations": [{"result": [{"value": value} for value in values]}]}
    reading = reading_of(tmp_path, record)
    assert marked(reading.sentences[0]) == [("Kano", "LOC"), ("Abuja", "LOC")]
    assert not reading.repairs


@pytest.mark.parametrize(
    ("spans", "found", "repairs"),
    [
        ([(3, 7, "LOC")], [("Kano", "LOC")], [("span-not-on-token-border", "kweKano", "Kano")]),
        ([(0, 5, "X")], [("kweKa", "X")], [("span-not-on-token-border", "kweKano", "kweKa")]),
        ([(8, 16, "X")], [("na Eko", "X")], [("span-not-on-token-border", "X 8-16 ' na Eko '", "na Eko")]),
        ([(3, 7, "A"), (0, 7, "B")], [("kweKano", "B")], [("overlapping-span", "A 3-7 'Kano'", "B 0-7 'kweKano'")]),
        ([(0, 7, "A"), (0, 7, "B")], [("kweKano", "A")], [("overlapping-span", "B 0-7 'kweKano'", "A 0-7 'kweKano'")]),
        ([(5, 99, "A")], [], [("span-outside-text", "A 5-99", "")]),
        ([(4, 4, "A"), (7, 8, "B"), (-3, 2, "C")], [],
         [("span-outside-text", "A 4-4", ""), ("span-outside-text", "B 7-8", ""), ("span-outside-text", "C -3-2", "")]),
    ],
)  # fmt: skip
def test_marks_that_do_not_fit_tokens_are_mended(
    tmp_path: Path, spans: list[Any], found: list[Any], repairs: list[Any]
) -> None:
    text = "kweKano" + "  na Eko " if spans[0][0] == 8 else "kweKano na Eko"
    reading = reading_of(tmp_path, {"text": text, "spans": [list(span) for span in spans]})
    [sentence] = reading.sentences
    assert marked(sentence) == found
    assert [(r.kind, r.before, r.after) for r in reading.repairs] == repairs
    assert "".join(sentence.tokens) == text.replace(" ", "")


def test_cut_tokens_lose_neither_text_nor_label(tmp_path: Path) -> None:
    record = {"text": "kweKano", "tokens": ["kweKano"], "spans": [{"start": 3, "end": 7, "label": "LOC"}]}
    [sentence] = reading_of(tmp_path, record).sentences
    assert (sentence.tokens, sentence.tags, sentence.offsets) == (("kwe", "Kano"), ("O", "B-LOC"), ((0, 3), (3, 7)))


# --- what is mended, what is refused ---


def test_rejected_and_empty_records_are_left_out_and_told_of(tmp_path: Path) -> None:
    ok = {"text": "Kano", "spans": []}
    reading = reading_of(tmp_path, ok, {**ok, "answer": "reject"}, {**ok, "answer": "ignore"}, {"text": " "}, ok)
    assert [s.source.rpartition(":")[2] for s in reading.sentences if s.source] == ["1", "5"]
    assert [(r.line, r.kind) for r in reading.repairs] == [(n, "skipped-record") for n in (2, 3, 4)]


def test_tags_that_do_not_fit_leave_a_sentence_without_labels(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, [["a", "b"], ["B-X", "O"]], [["a", "b"], ["O"]], ["a b", ["O", "O", "O"]])
    assert [s.tags for s in reading.sentences] == [("B-X", "O"), None, None]
    assert reading.repairs == (
        Repair(2, "tags-do-not-fit", "1 tags, 2 tokens", ""),
        Repair(3, "tags-do-not-fit", "3 tags, 2 tokens", ""),
    )


def test_null_tags_are_not_annotated_and_orphans_are_mended(tmp_path: Path) -> None:
    sound = {"tokens": ["a", "b"], "tags": ["B-X", "I-X"]}
    reading = reading_of(tmp_path, {"tokens": ["a", "b", "c", "d"], "tags": [None, "O", "I-X", "B-X"]}, sound, sound)
    assert reading.sentences[0].tags == (None, "O", "B-X", "B-X")
    assert reading.repairs == (Repair(1, "illegal-tag", "I-X", "B-X"),)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"x": 1}, r'neither "text" nor "tokens"; its keys: \'x\''),
        (3, r"a record is 3"),
        ({"tokens": ["a"], "ner_tags": [3]}, r"ner_tags are numbers, and nothing says which tag"),
        ({"tokens": ["a", ""]}, r"tokens are not a list of texts"),
        ({"tokens": ["a"], "spans": [[0, 1, "X"]]}, r"no text for them to stand in"),
        ({"text": "a", "spans": [[0, "1", "X"]]}, r"expected a start, an end and a label"),
        ({"text": "a", "tokens": ["a"], "offsets": [[0, 2]]}, r"an offset is 2, the text ends at 1"),
        ({"text": "a", "tokens": ["a"], "offsets": [0]}, r"an offset is 0"),
    ],
)
def test_records_that_make_no_sense_are_refused_with_their_line(tmp_path: Path, record: Any, said: str) -> None:
    with pytest.raises(DataError, match=r"f\.jsonl:2: .*" + said):
        reading_of(tmp_path, {"text": "Kano", "spans": []}, record)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"text": "a", "spans": []}\n{"text": \n', r"f\.jsonl:2: not JSON"),
        ('[\n{"text": "a", "spans": []},\n{"text"}]', r"f\.jsonl:3: not JSON"),
        ('[\n{"text": "a", "spans": []}\n', r"the array is not closed"),
        ('{"text": "\\ud800", "spans": []}\n', r"f\.jsonl:1: half of a surrogate pair"),
    ],
)
def test_broken_json_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "f.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_file(tmp_path / "f.jsonl")


def test_written_spans_stand_in_the_written_text(tmp_path: Path) -> None:
    placed = Sentence(("Kano", "."), tags=("B-LOC", "O"), text=" Kano.", offsets=((8, 12), (12, 13)), text_start=7,
                      confidence=(0.5, 0.75))  # fmt: skip
    bare = Sentence(("Dar", "es", "Salaam"), tags=("B-LOC", "I-LOC", "I-LOC"))
    write([placed, bare], tmp_path / "a.jsonl")
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert first["spans"] == [{"start": 8, "end": 12, "label": "LOC", "text": "Kano", "confidence": 0.5}]
    assert second["text"][second["spans"][0]["start"] : second["spans"][0]["end"]] == "Dar es Salaam"
    assert second["joined"] is True


# --- brat ---


def test_brat_is_read_from_either_file_and_from_a_folder(tmp_path: Path) -> None:
    text = "Amina went.\r\nShe saw Dar es\r\nSalaam, Kano and Eko.\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    kano = text.find("Kano")
    marks = [
        "T1\tPER 0 5\tAmina",
        "T2\tLOC 21 35\tDar es Salaam",
        f"T3\tLOC {kano} {kano + 4};{kano + 9} {kano + 12}\tKano Eko",
        "R1\tIn Arg1:T1 Arg2:T2",
        "#1\tAnnotatorNotes T1\ta note",
    ]
    (tmp_path / "a.ann").write_text("\n".join(marks) + "\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Nothing here.", encoding="utf-8")
    (tmp_path / "b.ann").write_text("", encoding="utf-8")
    reading = read_file(tmp_path / "a.txt")
    assert reading == dataclasses_replace(read_file(tmp_path / "a.ann"), path=reading.path)
    assert reading.format == "brat"
    first, second = reading.sentences
    assert marked(first) == [("Amina", "PER")]
    assert marked(second) == [("Dar es\r\nSalaam", "LOC"), ("Kano", "LOC")]
    assert [s.source for s in reading.sentences] == [f"{tmp_path}/a.txt:1", f"{tmp_path}/a.txt:2"]
    assert [(r.line, r.kind) for r in reading.repairs] == [(3, "discontinuous-span")]
    folder = read_file(tmp_path)
    assert [len(s.spans) for s in folder.sentences] == [1, 2, 0]


def dataclasses_replace(reading: Reading, path: str) -> Reading:
    import dataclasses

    return dataclasses.replace(reading, path=path)


def test_brat_files_without_their_other_half_or_with_broken_lines_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ann").write_text("T1\tPER 0 5\tAmina\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.txt: there is no such file"):
        read_file(tmp_path / "a.ann")
    (tmp_path / "a.txt").write_text("Amina", encoding="utf-8")
    (tmp_path / "a.ann").write_text("T1\tPER 0 5\tAmina\nT2 PER 0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.ann:2: 'T2 PER 0' is no entity of brat"):
        read_file(tmp_path / "a.ann")


def test_repairs_of_brat_name_the_line_of_the_entity(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("kweKano na Eko\n", encoding="utf-8")
    (tmp_path / "a.ann").write_text("T1\tLOC 11 14\tEko\nT2\tLOC 3 7\tKano\n", encoding="utf-8")
    reading = read_file(tmp_path / "a.ann")
    assert reading.repairs == (Repair(2, "span-not-on-token-border", "kweKano", "Kano"),)


def test_plain_brat_files_have_no_notes(tmp_path: Path) -> None:
    write([Sentence(("Kano", "is", "big", "."), tags=("B-LOC", "O", "O", "O"))], tmp_path / "a.ann")
    assert (tmp_path / "a.ann").read_text(encoding="utf-8") == "T1\tLOC 0 4\tKano\n"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "Kano is big .\n"
