"""Train, score and save one tagger: what `onomast train` and `onomast evaluate` do."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.corpus import Corpus
from onomast.data.catalogue import resolve
from onomast.data.named_files import read_named_text, read_reported, repair_counts
from onomast.data.transfer.label_alignment import align
from onomast.errors import DataError, ModelError, RecipeError
from onomast.files import write_text
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.tagger import History, Tagger
from onomast.taggers.registry import load_tagger, new_tagger
from onomast.taggers.self_training import self_train

if TYPE_CHECKING:
    from onomast.evaluation.report import Known, Report

Say = Callable[[str], None]
_KNOWN = "known.json"


@dataclass(frozen=True)
class Order:
    """What the user asked for; the names are those of `onomast train`."""

    train: str | None
    """None: no target sentences, the sources teach alone."""
    out: Path
    recipe: str = "crf"
    dev: str | None = None
    test: str | None = None
    budget: int | None = None
    sources: tuple[str, ...] = ()
    relabel: Mapping[str, str] = field(default_factory=dict)
    """New names of the sources' labels, on top of the recipe's."""
    vectors: str | None = None
    raw: tuple[str, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    resume: bool = False
    columns: str | None = None


@dataclass(frozen=True)
class Trained:
    """What came of it: the tagger is in `order.out`."""

    history: History
    report: Report | None
    """Scores on the test file, if one was given."""


@dataclass(frozen=True)
class Scored:
    """A report and the sentences it is about."""

    report: Report
    gold: Sequence[Sentence]
    predicted: Sequence[Sentence]


def train(order: Order, say: Say) -> Trained:
    """Read, fit, save, score. `say` gets one line for each thing the user should know.

    Raises DataError, RecipeError or ModelError; what was in `out` before stays until the new tagger is complete.
    """
    corpus = _corpus(order, say)
    test = None if order.test is None else read_reported(order.test, say, columns=order.columns)
    corpus = replace(corpus, test=() if test is None else test.sentences)
    checkpoints = order.out / "checkpoints"
    if checkpoints.exists() and not order.resume:
        shutil.rmtree(checkpoints)
    recipe = _recipe(order, corpus, say)
    if recipe.self_training.rounds:
        tagger, history = self_train(recipe, corpus, _raw_sentences(order, recipe, say), checkpoints=checkpoints)
    else:
        tagger = new_tagger(recipe)
        history = tagger.fit(corpus, checkpoints=checkpoints)
    for note in history.notes:
        say(note)
    tagger.save(order.out)
    known = _save_known(order.out, corpus)
    report = None
    if test is not None:
        report, _ = evaluate(tagger, test.sentences, known, train_seconds=history.seconds)
        report = replace(report, repairs=repair_counts(test))
    _write_card(order, corpus, recipe, history, report)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Trained(history, report)


def evaluate(
    tagger: Tagger, gold: Sequence[Sentence], known: Known | None, *, train_seconds: float = 0.0
) -> tuple[Report, list[Sentence]]:
    """Tag the bare sentences and score them; also returns the predictions. `known`: what the tagger was trained on."""
    from onomast.evaluation.report import evaluate as score

    began = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in gold])
    seconds = time.perf_counter() - began
    report = score(gold, predicted, train=known or ())
    speed = round(sum(map(len, gold)) / max(seconds, 1e-9))
    return replace(report, seconds={"train": train_seconds, "tag": seconds}, tokens_per_second=speed), predicted


def evaluate_folder(model: Path, test: str, say: Say, *, columns: str | None = None) -> Scored:
    """Load a tagger and score it on a file; the folder's fingerprints tell unseen entities and leaked sentences."""
    tagger = load_tagger(model)
    reading = read_reported(test, say, columns=columns)
    report, predicted = evaluate(tagger, reading.sentences, _load_known(model))
    return Scored(replace(report, repairs=repair_counts(reading)), reading.sentences, predicted)


