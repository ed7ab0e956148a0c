"""Half of the tags of 500 Swahili sentences removed at random: marginalise over them, or take them for `O`?

    ONOMAST_DATA=DIR python -m benchmarks.partial_annotation.run

Rows are appended to rows.jsonl as they come, and a second run continues where the first was stopped; README.md is made
from them. Exit status 1 if marginalising is not better than `O`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.pages import write_page
from onomast import Corpus, OnomastError, evaluate, new_tagger, read, read_recipe
from onomast.experiments.results import pack_counts

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "rows.jsonl", HERE / "README.md"
COMMAND = "python -m benchmarks.partial_annotation.run"
MARGINALISED, OUTSIDE, ALL = "removed tags marginalised", "removed tags taken for O", "all tags"
SEEDS, BUDGET, KEPT = (0, 1), 500, 0.5


def corpus_of(system: str, seed: int, data: Path) -> Corpus:
    """The first sentences of a seeded shuffle, and the whole test file."""
    train, test = (tuple(read(data / "masakhaner2" / "swa" / f"{split}.txt")) for split in ("train", "test"))
    corpus = Corpus("swa", train, test=test).sample(BUDGET, seed)
    if system == ALL:
        return corpus
    draw = random.Random(seed)
    other = None if system == MARGINALISED else "O"
    partial = [s.tagged([tag if draw.random() < KEPT else other for tag in s.tags or ()]) for s in corpus.train]
    return dataclasses.replace(corpus, train=tuple(partial))


def row_of(system: str, seed: int, data: Path) -> dict[str, Any]:
    """Train, tag the bare test sentences, score."""
    corpus = corpus_of(system, seed, data)
    tagger = new_tagger(read_recipe("small", {"seed": str(seed)}))
    began = time.perf_counter()
    tagger.fit(dataclasses.replace(corpus, test=()))
    seconds = time.perf_counter() - began
    report = evaluate(corpus.test, tagger.tag([sentence.bare() for sentence in corpus.test]))
    return {
        "system": system,
        "seed": seed,
        "f1": report.micro.f1,
        "counts": pack_counts(report.counts.sum(axis=1)),
        "seconds": round(seconds, 1),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over seeds, lowest and highest."""
    lines = [
        "## Results",
        "",
        f"F1 in percent (exact match of entities, micro-averaged): mean over seeds {', '.join(map(str, SEEDS))}",
        "(lowest to highest).",
        "",
        "| training tags | F1 | seconds |",
        "| --- | --- | --- |",
    ]
    for system in (MARGINALISED, OUTSIDE, ALL):
        runs = [row for row in rows if row["system"] == system]
        if runs:
            f1 = [100 * run["f1"] for run in runs]
            seconds = mean(run["seconds"] for run in runs)
            lines.append(f"| {system} | {mean(f1):.1f} ({min(f1):.1f} to {max(f1):.1f}) | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> int:
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds masakhaner2/")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
    known = {(row["system"], row["seed"]) for row in rows}
    for system, seed in itertools.product((MARGINALISED, OUTSIDE, ALL), SEEDS):
        if (system, seed) not in known:
            rows.append(row_of(system, seed, Path(data)))
            with ROWS.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[-1]) + "\n")
            print(f"{system}, seed {seed}: {rows[-1]['f1']:.3f}", file=sys.stderr, flush=True)
    write_page(PAGE, table(rows), COMMAND)
    marginalised, outside = (
        mean(row["f1"] for row in rows if row["system"] == system) for system in (MARGINALISED, OUTSIDE)
    )
    return 0 if marginalised > outside else 1


if __name__ == "__main__":
    sys.exit(main())
