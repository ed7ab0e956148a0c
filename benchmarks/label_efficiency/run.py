"""How good is each system after B labelled sentences? MasakhaNER 2.0, several budgets and seeds, whole test files.

    ONOMAST_DATA=DIR python -m benchmarks.label_efficiency.run [--methods M ...] [--jobs 2]

One row for each method, language, budget and seed is appended to rows.jsonl as soon as it is known; a second run
continues where the first was stopped. A row is used only while the method's recipe or script is unchanged. The tables
in README.md and the figures f1.png and f1.svg are made from the rows. Exit status 1 if a claim in CLAIMS is not met.

To add a system, see methods.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.label_efficiency.methods import METHODS, Cell
from benchmarks.label_efficiency.picture import draw
from benchmarks.label_efficiency.table import Claim, Threshold, check_claim, check_threshold, differences, render
from benchmarks.pages import write_page
from benchmarks.peers.environments import REQUIREMENTS, python_of
from onomast import Corpus, OnomastError, evaluate, read
from onomast.experiments.results import pack_counts

HERE = Path(__file__).resolve().parent
ROWS, PAGE, PICTURE = HERE / "rows.jsonl", HERE / "README.md", HERE / "f1"
COMMAND = "python -m benchmarks.label_efficiency.run"
DRAWN = ("sklearn-crfsuite", "onomast crf", "onomast small", "onomast transfer")
LANGUAGES = {"hau": "Hausa", "swa": "Swahili", "yor": "Yoruba", "kin": "Kinyarwanda", "lug": "Luganda", "zul": "Zulu"}
BUDGETS = (100, 250, 500, 1000, 2000)
SEEDS = (0, 1, 2)
CLAIMS = (
    Claim("onomast crf", "sklearn-crfsuite", 3.0, 0.5),
    Claim("onomast transfer", "onomast crf", 0.0, 0.0),
    Claim("onomast transfer", "onomast small", 0.0, 0.0),
)
THRESHOLDS = (
    Threshold("onomast small", "swa", 100, 64.5),
    Threshold("onomast small", "swa", 500, 80),
    Threshold("onomast small", "hau", 100, 44),
    Threshold("onomast small-vectors", "swa", 100, 74),
    Threshold("onomast small-vectors", "swa", 500, 83.5),
    Threshold("onomast small-vectors", "hau", 100, 51),
    Threshold("onomast transfer", "hau", 100, 62),
    Threshold("onomast transfer", "hau", 500, 68.5),
    Threshold("onomast transfer", "swa", 100, 76),
    Threshold("onomast transfer-vectors", "swa", 100, 80),
    Threshold("onomast transfer-vectors", "hau", 100, 70),
)


@lru_cache(maxsize=8)
def corpus_of(data: Path, language: str) -> Corpus:
    """All training and test sentences of a language."""
    folder = data / "masakhaner2" / language
    train, test = (tuple(read(folder / f"{split}.txt")) for split in ("train", "test"))
    return Corpus(language, train, test=test)


def run_cell(data: Path, name: str, language: str, budget: int, seed: int) -> dict[str, Any]:
    """Run one method on one cell; return its row."""
    method = METHODS[name]()
    whole = corpus_of(data, language)
    cell = Cell(language, budget, seed, whole.sample(budget, seed))
    with tempfile.TemporaryDirectory() as folder:
        outcome = method.run(cell, Path(folder))
    report = evaluate(whole.test, outcome.predicted)
    return {
        "method": method.name,
        "sources": method.sources,
        "language": language,
        "budget": budget,
        "seed": seed,
        "f1": report.micro.f1,
        "counts": pack_counts(report.counts.sum(axis=1)),
        "signature": report.signature,
        "test_sentences": len(whole.test),
        "seconds": {step: round(seconds, 3) for step, seconds in outcome.seconds.items()},
        "versions": dict(method.versions),
        "fingerprint": method.fingerprint,
    }


def run_all(arguments: argparse.Namespace, data: Path) -> None:
    """Run what has no row yet, `jobs` at a time, and append each row as it comes."""
    known = {_key(row) for row in rows_of(ROWS)}
    todo = []
    for name in arguments.methods:
        method = METHODS[name]()
        for cell in itertools.product(arguments.languages, arguments.budgets, arguments.seeds):
            if (method.name, *cell, method.fingerprint) not in known:
                todo.append((name, *cell))
    for environment in {name for name, *_ in todo} & REQUIREMENTS.keys():
        python_of(environment)  # once, before the processes start
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool, ROWS.open("a", encoding="utf-8") as out:
        runs = [pool.submit(run_cell, data, *cell) for cell in todo]
        for number, done in enumerate(as_completed(runs), start=1):
            row = done.result()
            out.write(json.dumps(row) + "\n")
            out.flush()
            cell_name = f"{row['method']} {row['language']} {row['budget']} seed {row['seed']}"
            print(f"{number}/{len(runs)} {cell_name}: {row['f1']:.3f}", file=sys.stderr, flush=True)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """All rows, the last one of each run; a last line cut short by a stop is passed over."""
    if not path.is_file():
        return []
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[_key(row)] = row
    return list(found.values())


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["method"], row["language"], row["budget"], row["seed"], row["fingerprint"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of one thread")
    parser.add_argument("--table", action="store_true", help="only make the table and picture of the rows there are")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if not arguments.table:
        data = os.environ.get("ONOMAST_DATA")
        if not data:
            raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds masakhaner2/")
        run_all(arguments, Path(data).resolve())
    methods = [make() for make in METHODS.values()]
    current = {(method.name, method.fingerprint) for method in methods}
    rows = [row for row in rows_of(ROWS) if (row["method"], row["fingerprint"]) in current]
    verdicts = [line for claim in CLAIMS for line in check_claim(claim, rows)]
    verdicts += [line for threshold in THRESHOLDS for line in check_threshold(threshold, rows)]
    text = render(rows, [(method.name, method.sources, method.versions) for method in methods])
    text += differences("onomast transfer", ("onomast small", "onomast crf"), rows)
    text += "".join(f"\n- Claim {line}" for line in verdicts)
    write_page(PAGE, text, COMMAND)
    draw(rows, DRAWN, LANGUAGES, PICTURE)
    print("\n".join(verdicts))
    return 1 if any(line.startswith("NOT MET") for line in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
