"""Train, score and save one tagger: what `onomast train` and `onomast.train` do, and `onomast evaluate`."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.apps.inputs import Labelled, name_of, read_labelled, split_of
from onomast.apps.model_card import KNOWN, read_known, write_card, write_known
from onomast.apps.raw_vectors import learn_vectors, recipe_for
from onomast.corpus import Corpus
from onomast.data.catalogue import resolve
from onomast.data.named_files import read_named_text, repair_counts, require_understood_tags
from onomast.data.transfer.label_alignment import align
from onomast.errors import DataError, ModelError, RecipeError, quantity
from onomast.recipe import Recipe, encoder_field, read_recipe
from onomast.sentence import Sentence
from onomast.tagger import History, Tagger
from onomast.taggers.model_folder import replaced_folder, seal_also
from onomast.taggers.registry import load_tagger, new_tagger
from onomast.taggers.self_training import sampled

if TYPE_CHECKING:
    from onomast.evaluation.report import Known, Report

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingOptions:
    """What to train, from what, and where to save it; the fields are the options of `onomast train`."""

    train: Labelled | None
    """None: no target sentences, the sources alone (zero-shot)."""
    out: Path
    recipe: str = "crf"
    dev: Labelled | None = None
    test: Labelled | None = None
    budget: int | None = None
    """Use only this many sentences of `train`."""
    sources: tuple[Labelled, ...] = ()
    """Labelled data of other languages or domains."""
    relabel: Mapping[str, str] = field(default_factory=dict)
    """New names of the sources' labels, on top of the recipe's."""
    vectors: str | None = None
    raw: tuple[str, ...] = ()
    """Files of raw text."""
    encoder: str | None = None
    """A pre-trained encoder (a folder or a name on the hub), in place of the one that the recipe names."""
    with_encoder: bool = False
    """Copy the encoder's files into the saved tagger, where the tagger only reads it (recipes `*-context`)."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """Fields of the recipe to change, by dotted name; values as text."""
    seed: int = 0
    resume: bool = False
    force: bool = False
    """Replace a model that `out` already holds."""
    columns: str | None = None
    until: int | None = None
    """Last line of `train` that is read."""


@dataclass(frozen=True)
class Trained:
    """A fitted tagger, which is also saved in `options.out`."""

    tagger: Tagger
    history: History
    known: Known
    """Fingerprints of what it was trained on."""
    report: Report | None
    """Scores on the test data, if there are any."""


@dataclass(frozen=True)
class Scored:
    """A report and the sentences it is about."""

    report: Report
    gold: Sequence[Sentence]
    predicted: Sequence[Sentence]


def train(options: TrainingOptions) -> Trained:
    """Read, fit, save, score; notes for the user are logged.

    Raises DataError, RecipeError or ModelError; what was in `out` before stays until the new tagger is complete.
    """
    require_free(options)
    options = with_all_splits(options)
    corpus = _read_corpus(options)
    test = None if options.test is None else read_labelled(options.test, columns=options.columns, split="test")
    corpus = replace(corpus, test=() if test is None else test.sentences)
    checkpoints = options.out / "checkpoints"
    if checkpoints.exists() and not options.resume:
        shutil.rmtree(checkpoints)
    recipe = _final_recipe(options, corpus)
    if recipe.self_training.rounds and options.raw:
        raw = (sentence for name in options.raw for sentence in read_named_text(name))
        corpus = replace(corpus, raw=sampled(raw, recipe.self_training, options.seed))
    tagger = new_tagger(recipe)
    history = tagger.fit(corpus, checkpoints=checkpoints)
    for note in history.notes:
        logger.info("%s", note)
    with replaced_folder(options.out) as folder:
        tagger.save(folder)
        known = write_known(folder, corpus)
        seal_also(folder, [KNOWN])
        report = None
        if test is not None:
            report, _ = score_tagger(tagger, test.sentences, known, train_seconds=history.seconds)
            report = replace(report, repairs=repair_counts(test))
        write_card(options, corpus, recipe, history, report, folder)
    return Trained(tagger, history, known, report)


def require_free(options: TrainingOptions) -> None:
    """Raise ModelError if `out` holds something that training would replace and nobody asked it to."""
    out = options.out
    if out.exists() and not out.is_dir():
        raise ModelError("is a file; expected a folder to write the model to", folder=out)
    others = {path.name for path in out.iterdir()} - {"checkpoints"} if out.is_dir() else set()
    if not others or options.resume:
        return
    if "recipe.toml" not in others:
        raise ModelError(
            f"holds {quantity(len(others), 'file')} and no model; expected a new or empty folder; choose another --out",
            folder=out,
        )
    if not options.force:
        raise ModelError("already holds a model; replace it with --force, or choose another --out", folder=out)
    logger.info("%s: the model in it stays until the new one is complete, and is then replaced", out)


def with_all_splits(options: TrainingOptions) -> TrainingOptions:
    """A corpus named without a split (or given whole) is training, dev and test data, where those are not given."""
    whole = options.train
    if split_of(whole, "train") is None:
        return options
    return replace(
        options,
        train=split_of(whole, "train"),
        dev=options.dev if options.dev is not None else split_of(whole, "dev"),
        test=options.test if options.test is not None else split_of(whole, "test"),
    )


def score_tagger(
    tagger: Tagger, gold: Sequence[Sentence], known: Known | None, *, train_seconds: float | None = None
) -> tuple[Report, list[Sentence]]:
    """Tag the bare sentences and score them; also returns the predictions.

    `known`: what the tagger was trained on, `train_seconds`: for how long; None: not known.
    """
    from onomast.evaluation.report import evaluate

    began = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in gold])
    seconds = time.perf_counter() - began
    report = evaluate(gold, predicted, train=known or ())
    speed = round(sum(map(len, gold)) / max(seconds, 1e-9))
    times = {"tag": seconds} if train_seconds is None else {"train": train_seconds, "tag": seconds}
    return replace(report, seconds=times, tokens_per_second=speed), predicted


