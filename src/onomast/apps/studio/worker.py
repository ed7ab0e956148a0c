"""The slow work of the studio, in a process of its own so that the page never waits.

    python -m onomast.apps.studio.worker FOLDER JOB

A job is a row of the table `jobs`. It reads the labels, computes, and writes its results in short transactions.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onomast.active.ordering import Rating, choose, rate
from onomast.apps.studio.store import Item, Store, items, setting
from onomast.corpus import Corpus
from onomast.errors import OnomastError
from onomast.recipe import read_recipe
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.taggers.registry import load_tagger, new_tagger

CURRENT = "current"
_POOL = 5_000  # open sentences that are tagged and rated at most
_QUEUE = 300
_CHUNK = 200  # suggestions written in one transaction: other writers wait for less than a moment
_FEWEST = 5  # finished sentences to train from
_CURVE = (0.25, 0.5, 0.75, 1.0)


def run(store: Store, job: int) -> None:
    """Do one job and record how it ended; any error becomes its message."""
    with store.transaction() as db:
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        db.execute(
            "UPDATE jobs SET state = 'running', pid = ?, began = ? WHERE id = ?", (os.getpid(), time.time(), job)
        )
    try:
        result = JOBS[row["kind"]](store, row["detail"])
        state, message = "done", str(result.pop("message", ""))
    except OnomastError as error:
        state, message, result = "failed", str(error), {}
    except Exception as error:
        state, message, result = "failed", f"{type(error).__name__}: {error}", {}
    with store.transaction() as db:
        db.execute(
            "UPDATE jobs SET state = ?, message = ?, result = ?, ended = ? WHERE id = ?",
            (state, message, json.dumps(result, ensure_ascii=False), time.time(), job),
        )


def finished(store: Store) -> list[Item]:
    """The finished sentences. Raises OnomastError for too few to learn from."""
    with store.reading() as db:
        found = items(db, "status = 'done'")
    if len(found) < _FEWEST or not any(one.sentence.spans for one in found):
        raise OnomastError(f"{len(found)} sentences are finished; expected at least {_FEWEST}, with an entity in them")
    return found


def retrain(store: Store, recipe: str) -> dict[str, Any]:
    """Train the tagger that makes suggestions, suggest for open sentences, and order the queue."""
    labelled = [one.sentence for one in finished(store)]
    tagger = new_tagger(read_recipe(recipe or "crf"))
    history = tagger.fit(Corpus("project", tuple(labelled)))
    save_tagger(store, tagger, CURRENT, len(labelled))
    suggest(store, tagger, labelled)
    return {"sentences": len(labelled), "seconds": round(history.seconds, 2)}


def train(store: Store, detail: str) -> dict[str, Any]:
    """Train a tagger of any recipe, keep it under its name, score it out of fold, and let it make the suggestions."""
    recipe = read_recipe(detail)
    found = finished(store)
    tagger = new_tagger(recipe)
    history = tagger.fit(Corpus("project", tuple(one.sentence for one in found)))
    result: dict[str, Any] = {"sentences": len(found), "seconds": round(history.seconds, 1)}
    name = time.strftime(f"{recipe.name}-%Y%m%d-%H%M%S")
    if recipe.tagger == "linear":
        result |= _score(*_out_of_fold(found, detail))
    save_tagger(store, tagger, name, len(found), result)
    return {**result, "tagger": name}


def use(store: Store, name: str) -> dict[str, Any]:
    """Let a tagger that was trained before make the suggestions."""
    tagger = load_tagger(store.folder / "taggers" / name)
    with store.reading() as db:
        labelled = [one.sentence for one in items(db, "status = 'done'")]
    save_tagger(store, tagger, CURRENT, len(labelled))
    suggest(store, tagger, labelled)
    return {"tagger": name}


def save_tagger(store: Store, tagger: Tagger, name: str, sentences: int, more: dict[str, Any] | None = None) -> None:
    """Save to a new folder, then take its name: a tagger is never seen half written."""
    folder = store.folder / "taggers" / name
    fresh, old = folder.with_name(f".new-{name}"), folder.with_name(f".old-{name}")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    tagger.save(fresh)
    card = {"recipe": tagger.recipe.name, "sentences": sentences, "at": time.time(), **(more or {})}
    (fresh / "studio.json").write_text(json.dumps(card), encoding="utf-8")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def suggest(store: Store, tagger: Tagger, labelled: Sequence[Sentence]) -> None:
    """Tag and rate open sentences; write suggestions and the queue."""
    with store.reading() as db:
        open_ = items(db, "status = 'new'")
        lists = setting(db, "lists", {})
    pool = open_[:: max(1, len(open_) // _POOL)][:_POOL]
    ratings = rate("gain", [one.sentence for one in pool], tagger)
    for start in range(0, len(pool), _CHUNK):
        rows = [
            _suggestion(one, r, lists) for one, r in zip(pool[start : start + _CHUNK], ratings[start:], strict=False)
        ]
        with store.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO suggestions VALUES (?, ?, ?, ?)", rows)
    chosen = choose(ratings, _QUEUE, labelled=labelled, seed=len(labelled))
    with store.transaction() as db:
        db.execute("DELETE FROM queue")
        rows = [(place, pool[one.index].id, one.is_random) for place, one in enumerate(chosen)]  # type: ignore[misc]
        db.executemany("INSERT INTO queue VALUES (?, ?, ?)", rows)


def _suggestion(one: Item, rating: Rating, lists: dict[str, list[str]]) -> tuple[int, int, str, str]:
    tagged = rating.posterior.tagged
    spans = [(s.start, s.end, s.label, round(tagged.span_confidence(s) or 0.0, 3)) for s in tagged.spans]
    taken = {place for start, end, _, _ in spans for place in range(start, end)}
    spans += [(*found, 0.5) for found in listed(one.sentence, lists) if taken.isdisjoint(range(found[0], found[1]))]
    begins = [round(p, 2) for p in rating.posterior.begins]
    return one.id, one.version, json.dumps(sorted(spans)), json.dumps(begins)


def listed(sentence: Sentence, lists: dict[str, list[str]]) -> list[tuple[int, int, str]]:
    """Where names of the word lists stand: the longest first, none within another."""
    names = {tuple(name.split()): label for label, rows in lists.items() for name in rows}
    longest = max(map(len, names), default=0)
    found, place = [], 0
    while place < len(sentence):
        for size in range(min(longest, len(sentence) - place), 0, -1):
            label = names.get(sentence.tokens[place : place + size])
            if label:
                found.append((place, place + size, label))
                place += size - 1
                break
        place += 1
    return found


def progress(store: Store, _: str) -> dict[str, Any]:
    """The learning curve, each point out of fold, with its 95 % interval."""
    found = finished(store)
    curve: list[dict[str, Any]] = []
    for share in _CURVE:
        part = found[: max(_FEWEST, round(share * len(found)))]
        if not curve or len(part) > curve[-1]["sentences"]:
            curve.append({"sentences": len(part), **_score(*_out_of_fold(part, "crf"))})
    return {"curve": curve}


def mistakes(store: Store, _: str) -> dict[str, Any]:
    """The report with its browser of mistakes, out of fold, as a page of its own."""
    from onomast.evaluation.render import render_html
    from onomast.evaluation.report import evaluate
    from onomast.files import write_text

    gold, predicted, _scored = _out_of_fold(finished(store), "crf")
    report = evaluate(gold, predicted)
    title = f"{len(gold)} finished sentences, each tagged by a tagger of the others"
    write_text(store.folder / "mistakes.html", render_html(report, gold, predicted, title))
    return {"sentences": len(gold), "f1": report.micro.f1}


def suspects(store: Store, _: str) -> dict[str, Any]:
    """Labels that are probably wrong."""
    from onomast.active import suspects as finding

    found = finished(store)
    rows = finding.to_json(finding.suspects([one.sentence for one in found])[:200])
    for row in rows:
        one = found[row["sentence"]]
        row |= {"id": one.id, "version": one.version, "words": list(one.sentence.tokens)}
    return {"suspects": rows, "sentences": len(found)}


def _out_of_fold(found: Sequence[Item], recipe: str) -> tuple[list[Sentence], list[Sentence], list[bool]]:
    """Gold sentences, what a tagger of the other blocks says, and which were drawn at random."""
    from onomast.active.folds import out_of_fold

    gold = [one.sentence for one in found]
    predicted: list[Sentence] = []
    for fold in out_of_fold(gold, read_recipe(recipe), 5):
        predicted += fold.tagger.tag([one.bare() for one in gold[fold.start : fold.end]])
    return gold, predicted, [one.is_random for one in found]


def _score(gold: Sequence[Sentence], predicted: Sequence[Sentence], is_random: Sequence[bool]) -> dict[str, Any]:
    """F1 with its interval, of the randomly drawn sentences alone: chosen ones are harder than the text."""
    from onomast.evaluation.report import evaluate

    kept = [index for index, drawn in enumerate(is_random) if drawn] or list(range(len(gold)))
    report = evaluate([gold[i] for i in kept], [predicted[i] for i in kept])
    return {"f1": report.micro.f1, "interval": list(report.ci95), "scored_on": len(kept)}


JOBS = {
    "retrain": retrain, "train": train, "use": use, "progress": progress, "mistakes": mistakes, "suspects": suspects,
}  # fmt: skip


def main() -> None:
    """Run the job whose project folder and number are the arguments."""
    os.nice(5)
    run(Store(Path(sys.argv[1])), int(sys.argv[2]))


if __name__ == "__main__":
    main()