def _save_known(folder: Path, corpus: Corpus) -> Known:
    """Fingerprints of the training sentences and mentions, so that later scores can tell unseen from seen."""
    from onomast.evaluation.report import Known

    taught = (sentence for source in corpus.sources for sentence in source.train)
    known = Known.of((*corpus.train, *corpus.dev, *taught))
    figures = {"sentences": sorted(known.sentences), "mentions": sorted(known.mentions)}
    write_text(folder / _KNOWN, json.dumps(figures))
    return known


def _load_known(folder: Path) -> Known | None:
    """The fingerprints, or None where the folder has none (a tagger saved from Python)."""
    from onomast.evaluation.report import Known

    path = folder / _KNOWN
    if not path.is_file():
        return None
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        return Known(frozenset(figures["sentences"]), frozenset(figures["mentions"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{_KNOWN} is damaged ({error}); delete it, or copy the folder again", folder=folder) from None


def _corpus(order: Order, say: Say) -> Corpus:
    """The target's sentences, and the sources as they are; a sentence without a language gets its source's name."""

    def sentences(name: str | None) -> tuple[Sentence, ...]:
        return () if name is None else read_reported(name, say, columns=order.columns).sentences

    if order.train is None and not order.sources:
        raise DataError("there is nothing to train on; give TRAIN, or --source FILE for a tagger of sources alone")
    if order.relabel and not order.sources:
        raise DataError(
            "there is no --source; expected one, as --relabel renames the labels of sources only; "
            "give --source FILE, or rename those of TRAIN in the file"
        )
    corpus = Corpus(order.train or "sources", sentences(order.train), sentences(order.dev))
    if order.budget is not None:
        corpus = corpus.sample(order.budget, order.seed)
        say(f"budget: {order.budget} sentences of {order.train} (seed {order.seed}), dev share included")
    sources = (
        Corpus(name, tuple(replace(one, language=one.language or name) for one in sentences(name)))
        for name in order.sources
    )
    corpus = replace(corpus, sources=tuple(sources))
    if not corpus.labels and not corpus.sentence_labels:
        raise DataError("no sentence carries a label; nothing can be learnt from it", path=corpus.name)
    return corpus


def _recipe(order: Order, corpus: Corpus, say: Say) -> Recipe:
    changes = {"seed": str(order.seed), **order.changes}
    recipe = _relabelled(read_recipe(order.recipe, changes), order)
    if corpus.sources:
        for note in align(corpus, corpus.sources, recipe.labels).notes:
            say(note)
    if order.vectors is None and not order.raw:
        return recipe
    reads = any(stage.task == "mlm" and "raw" in stage.corpus for stage in recipe.stage)
    if reads and order.raw:
        files = [str(Path(resolve(name)).resolve()) for name in order.raw]
        changes["neural.pretrained.text"] = json.dumps(files)
        recipe = _relabelled(read_recipe(order.recipe, changes), order)
    wanted = recipe.neural.words.mode != "random"
    if recipe.tagger == "linear":
        from onomast.taggers.linear.vector_features import unused_vectors, uses_vectors

        wanted = uses_vectors(recipe.linear.features)
    if not wanted and order.vectors is None and (recipe.self_training.rounds or reads):
        return recipe  # the raw text is for self-training, or a stage of mlm, alone
    if not wanted and recipe.tagger == "linear":
        raise unused_vectors()
    vectors = _raw_vectors(order, corpus, recipe.script, say) if order.raw else Path(order.vectors or "")
    key = "linear.features.vectors" if recipe.tagger == "linear" else "neural.words.vectors"
    return _relabelled(read_recipe(order.recipe, {**changes, key: json.dumps(str(vectors.resolve()))}), order)


def _raw_sentences(order: Order, recipe: Recipe, say: Say) -> list[Sentence]:
    """A seeded sample of the sentences of `--raw`; more than are asked for, as some may be left out later."""
    if not order.raw:
        raise RecipeError("needs raw text; give --raw FILE", key="self_training.rounds")
    draw = random.Random(order.seed)
    kept: list[Sentence] = []
    seen, wanted = 0, 2 * recipe.self_training.sentences
    for name in order.raw:
        for sentence in read_named_text(name):
            seen += 1
            if len(kept) < wanted:
                kept.append(sentence)
            elif (place := draw.randrange(seen)) < wanted:
                kept[place] = sentence
    draw.shuffle(kept)
    say(f"{', '.join(order.raw)}: {seen:,} raw sentences for self-training")
    return kept


def _relabelled(recipe: Recipe, order: Order) -> Recipe:
    """The recipe with the user's new names of labels on top of its own."""
    return replace(recipe, labels={**recipe.labels, **order.relabel})


def _raw_vectors(order: Order, corpus: Corpus, script: str, say: Say) -> Path:
    """Vectors learnt from `--raw`, without the sentences of the test and dev files."""
    from onomast.vectors.train import train_vectors

    path = order.out / "checkpoints" / "vectors.bin"
    if path.is_file():
        return path
    hidden = [sentence.tokens for sentence in (*corpus.test, *corpus.dev)]
    summary = train_vectors([resolve(name) for name in order.raw], path, exclude=hidden, seed=order.seed, script=script)
    say(f"vectors of {', '.join(order.raw)}: {summary}")
    return path


def _write_card(order: Order, corpus: Corpus, recipe: Recipe, history: History, report: Report | None) -> None:
    """`report.json`, `history.jsonl` and the model card `README.md`."""
    from onomast.evaluation.render import render_markdown

    figures: dict[str, Any] = {"seconds": {"train": round(history.seconds, 2)}}
    if report is not None:
        figures = report.to_json()
    if stages := _stages(history):
        figures["stages"] = stages
    write_text(order.out / "report.json", json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    write_text(order.out / "history.jsonl", "".join(json.dumps(dict(row)) + "\n" for row in history.epochs))
    command = f"onomast train {order.train or ''} --recipe {order.recipe} --seed {order.seed}".replace("  ", " ")
    command += f" --budget {order.budget}" if order.budget else ""
    command += "".join(f" --source {name}" for name in order.sources)
    command += f" --relabel {','.join(f'{old}={new}' for old, new in order.relabel.items())}" if order.relabel else ""
    command += "".join(f" --set {key}={value}" for key, value in order.changes.items())
    lines = [
        f"# {recipe.name}: a named-entity tagger",
        "",
        f"Made by Onomast from {len(corpus.train):,} sentences of `{corpus.name}`{_beside(corpus)} "
        f"(recipe `{recipe.name}`, seed {order.seed}) in {history.seconds:.1f} s. "
        f"Labels: {', '.join(corpus.labels) or 'none'}.",
        "",
        f"    {command}",
        f"    onomast tag {order.out.name} text.txt",
        "",
        *(f"- {note}" for note in history.notes),
        *(["", f"## Scores on `{order.test}`", "", render_markdown(report)] if report is not None else []),
    ]
    write_text(order.out / "README.md", "\n".join(lines) + "\n")


def _beside(corpus: Corpus) -> str:
    """Who taught along."""
    if not corpus.sources:
        return ""
    sentences = sum(len(source.train) for source in corpus.sources)
    return f" and {sentences:,} of {', '.join(f'`{source.name}`' for source in corpus.sources)}"


def _stages(history: History) -> list[dict[str, Any]]:
    """For each stage of a chain: epochs, last loss, best dev F1 if there were dev sentences; mlm: masked accuracy."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in history.epochs:
        if "stage" in row:
            rows.setdefault(row["stage"], []).append(row)
    return [
        {
            "stage": name,
            "epochs": len(found),
            "loss": found[-1]["loss"],
            **({"dev_f1": max(row["f1"] for row in found)} if "f1" in found[0] else {}),
            **{name: found[-1][name] for name in ("masked_accuracy",) if name in found[-1]},
        }
        for name, found in rows.items()
    ]