def evaluate_folder(model: Path, test: Labelled, *, columns: str | None = None) -> Scored:
    """Load a tagger and score it on labelled data; its folder knows which entities and sentences are new to it."""
    return evaluate_tagger(load_tagger(model), test, read_known(model), columns=columns)


def evaluate_tagger(tagger: Tagger, test: Labelled, known: Known | None, *, columns: str | None = None) -> Scored:
    """Score a tagger on labelled data."""
    reading = read_labelled(test, columns=columns, split="test")
    report, predicted = score_tagger(tagger, reading.sentences, known)
    return Scored(replace(report, repairs=repair_counts(reading)), reading.sentences, predicted)


def _read_corpus(options: TrainingOptions) -> Corpus:
    """The target's sentences, and the sources as they are; a sentence without a language gets its source's name."""

    def sentences(data: Labelled | None, split: Any = "train", until: int | None = None) -> tuple[Sentence, ...]:
        if data is None:
            return ()
        reading = read_labelled(data, columns=options.columns, split=split, until=until)
        require_understood_tags(reading)
        return reading.sentences

    if options.train is None and not options.sources:
        raise DataError("there is nothing to train on; give TRAIN, or --source FILE for a tagger of sources alone")
    if options.relabel and not options.sources:
        raise DataError(
            "there is no --source; expected one, as --relabel renames the labels of sources only; "
            "give --source FILE, or rename those of TRAIN in the file"
        )
    corpus = Corpus(
        name_of(options.train) or "sources",
        sentences(options.train, until=options.until),
        sentences(options.dev, "dev"),
    )
    if options.budget is not None:
        corpus = corpus.sample(options.budget, options.seed)
        logger.info("budget: %s sentences of %s (seed %s), dev included", options.budget, corpus.name, options.seed)
    sources = []
    for source in options.sources:
        name = name_of(source)
        named = (replace(sentence, language=sentence.language or name) for sentence in sentences(source))
        sources.append(Corpus(name, tuple(named)))
    corpus = replace(corpus, sources=tuple(sources))
    if not corpus.labels and not corpus.sentence_labels:
        raise DataError("no sentence carries a label; nothing can be learnt from it", path=corpus.name)
    return corpus


def _final_recipe(options: TrainingOptions, corpus: Corpus) -> Recipe:
    """The recipe with every change that the options make, vectors learnt from raw text included."""
    changes = {"seed": str(options.seed), **options.changes, **_encoder_changes(options)}
    recipe = _read_relabelled(options, changes)
    if corpus.sources:
        for note in align(corpus, corpus.sources, recipe.labels).notes:
            logger.info("%s", note)
    if options.vectors is None and not options.raw:
        return recipe
    reads = any(stage.task == "mlm" and "raw" in stage.corpus for stage in recipe.stage)
    if reads and options.raw:
        files = [str(Path(resolve(name)).resolve()) for name in options.raw]
        changes["neural.pretrained.text"] = json.dumps(files)
        recipe = _read_relabelled(options, changes)
    wanted = recipe.neural.words.mode != "random"
    if recipe.tagger == "linear":
        from onomast.taggers.linear.vector_features import unused_vectors, uses_vectors

        wanted = uses_vectors(recipe.linear.features)
    if not wanted and options.vectors is None and (recipe.self_training.rounds or reads):
        return recipe  # the raw text is for self-training, or a stage of mlm, alone
    if not wanted and recipe.tagger == "linear":
        raise unused_vectors()
    vectors = Path(options.vectors or "")
    if options.raw:
        checkpoints = options.out / "checkpoints"
        learnt = learn_vectors(options.raw, checkpoints, corpus, seed=options.seed, script=recipe.script)
        vectors = learnt.path
        options = replace(options, recipe=recipe_for(options.recipe, learnt.words, options.changes))
        recipe = _read_relabelled(options, changes)
    key = "linear.features.vectors" if recipe.tagger == "linear" else "neural.words.vectors"
    return _read_relabelled(options, {**changes, key: json.dumps(str(vectors.resolve()))})


def _encoder_changes(options: TrainingOptions) -> dict[str, str]:
    """The fields that --encoder and --with-encoder set. Raises RecipeError for a recipe that has no place for them."""
    changes: dict[str, str] = {}
    recipe = read_recipe(options.recipe, options.changes)
    field_name = encoder_field(recipe)
    if options.encoder is not None:
        if field_name is None:
            raise RecipeError(
                f"the recipe {recipe.name} has no pre-trained encoder, so --encoder {options.encoder} would be "
                "ignored; choose --recipe transformer or transformer-crf, or small-context or transfer-context"
            )
        folder = Path(options.encoder).expanduser()
        changes[field_name] = json.dumps(str(folder.resolve()) if folder.is_dir() else options.encoder)
    if options.with_encoder:
        if field_name != "neural.context.model":
            raise RecipeError(
                f"the recipe {recipe.name} reads no encoder from elsewhere, so --with-encoder has nothing to copy; "
                "leave it out, or choose --recipe small-context or transfer-context"
            )
        changes["neural.context.with_encoder"] = "true"
    return changes


def _read_relabelled(options: TrainingOptions, changes: Mapping[str, str]) -> Recipe:
    """The recipe with `changes`, and the user's new names of labels on top of its own."""
    recipe = read_recipe(options.recipe, changes)
    return replace(recipe, labels={**recipe.labels, **options.relabel})
