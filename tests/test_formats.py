"""Every format: what is written comes back; bytes of any kind end in sentences or in one DataError."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from onomast.data.formats.registry import READERS, WRITERS, Reading, read, read_file, stream, write
from onomast.data.input_file import REPAIR_KINDS
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import STYLES, Style, faults

# Tokens that some format gives a meaning of its own.
_AWKWARD = [
    *(" ", "  ", "#", "##", "# text = x", "# label = x", "# columns = token pos tag (iob2)", "-DOCSTART-", "_", "O"),
    *(
        "B-PER",
        "I-PER",
        "-",
        "-NEL",
        "NoLabel",
        "words",
        "token",
        "en:Kano",
        "de:",
        "1",
        "1-2",
        "3.1",
        "{",
        "[",
        '{"a":1}',
    ),
    *(
        "\ufeff",
        "\ufeffa",
        "\u2028",
        "\x85",
        "\x0b",
        "\x1c",
        "\u200b",
        "\u00a0",
        "a\u00a0b",
        '"',
        '""',
        ",",
        "a,b",
        "|",
    ),
    *("PAR1", "PAR1\x15", "x\x00", "%7C", "T1", "क्षि", "\U0001f469\u200d\U0001f680", "Guinea-Bissau"),
]
_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r")
_TOKENS = st.one_of(
    st.sampled_from(["Amina", "went", "to", "Kano", "."]),
    st.sampled_from(_AWKWARD),
    st.text(_LETTERS, min_size=1, max_size=6),
)
_LABELS = st.sampled_from(
    ["PER", "LOC", "reminder/todo", "GPE_LOC", "ไม่ยืนยัน", "a b", "-", "'", "O", "_", "#", "B-X", "1", "x|y%"]
)
_WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=6)


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    """A sentence of awkward tokens and legal IOB2 tags, some of them not annotated."""
    tokens = draw(st.lists(_TOKENS, min_size=1, max_size=6))
    tags: list[str | None] = []
    for _ in tokens:
        goes_on = [] if not tags or tags[-1] in (None, "O") else ["I-" + str(tags[-1])[2:]]
        tags.append(draw(st.sampled_from(["O", None, "B-" + draw(_LABELS), *goes_on])))
    pos = draw(
        st.none() | st.lists(_WORDS.filter(lambda word: word != "_"), min_size=len(tokens), max_size=len(tokens))
    )
    return Sentence(
        tuple(tokens),
        tags=tuple(tags) if any(tags) else None,
        pos=None if pos is None else tuple(pos),
        label=draw(st.none() | _WORDS),
        language=draw(st.sampled_from([None, "sw", "zh-Hant"])),
    )


@st.composite
def placed_sentences(draw: st.DrawFn) -> Sentence:
    """A sentence that knows the text it was cut from."""
    sentence = draw(sentences())
    start = draw(st.integers(0, 50))
    text, offsets = draw(st.sampled_from(["", " ", "\u00a0"])), []
    for token in sentence.tokens:
        offsets.append((start + len(text), start + len(text) + len(token)))
        text += token + draw(st.sampled_from(["", " ", "  "]))
    return dataclasses.replace(sentence, text=text, offsets=tuple(offsets), text_start=start)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


def come_back(made: list[Sentence], path: Path, style: Style = "iob2") -> Reading:
    """Write, read, and compare all that every format carries."""
    write(made, path, style=style)
    reading = read_file(path)
    kept = ("tokens", "tags", "pos", "label", "language")
    assert [[getattr(s, name) for name in kept] for s in reading.sentences] == [
        [getattr(s, name) for name in kept] for s in made
    ]
    assert not reading.repairs
    return reading


@pytest.mark.parametrize("name", ["a.txt", "a.conllu", "a.jsonl", "a.ann", "b.conll.gz", "b.jsonl.gz"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=st.lists(sentences(), min_size=1, max_size=4))
@example(made=[Sentence(("-DOCSTART-",), tags=("O",)), Sentence(("#",), tags=("B-X",), pos=("N",))])
@example(made=[Sentence(("a",)), Sentence(("\ufeffa", "b"), label="x")])
@example(made=[Sentence(("B-PER",), tags=("O",))])
def test_what_is_written_comes_back(folder: Path, name: str, made: list[Sentence]) -> None:
    if name == "b.conll.gz":
        folder = folder / "packed"
    come_back(made, folder / name)


@pytest.mark.parametrize("style", [style for style in STYLES if style != "io"])
@settings(max_examples=50, deadline=None)
@given(made=st.lists(sentences(), min_size=1, max_size=4))
def test_columns_come_back_in_every_scheme(folder: Path, style: Style, made: list[Sentence]) -> None:
    come_back(made, folder / f"{style}.bio", style)


@pytest.mark.parametrize("name", ["p.jsonl", "p.conllu"])
@settings(max_examples=50, deadline=None)
@given(made=st.lists(placed_sentences(), min_size=1, max_size=3))
def test_text_and_offsets_come_back(folder: Path, name: str, made: list[Sentence]) -> None:
    reading = come_back(made, folder / name)
    assert [(s.text, s.offsets, s.text_start) for s in reading.sentences] == [
        (s.text, s.offsets, s.text_start) for s in made
    ]


@settings(max_examples=50, deadline=None)
@given(made=st.lists(placed_sentences(), min_size=1, max_size=3))
def test_brat_keeps_each_sentence_on_a_line_of_the_text(folder: Path, made: list[Sentence]) -> None:
    reading = come_back(made, folder / "p.ann")
    whole = (folder / "p.txt").read_bytes().decode()
    for sentence, source in zip(reading.sentences, made, strict=True):
        assert sentence.text == source.text
        assert sentence.offsets is not None
        assert tuple(whole[start:end] for start, end in sentence.offsets) == source.tokens


def test_confidence_comes_back_from_jsonl(tmp_path: Path) -> None:
    made = Sentence(("Kano", "."), tags=("B-LOC", "O"), confidence=(0.1 + 0.2, 1.0))
    write([made], tmp_path / "a.jsonl")
    assert read(tmp_path / "a.jsonl")[0].confidence == made.confidence


# --- any bytes ---

_VALID: dict[str, bytes] = {
    "columns": b"# text = a b\nAmina NN B-PER\nb VB O\n\n-DOCSTART- X O\n\n# O O\nKano NN I-LOC\n" * 3,
    "tabs": "words\tlabels\tsentence_id\nक\tB-PER\t1\n \tO\t1\nd\t-NEL\t2\n".encode(),
    "conllu": b"# text = a b\n1-2\tab\t_\t_\t_\t_\t_\t_\t_\t_\n1\ta\t_\tN\t_\t_\t_\t_\t_\tNER=B-X|TokenRange=0:1\n\n",
    "jsonl": b'{"text":"a b","spans":[{"start":0,"end":1,"label":"X"}]}\n["a b",["O","B-X"]]\n',
    "bytes": '{"text":"é b","spans":[{"start_byte":0,"limit_byte":2,"label":"X"}],"intent":"y"}\n'.encode(),
    "label-studio": json.dumps(
        [{"data": {"text": "a b"}, "annotations": [{"result": [{"value": {"start": 0, "end": 1, "labels": ["X"]}}]}]}],
        indent=1,
    ).encode(),
    "prodigy": b'{"text":"a b","tokens":[{"text":"a","start":0,"end":1,"id":0}],"spans":[],"answer":"accept"}\n',
    "gzip": gzip.compress(b"a\tB-X\nb\tO\n"),
}


def table() -> bytes:
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    features = {"ner_tags": {"feature": {"names": ["O", "B-X"], "_type": "ClassLabel"}, "_type": "Sequence"}}
    made = pyarrow.table({"tokens": [["a", "b"], ["c"]], "ner_tags": [[0, 1], [-100]]})
    made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(made, buffer)
    return buffer.getvalue()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A valid file with some bytes changed, lost, doubled, or cut off."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["change", "lose", "insert", "double", "cut"]))
        if kind == "change" and content:
            content[place] = draw(st.integers(0, 255))
        elif kind == "lose":
            del content[place : place + draw(st.integers(1, 4))]
        elif kind == "insert":
            content[place:place] = draw(
                st.sampled_from([b"\n", b"\t", b" ", b'"', b"[", b"{", b"\xff", b"\x00", b"#", b"-"])
            )
        elif kind == "double":
            content[place:place] = content[place : place + draw(st.integers(1, 40))]
        elif draw(st.booleans()):
            del content[place:]
    return bytes(content)


_BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(st.sampled_from('ab#_ \t\n\r{}[]",:;|-.0123OBIPER\u200c\u0301é'), max_size=120).map(str.encode),
    *(damaged(whole) for whole in _VALID.values()),
)


def sentences_or_one_error(path: Path, **options: str) -> None:
    try:
        reading = read_file(path, **options)  # type: ignore[arg-type]
    except DataError as error:
        if "\n" in str(error):
            pytest.fail(f"more than one line: {error}")
        return
    assert reading.sentences
    for sentence in reading.sentences:
        assert sentence.tokens and all(sentence.tokens)
        assert sentence.tags is None or not faults(sentence.tags)
    assert {repair.kind for repair in reading.repairs} <= set(REPAIR_KINDS)
    assert "\n" not in reading.guess


@pytest.mark.parametrize("format", [*sorted(set(READERS) - {"docbin"}), None])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=_BYTES)
@example(content=b"")
@example(content=b"\n \n\t\n")
@example(content=b"[" * 100_000)
@example(content=b'{"a":' * 5_000)
@example(content=b'{"text": "\\ud800", "spans": []}')
@example(content=b'{"text": "a", "spans": [{"start": 1' + b"0" * 5_000 + b"}]}")
@example(content=b"\xef\xbb\xbf\n")
@example(content=b"a\rB-X\r")
def test_any_bytes_end_in_sentences_or_one_error(folder: Path, format: str | None, content: bytes) -> None:
    path = folder / "any.dat"
    path.write_bytes(content)
    sentences_or_one_error(path, **({} if format is None else {"format": format}))


@settings(max_examples=80, deadline=None)
@given(
    text=st.one_of(st.binary(max_size=60), st.just(b"Amina went\nto Kano")),
    notes=st.one_of(
        st.binary(max_size=60),
        damaged(b"T1\tPER 0 5\tAmina\nT2\tLOC 14 18;6 10\tx\n"),
        damaged(b'T1\tPER 0 5\tAmina\n#1\tOnomastSentence S1\t{"offsets": [[0, 5], [6, 9]], "unknown": [1]}\n'),
    ),
)
def test_any_pair_of_files_ends_in_sentences_or_one_error(folder: Path, text: bytes, notes: bytes) -> None:
    (folder / "any.txt").write_bytes(text)
    (folder / "any.ann").write_bytes(notes)
    sentences_or_one_error(folder / "any.ann")


@settings(max_examples=80, deadline=None)
@given(content=damaged(table()))
def test_any_damage_to_a_table_ends_in_sentences_or_one_error(folder: Path, content: bytes) -> None:
    path = folder / "any.parquet"
    path.write_bytes(content)
    sentences_or_one_error(path)


# --- the interface ---


def test_streaming_gives_the_sentences_and_repairs_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Amina\tI-PER\nb\tI-PER\n\nKano\tB-LOC\nc\tI-ORG\n" * 40, encoding="utf-8")
    told: list[object] = []
    assert list(stream(path, on_repair=told.append)) == list(read_file(path).sentences)
    assert tuple(told) == read_file(path).repairs != ()


def test_streaming_does_not_read_ahead_of_its_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Amina\tB-PER\nb\tO\n\n" * 400_000 + b"\xff\n")
    for number, sentence in enumerate(stream(path)):
        assert len(sentence) == 2
        if number == 1_000:
            break


def test_a_million_rows_are_written_as_they_come(tmp_path: Path) -> None:
    made = 0

    def many() -> Iterator[Sentence]:
        nonlocal made
        for made in range(60_000):
            if made == 59_999:
                sizes = [path.stat().st_size for path in tmp_path.iterdir()]
                assert len(sizes) == 1 and sizes[0] > 100_000, "nothing has been written yet"
            yield Sentence(("Kano", "."), tags=("B-LOC", "O"))

    write(many(), tmp_path / "a.txt")
    assert made == 59_999


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(DataError, match="a tab"):
        write([Sentence(("a",)), Sentence(("a\tb",))], path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("token", ["a\tb", "a\nb", "a\rb", "", "\ud800"])
def test_a_token_that_columns_cannot_hold_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(DataError):
        write([Sentence((token,), source="x:3")], tmp_path / "a.txt")


def test_io_refuses_neighbours_that_it_would_melt_into_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neighbouring"):
        write([Sentence(("a", "b"), tags=("B-X", "B-X"))], tmp_path / "a.txt", style="io")


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stand:
        def __init__(self, content: bytes) -> None:
            self.buffer = io.BytesIO(content)

    made = [Sentence(("Kano", "."), tags=("B-LOC", "O"))]
    out = Stand(b"")
    monkeypatch.setattr(sys, "stdout", out)
    write(made, "-")
    assert out.buffer.getvalue() == b"Kano\tB-LOC\n.\tO\n\n"
    for content in (out.buffer.getvalue(), gzip.compress(out.buffer.getvalue())):
        monkeypatch.setattr(sys, "stdin", Stand(content))
        [sentence] = read("-")
        assert sentence.tags == made[0].tags and sentence.source == "standard input:1"


def test_gzip_is_known_by_its_bytes_and_written_the_same_every_time(tmp_path: Path) -> None:
    write([Sentence(("Kano",), tags=("B-LOC",))], tmp_path / "a.txt.gz")
    first = (tmp_path / "a.txt.gz").read_bytes()
    assert gzip.decompress(first) == b"Kano\tB-LOC\n\n"
    (tmp_path / "b.txt").write_bytes(first)
    assert read(tmp_path / "b.txt")[0].tokens == ("Kano",)
    write([Sentence(("Kano",), tags=("B-LOC",))], tmp_path / "c.txt.gz")
    assert (tmp_path / "c.txt.gz").read_bytes() == first


def _content(content: bytes) -> Callable[[Path], Path]:
    def put(folder: Path) -> Path:
        (folder / "f.txt").write_bytes(content)
        return folder / "f.txt"

    return put


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (_content(b""), r"f\.txt: the file is empty"),
        (_content(b"\n\n \t\n"), r"f\.txt: there are only blank lines"),
        (
            _content(b"Kano\tB-LOC\n\nab\xffc\tO\n"),
            r"f\.txt:3: byte 14 of the file \(byte 2 of the line\), 0xff, is not UTF-8",
        ),
        (_content("Kano\tB-LOC\n".encode("utf-16")), r"f\.txt:1: .*UTF-16"),
        (_content(b"There was a town by the sea.\nIt had no name.\n"), r"no column holds entity tags.*--columns"),
        (_content(gzip.compress(b"Kano\tB-LOC\n")[:-9]), r"gzip file is damaged"),
        (lambda folder: folder / "none.txt", r"none\.txt: there is no such file"),
        (lambda folder: folder, r"is a folder; expected a file"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, put: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(put(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_byte_of_an_error_is_counted_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Kano\tB-LOC\n" * 100_000 + b"a\xff\n")
    with pytest.raises(DataError, match=r":100001: byte 1,100,001 of the file \(byte 1 of the line\)"):
        read(path)


def test_unknown_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\tO\n", encoding="utf-8")
    with pytest.raises(DataError, match="did you mean 'conllu'"):
        read(tmp_path / "a.txt", format="conlu")
    with pytest.raises(DataError, match="did you mean 'html'"):
        write([], tmp_path / "b", format="htm")
    with pytest.raises(DataError, match="did you mean 'token'"):
        read(tmp_path / "a.txt", columns="tokens tag")
    assert set(WRITERS) - set(READERS) == {"html"}


def test_language_is_lent_to_sentences_that_name_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# language = sw\na\tO\n\nb\tO\n", encoding="utf-8")
    assert [sentence.language for sentence in read(tmp_path / "a.txt", language="ha")] == ["sw", "ha"]
