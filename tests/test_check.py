from __future__ import annotations

from pathlib import Path

import pytest

from onomast.data.catalogue import resolve
from onomast.data.check import check, describe, fix, render, to_json
from onomast.data.formats.registry import Reading, read, read_file


def reading(folder: Path, name: str, text: str) -> Reading:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_file(path)


def rows(*sentences: str) -> str:
    """`"Asha/B-PER alilala/O"` -> column text."""
    return "\n\n".join("\n".join(token.replace("/", "\t") for token in s.split()) for s in sentences) + "\n"


FILLER = [f"Mtu{i}/B-PER alifika/O Mji{i}/B-LOC leo/O" for i in range(6)]


def kinds(found: list) -> dict[str, int]:
    return to_json(found)["counts"]


def test_a_clean_file_has_no_findings(tmp_path: Path) -> None:
    found = check([reading(tmp_path, "a.txt", rows(*FILLER))])
    assert found == []
    assert render(found) == "no errors"


def test_every_fault_is_found_at_its_line(tmp_path: Path) -> None:
    text = rows(
        *FILLER,
        "Asha/B-PER alilala/O mapema/O usiku/O",
        "Asha/B-PER alilala/O mapema/O usiku/O",
        "Asha/B-LOC alilala/O mapema/O usiku/O",
        "Juma/O alikuja/O na/O Tatu/I-PER",
    )
    found = {finding.kind: finding for finding in check([reading(tmp_path, "a.txt", text)])}
    path = tmp_path / "a.txt"
    line = 6 * 5 + 1
    assert found["duplicate"].source == f"{path}:{line + 5}" or found["duplicate"].source == f"{path}:{line + 10}"
    assert found["contradiction"].source == f"{path}:{line + 10}"
    assert "'Asha' is B-LOC here, B-PER" in found["contradiction"].detail
    assert found["inconsistent-mention"].text == "Asha"
    assert "LOC 1x" in found["inconsistent-mention"].detail and "PER 2x" in found["inconsistent-mention"].detail
    assert found["illegal-tag"].source == f"{path}:{line + 18}"


def test_rare_labels_are_named(tmp_path: Path) -> None:
    found = check([reading(tmp_path, "a.txt", rows(*FILLER, "Saa/B-TIME mbili/I-TIME usiku/O"))])
    assert [(finding.kind, finding.text) for finding in found] == [("rare-label", "TIME")]


def test_leaks_between_files_point_to_both(tmp_path: Path) -> None:
    train = reading(tmp_path, "train.txt", rows(*FILLER))
    test = reading(tmp_path, "test.txt", rows(*[s.replace("Mtu", "Watu") for s in FILLER], FILLER[2]))
    leaked = [finding for finding in check([train, test]) if finding.kind == "leaked"]
    assert len(leaked) == 1
    assert leaked[0].source == f"{tmp_path / 'test.txt'}:{6 * 5 + 1}"
    assert f"{tmp_path / 'train.txt'}:{2 * 5 + 1}" in leaked[0].detail


def test_unlabelled_mentions_are_reported_only_where_mostly_labelled(tmp_path: Path) -> None:
    sentences = [f"Tanga/B-LOC ni/O mji/O {i}/O" for i in range(5)] + ["Tanga/O ni/O jina/O lake/O"]
    found = check([reading(tmp_path, "a.txt", rows(*sentences))])
    assert [(f.kind, f.text) for f in found] == [("unlabelled-mention", "Tanga")]


def test_fix_writes_what_check_then_accepts(tmp_path: Path) -> None:
    broken = reading(tmp_path, "a.txt", rows(*FILLER, "Juma/O na/O Tatu/I-PER"))
    lines = fix(broken, tmp_path / "mended.txt")
    assert any("illegal-tag" in line and ":33" in line for line in lines)
    assert check([read_file(tmp_path / "mended.txt")]) == []
    assert read(tmp_path / "mended.txt")[-1].tags == ("O", "O", "B-PER")


def test_describe_counts(tmp_path: Path) -> None:
    train = reading(tmp_path, "train.txt", rows(*FILLER))
    test = reading(tmp_path, "test.txt", rows("Mtu0/B-PER alifika/O kesho/O", FILLER[1]))
    figures = describe([train, test])
    assert figures["files"][0]["sentences"] == 6
    assert figures["files"][0]["labels"] == {"LOC": 6, "PER": 6}
    overlap = figures["overlaps"][0]
    assert (overlap["sentences"], overlap["unseen_entities"]) == (1, 0.0)
    assert overlap["unknown_words"] == pytest.approx(1 / 7, abs=1e-4)


@pytest.mark.corpus
def test_telugu_bare_tags_and_odia_leaks_are_found(corpora: Path) -> None:
    telugu = read_file(corpora / "ilner" / "Telugu-train.txt")
    bare = [finding for finding in check([telugu]) if finding.kind == "malformed-tag" and finding.text.startswith("-")]
    assert len(bare) == 1070
    odia = [read_file(corpora / "ilner" / f"Odia-{split}.txt") for split in ("train", "test")]
    leaked = [finding for finding in check(odia) if finding.kind == "leaked"]
    assert len(leaked) == 588


def test_samples_are_clean_of_faults() -> None:
    for name in ("swahili-news", "english-news", "indonesian-titles"):
        readings = [read_file(resolve(f"sample:{name}/{split}")) for split in ("train", "dev", "test")]
        found = kinds(check(readings))
        assert not set(found) & {
            "illegal-tag",
            "malformed-tag",
            "duplicate",
            "leaked",
            "contradiction",
            "missing-column",
        }
