"""Peak memory and speed of `onomast tag` on large files; exit status 1 if a run takes more than 500 MB.

Three files are made from a shipped sample, one word in ten replaced by a word that occurs nowhere else (so that
nothing can be remembered): a labelled file of a million sentences, the same as raw text, and raw text without a line
break. Each is tagged by a process of its own, whose peak resident memory the system reports.

    python -m benchmarks.bulk_memory.run
    python -m benchmarks.bulk_memory.run --sentences 50000 --megabytes 20
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LIMIT = 500.0  # MB
SAMPLE = "sample:swahili-news/train"
SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvwyz" for vowel in "aeiou"]


def sample_sentences() -> list[list[str]]:
    from onomast.data.catalogue import resolve

    blocks = resolve(SAMPLE).read_text(encoding="utf-8").strip().split("\n\n")
    rows = [[line.split("\t") for line in block.split("\n") if not line.startswith("#")] for block in blocks]
    return [[row[0] for row in block] for block in rows if block]


def sentences(number: int) -> Iterator[list[str]]:
    """`number` sentences: those of the sample again and again, with made-up words in them."""
    draw = random.Random(0)
    known = sample_sentences()
    for index in range(number):
        yield [
            "".join(draw.choices(SYLLABLES, k=4)).capitalize() if draw.random() < 0.1 else word
            for word in known[index % len(known)]
        ]


def write_files(folder: Path, number: int, megabytes: int) -> list[tuple[str, Path, list[str]]]:
    """What each file is, its path, and the options that tag it."""
    columns, raw, line = folder / "columns.conll", folder / "raw.txt", folder / "line.txt"
    with columns.open("w", encoding="utf-8") as tokens, raw.open("w", encoding="utf-8") as text:
        for words in sentences(number):
            tokens.write("".join(f"{word}\tO\n" for word in words) + "\n")
            text.write(" ".join(words) + "\n")
    with line.open("w", encoding="utf-8") as text:
        for words in sentences(sys.maxsize):
            text.write(" ".join(words) + " ")
            if text.tell() >= megabytes * 1_000_000:
                break
    read = ["--read", "columns", "--columns", "token tag"]
    return [
        (f"{number:,} sentences, columns", columns, read),
        (f"{number:,} lines of raw text", raw, []),
        (f"raw text, one line of {megabytes} MB", line, []),
    ]


def run(arguments: list[str]) -> tuple[str, float]:
    """What the command said, and its peak resident memory in MB."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "onomast.cli", *arguments]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, encoding="utf-8")
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(arguments)} failed: {said}")
    return said, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1_000_000, help="sentences of the first two files")
    parser.add_argument("--megabytes", type=int, default=200, help="size of the third")
    parser.add_argument("--format", default="jsonl", help="what is written")
    options = parser.parse_args()
    highest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model")
        run(["train", SAMPLE, "--recipe", "crf", "--out", str(model)])
        print(f"{'file':36} {'tokens':>12} {'seconds':>9} {'tokens/s':>9} {'peak MB':>8}")
        for title, path, read in write_files(Path(folder), options.sentences, options.megabytes):
            out = ["--out", str(path.with_suffix(".out")), "--format", options.format]
            said, peak = run(["tag", str(model), str(path), *read, *out])
            found = re.search(r"([\d,]+) tokens, .* in ([\d.]+) s", said)
            if found is None:
                sys.exit(f"not understood: {said}")
            tokens, seconds = int(found[1].replace(",", "")), float(found[2])
            print(f"{title:36} {tokens:12,} {seconds:9.1f} {tokens / seconds:9,.0f} {peak:8.0f}", flush=True)
            highest = max(highest, peak)
    print(f"highest peak: {highest:.0f} MB; limit: {LIMIT:.0f} MB")
    sys.exit(1 if highest > LIMIT else 0)


if __name__ == "__main__":
    main()
