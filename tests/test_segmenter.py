"""The learned word segmenter: its path against brute force, its pieces and words against the text, a toy language."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from onomast.apps.segmenting import characters_of, score_segmenter
from onomast.cli.main import app
from onomast.data.raw_text import stream_text
from onomast.data.segmented_text import SegmentedLine, line_of, read_segmented
from onomast.data.tokenize import named_segmenter, tokenize, units
from onomast.errors import DataError, ModelError, OnomastError
from onomast.taggers.word_segmenter import (
    BEGIN,
    INSIDE,
    WordSegmenter,
    best_path,
    features_of,
    find_segmenter,
    kinds_of,
    runs_of,
    train_segmenter,
)
from text_checks import check_spans, texts

# A toy language in Thai letters: which words there are decides where they end.
TOY = ("กา", "กาบ", "ตาด", "ดีมา", "มา", "เป็น", "นกกา", "ขัด", "ไป", "น้ำ", "ก็", "และ", "แมว")


def toy_lines(number: int, seed: int) -> list[SegmentedLine]:
    """Phrases of toy words, parted by spaces."""
    draw = random.Random(seed)
    lines = []
    for _ in range(number):
        words: list[str] = []
        for _ in range(draw.randint(1, 4)):
            words += [*draw.choices(TOY, k=draw.randint(1, 6)), " "]
        lines.append(line_of(words[:-1]))
    return lines


@pytest.fixture(scope="module")
def toy() -> WordSegmenter:
    return train_segmenter(toy_lines(300, seed=1))[0]


@pytest.fixture(scope="module")
def toy_folder(toy: WordSegmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmenter")
    toy.save(folder)
    return folder


def every_path(size: int) -> Iterator[tuple[bool, ...]]:
    return ((True, *rest) for rest in itertools.product((True, False), repeat=size - 1))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=7), st.lists(st.floats(-3, 3), min_size=4, max_size=4))
@settings(max_examples=200, deadline=None)
def test_the_best_path_is_that_of_enumeration(scores: list[float], weights: list[float]) -> None:
    pairs = [(before, after) for before in (BEGIN, INSIDE) for after in (BEGIN, INSIDE)]
    steps = dict(zip(pairs, weights, strict=True))

    def value(path: Sequence[bool]) -> float:
        tags = [BEGIN if begins else INSIDE for begins in path]
        first = scores[0]  # the first tag is given, so its score decides nothing
        here = sum(score for score, begins in zip(scores[1:], path[1:], strict=True) if begins)
        return first + here + sum(steps[pair] for pair in itertools.pairwise(tags))

    found = best_path(scores, steps)
    assert found[0]
    assert value(found) == pytest.approx(max(map(value, every_path(len(scores)))), abs=1e-9)


def test_a_segmenter_takes_the_path_that_scores_best_in_the_trained_model(toy: WordSegmenter) -> None:
    """Brute force over all paths with the tagger of CRFsuite itself."""
    pycrfsuite = pytest.importorskip("pycrfsuite")
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(toy._model)
    compared = 0
    for line in toy_lines(40, seed=9):
        for run in runs_of(units(line.text)):
            parts = [line.text[slice(*piece)] for piece in run]
            if not 2 <= len(parts) <= 9:
                continue
            tagger.set(features_of(parts))
            values = {path: tagger.probability([BEGIN if b else INSIDE for b in path]) for path in every_path(len(run))}
            start, end = run[0][0], run[-1][1]
            words = {left for left, _ in toy(line.text[start:end])}
            found = tuple(left - start in words for left, _ in run)
            assert values[found] == pytest.approx(max(values.values()), rel=1e-6)
            compared += 1
    assert compared > 20


def test_a_toy_language_is_learnt(toy: WordSegmenter) -> None:
    lines = toy_lines(50, seed=2)
    assert score_segmenter(toy, lines).micro.f1 > 0.98
    assert score_segmenter(tokenize, lines).micro.f1 < 0.6


@given(texts)
@settings(max_examples=300, deadline=None)
def test_units_cover_any_text_and_split_no_grapheme(text: str) -> None:
    check_spans(text, units(text))


@given(texts)
@settings(max_examples=300, deadline=None)
def test_words_cover_any_text_and_hold_no_white_space(toy: WordSegmenter, text: str) -> None:
    words = toy(text)
    check_spans(text, words)
    assert not [word for word in words if regex.search(r"\s(?![\p{M}\p{Grapheme_Extend}])", text[slice(*word)])]
    assert {start for start, _ in words} <= {start for start, _ in units(text)}


@pytest.mark.parametrize("text", ["", " ", "\n", "กา", "กา ตาด", "abc", "ก.ข. 1,200 กา"])
def test_joining_the_words_gives_the_text_back(toy: WordSegmenter, text: str) -> None:
    assert "".join(text[start:end] for start, end in toy(text)) == "".join(text.split())


def test_a_word_ends_where_text_is_cut_at_white_space(toy: WordSegmenter) -> None:
    text = toy_lines(1, seed=5)[0].text
    apart = [part[slice(*span)] for part in text.split() for span in toy(part)]
    assert [text[slice(*span)] for span in toy(text)] == apart


def test_a_long_run_is_cut_like_any_other(toy: WordSegmenter) -> None:
    text = "แมวไป" * 700
    assert [text[slice(*span)] for span in toy(text)] == ["แมว", "ไป"] * 700


def test_labels_of_runs_are_those_of_their_units() -> None:
    cut = [(0, 2), (2, 3), (4, 6), (6, 9), (9, 10), (12, 13)]
    assert [list(run) for run in runs_of(cut)] == [cut[:2], cut[2:5], cut[5:]]
    assert not list(runs_of([]))


def test_features_do_not_reach_over_the_ends_of_a_run() -> None:
    features = features_of(["กา", "บ", "มา"])
    assert [len(names) for names in features] == [len(features[0])] * 3
    assert "c\n" in features[0]
    assert "cกา" in features[1]
    assert "e\n" in features[2]


@pytest.mark.parametrize(
    ("piece", "kinds"), [("เก็", "wcv"), ("กั้", "cvt"), ("การ์", "cvck"), ("Oslo", "ul"), ("๑๒", "d")]
)
def test_kinds_of_characters(piece: str, kinds: str) -> None:
    assert kinds_of(piece) == kinds


def test_saved_and_loaded_it_cuts_the_same(toy: WordSegmenter, toy_folder: Path) -> None:
    loaded = find_segmenter(str(toy_folder))
    for line in toy_lines(20, seed=3):
        assert loaded(line.text) == toy(line.text)
    assert not [path for path in toy_folder.iterdir() if path.suffix in (".pkl", ".pickle")]


def test_the_same_lines_give_the_same_bytes(toy_folder: Path) -> None:
    again, _ = train_segmenter(toy_lines(300, seed=1))
    assert again._model == (toy_folder / "model.crfsuite").read_bytes()


def test_a_damaged_folder_is_refused(toy: WordSegmenter, tmp_path: Path) -> None:
    toy.save(tmp_path)
    model = tmp_path / "model.crfsuite"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="checksum"):
        WordSegmenter.load(tmp_path)
    model.unlink()
    with pytest.raises(ModelError, match="missing"):
        WordSegmenter.load(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no segmenter in it"):
        find_segmenter(str(tmp_path))
    (tmp_path / "tags.json").write_text('{"labels": ["LOC"], "sha256": {}}')
    with pytest.raises(ModelError, match="no segmenter in it"):
        find_segmenter(str(tmp_path))


def test_an_unknown_name_is_named_with_the_nearest() -> None:
    with pytest.raises(OnomastError, match="did you mean 'unicode'"):
        find_segmenter("unicod")
    assert find_segmenter("spaces") is named_segmenter("spaces")


def test_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(DataError, match="no line"):
        train_segmenter([])
    with pytest.raises(DataError, match="none of more than one piece"):
        train_segmenter([line_of(["one", " ", "two"])])


def test_borders_inside_a_piece_are_counted() -> None:
    _, learning = train_segmenter([line_of(["น้", "ำ"]), *toy_lines(5, seed=0)])
    assert learning.hidden == 1


def test_best_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "best.txt.gz"
    lines = (
        "กา|ไป| |<AB>ก.ข.</AB>|<NE>แมว น้ำ</NE>|",
        "<POEM>แมวไป",
        "กาไป</POEM>|",
        "",
        "|\ufeffกา|  |",
        "<POEM>กา</POEM>|",
        "กา|ไป|",
    )
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    found = read_segmented(path)
    words = [[line.text[slice(*word)] for word in line.words] for line in found.lines]
    assert words == [["กา", "ไป", "ก.ข.", "แมว น้ำ"], ["กา"], ["กา", "ไป"]]
    assert (found.format, found.left_out) == ("bars", 3)
    assert "3 lines of verse left out" in found.guess


def test_words_between_spaces_are_joined_as_their_script_is_written(tmp_path: Path) -> None:
    path = tmp_path / "spaces.txt"
    path.write_text("กา ไป Oslo City ๑ กา\n\n", encoding="utf-8")
    found = read_segmented(path)
    assert found.format == "spaces"
    assert [line.text for line in found.lines] == ["กาไปOslo City ๑กา"]
    assert len(found.lines[0].words) == 6


def test_labelled_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labelled.conll"
    path.write_text("กา\tO\nไป\tO\nน้ำ\tB-LOC\n\nแมว\tO\nมา\tO\n", encoding="utf-8")
    found = read_segmented(path)
    assert found.format == "labelled"
    assert [line.text for line in found.lines] == ["กาไปน้ำ", "แมวมา"]


def test_files_without_words_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="no word in it"):
        read_segmented(path)
    with pytest.raises(DataError, match="no format 'bar'"):
        read_segmented(path, "bar")
    with pytest.raises(DataError, match="no such file"):
        read_segmented(tmp_path / "absent.txt")


def test_words_are_scored_by_both_borders() -> None:
    gold = line_of(["กา", "ไป", " ", "แมว"])

    def half(text: str) -> list[tuple[int, int]]:
        assert text == gold.text
        return [(0, 4), (5, 8)]

    report = score_segmenter(half, [gold], [line_of(["แมว"])])
    assert (report.micro.precision, report.micro.recall) == (1 / 2, 1 / 3)
    assert report.unseen is not None
    assert (report.unseen.true_positives, report.unseen.gold) == (0, 2)
    assert characters_of("กา", [(0, 2)]).spans[0].end == 2


def test_streamed_text_has_the_same_words_and_offsets(toy: WordSegmenter) -> None:
    text = "\n".join(line.text for line in toy_lines(30, seed=4))
    for size in (1, 7, 1000):
        blocks = [text[start : start + size] for start in range(0, len(text), size)]
        sentences = list(stream_text(blocks, segmenter=toy))
        spans = [span for sentence in sentences for span in sentence.offsets or ()]
        assert [token for sentence in sentences for token in sentence.tokens] == [text[slice(*span)] for span in spans]
        assert spans == toy(text)


def test_the_commands_train_score_and_apply(tmp_path: Path) -> None:
    def write(name: str, lines: Sequence[SegmentedLine]) -> str:
        path = tmp_path / name
        cut = [[line.text[slice(*word)] for word in line.words] for line in lines]
        path.write_text("".join("|".join(words) + "\n" for words in cut), encoding="utf-8")
        return str(path)

    train, test = write("train.txt", toy_lines(200, 1)), write("test.txt", toy_lines(20, 2))
    out, scores = tmp_path / "model", tmp_path / "scores.json"
    runner = CliRunner()
    result = runner.invoke(
        app,
        ["segment", "train", train, "--out", str(out), "--test", test, "--json", str(scores)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    assert result.stdout.startswith("F1 ")
    figures = json.loads(scores.read_text(encoding="utf-8"))
    assert figures["words"]["ci95"][0] <= figures["words"]["f1"] <= figures["words"]["ci95"][1]
    assert figures["lines"] == 20
    again = runner.invoke(app, ["segment", "score", str(out), test, "--train", train], catch_exceptions=False)
    assert again.stdout == result.stdout
    raw = tmp_path / "raw.txt"
    raw.write_text("แมวไปกา\n", encoding="utf-8")
    cut = runner.invoke(app, ["segment", "apply", str(raw), "--segmenter", str(out)], catch_exceptions=False)
    assert cut.stdout == "แมว ไป กา\n"


@pytest.mark.corpus
def test_best_has_few_words_that_end_inside_a_piece() -> None:
    if "ONOMAST_DATA" not in os.environ:
        pytest.skip("ONOMAST_DATA is not set")
    found = read_segmented(Path(os.environ["ONOMAST_DATA"]) / "thai_best" / "encyclopedia.txt.gz")
    assert len(found.lines) == 50_134
    hidden = sum(
        len({start for start, _ in line.words} - {start for start, _ in units(line.text)}) for line in found.lines[::20]
    )
    words = sum(len(line.words) for line in found.lines[::20])
    assert 0 < hidden < words / 2000
