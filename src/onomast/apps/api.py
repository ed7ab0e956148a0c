"""The functions of `import onomast`. Each reads its arguments and calls what the command line calls."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.apps.inputs import Labelled, read_labelled
from onomast.apps.model import Model
from onomast.apps.train import TrainingOptions
from onomast.apps.train import train as train_tagger
from onomast.data.formats import registry
from onomast.sentence import Sentence
from onomast.tags import Orphan, Style

if TYPE_CHECKING:
    from onomast.evaluation.counting import Known
    from onomast.evaluation.report import Report
    from onomast.evaluation.significance import Comparison


def train(
    train: Labelled | None = None,
    *,
    test: Labelled | None = None,
    dev: Labelled | None = None,
    out: str | Path | None = None,
    recipe: str | Path = "crf",
    source: Labelled | Sequence[Labelled] = (),
    raw: str | Path | Sequence[str | Path] = (),
    vectors: str | Path | None = None,
    encoder: str | Path | None = None,
    budget: int | None = None,
    seed: int = 0,
    relabel: Mapping[str, str] | None = None,
    set: Mapping[str, Any] | None = None,
    columns: str | None = None,
    until: int | None = None,
    resume: bool = False,
    force: bool = False,
) -> Model:
    """Train a tagger on labelled sentences, save it, and score it on the test data.

    >>> onomast.train("train.conll", test="test.conll", out="model").entities("Asha alisafiri kwenda Dodoma.")

    Labelled data is a path, `sample:NAME[/SPLIT]` (shipped), `data:NAME[/SPLIT]` (public), a list of `Sentence`, a
    `Corpus`, or a table (pandas, polars, `datasets`) of `tokens` and `ner_tags`, or of `text` and `entities`.
    Notes go to the logger `onomast`: `logging.basicConfig(level=logging.INFO)` shows them.

    Args:
        train: labelled data; without a split, a corpus gives train, dev and test. None: the sources alone (zero-shot).
        test: score the tagger on these afterwards; the scores are `model.report`.
        dev: sentences to stop and select by, for recipes that do.
        out: the folder to save the model in; None: a temporary one, which lasts as long as the model.
        recipe: a name of `onomast recipes`, or a TOML file.
        source: labelled data of other languages or domains, one or several.
        raw: files of raw text, one or several: word vectors are learnt from them first.
        vectors: a file of word vectors (fastText, GloVe, word2vec).
        encoder: a pre-trained encoder, for recipes that have one: a folder or a name on the hub.
        budget: use only so many sentences of `train` (a shuffle by `seed`), dev sentences included.
        seed: of everything random.
        relabel: new names of the sources' labels, such as `{"NEP": "PER"}`; `""`: not annotated.
        set: fields of the recipe to change, such as `{"linear.c2": 0.5}`.
        columns: names of the columns of column files, such as `"token pos tag"`; found out by themselves otherwise.
        until: the last line of `train` that is read, for a file that is labelled up to there.
        resume: go on from the checkpoints of an interrupted training in `out`.
        force: replace a model that `out` already holds.

    Raises DataError, RecipeError, ModelError, MissingExtra: what is wrong with data, recipe, `out`, libraries.

    Notes go to the logger `onomast`: `logging.basicConfig(level=logging.INFO)` shows them.
    """
    folder = Path(tempfile.mkdtemp(prefix="onomast-")) if out is None else Path(out)
    options = TrainingOptions(
        train=_named(train), out=folder, recipe=str(recipe), dev=_named(dev), test=_named(test), budget=budget,
        sources=tuple(map(_named, _several(source))), relabel=dict(relabel or {}), vectors=_named(vectors),
        raw=tuple(map(str, _several(raw))), encoder=_named(encoder), seed=seed, resume=resume, force=force,
        columns=columns, until=until, changes=_as_text(set or {}),
    )  # fmt: skip
    return _trained(options, is_temporary=out is None)


def load(folder: str | Path) -> Model:
    """Load a saved model.

    Examples:
        >>> model = onomast.load("model")
        >>> model.evaluate("test.conll").micro.f1

    Raises:
        ModelError: a file of the folder is missing, damaged, or of another model.
        MissingExtra: the model needs a library that is not installed.
    """
    return Model.load(folder)


def read(
    data: Labelled,
    *,
    format: str | None = None,
    columns: str | Sequence[str] | None = None,
    style: Style | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
) -> list[Sentence]:
    """Read labelled sentences: a path, `-`, `sample:NAME/SPLIT`, `data:NAME/SPLIT`, or a table.

    Args:
        data: what to read (see `onomast.train`).
        format: `columns`, `conllu`, `jsonl`, `brat`, ...; None: found out.
        columns: names of the columns of a column file, such as `"token pos tag"`; None: found out.
        style: the file's tag scheme, such as `"iobes"`; None: found out. The sentences are IOB2.
        orphan: what becomes of tags that no legal sequence contains.
        language: of sentences that name none (ISO 639-3).

    Raises:
        DataError: there is no such file, it is not UTF-8, it is empty, or there are two equally good ways to read it.
    """
    if isinstance(data, str | Path) and (format is not None or style is not None):
        from onomast.data.catalogue import language_of, resolve

        name = str(data)
        return registry.read(
            resolve(name), format=format, columns=columns, style=style, orphan=orphan,
            language=language or language_of(name),
        )  # fmt: skip
    names = columns if columns is None or isinstance(columns, str) else " ".join(columns)
    return list(read_labelled(data, columns=names, language=language, orphan=orphan).sentences)


def write(sentences: Sequence[Sentence], path: str | Path, *, format: str | None = None, style: Style = "iob2") -> None:
    """Write sentences to a file, which appears whole or not at all; `-` is standard output.

    `format` is taken from the file name where it is None, and is columns where the name says nothing; `.gz` compresses.
    Raises DataError for a sentence that the format cannot hold.
    """
    registry.write(sentences, path, format=format, style=style)


def evaluate(
    gold: Labelled,
    predicted: Labelled,
    *,
    train: Labelled | Known = (),
    scheme: Style = "iobes",
    orphan: Orphan = "conlleval",
    samples: int = 1000,
    seed: int = 0,
) -> Report:
    """Score predicted sentences against gold ones: the same sentences and tokens, in the same order.

    Args:
        gold: labelled data (see `onomast.train`).
        predicted: the same sentences, tagged.
        train: what the tagger was trained on, for the scores of unseen entities and without leaked sentences.
        scheme: of the tag-level scores; entities do not depend on it.
        orphan: what becomes of tags that no legal sequence contains.
        samples: of the bootstrap, for 95 % intervals.
        seed: of the bootstrap.

    Raises:
        DataError: gold and predicted are not the same sentences; the first difference is named.
    """
    from onomast.evaluation.counting import Known
    from onomast.evaluation.report import evaluate as score

    known = train if isinstance(train, Known) else _sentences(train, orphan) if _is_given(train) else ()
    return score(
        _sentences(gold, orphan), _sentences(predicted, orphan), train=known, scheme=scheme, orphan=orphan,
        samples=samples, seed=seed,
    )  # fmt: skip


def compare(
    gold: Labelled, predicted: Mapping[str, Labelled], *, samples: int = 10_000, seed: int = 0
) -> list[Comparison]:
    """Compare taggers on the same sentences, in pairs: bootstrap and approximate randomisation.

    Examples:
        >>> onomast.compare("test.conll", {"crf": "crf.conll", "small": "small.conll"})

    Raises:
        DataError: the files are not the same sentences.
    """
    from onomast.evaluation.significance import compare as run

    tagged = {name: _sentences(data) for name, data in predicted.items()}
    return run(_sentences(gold), tagged, samples=samples, seed=seed)


def _sentences(data: Labelled, orphan: Orphan = "conlleval") -> Sequence[Sentence]:
    if isinstance(data, list | tuple) and all(isinstance(item, Sentence) for item in data):
        return data
    return read_labelled(data, orphan=orphan, split="test").sentences


def _is_given(data: Labelled | Known) -> bool:
    return not (isinstance(data, list | tuple) and not data)


def _named(data: Any) -> Any:
    return str(data) if isinstance(data, Path) else data


def _as_text(changes: Mapping[str, Any]) -> dict[str, str]:
    """Values of recipe fields as `--set` takes them."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}


def _several(data: Any) -> Sequence[Any]:
    """One thing as a sequence of one; a list of sentences is one thing."""
    if isinstance(data, list | tuple) and not (data and all(isinstance(item, Sentence) for item in data)):
        return data
    return [data]


def _trained(options: TrainingOptions, *, is_temporary: bool) -> Model:
    """Train; a temporary folder lasts as long as the model."""
    try:
        trained = train_tagger(options)
    except BaseException:
        if is_temporary:
            shutil.rmtree(options.out, ignore_errors=True)
        raise
    model = Model(trained.tagger, options.out, trained.report)
    if is_temporary:
        weakref.finalize(model, shutil.rmtree, options.out, ignore_errors=True)
    return model
