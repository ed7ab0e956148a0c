"""Tokens per second of the linear tagger and of sklearn-crfsuite, with the same features, penalties and sentences.

    python -m benchmarks.linear_speed.run [--train FILE --test FILE] [--repeats N]

Both train and tag in fresh processes of one thread, in turn, N times; the time from tokens to tags counts, features
included; tagged are the test file and what is left of the training file. It is processor time, so that what else the
machine does counts for neither. Prints medians and the ratio.
Exit status 1 if the claim in CLAIM is not met.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import ROOT, python_of, run, write_sentences
from onomast import Corpus, Sentence, new_tagger, read, read_recipe

CLAIM = {"tag": 2.0, "train": 1.0}  # times the peer's speed, at least
RECIPE = {"scheme": "iob2", "linear.c1": "0.1", "linear.c2": "0.1", "linear.max_iterations": "100"}
PEER = Path(__file__).resolve().parent.parent / "peers" / "run_sklearn_crfsuite.py"


def ours(train_path: str, test_path: str, out_path: str) -> None:
    """What the peer's script does, with Onomast."""

    def rows(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]

    train = tuple(Sentence(tuple(row["tokens"]), tuple(row["tags"])) for row in rows(train_path))
    test = [Sentence(tuple(row["tokens"])) for row in rows(test_path)]
    tagger = new_tagger(read_recipe("crf-myner", RECIPE))  # imports; those of the peer are not timed either
    began = time.process_time()
    tagger.fit(Corpus("train", train))
    trained = time.process_time()
    tags = [sentence.tags for sentence in tagger.tag(test)]
    seconds = {"train": trained - began, "tag": time.process_time() - trained}
    Path(out_path).write_text(json.dumps({"tags": tags, "seconds": seconds}), encoding="utf-8")


def measure(train: list[Sentence], test: list[Sentence], repeats: int) -> list[dict[str, Any]]:
    """Run both in turn; a dict of `seconds` and `tags` by system for each repeat."""
    peer = python_of("sklearn-crfsuite")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [str(folder / file) for file in ("train.jsonl", "test.jsonl")]
        write_sentences(Path(files[0]), train)
        write_sentences(Path(files[1]), test)
        for repeat in range(repeats):
            out = {system: folder / f"{system}.json" for system in ("onomast", "sklearn-crfsuite")}
            run(Path(sys.executable), Path(__file__), "--ours", *files, str(out["onomast"]))
            run(peer, PEER, "window", *files, str(out["sklearn-crfsuite"]))
            found.append({system: json.loads(path.read_text(encoding="utf-8")) for system, path in out.items()})
            print(f"repeat {repeat + 1} of {repeats} done", file=sys.stderr)
    return found


def report(found: list[dict[str, Any]], train: list[Sentence], test: list[Sentence]) -> bool:
    """Print the table; is the claim met?"""
    tokens = {"train": sum(map(len, train)), "tag": sum(map(len, test))}
    tags = [found[0][system]["tags"] for system in ("onomast", "sklearn-crfsuite")]
    pairs = [pair for rows in zip(*tags, strict=True) for pair in zip(*rows, strict=True)]
    versions = ", ".join(f"{name} {version}" for name, version in found[0]["sklearn-crfsuite"]["versions"].items())
    print(f"train: {len(train)} sentences, {tokens['train']} tokens; test: {len(test)}, {tokens['tag']} tokens")
    print(f"peer: {versions}; one thread each; medians of {len(found)} runs in turn (slowest to fastest)")
    print(f"equal tags: {sum(a == b for a, b in pairs) / len(pairs):.4%}\n")
    print("| tokens per processor second | Onomast | sklearn-crfsuite | ratio | claimed |")
    print("| --- | --- | --- | --- | --- |")
    met = True
    for step, claim in CLAIM.items():
        speeds = [
            sorted(tokens[step] / row[system]["seconds"][step] for row in found)
            for system in ("onomast", "sklearn-crfsuite")
        ]
        ratio = statistics.median(speeds[0]) / statistics.median(speeds[1])
        cells = [f"{statistics.median(speed):,.0f} ({speed[0]:,.0f}-{speed[-1]:,.0f})" for speed in speeds]
        print(f"| {step} | {cells[0]} | {cells[1]} | {ratio:.2f} | {claim:.1f} |")
        met = met and ratio >= claim
    alone = statistics.median(tokens["tag"] / row["sklearn-crfsuite"]["seconds"]["predict"] for row in found)
    print(f"\nsklearn-crfsuite's `predict` alone, its features made beforehand and not counted: {alone:,.0f}")
    return met


def main() -> int:
    if sys.argv[1:2] == ["--ours"]:
        ours(*sys.argv[2:])
        return 0
    data = Path(os.environ.get("ONOMAST_DATA", ROOT)) / "masakhaner2" / "swa"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default=str(data / "train.txt"), help="default: Swahili of MasakhaNER 2.0")
    parser.add_argument("--test", default=str(data / "test.txt"))
    parser.add_argument("--sentences", type=int, default=2000, help="training sentences (default: 2000)")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    train = list(Corpus("train", tuple(read(arguments.train))).sample(arguments.sentences).train)
    known = set(train)
    rest = [sentence for sentence in read(arguments.train) if sentence not in known]  # words repeat, as in real text
    test = [dataclasses.replace(sentence, pos=None) for sentence in (*read(arguments.test), *rest)]
    met = report(measure(train, test, arguments.repeats), train, test)
    print("\nclaim met" if met else "\nCLAIM NOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
