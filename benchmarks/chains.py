"""Hindi's labels for Telugu: chains against joint training, tokens as written or in one script. IL-NER.

    ONOMAST_DATA=DIR python benchmarks/chains.py [--jobs 2]

100 and 500 Telugu sentences (a seeded shuffle), up to 2,500 Hindi ones, the Telugu test file without sentences that
stand in a training file of either language. Rows go to chains.jsonl as they come, and a second run goes on where the
first was stopped; chains.md is made from them. Nothing is claimed: the question is what comes out.
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
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from intervals import difference, mean_and_interval, pack
from onomast import Corpus, OnomastError, evaluate, new_tagger, read, read_recipe

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "chains.jsonl", HERE / "chains.md"
SEEDS, BUDGETS = (0, 1, 2), (100, 500)
SCRIPTS = {"": "as written", "deva": "Devanagari"}
LIMIT = {"sources.limit": "2500"}
STEPS = {"neural.training.steps": "1500"}
CHAIN = '[{corpus = ["sources"], steps = 1100}, {corpus = ["target"], steps = 400}]'
SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    "Telugu alone": ("small", {}),
    "Hindi, then Telugu": ("transfer", {**LIMIT, "stage": CHAIN}),
    "Hindi and Telugu jointly, mu falling": ("transfer", {**LIMIT, **STEPS}),
    "Hindi alone (zero-shot)": ("transfer", {**LIMIT, "stage": '[{corpus = ["sources"], steps = 1100}]'}),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One system in one script, with one sample of the target's sentences."""

    system: str
    script: str
    budget: int
    seed: int


def runs() -> list[Run]:
    """All of them; those that all budgets share once."""
    every = itertools.product(SYSTEMS, SCRIPTS, BUDGETS, SEEDS)
    return [Run(*one) for one in every if "zero-shot" not in one[0] or one[2] == BUDGETS[0]]


def corpus_of(run: Run, data: Path) -> Corpus:
    """Target sentences, the Hindi source, and the test sentences that no training file has."""
    hindi, telugu, test = (
        tuple(dataclasses.replace(one, language=name[:2].lower()) for one in read(data / "ilner" / f"{name}.txt"))
        for name in ("Hindi-train", "Telugu-train", "Telugu-test")
    )
    seen = {sentence.tokens for sentence in (*hindi, *telugu)}
    clean = tuple(sentence for sentence in test if sentence.tokens not in seen)
    corpus = Corpus("telugu", telugu, test=clean).sample(run.budget, run.seed)
    if "Hindi" not in run.system:
        return corpus
    return dataclasses.replace(corpus, sources=(Corpus("hindi", hindi),))


def row_of(run: Run, data: Path) -> dict[str, Any]:
    """Train, tag the bare test sentences, score."""
    corpus = corpus_of(run, data)
    name, changes = SYSTEMS[run.system]
    tagger = new_tagger(read_recipe(name, {**changes, "script": run.script, "seed": str(run.seed)}))
    began = time.perf_counter()
    tagger.fit(dataclasses.replace(corpus, test=()))
    seconds = time.perf_counter() - began
    report = evaluate(corpus.test, tagger.tag([sentence.bare() for sentence in corpus.test]))
    return {
        **dataclasses.asdict(run),
        "f1": report.micro.f1,
        "test_sentences": len(corpus.test),
        "counts": pack(report),
        "seconds": round(seconds, 1),
    }


def page(rows: list[dict[str, Any]]) -> str:
    """Means over seeds with intervals; every system against Telugu alone, every script against the original one."""
    cells: dict[tuple[str, str, int], list[str]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        cells.setdefault((row["system"], row["script"], row["budget"]), []).append(row["counts"])
    sizes = ", ".join(sorted({str(row["test_sentences"]) for row in rows}))
    lines = [
        "# Hindi's labels for Telugu",
        "",
        f"Made by `python benchmarks/chains.py`; do not edit. IL-NER, {sizes} Telugu test sentences (those that stand",
        f"in a training file left out); F1 in percent, mean over seeds {', '.join(map(str, SEEDS))}, with the 95 %",
        "interval of drawing test sentences anew (the same draws for both sides of a difference; seeds as they are).",
        "Recipes small (Telugu alone) and transfer, but with 1,500 steps in all; zero-shot 1,100.",
        "",
        "| system | script | B | F1 | against Telugu alone, same script | against the script as written |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (system, script, budget), packed in cells.items():
        mean, low, high = mean_and_interval(packed)
        alone = cells.get(("Telugu alone", script, budget), []) if system != "Telugu alone" else []
        written = cells.get((system, "", budget), []) if script else []
        shown = [_difference(packed, other) for other in (alone, written)]
        lines.append(
            f"| {system} | {SCRIPTS[script]} | {budget if 'zero' not in system else 0} | "
            f"{mean:.1f} [{low:.1f}, {high:.1f}] | {shown[0]} | {shown[1]} |"
        )
    return "\n".join(lines) + "\n"


def _difference(packed: list[str], other: list[str]) -> str:
    if len(packed) != len(other):
        return ""
    mean, low, high, _ = difference(packed, other)
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of one thread")
    arguments = parser.parse_args()
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder of real corpora")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
    known = {tuple(row[field.name] for field in dataclasses.fields(Run)) for row in rows}
    todo = [run for run in runs() if dataclasses.astuple(run) not in known]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool, ROWS.open("a", encoding="utf-8") as out:
        started = [pool.submit(row_of, run, Path(data)) for run in todo]
        for number, done in enumerate(as_completed(started), start=1):
            rows.append(done.result())
            out.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
            out.flush()
            print(f"{number}/{len(todo)} {rows[-1]['system']}: {rows[-1]['f1']:.3f}", file=sys.stderr, flush=True)
    order = {dataclasses.astuple(run): place for place, run in enumerate(runs())}
    rows.sort(key=lambda row: order[tuple(row[field.name] for field in dataclasses.fields(Run))])
    PAGE.write_text(page(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
