"""Column files: delimiters, columns, headers, comments and schemes are found; what is wrong is mended and told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from onomast.data.formats.registry import Reading, read_file
from onomast.data.formats.tag_repair import TagRepairer, guess_spelling
from onomast.data.input_file import ReadLog, Repair
from onomast.errors import DataError
from onomast.tags import STYLES, Span, Style, faults, spans_of, tags_of


def reading_of(folder: Path, text: str, name: str = "f.txt", **options: str) -> Reading:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_file(path, **options)  # type: ignore[arg-type]


def tokens_and_tags(reading: Reading) -> list[list[tuple[str, str | None]]]:
    return [list(zip(s.tokens, s.tags or [None] * len(s), strict=True)) for s in reading.sentences]


AMINA = [[("Amina", "B-PER"), ("went", "O")], [("Kano", "B-LOC"), (".", "O")]]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Amina\tB-PER\nwent\tO\n\nKano\tB-LOC\n.\tO\n", "token tag"),
        ("Amina B-PER\nwent O\n\nKano B-LOC\n. O\n", "token tag"),
        ("Amina   B-PER\nwent    O\n\nKano    B-LOC\n.       O\n", "token tag"),
        ("Amina,B-PER\nwent,O\n\nKano,B-LOC\n.,O\n", "token tag"),
        ("Amina;B-PER\nwent;O\n\nKano;B-LOC\n.;O\n", "token tag"),
        ("B-PER\tAmina\nO\twent\n\nB-LOC\tKano\nO\t.\n", "tag token"),
        ("Amina NNP B-PER\nwent VBD O\n\nKano NNP B-LOC\n. . O\n", "token pos tag"),
        ("1\tAmina\tB-PER\n2\twent\tO\n\n1\tKano\tB-LOC\n2\t.\tO\n", "id token tag"),
        ("0\tAmina\tB-PER\n1\twent\tO\n\n0\tKano\tB-LOC\n1\t.\tO\n", "id token tag"),
        ("1\tAmina\tB-PER\n2\twent\tO\n1\tKano\tB-LOC\n2\t.\tO\n", "id token tag"),
        ("words\tlabels\tsentence_id\nAmina\tB-PER\t1.0\nwent\tO\t1.0\nKano\tB-LOC\t2.0\n.\tO\t2.0\n",
         "token tag sentence"),
        ("Sentence #,Word,POS,Tag\ns 1,Amina,NNP,B-PER\n,went,VBD,O\ns 2,Kano,NNP,B-LOC\n,.,.,O\n",
         "sentence token pos tag"),
        ("\ufeffAmina\tB-PER\r\nwent\tO\r\n\r\nKano\tB-LOC\r\n.\tO\r\n", "token tag"),
        ("\n\n\nAmina\tB-PER\nwent\tO\n\n \t\n\nKano\tB-LOC\n.\tO", "token tag"),
        ("-DOCSTART- -X- -X- O\n\nAmina NNP I-NP I-PER\nwent VBD I-VP O\n\nKano NNP I-NP I-LOC\n. . O O\n",
         "token pos ignore tag"),
        ("-DOCSTART- O\nAmina B-PER\nwent O\n\n-DOCSTART- O\n\nKano B-LOC\n. O\n", "token tag"),
        ("en:Amina\tB-PER\nen:went\tO\n\nen:Kano\tB-LOC\nen:.\tO\n", "token tag"),
    ],
)  # fmt: skip
def test_layouts_are_found(tmp_path: Path, text: str, columns: str) -> None:
    reading = reading_of(tmp_path, text)
    assert tokens_and_tags(reading) == AMINA
    assert f"columns: {columns}, " in reading.guess
    assert not reading.repairs


def test_what_was_guessed_is_said(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "\ufeffAmina\tN\tB-PER\nKano\tN\tS-LOC\nb\tV\tO\nc\tV\tE-PER\n")
    assert reading.guess == "columns: token pos tag, separated by tabs; tags IOBES; UTF-8 with a byte-order mark"
    assert (reading.format, reading.style) == ("columns", "iobes")


def test_sources_name_the_line_of_the_first_token(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "\n# text = a\nAmina\tB-PER\n\n\nb\tO\n")
    assert [s.source for s in reading.sentences] == [f"{tmp_path}/f.txt:3", f"{tmp_path}/f.txt:6"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("separator", "outside"), [("-", "O"), ("_", "O"), (":", "O"), ("", "O"), ("-", "NoLabel")])
def test_schemes_and_spellings_are_found(tmp_path: Path, style: Style, separator: str, outside: str) -> None:
    if style == "io" and not separator:
        separator = "-"
    spans = [[Span(0, 3, "NEP"), Span(4, 5, "NEL"), Span(5, 7, "NEL")], [Span(1, 2, "NEP")], [Span(0, 2, "NEL")]]
    if style == "io":
        spans[0].pop()
    text = ""
    for found in spans:
        for index, tag in enumerate(tags_of(found, 8, style)):
            text += f"w{index}\t{outside if tag == 'O' else tag.replace('-', separator, 1)}\n"
        text += "\n"
    reading = reading_of(tmp_path, text)
    assert [s.spans for s in reading.sentences] == spans
    assert not reading.repairs
    assert reading.style == ("iob1" if style == "io" else style)


def test_labels_without_prefix_are_runs(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "a\tPER\nb\tPER\nc\tO\nd\tcreative-work\ne\tO\nf\tO\ng\tLOC\n")
    assert reading.sentences[0].tags == ("B-PER", "I-PER", "O", "B-creative-work", "O", "O", "B-LOC")
    assert (reading.style, "labels without prefix" in reading.guess) == ("io", True)


def test_comments_give_label_language_and_text(tmp_path: Path) -> None:
    text = (
        "# sent_id = 1\n# text: Amina went.\n# intent: news/people\n# lang = sw\nAmina\tB-PER\nwent\tO\n.\tO\n\nb\tO\n"
    )
    first, second = reading_of(tmp_path, text).sentences
    assert (first.label, first.language, first.text) == ("news/people", "sw", "Amina went.")
    assert first.offsets == ((0, 5), (6, 10), (10, 11))
    assert (second.label, second.language, second.text) == (None, None, None)


def test_a_column_of_sentence_labels_is_no_pos(tmp_path: Path) -> None:
    rows = "".join(
        f"1\ta{i}\t{label}\tB-X\n2\tb{i}\t{label}\tO\n3\tc\t{label}\tO\n\n" for i, label in enumerate("xyxyxy")
    )
    reading = reading_of(tmp_path, rows)
    assert "columns: id token label tag" in reading.guess
    assert [s.label for s in reading.sentences] == list("xyxyxy")
    assert reading.sentences[0].pos is None


@pytest.mark.parametrize(
    "text", ["#\tO\nKano\tB-LOC\n", "# O\nKano B-LOC\n", "Kano B-LOC\n# O\n", "#x\tO\nKano\tB-LOC\n"]
)
def test_a_hash_can_be_a_token(tmp_path: Path, text: str) -> None:
    reading = reading_of(tmp_path, text)
    assert sum(map(len, reading.sentences)) == 2
    assert not reading.repairs


@pytest.mark.parametrize("token", [" ", "  ", "\u00a0", "\u2028", "\x85", "\u200b", "\x0b", "-", "_", "O", '"'])
def test_tokens_that_do_not_show_are_kept(tmp_path: Path, token: str) -> None:
    reading = reading_of(tmp_path, f"Kano\tB-LOC\n{token}\tO\na b\tO\n\nx\tO\n")
    assert reading.sentences[0].tokens == ("Kano", token, "a b")
    assert not reading.repairs


def test_a_sentence_of_ten_thousand_tokens_is_whole(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "Kano\tB-LOC\nna\tO\n" * 10_000)
    assert [len(s) for s in reading.sentences] == [20_000]


# --- repairs ---


@pytest.mark.parametrize(
    ("rows", "tags", "repairs"),
    [
        ("a O|b I-X|c I-X", ("O", "B-X", "I-X"), [(2, "illegal-tag", "I-X", "B-X")]),
        ("a B-X|b I-Y|c O", ("B-X", "B-Y", "O"), [(2, "illegal-tag", "I-Y", "B-Y")]),
        ("a O|b -X|c O", ("O", "B-X", "O"), [(2, "malformed-tag", "-X", "B-X")]),
        ("a B-X|b -X|c -X", ("B-X", "B-X", "B-X"),
         [(2, "malformed-tag", "-X", "B-X"), (3, "malformed-tag", "-X", "B-X")]),
        ("a O|b TIM|c TIM", ("O", "B-TIM", "I-TIM"),
         [(2, "doubtful-tag", "TIM", "B-TIM"), (3, "doubtful-tag", "TIM", "I-TIM")]),
        ("a O|b -|c B-", ("O", None, None), [(2, "malformed-tag", "-", "_"), (3, "malformed-tag", "B-", "_")]),
        ("a O|b B-\u200cX|c I-X", ("O", "B-X", "I-X"), [(2, "invisible-character", "B-\u200cX", "B-X")]),
        ("a O|b _|c I-X", ("O", None, "I-X"), []),
        ("a O|b S-X|c O", ("O", "B-X", "O"), [(2, "illegal-tag", "S-X", "B-X")]),
    ],
)  # fmt: skip
def test_tags_are_mended(
    tmp_path: Path, rows: str, tags: tuple[str, ...], repairs: list[tuple[int, str, str, str]]
) -> None:
    sound = "\n" + "x B-X\ny I-X\nz B-Y\nz I-Y\nz O\n\n" * 20  # 80 tags: one S- is a slip, not a scheme
    reading = reading_of(tmp_path, rows.replace("|", "\n") + "\n" + sound)
    assert reading.sentences[0].tags == tags
    assert list(reading.repairs) == [Repair(*repair) for repair in repairs]
    assert reading.style == "iob2"


def test_the_strict_rule_drops_orphans(tmp_path: Path) -> None:
    sound = "\n" + "x B-X\ny I-X\n\n" * 10
    reading = reading_of(tmp_path, "a O\nb I-X\nc I-X\n" + sound, orphan="strict")
    assert reading.sentences[0].tags == ("O", "O", "O")
    assert [(repair.line, repair.after) for repair in reading.repairs] == [(2, "O")]


@pytest.mark.parametrize(
    ("row", "made", "repair"),
    [
        ("Abuja", ("Abuja", None), ("missing-column", "Abuja", "Abuja\t_")),
        ("Abuja\t", ("Abuja", None), ("missing-column", "", "_")),
        ("Abuja\t\tB-LOC", ("Abuja", "B-LOC"), ("extra-column", "Abuja\t\tB-LOC", "Abuja\tB-LOC")),
        ("Abuja\tB-LOC\t", ("Abuja", "B-LOC"), ("extra-column", "Abuja\tB-LOC\t", "Abuja\tB-LOC")),
        ("New\tYork\tB-LOC", ("New\tYork", "B-LOC"), ("extra-column", "New\tYork\tB-LOC", "New\tYork\tB-LOC")),
        ("\tO", None, ("empty-token", "\tO", "")),
    ],
)
def test_rows_are_mended(
    tmp_path: Path, row: str, made: tuple[str, str | None] | None, repair: tuple[str, str, str]
) -> None:
    reading = reading_of(tmp_path, "a\tO\n" + row + "\n\n" + "x\tB-LOC\ny\tO\n" * 20)
    expected: list[tuple[str, str | None]] = [("a", "O")]
    assert tokens_and_tags(reading)[0] == expected + ([made] if made else [])
    assert list(reading.repairs) == [Repair(2, *repair)]


def test_a_prefix_of_no_scheme_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.txt:2: the tag 'T-0' has a prefix of no scheme"):
        reading_of(tmp_path, "a B-X\nb T-0\nc O\n" + "x B-X\n" * 9)


@pytest.mark.parametrize("style", STYLES)
def test_mended_tags_are_those_of_the_scorer(style: Style) -> None:
    """Spans after mending equal `spans_of` on the raw tags, for every sequence of four tags."""
    import itertools

    kinds = {"iob1": "BI", "iob2": "BI", "iobes": "BIES", "bilou": "BILU", "bmeso": "BMES", "io": "I"}[style]
    tags = ["O", *(f"{prefix}-{label}" for prefix in kinds for label in "XY")]
    told: list[Repair] = []
    spelling = guess_spelling([["B-X"]], style)
    assert spelling is not None
    for rule in ("conlleval", "strict"):
        mender = TagRepairer(spelling, rule, ReadLog(told.append), "f")  # type: ignore[arg-type]
        for raw in itertools.product(tags, repeat=4 if len(tags) < 6 else 3):
            told.clear()
            made = mender.repaired(raw, range(len(raw)))
            assert made is not None and not faults(made)
            assert spans_of(made) == spans_of(raw, style, rule)  # type: ignore[arg-type]
            assert [repair.line for repair in told] == sorted({index for index, _ in faults(raw, style)})


# --- what is ambiguous, or no labelled file ---


def test_two_equal_readings_are_an_error_with_the_lines_to_type(tmp_path: Path) -> None:
    text = "1\tAmina\tB-PER\tO\n2\tKano\tO\tB-LOC\n3\tb\tO\tO\n\n"
    with pytest.raises(DataError) as caught:
        reading_of(tmp_path, text * 5)
    said = str(caught.value)
    assert '--columns "id token tag ignore" (tags such as B-PER)' in said
    assert '--columns "id token ignore tag" (tags such as B-LOC)' in said
    assert reading_of(tmp_path, text, columns="id token ignore tag").sentences[0].spans == [Span(1, 2, "LOC")]


def test_named_columns_are_believed(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "Amina NN x\nKano NN y\n", columns="token pos ignore")
    assert (reading.sentences[0].tags, reading.sentences[0].pos) == (None, ("NN", "NN"))
    assert reading.style is None
    reading = reading_of(tmp_path, "Amina\nKano\n\nb\n", columns="token")
    assert [s.tokens for s in reading.sentences] == [("Amina", "Kano"), ("b",)]
    reading = reading_of(tmp_path, "n1\ta\tsw\tO\nn1\tb\tsw\tO\nn2\tc\tha\tO\n", columns="sentence token language tag")
    assert [(s.tokens, s.language) for s in reading.sentences] == [(("a", "b"), "sw"), (("c",), "ha")]


def test_named_columns_that_no_row_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no row has the 4 columns"):
        reading_of(tmp_path, "a\tO\nb\tO\n", columns="token pos tag label")


def test_universal_ner_says_its_columns_by_its_name(tmp_path: Path) -> None:
    text = "# sent_id = 1\n1\tAmina\tB-PER\tO\tann\n2\tKano\tO\tB-LOC\tann\n\n" * 3
    reading = reading_of(tmp_path, text, name="xx-ud-test.iob2")
    assert reading.sentences[0].tags == ("B-PER", "O")
    with pytest.raises(DataError, match="2 columns could hold the entity tags"):
        reading_of(tmp_path, text)


def test_tags_after_a_long_stretch_without_any_are_read(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "a\tO\n" * 3_000 + "\n" + "Kano\tS-LOC\nb\tB-PER\nc\tE-PER\n\n" * 10)
    assert reading.style == "iobes"
    assert not reading.repairs


@pytest.mark.parametrize(
    "text", ["a NN\nb VB\n", "A town by the sea had no name\nand nobody came\n", "a\nb\n\nc\n", "1 2\n3 4\n"]
)
def test_a_file_without_tags_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no column holds entity tags"):
        reading_of(tmp_path, text)
