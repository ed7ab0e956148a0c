"""Cell -> its training data: sentences of its size, sources, vectors; and the checksums of all files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from onomast.corpus import Corpus
from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import read_file
from onomast.data.named_files import read_named_text
from onomast.errors import DataError
from onomast.experiments.cells import Cell, size_of
from onomast.experiments.grid import names
from onomast.files import write_text
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.taggers.self_training import sampled

CACHE = ".cache"
"""Folder beside grid.toml that git ignores: vectors learnt from raw text."""
TRAINING_TEXT = "train"
TEXT_OF = "text:"
"""Before a name in `raw`: the tokens of a labelled file, without its labels."""


@dataclass(frozen=True)
class Pretraining:
    """Vectors, or an encoder, to train before the cells that use them can be run."""

    cell: Cell
    path: Path
    kind: Literal["vectors", "encoder"] = "vectors"

    def __str__(self) -> str:
        if self.kind == "encoder":
            script = f" in {self.cell.recipe.script}" if self.cell.recipe.script else ""
            return f"an encoder{script} from {', '.join(self.cell.encoder.text)}"
        return f"vectors for {self.cell.corpus} from {', '.join(self.cell.files['raw'])}"


def corpus_of(cell: Cell) -> Corpus:
    """The sentences of a cell: a seeded sample of its size, whole test files, its sources. Raises DataError."""
    data = cell.data
    train, dev, test = (_sentences(cell, cell.files.get(role, ())) for role in ("train", "dev", "test"))
    if data.leaked == "removed":
        test = _without(test, (*train, *dev, *_sentences(cell, cell.files.get("leaked", ()))))
        if not test:
            raise DataError("every test sentence occurs in the training files, so none is left", path=data.name)
    whole = Corpus(data.name, train, dev, test, _sources(cell))
    budget = size_of(cell, len(train))
    corpus = whole if cell.size == "all" else replace(whole.sample(budget, cell.seed), dev=dev)
    if "rest" in cell.use:
        rest = _class_only(whole, corpus)
        corpus = replace(corpus, train=(*corpus.train, *rest[: cell.rest_sentences or None]))
    if "raw" in cell.use and cell.recipe.self_training.rounds:
        corpus = replace(corpus, raw=sampled(_raw_sentences(cell), cell.recipe.self_training, cell.seed))
    if not corpus.labels and not corpus.sentence_labels:
        raise DataError("no training sentence carries a label; nothing can be learnt from it", path=data.name)
    return corpus


def _raw_sentences(cell: Cell) -> Iterator[Sentence]:
    """The raw text of a cell, sentence by sentence; labelled files without their labels."""
    for name in cell.files["raw"]:
        if name == TRAINING_TEXT or _is_labelled(name):
            names_read = cell.files["train"] if name == TRAINING_TEXT else (name.removeprefix(TEXT_OF),)
            yield from (sentence.bare() for sentence in _sentences(cell, names_read))
        else:
            yield from read_named_text(str(located(name, cell.folder)))


def leaked_of(cell: Cell) -> tuple[Sentence, ...]:
    """The test sentences that `leaked = "removed"` leaves out."""
    if cell.data.leaked != "removed":
        return ()
    train, dev, test, more = (_sentences(cell, cell.files.get(role, ())) for role in ("train", "dev", "test", "leaked"))
    seen = {sentence.tokens for sentence in (*train, *dev, *more)}
    return tuple(sentence for sentence in test if sentence.tokens in seen)


def checksums(cell: Cell) -> dict[str, str]:
    """Of every file the cell depends on: name -> 16 hexadecimal digits. Raises DataError for one that is not here."""
    sums = {}
    for name in sorted({name for files in cell.files.values() for name in files} - {TRAINING_TEXT}):
        path = located(name, cell.folder)
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        if not files or not path.exists():
            raise DataError("there is no such file; a grid's paths are relative to its own folder", path=path)
        digests = [_digest(one, one.stat().st_mtime_ns, one.stat().st_size) for one in files]
        sums[name] = digests[0] if path.is_file() else hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    return sums


def located(name: str, folder: Path) -> Path:
    """The path of a name in the grid."""
    name = name.removeprefix(TEXT_OF)
    return resolve(name) if name.startswith(("data:", "sample:")) else folder / name


def vectors_of(cell: Cell) -> Path | None:
    """The vectors file a cell uses, which may have to be learnt first; None: it uses none."""
    if "raw" in cell.use and (_wants_vectors(cell.recipe) or not cell.recipe.self_training.rounds):
        sums = checksums(cell)
        parts: dict[str, Any] = {**cell.parts, "recipe": cell.recipe.script, "sums": sums}
        for name in ("seed", "size", "leaked", "rest", "tag_scheme"):
            del parts[name]
        parts["files"] = {role: parts["files"].get(role) for role in ("dev", "test", "raw")}
        if TRAINING_TEXT in cell.files["raw"]:
            parts["files"]["train"] = cell.files["train"]
        wanted = {name for files in parts["files"].values() for name in files or ()}
        parts["sums"] = {name: digest for name, digest in sums.items() if name in wanted}
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        return cell.folder / CACHE / f"vectors-{hashlib.sha256(text.encode()).hexdigest()[:16]}.bin"
    return located(cell.data.vectors, cell.folder) if "vectors" in cell.use else None


def _wants_vectors(recipe: Recipe) -> bool:
    if recipe.tagger == "neural":
        return recipe.neural.words.mode != "random"
    from onomast.taggers.linear.vector_features import uses_vectors

    return uses_vectors(recipe.linear.features)


def missing_vectors(cells: Sequence[Cell]) -> list[Pretraining]:
    """Vectors to be learnt from raw text, each once."""
    wanted = {path: cell for cell in reversed(cells) if "raw" in cell.use and (path := vectors_of(cell)) is not None}
    return [Pretraining(cell, path) for path, cell in reversed(wanted.items()) if not path.is_file()]


def learn_vectors(learning: Pretraining) -> dict[str, Any]:
    """Learn vectors from the raw text of a cell, less its dev and test sentences; a .json beside them says how."""
    from onomast.vectors.train import train_vectors

    cell, settings = learning.cell, learning.cell.vectors
    folder = learning.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ".gitignore", "*\n")
    hidden = [sentence.tokens for role in ("test", "dev") for sentence in _sentences(cell, cell.files.get(role, ()))]
    with TemporaryDirectory() as temporary:
        text = Path(temporary) / "train.txt"
        text.write_text("".join(_lines(cell)), encoding="utf-8")
        written = [name for name in cell.files["raw"] if _is_labelled(name)]
        raw = [located(name, cell.folder) for name in cell.files["raw"] if name not in written]
        raw += [text] if written else []
        tokenised = raw == [text]
        segmenter = settings.segmenter or ("spaces" if tokenised else None)
        summary = train_vectors(
            raw, learning.path, exclude=hidden, script=cell.recipe.script, segmenter=segmenter, lower=settings.lower,
            width=settings.width, epochs=settings.epochs, min_count=settings.min_count, window=settings.window,
            minn=settings.minn, maxn=settings.maxn,
        )  # fmt: skip
    done = {"raw": cell.files["raw"], "summary": str(summary)}
    write_text(learning.path.with_suffix(".json"), json.dumps(done, ensure_ascii=False) + "\n")
    return {"status": "done", "summary": str(summary)}


def _lines(cell: Cell) -> Iterator[str]:
    """The tokens of labelled files: `train` and what is named with `text:`."""
    for name in filter(_is_labelled, cell.files["raw"]):
        files = cell.files["train"] if name == TRAINING_TEXT else (name.removeprefix(TEXT_OF),)
        yield from (" ".join(sentence.tokens) + "\n" for sentence in _sentences(cell, files))


def _is_labelled(name: str) -> bool:
    return name == TRAINING_TEXT or name.startswith(TEXT_OF)


def _sources(cell: Cell) -> tuple[Corpus, ...]:
    return tuple(Corpus(name, _sentences(cell, (name,))) for name in cell.files.get("sources", ()))


def _class_only(whole: Corpus, sampled: Corpus) -> list[Sentence]:
    """The sentences that were not sampled, with their category alone."""
    kept = {id(sentence) for sentence in sampled.train}
    rest = [replace(s, tags=None) for s in whole.train if id(s) not in kept and s.label is not None]
    if not rest:
        raise DataError("no sentence beyond the size has a category; leave `rest` out of `use`", path=whole.name)
    return rest


def _without(test: Sequence[Sentence], known: Sequence[Sentence]) -> tuple[Sentence, ...]:
    seen = {sentence.tokens for sentence in known}
    return tuple(sentence for sentence in test if sentence.tokens not in seen)


def _sentences(cell: Cell, files: Sequence[str]) -> tuple[Sentence, ...]:
    """Of these files; `columns` are those of the corpus, not of its sources."""
    sentences: list[Sentence] = []
    for name in files:
        own = any(name in names(part) for part in (cell.data.train, cell.data.dev, cell.data.test))
        columns = cell.data.columns if own else ""
        sentences += _read(str(located(name, cell.folder)), language_of(name), columns or None)
    return tuple(sentences)


@lru_cache(maxsize=64)
def _read(path: str, language: str | None, columns: str | None) -> tuple[Sentence, ...]:
    return read_file(path, columns=columns, language=language).sentences


@cache
def _digest(path: Path, changed: int, size: int) -> str:  # noqa: ARG001 - they tell when the file is another
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
