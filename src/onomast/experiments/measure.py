"""One run: fit, tag the bare test sentences, score. Every score has a bootstrap interval over the test sentences."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast._version import __version__
from onomast.corpus import Corpus
from onomast.errors import DataError, OnomastError, RecipeError
from onomast.experiments.cells import Cell
from onomast.experiments.corpora import corpus_of, leaked_of, vectors_of
from onomast.experiments.pretraining import encoder_of
from onomast.experiments.results import Row, pack_counts
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.taggers.registry import new_tagger

if TYPE_CHECKING:
    from onomast.evaluation.counting import Counts
    from onomast.evaluation.report import Report
    from onomast.evaluation.significance import Metric


def run_cell(cell: Cell) -> Row:
    """Run a cell; `status` is `done` with the scores, or `failed` with the error. Never raises an Exception."""
    began = time.perf_counter()
    try:
        row = {"status": "done", **_run(cell)}
        row["seconds"]["total"] = time.perf_counter() - began
        row["seconds"] = {step: round(seconds, 3) for step, seconds in row["seconds"].items()}
    except OnomastError as error:
        row = failed(str(error))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:500]
        row = failed(f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})")
    return {**row, "versions": _versions(cell.recipe)}


def failed(error: str) -> Row:
    """The outcome of a run that failed."""
    return {"status": "failed", "error": error}


def scores_of(report: Report) -> dict[str, dict[str, Any]]:
    """Name -> value, standard error and 95 % interval over resampled test sentences, all as fractions."""
    from onomast.evaluation import metrics

    entities = report.counts.sum(axis=1)
    scores = {
        "f1": _with_interval(entities, metrics.f1_of),
        "precision": _with_interval(entities, metrics.precision_of),
        "recall": _with_interval(entities, metrics.recall_of),
        "macro_f1": _with_interval(report.counts, metrics.macro_f1_of),
        "weighted_f1": _with_interval(report.counts, metrics.weighted_f1_of),
        "tag_accuracy": _with_interval(report.tags.counts, metrics.accuracy_of),
        "tag_macro_f1": _with_interval(report.tags.counts, metrics.macro_f1_of),
        "tag_weighted_f1": _with_interval(report.tags.counts, metrics.weighted_f1_of),
    }
    if report.unseen_counts is not None:
        scores["unseen_f1"] = _with_interval(report.unseen_counts, metrics.f1_of)
    if report.leaked is not None and not report.leaked.all():
        scores["without_leaked_f1"] = _with_interval(entities[~report.leaked], metrics.f1_of)
    for name, accuracy in (("pos_accuracy", report.pos), ("sentence_accuracy", report.sentence)):
        if accuracy is not None:
            scores[name] = _with_interval(accuracy.counts, metrics.recall_of)
    return scores


def label_scores_of(report: Report) -> dict[str, dict[str, Any]]:
    """Label -> precision, recall and F1, their standard errors over resampled test sentences, and gold entities."""
    from onomast.evaluation import metrics
    from onomast.evaluation.significance import resample

    metric_of = {"precision": metrics.precision_of, "recall": metrics.recall_of, "f1": metrics.f1_of}
    resampled, totals = resample(report.counts, 1000, 0), report.counts.sum(axis=0).astype(float)
    scores: dict[str, dict[str, Any]] = {label: {} for label in report.labels}
    for name, metric in metric_of.items():
        values, errors = metric(totals), metric(resampled).std(axis=0, ddof=1)
        for label, value, error in zip(report.labels, values.tolist(), errors.tolist(), strict=True):
            scores[label][name] = {"value": round(value, 4), "error": round(error, 4)}
    for label, total in zip(report.labels, totals.tolist(), strict=True):
        scores[label]["support"] = int(total[2])
    return scores


def _run(cell: Cell) -> Row:
    from onomast.evaluation.metrics import f1_of
    from onomast.evaluation.report import Known, evaluate

    corpus = corpus_of(cell)
    tagger = new_tagger(_with_encoder(cell, _with_vectors(cell)))
    began = time.perf_counter()
    history = tagger.fit(dataclasses.replace(corpus, test=()))
    fitted = time.perf_counter()
    predicted = tagger.tag([_bare(sentence, cell.recipe) for sentence in corpus.test])
    tagged = time.perf_counter()
    known = Known.of((*corpus.train, *corpus.dev, *(s for source in corpus.sources for s in source.train)))
    report = evaluate(corpus.test, predicted, train=known, scheme=cell.tag_scheme)
    scores = scores_of(report)
    if leaked := leaked_of(cell):
        also = tagger.tag([_bare(sentence, cell.recipe) for sentence in leaked])
        whole = evaluate((*corpus.test, *leaked), (*predicted, *also), scheme=cell.tag_scheme)
        scores["with_leaked_f1"] = _with_interval(whole.counts.sum(axis=1), f1_of)
    return {
        "scores": scores,
        "labels": label_scores_of(report),
        "sentences": _sizes(corpus),
        "signature": report.signature,
        "seconds": {"train": fitted - began, "tag": tagged - fitted},
        "memory_mb": _peak_memory(),
        "notes": list(history.notes),
        "counts": pack_counts(report.counts.sum(axis=1)),
    }


def _with_vectors(cell: Cell) -> Recipe:
    """The recipe with the path of its vectors file."""
    path, recipe = vectors_of(cell), cell.recipe
    if path is None:
        return recipe
    if not path.is_file():
        raise DataError(
            "there is no such vectors file; `onomast grid run` trains vectors before it runs the cells", path=path
        )
    if recipe.tagger == "linear":
        from onomast.taggers.linear.vector_features import unused_vectors, uses_vectors

        if not uses_vectors(recipe.linear.features):
            raise unused_vectors()
        features = dataclasses.replace(recipe.linear.features, vectors=str(path))
        return dataclasses.replace(recipe, linear=dataclasses.replace(recipe.linear, features=features))
    words = dataclasses.replace(recipe.neural.words, vectors=str(path))
    return dataclasses.replace(recipe, neural=dataclasses.replace(recipe.neural, words=words))


def _with_encoder(cell: Cell, recipe: Recipe) -> Recipe:
    """The recipe with the folder of its encoder."""
    path = encoder_of(cell)
    if path is None:
        return recipe
    if not (path / "model.safetensors").is_file():
        raise DataError("there is no such encoder; `onomast grid run` trains it before it runs the cells", path=path)
    if recipe.tagger == "linear":
        raise RecipeError("a linear tagger cannot use an encoder; take a neural recipe, or leave out `encoder`")
    pretrained = dataclasses.replace(recipe.neural.pretrained, model=str(path))
    return dataclasses.replace(recipe, neural=dataclasses.replace(recipe.neural, pretrained=pretrained))


def _bare(sentence: Sentence, recipe: Recipe) -> Sentence:
    """The sentence without labels; parts of speech stay only where they are features, so that they can be scored."""
    bare = sentence.bare()
    used = recipe.tagger == "linear" and recipe.linear.features.pos
    return bare if used else dataclasses.replace(bare, pos=None)


def _with_interval(counts: Counts, metric: Metric) -> dict[str, Any]:
    """A score of counts (N, ..., 3) as a row of results holds it."""
    from onomast.evaluation.significance import bootstrap

    score = bootstrap(counts, metric)
    return {
        "value": round(score.value, 6),
        "error": round(score.error, 6),
        "ci95": [round(end, 6) for end in score.ci95],
        "support": int(counts[..., 2].sum()),
    }


def _sizes(corpus: Corpus) -> dict[str, int]:
    sources = sum(len(source.train) for source in corpus.sources)
    labelled = sum(sentence.tags is not None for sentence in corpus.train)
    return {
        "train": len(corpus.train),
        "labelled": labelled,
        "dev": len(corpus.dev),
        "test": len(corpus.test),
        "sources": sources,
    }


def _peak_memory() -> float:
    """Peak memory of this process, which has run nothing else, in megabytes."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if platform.system() == "Darwin" else 1 << 10), 1)


def _versions(recipe: Recipe) -> dict[str, str]:
    versions = {"onomast": __version__, "python": platform.python_version()}
    for library in ("numpy", "python-crfsuite" if recipe.tagger == "linear" else "torch"):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
