"""Does `onomast transfer rank` put the sources first that help most? Every source beside every target, trained once.

    ONOMAST_DATA=DIR python -m benchmarks.ranking.run [--matrix test] [--jobs 1]

The matrix `test` trains a neural tagger on 100 sentences of a target and 2,000 of one source, and scores it on the
whole test file. The matrix `weights` is the one that the weights of the features were chosen by: other targets, dev
files, the linear tagger. Rows are appended to rows.jsonl as they come, and a second run continues where the first was
stopped; README.md is made from them. Exit status 1 if a claim is not met.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.pages import write_page
from benchmarks.ranking.table import Column, page, verdicts
from onomast import Corpus, OnomastError, Recipe, evaluate, new_tagger, read, read_recipe
from onomast.data.transfer.ranking import rank
from onomast.recipe import essence

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "rows.jsonl", HERE / "README.md"
COMMAND = "python -m benchmarks.ranking.run"
BUDGET = 100
NONE = "none"  # the target's sentences alone
LANGUAGES = ("hau", "ibo", "kin", "lug", "luo", "nya", "pcm", "sna", "swa", "wol", "yor", "zul")  # MasakhaNER 2.0
FILES = {
    **{name: f"masakhaner2/{name}/train.txt" for name in LANGUAGES},
    "eng": "conll2003_en/eng.train",
    "amh": "masakhaner1/amh/train.txt",
}


@dataclass(frozen=True)
class Matrix:
    """Targets, sources, and how a pair is trained and scored."""

    name: str
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    recipe: str
    changes: Mapping[str, str]
    limit: int
    """Sentences of a source."""
    repeats: int
    """How often the linear tagger sees a target sentence; the neural one draws a batch of either in each step."""
    split: str
    tested: int
    """Sentences of the scored file; 0: all."""

    @property
    def settings(self) -> Recipe:
        return read_recipe(self.recipe, self.changes)

    @property
    def fingerprint(self) -> str:
        """Rows of other settings do not count."""
        recipe = json.dumps(essence(self.settings), sort_keys=True)
        text = f"{recipe} {self.limit} {self.repeats} {self.split} {self.tested}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


MATRICES = {
    "test": Matrix(
        name="test",
        targets=("hau", "kin", "swa", "yor"),
        sources=("ibo", "lug", "luo", "nya", "pcm", "sna", "wol", "zul", "eng"),
        recipe="transfer",
        changes={"neural.training.steps": "600", "sources.limit": "0"},  # fewer steps than for many sources
        limit=2000,
        repeats=1,
        split="test",
        tested=0,
    ),
    "weights": Matrix(
        name="weights",
        targets=("ibo", "luo", "nya", "pcm", "sna", "wol"),
        sources=(*LANGUAGES, "eng", "amh"),
        recipe="crf",
        changes={"linear.algorithm": "ap", "linear.max_iterations": "12"},
        limit=1000,
        repeats=4,
        split="dev",
        tested=600,
    ),
}


@lru_cache(maxsize=16)
def source_of(name: str, limit: int, data: Path) -> Corpus:
    """A seeded sample of the training file."""
    corpus = Corpus(name, tuple(read(data / FILES[name], language=name)))
    return corpus.sample(min(limit, len(corpus.train)))


@lru_cache(maxsize=4)
def target_of(name: str, split: str, data: Path) -> Corpus:
    """The first sentences of a seeded shuffle of the training file, and the file to score on."""
    train, test = (tuple(read(data / "masakhaner2" / name / f"{part}.txt", language=name)) for part in ("train", split))
    return Corpus(name, train, test=test).sample(BUDGET)


def run_cell(matrix: Matrix, target_name: str, source_name: str, data: Path) -> dict[str, Any]:
    """Train one tagger and score it."""
    target = target_of(target_name, matrix.split, data)
    learned = dataclasses.replace(target, test=())
    if source_name != NONE:
        source = source_of(source_name, matrix.limit, data)
        if matrix.settings.tagger == "linear":
            learned = learned.join(*[learned] * (matrix.repeats - 1), source)
        else:
            learned = dataclasses.replace(learned, sources=(source,))
    gold = target.test[: matrix.tested or None]
    tagger = new_tagger(matrix.settings)
    began = time.perf_counter()
    tagger.fit(learned)
    seconds = time.perf_counter() - began
    report = evaluate(gold, tagger.tag([sentence.bare() for sentence in gold]))
    return {
        "matrix": matrix.name,
        "target": target_name,
        "source": source_name,
        "f1": round(report.micro.f1, 5),
        "seconds": round(seconds, 1),
        "fingerprint": matrix.fingerprint,
    }


def rows_of(matrix: Matrix) -> list[dict[str, Any]]:
    """The rows of a matrix as it is now; a last line cut short by a stop is passed over."""
    found = {}
    for line in ROWS.read_text(encoding="utf-8").splitlines() if ROWS.is_file() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (row["matrix"], row["fingerprint"]) == (matrix.name, matrix.fingerprint):
            found[row["target"], row["source"]] = row
    return list(found.values())


def run_all(matrix: Matrix, data: Path, jobs: int) -> None:
    """Run what is not known yet, target by target."""
    known = {(row["target"], row["source"]) for row in rows_of(matrix)}
    cells = [
        (target, source)
        for target in matrix.targets
        for source in (NONE, *matrix.sources)
        if source != target and (target, source) not in known
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool, ROWS.open("a", encoding="utf-8") as out:
        runs = [pool.submit(run_cell, matrix, *cell, data) for cell in cells]
        for number, done in enumerate(as_completed(runs), start=1):
            row = done.result()
            out.write(json.dumps(row) + "\n")
            out.flush()
            print(
                f"{number}/{len(runs)} {row['target']} + {row['source']}: {row['f1']:.3f}",
                file=sys.stderr,
                flush=True,
            )


def columns_of(matrix: Matrix, data: Path) -> list[Column]:
    """Each target that is complete: its sources in the order of `transfer rank`, with the F1 measured."""
    rows = rows_of(matrix)
    columns = []
    for target in matrix.targets:
        f1 = {row["source"]: 100 * row["f1"] for row in rows if row["target"] == target}
        sources = [source for source in matrix.sources if source != target]
        if not {NONE, *sources} <= set(f1):
            continue
        ranking = rank(
            target_of(target, matrix.split, data), [source_of(source, matrix.limit, data) for source in sources]
        )
        columns.append(Column(target, tuple(ranking), f1, f1[NONE]))
    return columns


def system_of(matrix: Matrix, rows: Sequence[Mapping[str, Any]]) -> str:
    """What was trained, in a sentence."""
    seconds = sorted(row["seconds"] for row in rows)
    middle = f"; a run took {seconds[len(seconds) // 2]:.0f} s (median)" if seconds else ""
    changes = "".join(f", {key} = {value}" for key, value in matrix.changes.items())
    scored = f"the first {matrix.tested} sentences of the {matrix.split}" if matrix.tested else f"the {matrix.split}"
    return (
        f"Recipe `{matrix.recipe}`{changes}; {BUDGET} target sentences and at most {matrix.limit:,} of one source, one "
        f"seed, scored on {scored} file{middle}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", choices=MATRICES, default="test", help="what to run")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of one thread")
    parser.add_argument("--table", action="store_true", help="only make the page of the rows there are")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if not os.environ.get("ONOMAST_DATA"):
        raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds masakhaner2/")
    data = Path(os.environ["ONOMAST_DATA"]).resolve()
    if not arguments.table:
        run_all(MATRICES[arguments.matrix], data, arguments.jobs)
    columns = {name: columns_of(matrix, data) for name, matrix in MATRICES.items()}
    systems = {name: system_of(matrix, rows_of(matrix)) for name, matrix in MATRICES.items()}
    write_page(PAGE, page(columns, systems), COMMAND)
    lines = verdicts(columns["test"], len(MATRICES["test"].targets))
    print("\n".join(lines))
    return 1 if any(line.startswith("NOT MET") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
