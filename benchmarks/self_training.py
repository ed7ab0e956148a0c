"""Does raw text help a tagger that labels it itself? Hausa and Swahili, 100 labelled sentences and 2,000 raw ones.

    ONOMAST_DATA=DIR python benchmarks/self_training.py

One round of self-training against none, for the linear and the neural tagger. Rows go to self_training.jsonl as they
come, and a second run goes on where the first was stopped; self_training.md is made from them. Nothing is claimed.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from intervals import difference, mean_and_interval, pack
from onomast import Corpus, OnomastError, Sentence, evaluate, new_tagger, read, read_recipe
from onomast.data.named_files import read_named_text
from onomast.taggers.self_training import self_train

HERE = Path(__file__).resolve().parent
ROWS, PAGE = HERE / "self_training.jsonl", HERE / "self_training.md"
LANGUAGES, SEEDS, BUDGET, RAW = ("hau", "swa"), (0, 1, 2), 100, 2000
WEIGHED = {"crf": {"sources.mu": "0.1"}, "small": {"sources.schedule": "falling"}}  # how much the raw text counts
CONFIDENCES = (0.9, 0.7)


@dataclasses.dataclass(frozen=True)
class Run:
    """One tagger; confidence 0: without raw text."""

    recipe: str
    language: str
    confidence: float
    seed: int


def runs() -> list[Run]:
    return [Run(*one) for one in itertools.product(WEIGHED, LANGUAGES, (0.0, *CONFIDENCES), SEEDS)]


@lru_cache(maxsize=2)
def raw_of(data: Path, language: str) -> list[Sentence]:
    """All sentences of the raw text but those of the test file."""
    hidden = {"".join(sentence.tokens) for sentence in read(data / "masakhaner2" / language / "test.txt")}
    found = read_named_text(str(data / "raw" / f"{language}.txt.gz"))
    return [sentence for sentence in found if "".join(sentence.tokens) not in hidden]


def row_of(run: Run, data: Path) -> dict[str, Any]:
    """Train, tag the bare test sentences, score."""
    train, test = (tuple(read(data / "masakhaner2" / run.language / f"{split}.txt")) for split in ("train", "test"))
    corpus = Corpus(run.language, train).sample(BUDGET, run.seed)
    changes = {"seed": str(run.seed)}
    began = time.perf_counter()
    notes: tuple[str, ...] = ()
    if run.confidence:
        changes |= {**WEIGHED[run.recipe], "self_training.rounds": "1", "self_training.confidence": str(run.confidence)}
        raw = random.Random(run.seed).sample(raw_of(data, run.language), RAW)
        tagger, history = self_train(read_recipe(run.recipe, changes), corpus, raw)
        notes = history.notes
    else:
        tagger = new_tagger(read_recipe(run.recipe, changes))
        tagger.fit(corpus)
    seconds = time.perf_counter() - began
    report = evaluate(test, tagger.tag([sentence.bare() for sentence in test]))
    return {
        **dataclasses.asdict(run),
        "f1": report.micro.f1,
        "counts": pack(report),
        "notes": [note for note in notes if note.startswith("self-training")],
        "seconds": round(seconds, 1),
    }


def page(rows: list[dict[str, Any]]) -> str:
    """Means over seeds with intervals, and the difference to the same tagger without raw text."""
    cells: dict[tuple[str, str, float], list[str]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        cells.setdefault((row["recipe"], row["language"], row["confidence"]), []).append(row["counts"])
    lines = [
        "# Self-training",
        "",
        f"Made by `python benchmarks/self_training.py`; do not edit. MasakhaNER 2.0: {BUDGET} labelled sentences,",
        f"whole test files, one round on {RAW:,} raw sentences (test sentences left out). F1 in percent, mean over",
        f"seeds {', '.join(map(str, SEEDS))}, with the 95 % interval of drawing test sentences anew (the same draws",
        "for both sides of a difference; seeds as they are). The raw text counts by mu = 0.1 (crf) or falling (small).",
        "",
        "| recipe | language | tags taken from confidence | F1 | against none |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (recipe, language, confidence), packed in cells.items():
        mean, low, high = mean_and_interval(packed)
        other = cells.get((recipe, language, 0.0), []) if confidence else []
        gain = ""
        if other and len(other) == len(packed):
            step, least, most, _ = difference(packed, other)
            gain = f"{step:+.1f} [{least:+.1f}, {most:+.1f}]"
        shown = f"{confidence:g}" if confidence else "no raw text"
        lines.append(f"| {recipe} | {language} | {shown} | {mean:.1f} [{low:.1f}, {high:.1f}] | {gain} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder of real corpora")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
    known = {tuple(row[field.name] for field in dataclasses.fields(Run)) for row in rows}
    for run in runs():
        if dataclasses.astuple(run) in known:
            continue
        rows.append(row_of(run, Path(data)))
        with ROWS.open("a", encoding="utf-8") as out:
            out.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
        print(f"{run}: {rows[-1]['f1']:.3f}", file=sys.stderr, flush=True)
    order = {dataclasses.astuple(run): place for place, run in enumerate(runs())}
    rows.sort(key=lambda row: order[tuple(row[field.name] for field in dataclasses.fields(Run))])
    PAGE.write_text(page(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
