"""Damaged files for every reader: only sentences or a DataError, in bounded time and memory.

6,000 cases in the form that CI runs; ONOMAST_FUZZ=1000000 for the nightly one, ONOMAST_FUZZ_SEED for another draw. The
files are made up here: one of each format, damaged by a seeded generator (which is faster than hypothesis by far, and
names a failing case by its number).
"""

from __future__ import annotations

import gzip
import os
import random
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from onomast.data.formats.registry import READERS, read_file, write
from onomast.errors import DataError, MissingExtra
from onomast.sentence import Sentence

CASES = int(os.environ.get("ONOMAST_FUZZ", "6000"))
SEED = int(os.environ.get("ONOMAST_FUZZ_SEED", "0"))
SECONDS = 1.0  # for a file of up to a kilobyte, and for each further one
SLOW = {"docbin", "parquet"}  # libraries that need milliseconds a file: a fiftieth of the cases
SENTENCES = [
    Sentence(("Asha", "Juma", "yuko", "Łódź", "."), ("B-PER", "I-PER", "O", "B-LOC", "O"), label="x", language="swa"),
    Sentence(("မြို့", "😀", "U.S."), ("B-LOC", "O", "B-LOC"), pos=("NOUN", "X", "PROPN")),
]
PIECES = [
    b"\n", b"\n\n", b"\t", b" ", b"\0", b"\r", b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"-1", b"1e999",
    b"\xff",
    b"\xef\xbb\xbf", b"B-", b"I-LOC", b"O", b"# text = ", b"1-2", b"\xed\xa0\x80", b"9" * 30, b"NaN", b"<",
    b"T1\tX 0 5\tx",
    b"\xe2\x80\x8b", b'"start":', b'"spans":', b'"tokens":', b"-DOCSTART-", b"_", b"|", b";", b"\\ud800",
]  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A copy with one to six changes: bytes flipped, parts cut, doubled, swapped, or strewn with odd pieces."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        place, other = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == 1:
            del data[place : min(other, place + 40)]
        elif kind == 2:
            data[place:place] = data[place : min(other, place + 200)]
        elif kind == 3:
            data[place:place] = rng.choice(PIECES) * rng.choice((1, 1, 1, 2, 30))
        elif kind == 4:
            del data[place:]
        else:
            data[place : place + 1] = bytes([rng.randrange(256)])
    return bytes(data[:20_000])


def seeds(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Of each reader: the name of a file, and its content."""
    made: dict[str, tuple[str, bytes]] = {}
    suffixes = {"brat": ".ann", "parquet": ".parquet", "docbin": ".docbin"}
    for name in READERS:
        path = folder / f"seed{suffixes.get(name, '.txt')}"
        try:
            write(SENTENCES, path, format=name)
        except MissingExtra:
            continue
        except DataError:  # a format without a writer
            path.write_text("Asha B-PER\nyuko T-0\nLamu O\n\n", "utf-8")
        made[name] = (path.name, path.read_bytes())
    made["gzip"] = ("seed.gz", gzip.compress(made["columns"][1]))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", [*READERS, "gzip"])
def test_damaged_files_end_in_sentences_or_one_error(name: str, tmp_path: Path) -> None:
    known = seeds(tmp_path)
    if name not in known:
        pytest.skip("its library is not installed")
    file, content = known[name]
    others = [other for _, other in known.values()]
    rng = random.Random(f"{SEED} {name}")
    cases = CASES // len(known) // (50 if name in SLOW else 1)
    path = tmp_path / file
    for number in range(cases):
        data = damaged(content if rng.random() < 0.9 else rng.choice(others), rng)
        path.write_bytes(data)
        read: Callable[[], object] = lambda: read_file(path, format=None if number % 2 or name == "gzip" else name)  # noqa: B023, E731
        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # libraries warn of what they read
                read()
        except DataError as error:
            said = str(error)
            if len(said) > 10_000:
                raise AssertionError(f"case {number} of {name}: a message without end") from error
        except Exception as error:
            raise AssertionError(f"case {number} of {name}: {type(error).__name__}: {error}; file: {data!r}") from error
        assert time.process_time() - began < SECONDS * (1 + len(data) / 1024), (number, data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3_000_000, "kilobytes; libraries are loaded in it, too"
