"""One run: fit, tag the bare test sentences, score. Every score has a bootstrap interval over the test sentences."""

from __future__ import annotations

import base64
import dataclasses
import importlib.metadata
import platform
import time
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast._version import __version__
from onomast.corpus import Corpus
from onomast.errors import DataError, OnomastError, RecipeError
from onomast.experiments.cells import Cell
from onomast.experiments.corpora import corpus_of, leaked_of, vectors_of
from onomast.experiments.pretraining import encoder_of
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.taggers.registry import new_tagger
from onomast.tags import Style, convert

if TYPE_CHECKING:
    from onomast.evaluation.counting import Counts, Floats
    from onomast.evaluation.report import Report

Row = dict[str, Any]


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
    """The outcome of a run that came to nothing."""
    return {"status": "failed", "error": error}


def counts_text(counts: Counts) -> str:
    """(N, 3) counts of the test sentences as text: 16-bit numbers, zlib, base 64."""
    return base64.b64encode(zlib.compress(counts.astype("<u2").tobytes(), 9)).decode()


def counts_of(text: str) -> Counts:
    """(N, 3): what `counts_text` wrote."""
    import numpy as np

    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2").reshape(-1, 3).astype(np.int64)


def tag_counts(gold: Sequence[Sentence], predicted: Sequence[Sentence], scheme: Style) -> Counts:
    """(N, K, 3): right, predicted and gold tokens of every sentence and tag that occurs in gold.

    The totals are those of `Report.tags`; per sentence they give its figures intervals.
    """
    import numpy as np

    ids: dict[str, int] = {}
    cells: list[tuple[int, int, int]] = []  # sentence, tag, what is counted
    for number, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if one.tags is None:
            continue
        pairs = zip(convert(one.tags, "iob2", scheme), convert(other.tags or (), "iob2", scheme), strict=True)
        for right, guessed in pairs:
            if right is None:
                continue
            right_id, guessed_id = ids.setdefault(right, len(ids)), ids.setdefault(guessed or "O", len(ids))
            cells += [(number, right_id, 2), (number, guessed_id, 1)]
            if right_id == guessed_id:
                cells.append((number, right_id, 0))
    counts = np.zeros((len(gold), len(ids), 3), np.int64)
    if cells:
        np.add.at(counts, tuple(np.array(cells).T), 1)
    return counts[:, counts[:, :, 2].any(axis=0)]


def scores_of(report: Report, tags: Counts) -> dict[str, dict[str, Any]]:
    """Name -> value, standard error and 95 % interval over resampled test sentences, all as fractions."""
    counts = report.counts
    found = {
        "f1": _with_interval(counts.sum(axis=1), _f1),
        "precision": _with_interval(counts.sum(axis=1), lambda totals: _share(totals, 1)),
        "recall": _with_interval(counts.sum(axis=1), lambda totals: _share(totals, 2)),
        "macro_f1": _with_interval(counts, _macro),
        "weighted_f1": _with_interval(counts, _weighted),
        "tag_accuracy": _with_interval(tags, _accuracy),
        "tag_macro_f1": _with_interval(tags, _macro),
        "tag_weighted_f1": _with_interval(tags, _weighted),
    }
    if report.unseen_counts is not None:
        found["unseen_f1"] = _with_interval(report.unseen_counts, _f1)
    if report.leaked is not None and not report.leaked.all():
        found["without_leaked_f1"] = _with_interval(counts[~report.leaked].sum(axis=1), _f1)
    if report.pos is not None:
        found["pos_accuracy"] = {"value": report.pos.accuracy, "support": report.pos.support}
    return found


def label_scores_of(report: Report) -> dict[str, dict[str, Any]]:
    """Label -> precision, recall and F1, their standard errors over resampled test sentences, and gold entities."""
    from onomast.evaluation.significance import resample

    resampled, totals = resample(report.counts, 1000, 0), report.counts.sum(axis=0)[None].astype(float)
    found: dict[str, dict[str, Any]] = {label: {} for label in report.labels}
    for name, figure in _OF_LABELS.items():
        values, errors = figure(totals)[0], figure(resampled).std(axis=0, ddof=1)
        for number, label in enumerate(report.labels):
            found[label][name] = {"value": round(float(values[number]), 4), "error": round(float(errors[number]), 4)}
    for number, label in enumerate(report.labels):
        found[label]["support"] = int(totals[0, number, 2])
    return found


