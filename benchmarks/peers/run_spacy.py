"""spaCy, run in its own environment: train on one file, tag another, write tags, seconds and versions.

    python run_spacy.py [--mode learn|speed] [--seed N] [--vectors FILE] TRAIN TEST OUT

`learn`: what `spacy init config --lang xx --pipeline ner` writes, for efficiency, or, given vectors (a word2vec text
file), for accuracy; trained by `spacy train` with its own early stopping on the last fifth of TRAIN. `speed`: the
first of these, trained for 200 steps: how well it tags does not matter.
"""

import argparse
import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path

import spacy
from spacy.cli.init_config import init_config
from spacy.cli.init_pipeline import init_vectors_cli
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def write(rows, vocabulary, path):
    docs = [Doc(vocabulary, words=row["tokens"], ents=row["tags"]) for row in rows]
    DocBin(docs=docs).to_disk(path)


def tags_of(doc):
    return [token.ent_iob_ if token.ent_iob_ in ("O", "") else f"{token.ent_iob_}-{token.ent_type_}" for token in doc]


def learn(rows, arguments, folder):
    """The trained pipeline."""
    vocabulary = spacy.blank("xx").vocab
    cut = len(rows) - round(len(rows) / 5)
    write(rows[:cut], vocabulary, folder / "train.spacy")
    write(rows[cut:], vocabulary, folder / "dev.spacy")
    config = init_config(lang="xx", pipeline=["ner"], optimize="accuracy" if arguments.vectors else "efficiency")
    config.to_disk(folder / "config.cfg")
    overrides = {
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
        "system.seed": arguments.seed,
    }
    if arguments.vectors:
        init_vectors_cli("xx", Path(arguments.vectors), folder / "vectors", silent=True)
        overrides["paths.vectors"] = str(folder / "vectors")
    if arguments.mode == "speed":
        overrides["training.max_steps"] = 200
    train(folder / "config.cfg", folder / "model", overrides=overrides)
    return spacy.load(folder / "model" / "model-best")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("learn", "speed"), default="learn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vectors")
    parser.add_argument("files", nargs=3, metavar=("TRAIN", "TEST", "OUT"))
    arguments = parser.parse_args()
    train_path, test_path, out_path = arguments.files
    rows = read(train_path)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        pipeline = learn(rows, arguments, Path(folder))
        seconds = {"train": time.perf_counter() - began}
    list(pipeline.pipe(Doc(pipeline.vocab, words=row["tokens"]) for row in rows[:50]))  # what is made at first use
    test = [Doc(pipeline.vocab, words=row["tokens"]) for row in read(test_path)]
    began = time.perf_counter(), time.process_time()
    tagged = list(pipeline.pipe(test))
    seconds["tag"] = time.perf_counter() - began[0]
    result = {
        "tags": [tags_of(doc) for doc in tagged],
        "seconds": seconds,
        "processor": {"tag": time.process_time() - began[1]},
        "versions": {package: importlib.metadata.version(package) for package in ("spacy", "thinc")},
    }
    Path(out_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
