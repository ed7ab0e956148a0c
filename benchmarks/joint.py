"""Joint training and partial annotation on real data: does each part do what it is for?

    ONOMAST_DATA=DIR python benchmarks/joint.py

Pairs of runs that differ in one thing: POS tags learnt along on myNER; sentence labels learnt along on InjongoIntent
(Swahili) and xSID (German); half of the tags removed at random from 500 Swahili sentences and summed over, or taken
for `O`. Rows go to joint.jsonl as they come, and a second run goes on where the first was stopped; joint.md is made
from them. Exit status 1 if partial annotation does not beat `O`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from onomast import Corpus, OnomastError, evaluate, new_tagger, read, read_recipe

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "joint.jsonl", HERE / "joint.md"
SEEDS = (0, 1)
EPOCHS = {"neural.training.epochs": "30"}
NO_POS = {**EPOCHS, "neural.heads.pos": "0.0"}
PRETRAINED = {**EPOCHS, "neural.training.pretrain_epochs": "2"}


@dataclasses.dataclass(frozen=True)
class Run:
    """One system on one corpus."""

    experiment: str
    system: str
    recipe: str
    changes: dict[str, str]
    seed: int


def runs() -> Iterator[Run]:
    """Every pair, seed by seed."""
    for seed in SEEDS:
        yield Run("myNER, 2,000 of 13,323 sentences", "entities alone", "bilstm-crf-pos", NO_POS, seed)
        yield Run("myNER, 2,000 of 13,323 sentences", "with POS tags", "bilstm-crf-pos", EPOCHS, seed)
        alone = {"neural.heads.sentence": "0.0"}
        yield Run("xSID German, 300", "slots alone", "joint-sentence-attention", alone, seed)
        yield Run("xSID German, 300", "with sentence labels", "joint-sentence-attention", {}, seed)
        name = "InjongoIntent Swahili, 1,000 of 2,240"
        yield Run(name, "slots alone", "joint-sentence-attention", {**EPOCHS, **alone}, seed)
        yield Run(name, "with sentence labels", "joint-sentence-attention", EPOCHS, seed)
        yield Run(
            name, "with sentence labels, pre-trained on 1,240 class-only", "joint-sentence-attention", PRETRAINED, seed
        )
        name = "MasakhaNER 2.0 Swahili, 500, half of the tags removed"
        yield Run(name, "removed tags summed over", "small", {}, seed)
        yield Run(name, "removed tags taken for O", "small", {}, seed)
        yield Run(name, "(all tags there)", "small", {}, seed)


def corpus_of(run: Run, data: Path) -> Corpus:
    """The sentences of an experiment; budgets are the first of a seeded shuffle, test files are whole."""
    if run.experiment.startswith("myNER"):
        train, test = (read(data / "myner" / f"{split}_v5.conll") for split in ("train", "test"))
        return Corpus("myner", tuple(train), test=tuple(test)).sample(2000, run.seed)
    if run.experiment.startswith("Injongo"):
        train, dev, test = (
            tuple(read(data / "injongo" / "swa" / f"{split}.jsonl")) for split in ("train", "dev", "test")
        )
        labelled = Corpus("injongo", train, test=test).sample(1000, run.seed)
        kept = set(labelled.train)
        rest = (
            tuple(dataclasses.replace(s, tags=None) for s in train if s not in kept)
            if "class-only" in run.system
            else ()
        )
        return dataclasses.replace(labelled, train=(*labelled.train, *rest), dev=dev)
    if run.experiment.startswith("xSID"):
        return Corpus(
            "xsid", tuple(read(data / "xsid" / "de.valid.conll")), test=tuple(read(data / "xsid" / "de.test.conll"))
        )
    train, test = (tuple(read(data / "masakhaner2" / "swa" / f"{split}.txt")) for split in ("train", "test"))
    corpus = Corpus("swa", train, test=test).sample(500, run.seed)
    if run.system.startswith("("):
        return corpus
    draw = random.Random(run.seed)
    partial = [s.tagged([tag if draw.random() < 0.5 else None for tag in s.tags or ()]) for s in corpus.train]
    if run.system.endswith("O"):
        partial = [s.tagged([tag if tag is not None else "O" for tag in s.tags or ()]) for s in partial]
    return dataclasses.replace(corpus, train=tuple(partial))


def row_of(run: Run, data: Path) -> dict[str, Any]:
    """Train, tag the bare test sentences, score."""
    corpus = corpus_of(run, data)
    tagger = new_tagger(read_recipe(run.recipe, {**run.changes, "seed": str(run.seed)}))
    began = time.perf_counter()
    tagger.fit(dataclasses.replace(corpus, test=()))
    seconds = time.perf_counter() - began
    bare = [dataclasses.replace(sentence.bare(), pos=None) for sentence in corpus.test]
    report = evaluate(corpus.test, tagger.tag(bare)).to_json()
    accuracy = {name: (report[name] or {}).get("accuracy") for name in ("pos", "sentences")}
    return {
        **dataclasses.asdict(run),
        "f1": report["entities"]["micro"]["f1"],
        **accuracy,
        "seconds": round(seconds, 1),
    }


def page(rows: list[dict[str, Any]]) -> str:
    """The table: means over seeds, lowest and highest."""
    lines = [
        "# Joint training and partial annotation on real data",
        "",
        "Made by `python benchmarks/joint.py`; do not edit. Entity F1 on the whole test file in percent: mean over",
        f"seeds {', '.join(map(str, SEEDS))} (lowest to highest); recipes as shipped, but for 30 epochs at most for",
        "myNER and InjongoIntent.",
        "",
        "| corpus | system | recipe | F1 | POS accuracy | sentence accuracy | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["experiment"], row["system"], row["recipe"]), []).append(row)
    for (experiment, system, recipe), members in groups.items():
        f1 = [100 * member["f1"] for member in members]
        accuracies = [
            f"{100 * mean(member[name] for member in members):.1f}" if members[0][name] is not None else ""
            for name in ("pos", "sentences")
        ]
        shown = f"{mean(f1):.1f} ({min(f1):.1f} to {max(f1):.1f}; {len(f1)} seeds)"
        seconds = f"{mean(member['seconds'] for member in members):.0f}"
        lines.append(
            f"| {experiment} | {system} | {recipe} | {shown} | {accuracies[0]} | {accuracies[1]} | {seconds} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder of real corpora")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
    known = {(row["experiment"], row["system"], row["seed"]) for row in rows}
    for run in runs():
        if (run.experiment, run.system, run.seed) in known:
            continue
        rows.append(row_of(run, Path(data)))
        with ROWS.open("a", encoding="utf-8") as out:
            out.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
        print(f"{run.experiment}, {run.system}, seed {run.seed}: {rows[-1]['f1']:.3f}", file=sys.stderr, flush=True)
        PAGE.write_text(page(rows), encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")
    summed, outside = (
        [row["f1"] for row in rows if row["system"] == f"removed tags {what}"]
        for what in ("summed over", "taken for O")
    )
    return 0 if mean(summed) > mean(outside) else 1


if __name__ == "__main__":
    sys.exit(main())
