"""Are the suspects wrong? 5 % of the entities of five corpora corrupted, beside cleanlab's token scores and chance.

    ONOMAST_DATA=DIR python benchmarks/suspects/run.py [--dev]

A hit is a suspect that overlaps a corrupted entity; each counts once. Precision is that of the first N suspects: N is
the number of corrupted entities. Rows go to rows.jsonl as they come. --dev: the dev files the order was chosen on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from corrupt import Corruption, corrupt

from onomast import Sentence, Span, read, read_recipe
from onomast.active.folds import out_of_fold
from onomast.active.suspects import FOLDS, Suspect, ordered, suspects_of_fold
from onomast.taggers.posteriors import token_probabilities

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pages import write_page

HERE = Path(__file__).resolve().parent
MOST, SEEDS, SHARE = 3000, range(1), 0.05
CORPORA = {
    "Swahili (MasakhaNER 2.0)": "masakhaner2/swa/train.txt",
    "Yoruba (MasakhaNER 2.0)": "masakhaner2/yor/train.txt",
    "English (CoNLL-2003)": "conll2003_en/eng.train",
    "Norwegian (NorNE)": "norne/nob_train.txt",
    "Indonesian (IDNER-News-2K)": "idner_news_2k/train.txt",
}
DEV = {name: f"masakhaner2/{name}/dev.txt" for name in ("hau", "kin", "lug", "zul")} | {
    "conll": "conll2003_en/eng.testa"
}
Place = tuple[int, int, int]  # sentence, start, end


def precision(places: Sequence[Place], wrong: Sequence[Corruption]) -> float:
    """Share of the first N places that hit a corrupted entity that none before hit."""
    hit = set()
    for sentence, start, end in places[: len(wrong)]:
        for one in wrong:
            if one.sentence == sentence and one.start < end and start < one.end:
                hit.add(one)
    return len(hit) / len(wrong)


def by_cleanlab(sentences: Sequence[Sentence], rows: dict[int, tuple[tuple[str, ...], Any]]) -> list[Place]:
    """Tokens in the order of cleanlab's scores (self-confidence of the given tag); an entity counts as one place."""
    from cleanlab.token_classification.rank import get_label_quality_scores

    tags = sorted(
        {tag for names, _ in rows.values() for tag in names} | {t for s in sentences for t in s.tags or () if t}
    )
    column = {tag: number for number, tag in enumerate(tags)}
    labels, probabilities = [], []
    for index, sentence in enumerate(sentences):
        names, values = rows[index]
        full = np.full((len(sentence), len(tags)), 1e-12)
        full[:, [column[name] for name in names]] += values
        probabilities.append(full / full.sum(1, keepdims=True))
        labels.append([column[tag or "O"] for tag in sentence.tags or ()])
    _, scores = get_label_quality_scores(labels, probabilities)
    best: dict[Place, float] = {}
    for index, (sentence, row) in enumerate(zip(sentences, scores, strict=True)):
        owner = {place: span for span in sentence.spans for place in range(span.start, span.end)}
        for place, score in enumerate(row):
            span = owner.get(place, Span(place, place + 1, "O"))
            key = (index, span.start, span.end)
            best[key] = min(float(score), best.get(key, 1.0))
    return sorted(best, key=best.__getitem__)


def row_of(name: str, path: Path, seed: int) -> dict[str, Any]:
    sentences = [one for one in read(path) if len(one) and one.tags][:MOST]
    bad, wrong = corrupt(sentences, SHARE, seed)
    began = time.perf_counter()
    found: list[Suspect] = []
    tokens: dict[int, tuple[tuple[str, ...], Any]] = {}
    for fold in out_of_fold(bad, read_recipe("crf"), FOLDS):
        found += suspects_of_fold(bad, fold)
        names, values = token_probabilities(fold.tagger, bad[fold.start : fold.end])
        tokens |= {fold.start + place: (names, value) for place, value in enumerate(values)}
    ours = [(one.sentence, one.start, one.end) for one in ordered(bad, [s for s in found if s.suspicion >= 0.5])]
    plain = [(one.sentence, one.start, one.end) for one in sorted(found, key=lambda one: -one.suspicion)]
    entities = [(index, span.start, span.end) for index, one in enumerate(bad) for span in one.spans]
    random.Random(seed).shuffle(entities)
    return {
        "corpus": name, "seed": seed, "sentences": len(bad), "corrupted": len(wrong), "suspects": len(ours),
        "suspects_precision": precision(ours, wrong), "suspicion_alone": precision(plain, wrong),
        "cleanlab": precision(by_cleanlab(bad, tokens), wrong), "random": precision(entities, wrong),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Means over seeds, and over corpora."""
    columns = ("suspects_precision", "suspicion_alone", "cleanlab", "random")
    lines = [
        "| corpus | sentences | corrupted | `onomast suspects` | probability alone | cleanlab | entities at random |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    means = []
    for name in dict.fromkeys(row["corpus"] for row in rows):
        mine = [row for row in rows if row["corpus"] == name]
        means.append([np.mean([row[column] for row in mine]) for column in columns])
        figures = " | ".join(f"{value:.2f}" for value in means[-1])
        lines.append(f"| {name} | {mine[0]['sentences']:,} | {mine[0]['corrupted']:,} | {figures} |")
    lines.append("| mean | | | " + " | ".join(f"**{value:.2f}**" for value in np.mean(means, axis=0)) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true")
    asked = parser.parse_args()
    path = HERE / "rows.jsonl"
    rows = []
    if path.is_file() and not asked.dev:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    known = {(row["corpus"], row["seed"]) for row in rows}
    for seed, (name, file) in itertools.product(SEEDS, (DEV if asked.dev else CORPORA).items()):
        if (name, seed) in known:
            continue
        rows.append(row_of(name, Path(os.environ["ONOMAST_DATA"]) / file, seed))
        print(rows[-1], file=sys.stderr, flush=True)
        if not asked.dev:
            with path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
    print(page(rows)) if asked.dev else write_page(HERE / "README.md", page(rows), "python benchmarks/suspects/run.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
