"""Labelled data as users name it (a path, `sample:`, `data:`, sentences, a table) -> sentences; repairs are logged.

The command line and the Python API read through this file and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeGuard

from onomast.corpus import Corpus
from onomast.data.catalogue import splits_of
from onomast.data.formats.records import sentences_of_records
from onomast.data.formats.registry import Reading
from onomast.data.input_file import InputFile, ReadLog, ReadOptions, Repair
from onomast.data.named_files import read_named, repair_counts
from onomast.errors import DataError, quantity
from onomast.sentence import Sentence
from onomast.tags import Orphan

logger = logging.getLogger(__name__)
Split = Literal["train", "dev", "test"]


class Table(Protocol):
    """A pandas or polars frame, or a `datasets.Dataset`: columns `tokens` and `ner_tags`, or `text` and `entities`."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...


Labelled = str | Path | Corpus | Sequence[Sentence] | Table
"""A path, `-` (standard input), `sample:NAME[/SPLIT]`, `data:NAME[/SPLIT]`, sentences, a corpus, or a table."""


def read_labelled(
    data: Labelled,
    *,
    columns: str | None = None,
    language: str | None = None,
    orphan: Orphan = "conlleval",
    split: Split | None = None,
    until: int | None = None,
) -> Reading:
    """Read labelled data and log how it was understood and what was repaired.

    `split` is the part taken of a `Corpus`, or of a corpus that is named without a split; `until` is the last line that
    is read. Raises DataError.
    """
    if isinstance(data, Corpus):
        return _reading(data.name, getattr(data, split or "train"))
    if isinstance(data, str | Path):
        name = str(data)
        name = splits_of(name).get(split or "", name)
        reading = read_named(name, columns=columns, orphan=orphan, language=language, until=until)
    elif _is_sentences(data):
        return _reading("sentences in memory", tuple(data))
    else:
        reading, name = _read_table(data, ReadOptions(language=language, orphan=orphan)), "table"
    logger.info("%s: %s; %s", name, quantity(len(reading.sentences), "sentence"), reading.guess)
    for warning in reading.warnings:
        logger.warning("%s", warning)
    hint = f" (`onomast check {name}` lists them)" if isinstance(data, str | Path) else ""
    for kind, number in repair_counts(reading).items():
        logger.warning("%s: %s of kind %s%s", name, quantity(number, "repair"), kind, hint)
    return reading


def name_of(data: Labelled | None) -> str:
    """What to call the data in a message or a model card."""
    if data is None:
        return ""
    if isinstance(data, str | Path):
        return str(data)
    return data.name if isinstance(data, Corpus) else "sentences in memory" if _is_sentences(data) else "table"


def split_of(data: Labelled | None, split: Split) -> Labelled | None:
    """The `split` of data that holds several: a `Corpus`, or `sample:NAME` and `data:NAME` without a split."""
    if isinstance(data, Corpus):
        return data if getattr(data, split) else None
    return splits_of(data).get(split) if isinstance(data, str) else None


def _reading(name: str, sentences: Sequence[Sentence]) -> Reading:
    if not sentences:
        raise DataError("there is no sentence in it", path=name)
    return Reading(name, tuple(sentences), "sentences", None, "", ())


def _is_sentences(data: object) -> TypeGuard[Sequence[Sentence]]:
    return isinstance(data, list | tuple) and all(isinstance(item, Sentence) for item in data)


def _read_table(table: Table, options: ReadOptions) -> Reading:
    """Rows of a frame or dataset, by the reader of JSON records: the same keys are understood."""
    repairs: list[Repair] = []
    log = ReadLog(repairs.append)
    file = InputFile("table")
    sentences = tuple(sentences_of_records(enumerate(_rows(table), 1), file, options, log, "table"))
    if not sentences:
        raise file.error("there is no row in it")
    return Reading("table", sentences, "table", log.style, "; ".join(filter(None, log.guess)), tuple(repairs))


def _rows(table: Any) -> Iterator[Mapping[str, Any]]:
    """Rows as dictionaries of plain lists, numbers and texts."""
    if hasattr(table, "iter_rows"):  # polars
        rows = table.iter_rows(named=True)
    elif hasattr(table, "itertuples"):  # pandas
        rows = table.to_dict("records")
    elif hasattr(table, "features"):  # datasets
        names = {key: _class_names(feature) for key, feature in table.features.items()}
        rows = ({key: _named(value, names[key]) for key, value in row.items()} for row in table)
    elif isinstance(table, list | tuple) and all(isinstance(row, Mapping) for row in table):
        rows = iter(table)
    else:
        raise DataError(
            f"a {type(table).__name__} is not labelled data; expected a path, sample:NAME, data:NAME, sentences, "
            "or a table with the columns tokens and ner_tags, or text and entities"
        )
    for row in rows:
        yield {str(key): _plain(value) for key, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    """Arrays, tuples and their numbers as lists and Python numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _class_names(feature: Any) -> Sequence[str]:
    """The names of a `ClassLabel`, also of a list of them."""
    while getattr(feature, "feature", None) is not None:
        feature = feature.feature
    return list(getattr(feature, "names", None) or ())


def _named(value: Any, names: Sequence[str]) -> Any:
    """Class numbers as names; None for a number that stands for none, such as -100."""
    if not names:
        return value
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
