"""Vectors files of every format: gensim is the oracle for rows; damaged files end in one line, never in a traceback."""

import gzip
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onomast.data.raw_text import Exclusion
from onomast.errors import DataError, OnomastError
from onomast.vectors.fasttext import MAGIC
from onomast.vectors.files import (
    CompactVectors,
    coverage_warning,
    describe_vectors,
    open_vectors,
    prune_vectors,
)
from onomast.vectors.lookup import UNKNOWN
from onomast.vectors.subword_ngrams import Subwords
from onomast.vectors.train import train_vectors

SENTENCES = [
    ["Rais", "wa", "Kenya", "alizuru", "Nairobi", "na", "Mombasa", "jana"],
    ["မြန်မာ", "နိုင်ငံ", "ရန်ကုန်", "မြို့"],
    ["ኢትዮጵያ", "አዲስ", "አበባ", "ከተማ"],
    ["😀", "habari", "👍🏽", "nairobi", "ya", "leo", "é"],
]
KNOWN = [word for sentence in SENTENCES for word in sentence]
UNSEEN = ["Kampala", "ရန်ကုန်မြို့တော်", "አዲስአበባ", "🎉🎉", "x", "ñ", "a" * 200, "Mombasani"]
TABLE = {"rais": [0.5, -1.0, 2.0], "Kenya": [1.5, 0.25, -0.125], "မြန်မာ": [0.0, 1.0, -2.0], "kenya": [9.0, 9.0, 9.0]}


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fastText model learnt by gensim on a few sentences."""
    fasttext = pytest.importorskip("gensim.models.fasttext")
    path = tmp_path_factory.mktemp("model") / "small.bin"
    model = fasttext.FastText(
        sentences=SENTENCES * 5, sg=1, vector_size=12, min_count=1, epochs=3, bucket=211, min_n=2, max_n=5, workers=1
    )
    fasttext.save_facebook_model(model, str(path))
    return path


def vector_of(vectors: Any, word: str) -> Any:
    """The vector (D,) of one word, or None."""
    rows, kinds = vectors.rows([word])
    return None if kinds[0] == UNKNOWN else rows[0]


def text_file(path: Path, table: dict[str, list[float]] | None = None, *, header: bool = True) -> Path:
    table = TABLE if table is None else table
    lines = [f"{len(table)} 3"] if header else []
    lines += [f"{word} {' '.join(map(str, row))}" for word, row in table.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def binary_file(path: Path, *, newline: bytes = b"\n") -> Path:
    rows = (word.encode() + b" " + np.array(row, "<f4").tobytes() + newline for word, row in TABLE.items())
    path.write_bytes(f"{len(TABLE)} 3\n".encode() + b"".join(rows))
    return path


def fasttext_bytes(
    words: list[bytes], *, width: int = 2, buckets: int = 5, maxn: int = 3, labels: int = 0, quantised: int = 0,
    pruned: list[tuple[int, int]] | None = None, rows: int | None = None, version: int = 12, model: int = 2,
) -> bytes:  # fmt: skip
    """A .bin file put together by hand, as Facebook's `saveModel` writes it; row r of the matrix holds (r + 1) / 8."""
    kept = buckets if pruned is None else len(pruned)
    height = len(words) - labels + kept if rows is None else rows
    head = MAGIC + struct.pack("<i12id", version, width, 5, 5, 1, 5, 1, 2, model, buckets, 2, maxn, 100, 1e-4)
    pairs = pruned or []
    head += struct.pack("<3iqq", len(words), len(words) - labels, labels, 99, -1 if pruned is None else len(pairs))
    for number, word in enumerate(words):
        head += word + b"\0" + struct.pack("<qb", 10, int(number >= len(words) - labels))
    head += b"".join(struct.pack("<2i", *pair) for pair in pairs) + struct.pack("<?qq", quantised, height, width)
    matrix = np.repeat((np.arange(height) + 1) / 8, width).astype("<f4")
    return head + matrix.tobytes() + struct.pack("<?qq", 0, 0, width)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# fastText's binary format


