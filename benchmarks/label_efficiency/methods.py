"""The systems of the label efficiency benchmark: what each learns from, its recipe or script, and how it is run."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from benchmarks.peers.environments import python_of, run, write_sentences
from onomast import Corpus, Sentence, new_tagger, read, read_recipe
from onomast.recipe import Recipe, essence

CACHE = Path(__file__).resolve().parent.parent / ".cache"
PEERS = Path(__file__).resolve().parent.parent / "peers"
_VECTORS_FIELD = {"linear": "linear.features.vectors", "neural": "neural.words.vectors"}
LABELS_ONLY = "labels only"
WITH_TEXT = "+ raw text"
WITH_LANGUAGES = "+ other languages"


@dataclass(frozen=True)
class Cell:
    """One run: the labelled sentences of a budget, and the whole test file."""

    language: str
    budget: int
    seed: int
    corpus: Corpus


@dataclass(frozen=True)
class Outcome:
    """Predicted sentences, in the order of the test file, and how long it took."""

    predicted: Sequence[Sentence]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Method:
    """A system: what it learns from, what it is made of (a change makes old rows void), and how to run it."""

    name: str
    sources: str
    fingerprint: str
    versions: Mapping[str, str]
    run: Callable[[Cell, Path], Outcome]


def recipe_of(name: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """A built-in recipe, or an ensemble of so many of them: `small x5`."""
    recipe, _, members = name.partition(" x")
    return read_recipe(recipe, {**(changes or {}), **({"neural.ensemble_size": members} if members else {})})


def onomast(recipe: str, sources: str = LABELS_ONLY) -> Method:
    """A built-in recipe, or several of them together, trained in this process."""
    made = json.dumps(essence(recipe_of(recipe)), sort_keys=True)
    libraries = ("onomast", "python-crfsuite") if recipe_of(recipe).tagger == "linear" else ("onomast", "torch")
    versions = {name: importlib.metadata.version(name) for name in libraries}
    return Method(f"onomast {recipe}", sources, digest(made), versions, partial(_run_onomast, recipe))


def _run_onomast(recipe: str, cell: Cell, _folder: Path) -> Outcome:
    began = time.perf_counter()
    tagger = new_tagger(dataclasses.replace(recipe_of(recipe), seed=cell.seed))
    tagger.fit(dataclasses.replace(cell.corpus, test=()))
    trained = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in cell.corpus.test])
    return Outcome(predicted, {"train": trained - began, "tag": time.perf_counter() - trained})


def onomast_with_text(recipe: str) -> Method:
    """A built-in recipe on fastText vectors learnt from `raw/LANGUAGE.txt.gz`, the test sentences left out."""
    made = onomast(recipe, WITH_TEXT)
    return dataclasses.replace(made, run=partial(_run_with_text, recipe))


def _run_with_text(recipe: str, cell: Cell, _folder: Path) -> Outcome:
    return _fit_with_vectors(recipe, cell, vectors_of(cell))


def _fit_with_vectors(recipe: str, cell: Cell, vectors: Path) -> Outcome:
    """The time of learning vectors, once for a language, is not counted; `vectors.log` has it."""
    changes = {_VECTORS_FIELD[recipe_of(recipe).tagger]: json.dumps(str(vectors)), "seed": str(cell.seed)}
    began = time.perf_counter()
    tagger = new_tagger(recipe_of(recipe, changes))
    tagger.fit(dataclasses.replace(cell.corpus, test=()))
    trained = time.perf_counter()
    predicted = tagger.tag([sentence.bare() for sentence in cell.corpus.test])
    return Outcome(predicted, {"train": trained - began, "tag": time.perf_counter() - trained})


def vectors_of(cell: Cell) -> Path:
    """Vectors of the language, learnt when first asked for and kept in `.cache/`."""
    from onomast.vectors.train import train_vectors

    path = CACHE / f"{cell.language}-100.bin"
    if not path.is_file():
        raw = Path(os.environ["ONOMAST_DATA"]) / "raw" / f"{cell.language}.txt.gz"
        summary = train_vectors([raw], path, exclude=[sentence.tokens for sentence in cell.corpus.test])
        with (CACHE / "vectors.log").open("a", encoding="utf-8") as log:
            log.write(f"{cell.language}: {summary}\n")
    return path


_FIRST = ("amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor")
_SECOND = ("hau", "ibo", "kin", "lug", "luo", "nya", "pcm", "sna", "swa", "wol", "yor", "zul")
SOURCES = (*(f"masakhaner2/{language}" for language in _SECOND), *(f"masakhaner1/{language}" for language in _FIRST))
RAW = ("hau", "ibo", "kin", "lug", "pcm", "swa", "yor")  # languages whose raw text teaches the common vectors


def onomast_with_languages(recipe: str) -> Method:
    """A built-in recipe with all SOURCES beside the target, but those of the target's own language."""
    made = onomast(recipe, WITH_LANGUAGES)
    return dataclasses.replace(
        made,
        fingerprint=digest(made.fingerprint + " ".join(SOURCES)),
        run=partial(_run_with_languages, recipe, ()),
    )


