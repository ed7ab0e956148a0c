"""How good is a tagger on frozen vectors of a pre-trained encoder? MasakhaNER 2.0, label budgets, whole test files.

    ONOMAST_DATA=DIR python benchmarks/context/run.py --encoder DIR [--recipes R ...] [--budgets B ...] [--seeds S ...]

One row per (recipe, language, budget, seed) is appended to rows.jsonl as soon as it is known; a second run continues.
A row counts as long as recipe, changes, sources and encoder are the same. With `--split dev` the dev file is scored
instead of the test file, which is how values were chosen (rows in tuning.jsonl). Each run is a process of its own, so
its peak memory is its own. The vectors of all its sentences are computed first: seconds of that, of training and of
tagging stand in the row. `table.py` makes the tables of README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from onomast import Corpus, Sentence, evaluate, new_tagger, read, read_recipe
from onomast.recipe import Recipe, essence

HERE = Path(__file__).resolve().parent
LANGUAGES = ("hau", "swa", "yor", "kin", "lug", "zul")
SECOND = ("hau", "ibo", "kin", "lug", "luo", "nya", "pcm", "sna", "swa", "wol", "yor", "zul")
FIRST = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
SOURCES = {
    "none": (),
    "second": tuple(f"masakhaner2/{language}" for language in SECOND),
    "both": tuple(f"masakhaner{number}/{one}" for number, names in ((2, SECOND), (1, FIRST)) for one in names),
}
"""The other languages' training files, of MasakhaNER 2.0 alone or of both editions; never the target's own language."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One training and one scored file."""

    recipe: str
    changes: tuple[str, ...]
    sources: str
    encoder: str
    language: str
    budget: int
    seed: int
    split: str

    def key(self) -> dict[str, Any]:
        """What names the run in its row; the encoder counts by its hash, in the fingerprint."""
        named = {"recipe": self.recipe, "changes": list(self.changes), "sources": self.sources}
        return {**named, "language": self.language, "budget": self.budget, "seed": self.seed, "split": self.split}

    def read_recipe(self) -> Recipe:
        """The recipe with its changes, seed and encoder."""
        changes = dict(change.split("=", 1) for change in self.changes)
        changes["seed"] = str(self.seed)
        if "context" in read_recipe(self.recipe).neural.encoder.order:
            changes["neural.context.model"] = json.dumps(self.encoder)
        return read_recipe(self.recipe, changes)


def run(cell: Run, data: Path) -> dict[str, Any]:
    """Train and score; returns the row."""
    recipe = cell.read_recipe()
    folder = data / "masakhaner2" / cell.language
    scored = tuple(read(folder / f"{cell.split}.txt"))
    corpus = Corpus(cell.language, tuple(read(folder / "train.txt"))).sample(cell.budget, cell.seed)
    corpus = dataclasses.replace(corpus, sources=sources_of(cell, data))
    began = time.perf_counter()
    words = compute_vectors(recipe, corpus, scored)
    computed = time.perf_counter()
    tagger = new_tagger(recipe)
    tagger.fit(corpus)
    trained = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in scored])
    tagged = time.perf_counter()
    report = evaluate(scored, predicted)
    figures = report.to_json()["entities"]["micro"]
    return {
        **cell.key(),
        "f1": figures["f1"],
        "ci95": figures["ci95"],
        "signature": report.signature,
        "sentences": len(scored),
        "seconds": {
            "vectors": round(computed - began, 1),
            "train": round(trained - computed, 1),
            "tag": round(tagged - trained, 1),
        },
        "words_computed": words,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "fingerprint": fingerprint(cell),
    }


def sources_of(cell: Run, data: Path) -> tuple[Corpus, ...]:
    """Training sentences of the other languages."""
    found = []
    for name in SOURCES[cell.sources]:
        language = name.partition("/")[2]
        if language != cell.language:
            sentences = read(data / name / "train.txt")
            found.append(Corpus(name, tuple(dataclasses.replace(one, language=language) for one in sentences)))
    return tuple(found)


def compute_vectors(recipe: Recipe, corpus: Corpus, scored: tuple[Sentence, ...]) -> int:
    """Compute the encoder's vectors of every sentence that is not cached; returns the words of these sentences."""
    if "context" not in recipe.neural.encoder.order:
        return 0
    from onomast.taggers.neural.context_part import new_vectors
    from onomast.taggers.training_corpus import with_sources
    from onomast.training.loop import threads

    corpus = with_sources(corpus, recipe)
    taught = [sentence for source in corpus.sources for sentence in source.train]
    with threads(recipe.neural.training.threads):
        vectors = new_vectors(recipe.neural.context)
        vectors.of([sentence.tokens for sentence in (*corpus.train, *taught, *scored)])
        vectors.flush()
    return vectors.words_computed


def fingerprint(cell: Run) -> str:
    """Names recipe, sources and encoder; rows of another one are void."""
    recipe = cell.read_recipe()
    told: list[Any] = [essence(dataclasses.replace(recipe, seed=0)), SOURCES[cell.sources]]
    if "context" in recipe.neural.encoder.order:
        from onomast.pretrained.hub import encoder_folder, encoder_hash

        told[0]["neural"]["context"]["model"] = encoder_hash(encoder_folder(cell.encoder))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """All rows; a last line cut short by a stop is passed over."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True, help="folder or hub name of the encoder")
    parser.add_argument("--recipes", nargs="+", default=["transfer-context"])
    parser.add_argument("--sources", choices=SOURCES, default="second", help="for recipes that take sources")
    parser.add_argument("--languages", nargs="+", default=LANGUAGES)
    parser.add_argument("--budgets", nargs="+", type=int, default=[100])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", dest="changes", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--split", choices=("test", "dev"), default="test")
    arguments = parser.parse_args()
    data = Path(os.environ["ONOMAST_DATA"])
    path = HERE / ("rows.jsonl" if arguments.split == "test" else "tuning.jsonl")
    known = {(json.dumps({k: row[k] for k in ("recipe", "changes", "language", "budget", "seed")}), row["fingerprint"])
             for row in rows_of(path)}  # fmt: skip
    cells = itertools.product(arguments.seeds, arguments.recipes, arguments.budgets, arguments.languages)
    for seed, recipe, budget, language in cells:
        sources = arguments.sources if "transfer" in recipe else "none"
        cell = Run(
            recipe, tuple(arguments.changes), sources, arguments.encoder, language, budget, seed, arguments.split
        )
        named = {k: cell.key()[k] for k in ("recipe", "changes", "language", "budget", "seed")}
        if (json.dumps(named), fingerprint(cell)) in known:
            continue
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            row = pool.submit(run, cell, data).result()
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        told = f"{recipe} {' '.join(arguments.changes)} {language} {budget} seed {seed}: {row['f1']:.4f}"
        print(told, row["seconds"], f"{row['peak_gb']} GB", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