def test_rows_equal_gensim_for_known_and_unknown_words_of_many_scripts(model_path: Path) -> None:
    from gensim.models.fasttext import load_facebook_model

    oracle = load_facebook_model(str(model_path)).wv
    vectors = open_vectors(model_path)
    rows, kinds = vectors.rows([*KNOWN, *UNSEEN])
    assert kinds.tolist() == [1] * len(KNOWN) + [2] * len(UNSEEN)
    expected = np.stack([oracle.get_vector(word) for word in [*KNOWN, *UNSEEN]])
    assert np.abs(rows - expected).max() < 1e-6 and np.abs(expected).max() > 1e-3
    assert rows.dtype == np.float32 and vectors.width == 12
    assert list(vectors.words) == oracle.index_to_key
    for word in UNSEEN:
        assert np.abs(vector_of(vectors, word) - oracle.get_vector(word)).max() < 1e-6


@given(st.lists(st.text(min_size=0, max_size=12), max_size=20), st.integers(0, 4), st.integers(0, 7))
def test_hashes_of_ngrams_equal_gensim(words: list[str], minn: int, maxn: int) -> None:
    hashes = pytest.importorskip("gensim.models.fasttext").ft_ngram_hashes
    words = [word for word in words if word.isprintable()]
    buckets, counts = Subwords(minn, maxn, 997).of(words)
    parts = np.split(buckets, np.cumsum(counts)[:-1]) if words else []
    assert [part.tolist() for part in parts] == [hashes(word, minn, maxn, 997) for word in words]


def plain_row(word: str, number: int | None, words: int, buckets: int, maxn: int) -> float:
    """The value of each dimension in files of `fasttext_bytes`, n-grams by the letter of fastText's source."""
    text, rows = f"<{word}>".encode(), [] if number is None else [number]
    for start in range(len(text)):
        if text[start] & 0xC0 == 0x80:
            continue
        end, size = start, 1
        while end < len(text) and size <= maxn and word != "</s>":
            end += 1
            while end < len(text) and text[end] & 0xC0 == 0x80:
                end += 1
            if size >= 2:
                value = 2166136261
                for byte in text[start:end]:
                    value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619) & 0xFFFFFFFF
                rows.append(words + value % buckets)
            size += 1
    return sum((row + 1) / 8 for row in rows) / max(len(rows), 1)


def test_a_file_laid_out_by_hand_is_read_as_facebook_lays_it_out(tmp_path: Path) -> None:
    path = written(tmp_path / "m.bin", fasttext_bytes([b"</s>", "né".encode(), b"bad\xff", b"kenya"]))
    vectors = open_vectors(path)
    assert vectors.words == ["</s>", "né", "kenya"]
    for word, number in (("</s>", 0), ("né", 1), ("kenya", 3), ("mpya", None), ("ምን", None)):
        assert np.allclose(vectors.rows([word])[0], plain_row(word, number, 4, 5, 3), atol=1e-6)
    assert describe_vectors(path).skipped == 1


def test_labels_of_a_supervised_model_are_no_words(tmp_path: Path) -> None:
    data = fasttext_bytes([b"habari", b"__label__x"], labels=1, maxn=0, buckets=0, model=3)
    vectors = open_vectors(written(tmp_path / "m.bin", data))
    assert vectors.words == ["habari"]
    assert vector_of(vectors, "habari").tolist() == [0.125, 0.125]
    assert vector_of(vectors, "__label__x") is None


def test_a_pruned_model_has_only_the_ngrams_that_were_kept(tmp_path: Path) -> None:
    buckets, _ = Subwords(2, 3, 50).of(["abc"])
    kept = sorted(set(buckets.tolist()))[::2]
    pairs = [(bucket, row) for row, bucket in enumerate(reversed(kept))]
    vectors = open_vectors(written(tmp_path / "m.bin", fasttext_bytes([b"zz"], buckets=50, pruned=pairs)))
    row_of = dict(pairs)
    rows = [(1 + row_of[bucket] + 1) / 8 for bucket in buckets.tolist() if bucket in row_of]
    assert np.allclose(vector_of(vectors, "abc"), sum(rows) / len(rows))
    empty = open_vectors(written(tmp_path / "n.bin", fasttext_bytes([b"zz"], buckets=50, pruned=[])))
    assert vector_of(empty, "abc") is None and vector_of(empty, "zz") is not None


