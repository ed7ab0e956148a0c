"""Labelling simulated on MasakhaNER 2.0: how many labels does an order need for what random order reaches with 300?

    ONOMAST_DATA=DIR python benchmarks/active/simulate.py [--dev] [--table]

Every run begins with the same 20 random sentences of a seed; then the recipe `crf` is trained on what is labelled, and
the order chooses from the rest of the training file (its first 2,000 sentences of a seeded shuffle). Rows go to
rows.jsonl as they come, and a second run goes on where the first was stopped. --dev: dev files, rows-dev.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from onomast import Corpus, Sentence, evaluate, new_tagger, read, read_recipe
from onomast.active.ordering import choose, rate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from active_table import page
from pages import write_page

HERE = Path(__file__).resolve().parent
LANGUAGES, SEEDS = ("hau", "swa", "yor", "kin", "lug", "zul"), range(5)
SIZES = (20, 40, 60, 80, 100, 130, 160, 200, 250, 300)
POOL = 2000
ORDERS = ("random", "uncertainty", "gain")


@lru_cache(maxsize=2)
def sentences_of(language: str, split: str) -> tuple[Sentence, ...]:
    path = Path(os.environ["ONOMAST_DATA"]) / "masakhaner2" / language / f"{split}.txt"
    return tuple(one for one in read(path) if len(one))


def run(language: str, seed: int, order: str, split: str) -> dict[str, Any]:
    """Sizes and F1 of one run, step by step."""
    pool = list(sentences_of(language, "train"))
    random.Random(f"{language} {seed}").shuffle(pool)
    pool, test = pool[:POOL], sentences_of(language, split)
    labelled, rest = pool[: SIZES[0]], pool[SIZES[0] :]
    steps: list[dict[str, Any]] = []
    began = time.perf_counter()
    for place, size in enumerate(SIZES):
        tagger = new_tagger(read_recipe("crf"))
        tagger.fit(Corpus(language, tuple(labelled)))
        report = evaluate(test, tagger.tag([one.bare() for one in test]))
        tokens, entities = sum(map(len, labelled)), sum(len(one.spans) for one in labelled)
        steps.append({"sentences": size, "tokens": tokens, "entities": entities, "f1": round(report.micro.f1, 5)})
        if place + 1 < len(SIZES):
            chosen = next_of(order, rest, labelled, tagger, SIZES[place + 1] - size, seed * 1000 + place)
            labelled = [*labelled, *(rest[index] for index in chosen)]
            rest = [one for index, one in enumerate(rest) if index not in set(chosen)]
    seconds = round(time.perf_counter() - began, 1)
    return {"language": language, "seed": seed, "order": order, "steps": steps, "seconds": seconds}


def next_of(
    order: str, rest: list[Sentence], labelled: list[Sentence], tagger: Any, count: int, seed: int
) -> list[int]:
    """Indices of the next sentences; the labels of the pool are not read."""
    if order == "random":
        return list(range(count))  # the pool is shuffled
    ratings = rate("uncertainty" if order == "uncertainty" else "gain", rest, tagger)
    ours = order == "gain"
    chosen = choose(
        ratings, count, labelled=labelled if ours else (), random_share=0.2 if ours else 0.0, varied=ours, seed=seed
    )
    return [one.index for one in chosen]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    path = HERE / ("rows-dev.jsonl" if asked.dev else "rows.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    known = {(row["language"], row["seed"], row["order"]) for row in rows}
    for seed, language, order in itertools.product(SEEDS, LANGUAGES, ORDERS):
        if asked.table or (language, seed, order) in known:
            continue
        rows.append(run(language, seed, order, "dev" if asked.dev else "test"))
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(rows[-1]) + "\n")
        print(f"{language} {seed} {order}: {rows[-1]['steps'][-1]}", file=sys.stderr, flush=True)
    text = page(rows)
    print(text) if asked.dev else write_page(HERE / "README.md", text, "python benchmarks/active/simulate.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
