"""How good is each system after B labelled sentences? MasakhaNER 2.0, several budgets and seeds, whole test files.

    ONOMAST_DATA=DIR python benchmarks/label_efficiency.py [--methods M ...] [--jobs 2]

One row per (method, language, budget, seed) goes to label_efficiency.jsonl as soon as it is known; a second run goes
on where the first was stopped. A row counts only as long as the method's recipe or script is what it was. The table
label_efficiency.md and the pictures label_efficiency.png and .svg are made from the rows. Exit status 1 if a claim in
CLAIMS is not met.

To add a system: write a function `(Cell, Path) -> Outcome` and a row of METHODS.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from efficiency_picture import draw
from efficiency_table import Claim, Threshold, differences, judged, reached, render
from environments import REQUIREMENTS, python_of, run, write_sentences
from intervals import pack
from onomast import Corpus, OnomastError, Sentence, evaluate, new_tagger, read, read_recipe
from onomast.recipe import Recipe, essence

HERE = Path(__file__).resolve().parent
ROWS = HERE / "label_efficiency.jsonl"
TABLE = HERE / "label_efficiency.md"
PICTURE = HERE / "label_efficiency"
CACHE = HERE / ".cache"
_VECTORS_FIELD = {"linear": "linear.features.vectors", "neural": "neural.words.vectors"}
LANGUAGES = {"hau": "Hausa", "swa": "Swahili", "yor": "Yoruba", "kin": "Kinyarwanda", "lug": "Luganda", "zul": "Zulu"}
BUDGETS = (100, 250, 500, 1000, 2000)
SEEDS = (0, 1, 2)
LABELS_ONLY = "labels only"
WITH_TEXT = "+ raw text"
WITH_LANGUAGES = "+ other languages"


@dataclass(frozen=True)
class Cell:
    """One run: the labelled sentences of a budget, and the whole test file."""

    language: str
    budget: int
    seed: int
    corpus: Corpus


@dataclass(frozen=True)
class Outcome:
    """Predicted sentences, in the order of the test file, and how long it took."""

    predicted: Sequence[Sentence]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Method:
    """A system: what it learns from, what it is made of (a change makes old rows void), and how to run it."""

    name: str
    sources: str
    fingerprint: str
    versions: Mapping[str, str]
    run: Callable[[Cell, Path], Outcome]


def recipe_of(name: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """A built-in recipe, or a committee of so many of them: `small x5`."""
    recipe, _, members = name.partition(" x")
    return read_recipe(recipe, {**(changes or {}), **({"neural.ensemble_size": members} if members else {})})


def onomast(recipe: str, sources: str = LABELS_ONLY) -> Method:
    """A built-in recipe, or several of them together, trained in this process."""
    made = json.dumps(essence(recipe_of(recipe)), sort_keys=True)
    libraries = ("onomast", "python-crfsuite") if recipe_of(recipe).tagger == "linear" else ("onomast", "torch")
    versions = {name: importlib.metadata.version(name) for name in libraries}
    return Method(f"onomast {recipe}", sources, _digest(made), versions, partial(_run_onomast, recipe))


def _run_onomast(recipe: str, cell: Cell, _folder: Path) -> Outcome:
    began = time.perf_counter()
    tagger = new_tagger(dataclasses.replace(recipe_of(recipe), seed=cell.seed))
    tagger.fit(dataclasses.replace(cell.corpus, test=()))
    trained = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in cell.corpus.test])
    return Outcome(predicted, {"train": trained - began, "tag": time.perf_counter() - trained})


def onomast_with_text(recipe: str) -> Method:
    """A built-in recipe on fastText vectors learnt from `raw/LANGUAGE.txt.gz`, the test sentences left out."""
    made = onomast(recipe, WITH_TEXT)
    return dataclasses.replace(made, run=partial(_run_with_text, recipe))


def _run_with_text(recipe: str, cell: Cell, _folder: Path) -> Outcome:
    return _fit_with_vectors(recipe, cell, vectors_of(cell))


def _fit_with_vectors(recipe: str, cell: Cell, vectors: Path) -> Outcome:
    """The time of learning vectors, once for a language, is not counted; `vectors.log` has it."""
    changes = {_VECTORS_FIELD[recipe_of(recipe).tagger]: json.dumps(str(vectors)), "seed": str(cell.seed)}
    began = time.perf_counter()
    tagger = new_tagger(recipe_of(recipe, changes))
    tagger.fit(dataclasses.replace(cell.corpus, test=()))
    trained = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in cell.corpus.test])
    return Outcome(predicted, {"train": trained - began, "tag": time.perf_counter() - trained})


def vectors_of(cell: Cell) -> Path:
    """Vectors of the language, learnt when first asked for and kept in `.cache/`."""
    from onomast.vectors.train import train_vectors

    path = CACHE / f"{cell.language}-100.bin"
    if not path.is_file():
        raw = Path(os.environ["ONOMAST_DATA"]) / "raw" / f"{cell.language}.txt.gz"
        summary = train_vectors([raw], path, exclude=[sentence.tokens for sentence in cell.corpus.test])
        with (CACHE / "vectors.log").open("a", encoding="utf-8") as log:
            log.write(f"{cell.language}: {summary}\n")
    return path


_FIRST = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
_SECOND = ("hau", "ibo", "kin", "lug", "luo", "nya", "pcm", "sna", "swa", "wol", "yor", "zul")
SOURCES = (*(f"masakhaner2/{language}" for language in _SECOND), *(f"masakhaner1/{language}" for language in _FIRST))
RAW = ("hau", "ibo", "kin", "lug", "pcm", "swa", "yor")  # languages whose raw text teaches the common vectors


def onomast_with_languages(recipe: str) -> Method:
    """A built-in recipe with all SOURCES beside the target, but those of the target's own language."""
    made = onomast(recipe, WITH_LANGUAGES)
    return dataclasses.replace(
        made,
        fingerprint=_digest(made.fingerprint + " ".join(SOURCES)),
        run=partial(_run_with_languages, recipe, ()),
    )


