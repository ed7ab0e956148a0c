"""A source without a label: is its O better taken as unknown than as O? English without DATE for Swahili and Hausa.

    ONOMAST_DATA=DIR python benchmarks/label_sets.py [--jobs 2]

100 target sentences of MasakhaNER 2.0 (a seeded shuffle), whose DATEs are annotated, and English ones of CoNLL-2003,
where they are not. The two ways to join them differ in nothing else: English MISC is not annotated in both. Rows go to
label_sets.jsonl as they come, and a second run goes on where the first was stopped; label_sets.md is made from them.
Exit status 1 unless DATE recall rises in both targets by more than chance.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from intervals import DRAWS, pack, unpack
from onomast import Corpus, OnomastError, evaluate, new_tagger, read, read_recipe

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "label_sets.jsonl", HERE / "label_sets.md"
TARGETS = {"swa": "Swahili", "hau": "Hausa"}
SEEDS, BUDGET = (0, 1, 2), 100
OPEN, CLOSED = "English, O may be DATE", "English, O is O"
STEPS = {"neural.training.steps": "1000"}  # fewer than for many sources
SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    "target alone": ("small", {}),
    CLOSED: ("transfer", {**STEPS, "sources.missing": "outside"}),
    OPEN: ("transfer", STEPS),
}
FIGURES = ("recall of DATE", "F1 of DATE", "F1")
Drawn = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Run:
    """One way to join, with one sample of a target's sentences."""

    target: str
    system: str
    seed: int


def runs() -> list[Run]:
    """Seed by seed."""
    return [Run(target, system, seed) for seed, target, system in itertools.product(SEEDS, TARGETS, SYSTEMS)]


def corpus_of(run: Run, data: Path) -> Corpus:
    """The target's sentences and, for two of the systems, the English ones in its label set."""
    train, test = (
        tuple(dataclasses.replace(one, language=run.target) for one in read(data / "masakhaner2" / run.target / name))
        for name in ("train.txt", "test.txt")
    )
    corpus = Corpus(run.target, train, test=test).sample(BUDGET, run.seed)
    if run.system == "target alone":
        return corpus
    english = tuple(dataclasses.replace(one, language="eng") for one in read(data / "conll2003_en" / "eng.train"))
    return dataclasses.replace(corpus, sources=(Corpus("english", english),))


def row_of(run: Run, data: Path) -> dict[str, Any]:
    """Train, tag the bare test sentences, score."""
    corpus = corpus_of(run, data)
    recipe, changes = SYSTEMS[run.system]
    tagger = new_tagger(read_recipe(recipe, {**changes, "seed": str(run.seed)}))
    began = time.perf_counter()
    tagger.fit(dataclasses.replace(corpus, test=()))
    seconds = time.perf_counter() - began
    report = evaluate(corpus.test, tagger.tag([sentence.bare() for sentence in corpus.test]))
    return {
        **dataclasses.asdict(run),
        "f1": report.micro.f1,
        "date_recall": report.label_scores["DATE"].recall,
        "counts": pack(report),
        "date_counts": pack(report, "DATE"),
        "seconds": round(seconds, 1),
    }


def drawn(rows: Sequence[dict[str, Any]], figure: str) -> Drawn:
    """(1 + DRAWS,) mean of a figure over seeds, in percent: of the test sentences as they are, then of each draw."""
    packed = [row["date_counts" if "DATE" in figure else "counts"] for row in rows]
    counts: Any = np.stack([unpack(text) for text in packed])  # (seeds, sentences, 3)
    size = counts.shape[1]
    draws = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), size=DRAWS)
    weights = np.concatenate([np.ones((1, size), np.int64), draws])  # (1 + DRAWS, sentences)
    sums = np.einsum("ds,rsc->rdc", weights, counts)  # (seeds, 1 + DRAWS, 3)
    right, found, wanted = sums[..., 0], sums[..., 1], sums[..., 2]
    if figure.startswith("recall"):
        shares: Drawn = 100 * right / np.maximum(wanted, 1)
    else:
        shares = 200 * right / np.maximum(found + wanted, 1)
    return shares.mean(0)


def shown(values: Drawn, form: str) -> str:
    """A figure with the middle 95 % of its draws."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return f"{values[0]:{form}} [{low:{form}}, {high:{form}}]"


def cells_of(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each target and system; both sides of a difference have the seeds in the same order."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["target"], row["system"]), []).append(row)
    return cells


def page(rows: list[dict[str, Any]]) -> str:
    """Each system's figures, then what leaving DATE open changes."""
    lines = [
        "# A source that lacks a label",
        "",
        "Made by `python benchmarks/label_sets.py`; do not edit. MasakhaNER 2.0, whole test files; "
        f"{BUDGET} target sentences;",
        "English is CoNLL-2003, which annotates no DATE; recipe transfer with 1,000 steps. Percent, mean over seeds "
        f"{', '.join(map(str, SEEDS))}, with the 95 % interval of drawing",
        f"test sentences anew ({DRAWS:,} times, the same draws for both sides of a difference; seeds as they are).",
        "",
        f"| target | system | recipe | {' | '.join(FIGURES)} | recall of DATE by seed | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    cells = cells_of(rows)
    for (target, system), members in cells.items():
        figures = " | ".join(shown(drawn(members, figure), ".1f") for figure in FIGURES)
        seeds = ", ".join(f"{100 * member['date_recall']:.1f}" for member in members)
        seconds = sum(member["seconds"] for member in members) / len(members)
        lines.append(f"| {TARGETS[target]} | {system} | {SYSTEMS[system][0]} | {figures} | {seeds} | {seconds:.0f} |")
    lines += ["", f"## {OPEN} less {CLOSED}", "", f"| target | {' | '.join(FIGURES)} |", "| --- | --- | --- | --- |"]
    for target, name in TARGETS.items():
        if all(len(cells.get((target, system), ())) == len(SEEDS) for system in (OPEN, CLOSED)):
            gains = (gain(cells, target, figure) for figure in FIGURES)
            lines.append(f"| {name} | {' | '.join(shown(values, '+.1f') for values in gains)} |")
    return "\n".join(lines) + "\n"


def gain(cells: dict[tuple[str, str], list[dict[str, Any]]], target: str, figure: str) -> Drawn:
    """(1 + DRAWS,) what taking O as unknown adds to a figure, draw by draw."""
    return drawn(cells[target, OPEN], figure) - drawn(cells[target, CLOSED], figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of one thread")
    arguments = parser.parse_args()
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder of real corpora")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
    known = {(row["target"], row["system"], row["seed"]) for row in rows}
    todo = [run for run in runs() if dataclasses.astuple(run) not in known]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool, ROWS.open("a", encoding="utf-8") as out:
        started = [pool.submit(row_of, run, Path(data)) for run in todo]
        for number, done in enumerate(as_completed(started), start=1):
            row = done.result()
            rows.append(row)
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()
            said = f"{row['target']}, {row['system']}, seed {row['seed']}: DATE recall {row['date_recall']:.3f}"
            print(f"{number}/{len(todo)} {said}, F1 {row['f1']:.3f}", file=sys.stderr, flush=True)
    rows.sort(key=lambda row: (list(TARGETS).index(row["target"]), list(SYSTEMS).index(row["system"]), row["seed"]))
    PAGE.write_text(page(rows), encoding="utf-8")
    cells = cells_of(rows)
    surely = [np.percentile(gain(cells, target, "recall of DATE")[1:], 2.5) > 0 for target in TARGETS]
    return 0 if all(surely) else 1


if __name__ == "__main__":
    sys.exit(main())