def _run(cell: Cell) -> Row:
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
    scores = scores_of(report, tag_counts(corpus.test, predicted, cell.tag_scheme))
    if report.sentence is not None:
        scores["sentence_accuracy"] = _sentence_accuracy(corpus.test, predicted)
    if leaked := leaked_of(cell):
        also = tagger.tag([_bare(sentence, cell.recipe) for sentence in leaked])
        whole = evaluate((*corpus.test, *leaked), (*predicted, *also), scheme=cell.tag_scheme)
        scores["with_leaked_f1"] = _with_interval(whole.counts.sum(axis=1), _f1)
    return {
        "scores": scores,
        "labels": label_scores_of(report),
        "sentences": _sizes(corpus),
        "signature": report.signature,
        "seconds": {"train": fitted - began, "tag": tagged - fitted},
        "memory_mb": _peak_memory(),
        "notes": list(history.notes),
        "counts": counts_text(report.counts.sum(axis=1)),
    }


def _with_vectors(cell: Cell) -> Recipe:
    """The recipe with the path of its vectors file."""
    path, recipe = vectors_of(cell), cell.recipe
    if path is None:
        return recipe
    if not path.is_file():
        raise DataError("the vectors are not here; they are learnt before the cells are run", path=path)
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
        raise DataError("the encoder is not here; it is learnt before the cells are run", path=path)
    if recipe.tagger == "linear":
        raise RecipeError("a linear tagger cannot use an encoder; take a neural recipe, or leave out `encoder`")
    pretrained = dataclasses.replace(recipe.neural.pretrained, model=str(path))
    return dataclasses.replace(recipe, neural=dataclasses.replace(recipe.neural, pretrained=pretrained))


def _bare(sentence: Sentence, recipe: Recipe) -> Sentence:
    """What the tagger may see: parts of speech only where they are features, so that else they can be scored."""
    bare = sentence.bare()
    used = recipe.tagger == "linear" and recipe.linear.features.pos
    return bare if used else dataclasses.replace(bare, pos=None)


def _with_interval(counts: Counts, figure: Callable[[Floats], Floats]) -> dict[str, Any]:
    """`figure` of totals (..., 3) -> (...): its value, standard error and interval; counts: (N, ..., 3)."""
    from onomast.evaluation.significance import interval, resample

    resampled = figure(resample(counts, 1000, 0))
    low, high = interval(resampled)
    return {
        "value": _rounded(float(figure(counts.sum(axis=0)[None].astype(float))[0])),
        "error": _rounded(float(resampled.std(ddof=1))),
        "ci95": [_rounded(low), _rounded(high)],
        "support": int(counts[..., 2].sum()),
    }


def _sentence_accuracy(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> dict[str, Any]:
    import numpy as np

    right = [one.label == other.label for one, other in zip(gold, predicted, strict=True) if one.label is not None]
    return _with_interval(np.array([[one, 1, 1] for one in right], np.int64), lambda totals: _share(totals, 2))


def _f1(totals: Floats) -> Floats:
    from onomast.evaluation.counting import f1_of

    return f1_of(totals)


def _share(totals: Floats, of: int) -> Floats:
    """Right ones among those predicted (1) or gold (2); 0 where there are none."""
    share: Floats = totals[..., 0] / (totals[..., of] + (totals[..., of] == 0))
    return share


def _weighted(totals: Floats) -> Floats:
    gold = totals[..., 2]
    summed = gold.sum(axis=-1)
    mean: Floats = (_f1(totals) * gold).sum(axis=-1) / (summed + (summed == 0))
    return mean


def _macro(totals: Floats) -> Floats:
    mean: Floats = _f1(totals).sum(axis=-1) / max(totals.shape[-2], 1)
    return mean


def _accuracy(totals: Floats) -> Floats:
    return _share(totals.sum(axis=-2), 2)


def _rounded(value: float) -> float:
    return round(value, 6)


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
    """Megabytes this process, which has run nothing else, has held at most."""
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
    found = {"onomast": __version__, "python": platform.python_version()}
    for library in ("numpy", "python-crfsuite" if recipe.tagger == "linear" else "torch"):
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


_OF_LABELS: Mapping[str, Callable[[Floats], Floats]] = {
    "precision": lambda totals: _share(totals, 1),
    "recall": lambda totals: _share(totals, 2),
    "f1": _f1,
}