def onomast_with_languages_and_text(recipe: str) -> Method:
    """Likewise, with the SOURCES in RAW languages, on vectors of their raw text, every test sentence left out."""
    made = onomast(recipe, f"{WITH_LANGUAGES} {WITH_TEXT}")
    return dataclasses.replace(
        made,
        fingerprint=_digest(made.fingerprint + " ".join((*SOURCES, *RAW))),
        run=partial(_run_with_languages, recipe, RAW),
    )


def _run_with_languages(recipe: str, raw: tuple[str, ...], cell: Cell, folder: Path) -> Outcome:
    data = Path(os.environ["ONOMAST_DATA"])
    spoken = {name: name.partition("/")[2] for name in SOURCES}
    wanted = set(raw or spoken.values()) - {cell.language}
    sources = tuple(source_of(data, name) for name in SOURCES if spoken[name] in wanted)
    cell = dataclasses.replace(cell, corpus=dataclasses.replace(cell.corpus, sources=sources))
    if not raw:
        return _run_onomast(recipe, cell, folder)
    return _fit_with_vectors(recipe, cell, common_vectors(data, raw))


@lru_cache(maxsize=len(SOURCES))
def source_of(data: Path, name: str) -> Corpus:
    """The training sentences of another language."""
    language = name.partition("/")[2]
    sentences = (dataclasses.replace(one, language=language) for one in read(data / name / "train.txt"))
    return Corpus(name, tuple(sentences))


