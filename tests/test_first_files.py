"""What newcomers' files look like: tags that are almost right, half the labels, lost blank lines, other file types."""

from __future__ import annotations

from pathlib import Path

import pytest

from onomast.apps.train import TrainingOptions, train
from onomast.data.check import check, fix
from onomast.data.formats.registry import Reading, read_file
from onomast.errors import DataError
from onomast.tags import Style

ROWS = [
    ("Asha", "B-PER"),
    ("Juma", "I-PER"),
    ("yuko", "O"),
    ("Dar", "B-LOC"),
    ("es", "I-LOC"),
    (".", "O"),
    ("Leo", "O"),
]
SPELLINGS = {
    "B_LOC": lambda prefix, label: f"{prefix}_{label}",
    "b-loc": lambda prefix, label: f"{prefix.lower()}-{label.lower()}",
    "b-LOC": lambda prefix, label: f"{prefix.lower()}-{label}",
    "B:LOC": lambda prefix, label: f"{prefix}:{label}",
    "LOC-B": lambda prefix, label: f"{label}-{prefix}",
    "LOC_B": lambda prefix, label: f"{label}_{prefix}",
    "B LOC": lambda prefix, label: f"{prefix} {label}",
}


def file_of(path: Path, rows: list[tuple[str, str]], *, times: int = 1, delimiter: str = "\t") -> Path:
    block = "".join(f"{token}{delimiter}{tag}\n" for token, tag in rows) + "\n"
    path.write_text(block * times, encoding="utf-8")
    return path


def respelled(spelling: str) -> list[tuple[str, str]]:
    return [(token, tag if tag == "O" else SPELLINGS[spelling](*tag.split("-"))) for token, tag in ROWS]


def tags_of(reading: Reading) -> list[str | None]:
    return [tag and tag.upper() for sentence in reading.sentences for tag in sentence.tags or ()]


@pytest.mark.parametrize("delimiter", ["\t", " "])
@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_a_file_with_its_own_spelling_is_understood(spelling: str, delimiter: str, tmp_path: Path) -> None:
    reading = read_file(file_of(tmp_path / "a.conll", respelled(spelling), times=4, delimiter=delimiter))
    assert tags_of(reading) == [tag for _, tag in ROWS] * 4
    assert reading.repairs == ()


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_a_few_tags_of_another_spelling_are_repaired_as_such(spelling: str, tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    text = file_of(path, ROWS, times=9).read_text("utf-8") + file_of(path, respelled(spelling)).read_text("utf-8")
    path.write_text(text, "utf-8")
    reading = read_file(path)
    assert [tag for sentence in reading.sentences for tag in sentence.tags or ()] == [tag for _, tag in ROWS] * 10
    assert {repair.kind for repair in reading.repairs} == {"malformed-tag"} and len(reading.repairs) == 4


def test_more_than_a_handful_of_tags_that_fit_nothing_stop_a_training(tmp_path: Path) -> None:
    odd = [("Moshi", "PLACE"), ("ni", "O")]
    path = tmp_path / "a.conll"
    path.write_text(file_of(path, ROWS, times=20).read_text("utf-8") + file_of(path, odd, times=6).read_text("utf-8"))
    with pytest.raises(
        DataError, match=r"6 tags fit no scheme: 'PLACE' \(6, from line 161\).*onomast check .* --fix OUT"
    ):
        train(TrainingOptions(str(path), tmp_path / "m"))
    (line,) = [line for line in fix(read_file(path), tmp_path / "fixed.conll") if "wrote" in line]
    assert "6 changes" in line
    train(TrainingOptions(str(tmp_path / "fixed.conll"), tmp_path / "m"))
    path.write_text(file_of(path, ROWS, times=20).read_text("utf-8") + file_of(path, odd, times=5).read_text("utf-8"))
    train(TrainingOptions(str(path), tmp_path / "n"))  # a handful are slips


def test_a_half_labelled_file_is_told_and_can_be_used_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    bare = [(token, "O") for token, _ in ROWS]
    half = file_of(path, ROWS, times=40).read_text("utf-8") + file_of(path, bare, times=40).read_text("utf-8")
    path.write_text(half, "utf-8")
    reading = read_file(path)
    (warning,) = reading.warnings
    assert "no entity in 40 sentences from line 321 to the end of the file" in warning and "--until 320" in warning
    assert len(read_file(path, until=320).sentences) == 40 and not read_file(path, until=320).warnings
    assert [finding.kind for finding in check([reading]) if finding.kind == "unlabelled-stretch"]
    trained = train(TrainingOptions(str(path), tmp_path / "m", until=320))
    assert trained.history is not None
    for share in (1, 3):  # an ordinary file: an entity in every sentence, or in each third one
        sound = "".join("Asha\tB-PER\nyupo\tO\n\n" if n % share == 0 else "ni\tO\n\n" for n in range(90))
        path.write_text(sound, "utf-8")
        assert read_file(path).warnings == ()


def test_a_tag_column_that_stops_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(file_of(path, ROWS, times=5).read_text("utf-8") + "Moshi\nni\nmji\n\n" * 9, "utf-8")
    with pytest.raises(DataError, match=r"the tag column stops at line 41: 35 rows before it.*--until 40"):
        read_file(path)
    assert len(read_file(path, until=40).sentences) == 5


def test_lost_blank_lines_are_told_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("".join(f"{token}\t{tag}\n" for token, tag in ROWS[:6]) * 100, "utf-8")
    reading = read_file(path)
    assert "a sentence of 600 tokens at line 1" in reading.warnings[0] and "--fix" in reading.warnings[0]
    assert [finding.kind for finding in check([reading])].count("long-sentence") == 1
    fix(reading, tmp_path / "fixed.conll")
    mended = read_file(tmp_path / "fixed.conll")
    assert len(mended.sentences) == 100 and not mended.warnings
    assert sum(len(one.spans) for one in mended.sentences) == sum(len(one.spans) for one in reading.sentences)


def test_rows_of_nothing_but_separators_end_sentences(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(("".join(f"{token};{tag}\n" for token, tag in ROWS) + ";\n") * 5, "utf-8")
    reading = read_file(path)
    assert len(reading.sentences) == 5 and reading.repairs == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "is a PNG image"),
        (b"\xff\xd8\xff\xe0", "is a JPEG image"),
        (b"PK\x03\x04\x14\0", "is a zip file, as .xlsx"),
        (b"%PDF-1.7\n", "is a PDF document"),
    ],
)
def test_other_kinds_of_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_file(tmp_path / "f")


@pytest.mark.parametrize("style", ["iob2", "iobes"])
def test_tags_that_are_right_stay_without_repairs(style: Style, tmp_path: Path) -> None:
    rows = [("a", "S-E_mail"), ("b", "O")] if style == "iobes" else [("a", "B-E_mail"), ("b", "I-E_mail")]
    reading = read_file(file_of(tmp_path / "a.conll", rows, times=9))
    assert {span.label for one in reading.sentences for span in one.spans} == {"E_mail"} and reading.repairs == ()