def onomast_with_languages_and_text(recipe: str) -> Method:
    """Likewise, with the SOURCES in RAW languages, on vectors of their raw text, every test sentence left out."""
    made = onomast(recipe, f"{WITH_LANGUAGES} {WITH_TEXT}")
    return dataclasses.replace(
        made,
        fingerprint=digest(made.fingerprint + " ".join((*SOURCES, *RAW))),
        run=partial(_run_with_languages, recipe, RAW),
    )


def _run_with_languages(recipe: str, raw: tuple[str, ...], cell: Cell, folder: Path) -> Outcome:
    data = Path(os.environ["ONOMAST_DATA"])
    spoken = {name: name.partition("/")[2] for name in SOURCES}
    wanted = set(raw or spoken.values()) - {cell.language}
    sources = tuple(source_of(data, name) for name in SOURCES if spoken[name] in wanted)
    cell = dataclasses.replace(cell, corpus=dataclasses.replace(cell.corpus, sources=sources))
    if not raw:
        return _run_onomast(recipe, cell, folder)
    return _fit_with_vectors(recipe, cell, common_vectors(data, raw))


@lru_cache(maxsize=len(SOURCES))
def source_of(data: Path, name: str) -> Corpus:
    """The training sentences of another language."""
    language = name.partition("/")[2]
    sentences = (dataclasses.replace(one, language=language) for one in read(data / name / "train.txt"))
    return Corpus(name, tuple(sentences))


def common_vectors(data: Path, languages: tuple[str, ...]) -> Path:
    """Vectors of several languages in one space, learnt when first asked for and kept in `.cache/`."""
    from onomast.vectors.train import train_vectors

    path = CACHE / f"{'-'.join(languages)}-100.bin"
    if not path.is_file():
        tests = sorted((data / "masakhaner2").glob("*/test.txt"))
        hidden = [sentence.tokens for test in tests for sentence in read(test)]
        raw = [data / "raw" / f"{language}.txt.gz" for language in languages]
        summary = train_vectors(raw, path, exclude=hidden, epochs=5)
        with (CACHE / "vectors.log").open("a", encoding="utf-8") as log:
            log.write(f"{' '.join(languages)}: {summary}\n")
    return path


def peer(name: str, versions: Mapping[str, str]) -> Method:
    """spaCy or Flair, in an environment of its own; the script says which of its recipes is meant."""
    script = PEERS / f"run_{name}.py"
    run_it = partial(_run_peer, name, script, ("--mode", "learn"))
    return Method(name, LABELS_ONLY, digest(script.read_text(encoding="utf-8")), versions, run_it)


def sklearn_crfsuite() -> Method:
    """The features and settings of its CoNLL-2002 tutorial, in its own environment."""
    script = PEERS / "run_sklearn_crfsuite.py"
    versions = {"sklearn-crfsuite": "0.5.0", "python-crfsuite": "0.9.12"}
    run_it = partial(_run_peer, "sklearn-crfsuite", script, ("tutorial",))
    return Method("sklearn-crfsuite", LABELS_ONLY, digest(script.read_text(encoding="utf-8")), versions, run_it)


def _run_peer(environment: str, script: Path, arguments: tuple[str, ...], cell: Cell, folder: Path) -> Outcome:
    """A script that takes TRAIN TEST OUT after its own arguments; it does not see the test file's tags."""
    train, test, out = folder / "train.jsonl", folder / "test.jsonl", folder / "out.json"
    write_sentences(train, list(cell.corpus.train))
    write_sentences(test, [sentence.bare() for sentence in cell.corpus.test])
    seed = () if environment == "sklearn-crfsuite" else ("--seed", str(cell.seed))  # that one draws nothing
    run(python_of(environment), script, *arguments, *seed, *map(str, (train, test, out)))
    made = json.loads(out.read_text(encoding="utf-8"))
    predicted = [old.tagged(tags) for old, tags in zip(cell.corpus.test, made["tags"], strict=True)]
    return Outcome(predicted, {step: made["seconds"][step] for step in ("train", "tag")})


METHODS: dict[str, Callable[[], Method]] = {
    "sklearn-crfsuite": sklearn_crfsuite,
    "crf": partial(onomast, "crf"),
    "crf-fasttext": partial(onomast_with_text, "crf-fasttext"),
    "small": partial(onomast, "small"),
    "small-x5": partial(onomast, "small x5"),
    "small-vectors": partial(onomast_with_text, "small-vectors"),
    "small-vectors-x5": partial(onomast_with_text, "small-vectors x5"),
    "crf-transfer": partial(onomast_with_languages, "crf-transfer"),
    "transfer": partial(onomast_with_languages, "transfer"),
    "transfer-vectors": partial(onomast_with_languages_and_text, "transfer-vectors"),
    "spacy": partial(peer, "spacy", {"spacy": "3.8.18"}),
    "flair": partial(peer, "flair", {"flair": "0.15.1", "torch": "2.13.0"}),
}


def digest(text: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