def common_vectors(data: Path, languages: tuple[str, ...]) -> Path:
    """Vectors of several languages in one space, learnt when first asked for and kept in `.cache/`."""
    from onomast.vectors.train import train_vectors

    path = CACHE / f"{'-'.join(languages)}-100.bin"
    if not path.is_file():
        tests = sorted((data / "masakhaner2").glob("*/test.txt"))
        hidden = [sentence.tokens for test in tests for sentence in read(test)]
        raw = [data / "raw" / f"{language}.txt.gz" for language in languages]
        summary = train_vectors(raw, path, exclude=hidden, epochs=5)
        with (CACHE / "vectors.log").open("a", encoding="utf-8") as log:
            log.write(f"{' '.join(languages)}: {summary}\n")
    return path


def peer(name: str, versions: Mapping[str, str]) -> Method:
    """spaCy or Flair, in an environment of its own; the script says which of its recipes is meant."""
    script = HERE / "peers" / f"run_{name}.py"
    run_it = partial(_run_peer, name, script, ("--mode", "learn"))
    return Method(name, LABELS_ONLY, _digest(script.read_text(encoding="utf-8")), versions, run_it)


def sklearn_crfsuite() -> Method:
    """The features and settings of its CoNLL-2002 tutorial, in its own environment."""
    script = HERE / "peers" / "run_sklearn_crfsuite.py"
    versions = {"sklearn-crfsuite": "0.5.0", "python-crfsuite": "0.9.12"}
    run_it = partial(_run_peer, "sklearn-crfsuite", script, ("tutorial",))
    return Method("sklearn-crfsuite", LABELS_ONLY, _digest(script.read_text(encoding="utf-8")), versions, run_it)


def _run_peer(environment: str, script: Path, arguments: tuple[str, ...], cell: Cell, folder: Path) -> Outcome:
    """A script that takes TRAIN TEST OUT after its own arguments; it does not see the test file's tags."""
    train, test, out = folder / "train.jsonl", folder / "test.jsonl", folder / "out.json"
    write_sentences(train, list(cell.corpus.train))
    write_sentences(test, [sentence.bare() for sentence in cell.corpus.test])
    seed = () if environment == "sklearn-crfsuite" else ("--seed", str(cell.seed))  # that one draws nothing
    run(python_of(environment), script, *arguments, *seed, *map(str, (train, test, out)))
    made = json.loads(out.read_text(encoding="utf-8"))
    predicted = [old.tagged(tags) for old, tags in zip(cell.corpus.test, made["tags"], strict=True)]
    return Outcome(predicted, {step: made["seconds"][step] for step in ("train", "tag")})


METHODS: dict[str, Callable[[], Method]] = {
    "sklearn-crfsuite": sklearn_crfsuite,
    "crf": partial(onomast, "crf"),
    "crf-fasttext": partial(onomast_with_text, "crf-fasttext"),
    "small": partial(onomast, "small"),
    "small-x5": partial(onomast, "small x5"),
    "small-vectors": partial(onomast_with_text, "small-vectors"),
    "small-vectors-x5": partial(onomast_with_text, "small-vectors x5"),
    "crf-transfer": partial(onomast_with_languages, "crf-transfer"),
    "transfer": partial(onomast_with_languages, "transfer"),
    "transfer-vectors": partial(onomast_with_languages_and_text, "transfer-vectors"),
    "spacy": partial(peer, "spacy", {"spacy": "3.8.18"}),
    "flair": partial(peer, "flair", {"flair": "0.15.1", "torch": "2.13.0"}),
}


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
        "counts": pack(report),
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    verdicts = [line for claim in CLAIMS for line in judged(claim, rows)]
    verdicts += [line for threshold in THRESHOLDS for line in reached(threshold, rows)]
    TABLE.write_text(
        render(rows, [(method.name, method.sources, method.versions) for method in methods])
        + differences("onomast transfer", ("onomast small", "onomast crf"), rows)
        + "".join(f"\nClaim {line}\n" for line in verdicts),
        encoding="utf-8",
    )
    draw(rows, [method.name for method in methods], LANGUAGES, PICTURE)
    print("\n".join(verdicts))
    return 1 if any(line.startswith("NOT MET") for line in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