def test_a_packed_bin_gives_the_same_rows(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.bin.gz"
    with gzip.open(path, "wb") as file:
        file.write(model_path.read_bytes())
    words = [*KNOWN, *UNSEEN]
    assert np.array_equal(open_vectors(path).rows(words)[0], open_vectors(model_path).rows(words)[0])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (fasttext_bytes([b"a"], quantised=1), "quantised"),
        (fasttext_bytes([b"a"])[:-60], "cut off"),
        (fasttext_bytes([b"a"])[:70], "cut off"),
        (fasttext_bytes([b"a"])[:30], "cut off"),
        (fasttext_bytes([b"a"], rows=3), "3 rows of 2, where the header says 6"),
        (fasttext_bytes([b"a"], width=0), "width 0"),
        (fasttext_bytes([b"a"], version=13), "version 13"),
        (fasttext_bytes([b"a"], pruned=[(9, 0)]), "damaged"),
    ],
)
def test_a_wrong_bin_is_refused_with_the_reason(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        open_vectors(written(tmp_path / "m.bin", data))
    assert "m.bin: " in str(error.value) and "\n" not in str(error.value)


def test_values_that_are_not_numbers_are_found_when_they_are_used(tmp_path: Path) -> None:
    data = fasttext_bytes([b"good", b"bad"], buckets=0, maxn=0)
    start = data.index(np.array([0.25, 0.25], "<f4").tobytes())
    broken = data[:start] + np.array([np.nan], "<f4").tobytes() + data[start + 4 :]
    vectors = open_vectors(written(tmp_path / "m.bin", broken))
    assert vector_of(vectors, "good") is not None
    with pytest.raises(DataError, match="'bad' holds a value that is not a number"):
        vectors.rows(["good", "bad"])


# Lists of rows: .vec, GloVe, word2vec


@pytest.mark.parametrize("name", ["header", "glove", "binary", "binary-without-newlines", "tabs", "windows"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_list_of_rows_gives_the_same_vectors(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / "vectors"
    if name.startswith("binary"):
        binary_file(path, newline=b"" if name.endswith("newlines") else b"\n")
    else:
        text_file(path, header=name != "glove")
        if name == "tabs":
            path.write_bytes(path.read_bytes().replace(b" ", b"\t").replace(b"4\t3\n", b"4 3\n"))
        if name == "windows":
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b" \r\n"))
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    vectors = open_vectors(path)
    assert vectors.width == 3 and vectors.words == list(TABLE)
    rows, kinds = vectors.rows(["မြန်မာ", "Kenya", "RAIS", "none", "KENYA", "Kenya"])
    assert kinds.tolist() == [1, 1, 1, 0, 1, 1]
    assert rows.tolist() == [
        TABLE["မြန်မာ"], TABLE["Kenya"], TABLE["rais"], [0, 0, 0], TABLE["kenya"], TABLE["Kenya"],
    ]  # fmt: skip
    assert vector_of(vectors, "none") is None
    assert vectors.rows([])[0].shape == (0, 3)


def test_rows_equal_gensim_for_files_that_gensim_wrote(model_path: Path, tmp_path: Path) -> None:
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_model

    oracle = load_facebook_model(str(model_path)).wv
    for binary in (False, True):
        path = tmp_path / f"w2v-{binary}"
        KeyedVectors.save_word2vec_format(oracle, str(path), binary=binary)
        vectors = open_vectors(path)
        assert vectors.words == oracle.index_to_key
        assert np.allclose(vectors.rows(KNOWN)[0], np.stack([oracle[word] for word in KNOWN]), atol=1e-6)


def test_words_with_spaces_repeated_words_and_words_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(
        b". . . 1 2 3\nat name@x.org 4 5 6\n".replace(b". . . 1", b"the 1", 1) + b"\xff\xfe 1 1 1\nthe 7 7 7\n 8 8 8\n"
    )
    vectors = open_vectors(path)
    assert vectors.words == ["the", "at name@x.org"]
    assert vectors.rows(["at name@x.org", "the"])[0].tolist() == [[4, 5, 6], [1, 2, 3]]
    found = describe_vectors(path)
    assert (found.words, found.duplicates, found.skipped) == (2, 1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 3\na 1 2 3\nb 1 2\n", "v.vec:3: 2 values; expected a word and 3 numbers"),
        ("2 3\na 1 2 3\nb 1 2 3 4\n", "v.vec:3: 4 values"),
        ("2 3\na 1 2\nb 1 2 3\n", "v.vec:2: 2 values"),
        ("a 1 2 3\nb 1 2 3\nc 1 2", "v.vec:3: 2 values; the last line is cut off"),
        ("3 3\na 1 2 3\nb 1 2 3\n", "2 rows, where its first line says 3"),
        ("1 3\na 1 2 3\nb 1 2 3\n", "more rows, where its first line says 1"),
        ("2 3\na 1 2 3\n\n", "v.vec:3: an empty line"),
        ("2 3\nb 1 nan 3\na 1 2 3\n", "v.vec:2: a value that is not finite"),
        ("2 3\nb 1 1e999 3\na 1 2 3\n", "v.vec:2: a value that is not finite"),
        ("2 3\nb 1 x 3\na 1 2 3\n", "v.vec:2: a value that is not a number"),
        ("0 3\n", "v.vec:1: 0 rows"),
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("<!DOCTYPE html>\n<html><body>404</body></html>", "web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        ("Habari za leo ni nzuri sana\nna kesho\n", "begins with 'Habari"),
        ("2 3", "0 rows, where its first line says 2"),
    ],
)
def test_a_wrong_text_file_is_refused_with_place_and_reason(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "v.vec"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(DataError) as error:
        open_vectors(path).rows(["a", "b"])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_other_wrong_files_are_refused(tmp_path: Path, model_path: Path) -> None:
    archive = tmp_path / "v.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.vec", "1 1\na 1\n")
    cut = written(tmp_path / "c.gz", gzip.compress(model_path.read_bytes())[:-500])
    half = written(tmp_path / "b.bin", binary_file(tmp_path / "whole").read_bytes()[:-7])
    longer = written(tmp_path / "l.bin", binary_file(tmp_path / "whole").read_bytes() + b"more")
    for path, message in (
        (archive, "zip file"),
        (written(tmp_path / "p", b"\x80\x04\x95"), "pickle"),
        (cut, "cut off"),
        (half, "3 rows, where its first line says 4"),
        (longer, "more rows"),
        (tmp_path, "folder"),
        (tmp_path / "nowhere.bin", "No such file"),
    ):
        with pytest.raises(DataError, match=message):
            open_vectors(path).rows(["a"])


def test_a_large_text_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.vec"
    with path.open("w") as file:
        file.write("20000 50\n")
        file.writelines(f"word{number} {'0.125 ' * 50}\n" for number in range(20000))
    tracemalloc.start()
    rows, kinds = open_vectors(path).rows([f"word{number}" for number in range(0, 20000, 100)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kinds.all() and (rows == 0.125).all()
    assert peak < path.stat().st_size / 4


@pytest.fixture(scope="module")
def every_format(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("formats")
    prune_vectors(model_path, KNOWN[:5], folder / "pruned", ngram_rows=40)
    plain = [
        fasttext_bytes([b"kenya", b"rais"]),
        fasttext_bytes([b"kenya"], pruned=[(1, 0), (4, 1)]),
        text_file(folder / "vec").read_bytes(),
        text_file(folder / "glove", header=False).read_bytes(),
        binary_file(folder / "w2v").read_bytes(),
        (folder / "pruned").read_bytes(),
    ]
    return [*plain, gzip.compress(plain[0]), gzip.compress(plain[2])]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_give_an_error_of_ours_or_vectors_but_nothing_else(
    tmp_path: Path, every_format: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(every_format)))
    # Most of the structure is at the beginning.
    places = st.integers(0, len(content) - 1) | st.integers(0, min(len(content) - 1, 160))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(places)] = data.draw(st.sampled_from([0, 1, 32, 10, 127, 128, 255]) | st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path = written(tmp_path / "mutated", bytes(content[:end]))
    tracemalloc.start()
    try:
        vectors = open_vectors(path)
        rows, kinds = vectors.rows(["kenya", "Kenya", "other"])
        assert rows.shape == (3, vectors.width) and np.isfinite(rows).all() and len(kinds) == 3
        compact = vectors.compact(["kenya", "other"], ngram_rows=10)
        assert compact.width == vectors.width
        describe_vectors(path, ["kenya"])
    except OnomastError as error:
        assert "\n" not in str(error)  # noqa: PT017 - an error is one of two good ends
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20


def test_memory_does_not_follow_the_number_of_buckets_that_a_file_names(
    tmp_path: Path, every_format: list[bytes]
) -> None:
    content = bytearray(every_format[1])  # pruned: a bucket is looked up, not an index into the matrix
    content[43] = 1  # 2 + 2 ** 24 buckets
    path = written(tmp_path / "large.bin", bytes(content))
    tracemalloc.start()
    open_vectors(path).compact(["kenya", "other"], ngram_rows=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


# Compact vectors


def test_compact_vectors_give_stored_words_their_rows_and_others_their_ngrams(model_path: Path) -> None:
    vectors = open_vectors(model_path)
    compact = vectors.compact([*KNOWN[:6], "Kampala"], ngram_rows=211, word_rows=3)
    assert set(compact.words) == {*KNOWN[:6], "Kampala", *vectors.words[:3]}
    asked = [*KNOWN[:6], "Kampala", *vectors.words[:3]]
    rows, kinds = compact.rows(asked)
    expected, truth = vectors.rows(asked)
    assert np.allclose(rows, expected, rtol=2e-3, atol=1e-6) and kinds.tolist() == truth.tolist()


def test_ngrams_that_no_known_word_has_count_as_zeros(model_path: Path) -> None:
    vectors = open_vectors(model_path)
    subwords = vectors.table.subwords
    compact = vectors.compact(["Kampala"], ngram_rows=211, word_rows=0)
    met = set(subwords.of([*vectors.words, "Kampala"])[0].tolist())
    for word in ("Mombasani", "Kampalani", "🎉x"):
        buckets, _ = subwords.of([word])
        table, _ = vectors.table.gather(buckets)
        rows = [row if bucket in met else 0 * row for bucket, row in zip(buckets.tolist(), table, strict=True)]
        assert np.allclose(compact.rows([word])[0], sum(rows) / len(rows), atol=1e-4)


def test_fewer_ngrams_leave_a_shorter_vector_of_like_direction(model_path: Path) -> None:
    vectors = open_vectors(model_path)
    full, compact = vectors.rows(["Mombasani"])[0][0], vectors.compact([], ngram_rows=120, word_rows=0)
    assert len(compact.buckets) == 120 and not compact.words
    part, kinds = compact.rows(["Mombasani"])
    cosine = float(part[0] @ full / np.linalg.norm(part[0]) / np.linalg.norm(full))
    assert kinds.tolist() == [2] and cosine > 0.8
    nothing = vectors.compact([], ngram_rows=0, word_rows=0)
    assert nothing.rows(["Mombasani"])[1].tolist() == [0] and not nothing.rows(["Mombasani"])[0].any()


def test_compact_vectors_of_a_text_file_keep_frequent_words_for_unseen_ones(tmp_path: Path) -> None:
    vectors = open_vectors(text_file(tmp_path / "v.vec"))
    compact = vectors.compact(["kenya", "missing"], ngram_rows=10, word_rows=2)
    assert compact.words == ("kenya", "rais", "Kenya")
    assert compact.rows(["RAIS", "missing"])[1].tolist() == [1, 0]


def test_tensors_and_words_make_the_same_vectors_again(model_path: Path, tmp_path: Path) -> None:
    compact = open_vectors(model_path).compact(KNOWN[:6], ngram_rows=50, word_rows=2)
    again = CompactVectors.from_tensors(compact.tensors(), list(compact.words))
    words = [*KNOWN, *UNSEEN]
    assert all(np.array_equal(a, b) for a, b in zip(compact.rows(words), again.rows(words), strict=True))
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(compact.tensors(), str(tmp_path / "t.safetensors"))
    loaded = CompactVectors.from_tensors(safetensors.load_file(str(tmp_path / "t.safetensors")), list(compact.words))
    assert np.array_equal(loaded.rows(words)[0], compact.rows(words)[0])


@pytest.mark.parametrize("change", ["shape", "type", "order", "missing", "kinds", "words", "twice", "settings"])
def test_tensors_that_do_not_fit_are_refused(model_path: Path, change: str) -> None:
    compact = open_vectors(model_path).compact(KNOWN[:6], ngram_rows=50, word_rows=0)
    tensors, words = compact.tensors(), list(compact.words)
    if change == "shape":
        tensors["ngrams"] = tensors["ngrams"][:, :-1]
    elif change == "type":
        tensors["rows"] = tensors["rows"].astype(np.float64)
    elif change == "order":
        tensors["buckets"] = tensors["buckets"][::-1]
    elif change == "missing":
        del tensors["settings"]
    elif change == "kinds":
        tensors["kinds"] = np.full_like(tensors["kinds"], 7)
    elif change == "settings":
        tensors["settings"] = np.array([3, 6, 2**40])
    else:
        words = words[:-1] if change == "words" else [*words[:-1], words[0]]
    with pytest.raises(ValueError, match="vectors"):
        CompactVectors.from_tensors(tensors, words)


def test_a_pruned_file_gives_its_words_their_rows_and_is_read_by_safetensors(model_path: Path, tmp_path: Path) -> None:
    summary = prune_vectors(model_path, [*KNOWN[:6], "Kampala"], tmp_path / "p.onomast", ngram_rows=211)
    assert (summary.words, summary.missing) == (7, 0) and str(tmp_path / "p.onomast") in str(summary)
    pruned, whole = open_vectors(tmp_path / "p.onomast"), open_vectors(model_path)
    asked = [*KNOWN[:6], "Kampala"]
    assert np.allclose(pruned.rows(asked)[0], whole.rows(asked)[0], rtol=2e-3, atol=1e-6)
    assert pruned.rows([*asked, "Mombasani"])[1].tolist() == whole.rows([*asked, "Mombasani"])[1].tolist()
    safetensors = pytest.importorskip("safetensors.numpy")
    assert safetensors.load_file(str(tmp_path / "p.onomast"))["rows"].shape == (7, 12)
    assert prune_vectors(text_file(tmp_path / "v"), ["Kenya", "no"], tmp_path / "q").missing == 1


def test_values_too_large_for_half_precision_stay_whole(tmp_path: Path) -> None:
    path = text_file(tmp_path / "v.vec", {"a": [1e6, 1.0, 2.0]})
    assert open_vectors(path).compact(["a"]).rows(["a"])[0].tolist() == [[1e6, 1.0, 2.0]]


# What users are told


def test_a_file_of_another_language_is_warned_of() -> None:
    assert coverage_warning(np.array([1] * 2 + [0] * 98, np.uint8)) is None
    warning = coverage_warning(np.array([1] + [0] * 49 + [2] * 50, np.uint8))
    assert warning is not None and "know 1 of 100 words" in warning and "50 more" in warning
    assert coverage_warning(np.array([0] * 3, np.uint8)) is None


def test_a_description_counts_words_ngrams_and_coverage(model_path: Path, tmp_path: Path) -> None:
    found = describe_vectors(model_path, ["Kenya", "Kenya", "Kampala", "kenya"])
    assert (found.width, found.words, found.asked, found.known, found.made) == (12, len(set(KNOWN)), 3, 1, 2)
    assert "2 to 5 characters, 211 buckets" in str(found) and "Kampala" in str(found)
    text = describe_vectors(text_file(tmp_path / "v.vec"), ["Kenya", "RAIS", "x"])
    assert (text.known, text.made, text.examples) == (2, 0, ("x",))
    assert "words outside the dictionary have no vector" in str(text)


# Training


def raw_file(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


LINES = [
    "Rais wa Kenya, Uhuru, alizuru mji wa Mombasa jana.",
    "Mji wa Nairobi ni mkuu. Serikali ya Kenya imesema hivyo leo.",
]


def test_excluded_sentences_are_cut_out_wherever_they_stand() -> None:
    cut = Exclusion([["Serikali", "ya", "Kenya", "imesema", "."], ["Ndiyo", "."], ["Kenya", "imeshinda", "tena", "!"]])
    line = ["Jana", ".", "Serikali", "ya", "Kenya", "imesema.", "Leo", "ni", "siku", "."]
    assert cut.remainders(line) == [["Jana", "."], ["Leo", "ni", "siku", "."]]
    assert cut.remainders(["Ndiyo."]) == []  # as a whole line
    assert cut.remainders(["Ndiyo.", "Karibu"]) == [["Ndiyo.", "Karibu"]]  # too short to be looked for inside
    assert cut.remainders(["Kenya", "imeshinda", "tena", "!!"]) == [["Kenya", "imeshinda", "tena", "!!"]]
    assert cut.remainders(["Kenya imeshinda", "tena!"] * 2) == []
    assert cut.dropped == 4
    assert Exclusion([]).remainders(["a"]) == [["a"]] and Exclusion([]).remainders([]) == []


def test_training_leaves_out_excluded_sentences_and_counts(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    raw = raw_file(tmp_path / "raw.txt", LINES * 10)
    packed = written(tmp_path / "more.gz", gzip.compress(b"Habari ya Kampala.\n\xff\xfe\n"))
    hidden = ["Mji", "wa", "Nairobi", "ni", "mkuu", "."]
    out = tmp_path / "v.bin"
    summary = train_vectors([raw, packed], out, exclude=[hidden], width=8, epochs=1, min_count=1, buckets=50)
    vectors = open_vectors(out)
    assert (summary.dropped, summary.skipped, summary.segmenter) == (10, 1, "unicode")
    assert summary.words == len(vectors.words) and vectors.width == 8
    assert "Nairobi" not in vectors.words and {"Serikali", "Kenya", ",", "Kampala"} <= set(vectors.words)
    assert "10 excluded sentences cut out" in str(summary) and "1 lines skipped" in str(summary)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.gz", "raw.txt", "v.bin"]


@pytest.mark.slow
def test_training_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    raw = raw_file(tmp_path / "raw.txt", LINES * 5)
    code = (
        "import sys; from onomast.vectors.train import train_vectors;"
        "train_vectors([sys.argv[1]], sys.argv[2], width=8, epochs=2, buckets=50, seed=int(sys.argv[3]))"
    )
    made = []
    for number, (hash_seed, seed) in enumerate((("1", "0"), ("2", "0"), ("2", "1"))):
        out = tmp_path / f"{number}.bin"
        environment = {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(raw), str(out), seed], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0 and done.stderr == b"", done.stderr
        made.append(out.read_bytes())
    assert made[0] == made[1] != made[2]


def test_training_without_ngrams_makes_a_file_without_buckets(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    raw = raw_file(tmp_path / "raw.txt", LINES * 5)
    train_vectors([raw], tmp_path / "v.bin", width=4, epochs=1, minn=1, maxn=0)
    vectors = open_vectors(tmp_path / "v.bin")
    assert vector_of(vectors, "Kenya") is not None and vector_of(vectors, "Kampala") is None


def test_text_already_cut_by_spaces_in_a_script_without_them_stays_so(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    raw = raw_file(tmp_path / "raw.txt", ["ရန်ကုန် မြို့တော် တွင် နေသည်"] * 5)
    summary = train_vectors([raw], tmp_path / "v.bin", width=4, epochs=1, buckets=20)
    assert summary.segmenter == "spaces" and "မြို့တော်" in open_vectors(tmp_path / "v.bin").words


def test_text_that_cannot_be_learnt_from_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    rare = raw_file(tmp_path / "rare.txt", ["kila neno mara moja"])
    broken = written(tmp_path / "b.gz", gzip.compress(b"neno " * 5000)[:-20])
    for paths, message in (
        ([rare], "no word that occurs 2 times"),
        ([broken], "the gzip file is damaged"),
        ([tmp_path / "x"], "there is no such file"),
    ):
        with pytest.raises(DataError, match=message):
            train_vectors(paths, tmp_path / "v.bin")
    with pytest.raises(OnomastError, match="epochs is 0"):
        train_vectors([rare], tmp_path / "v.bin", epochs=0)
    assert not (tmp_path / "v.bin").exists()


def test_an_unwritable_result_keeps_the_old_file(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    out = Path(shutil.copy(model_path, tmp_path / "v.bin"))

    def fail(_model: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fasttext, "save_facebook_model", fail)
    with pytest.raises(OSError, match="No space"):
        train_vectors([raw_file(tmp_path / "raw.txt", LINES * 3)], out, width=4, epochs=1)
    assert out.read_bytes() == model_path.read_bytes()
