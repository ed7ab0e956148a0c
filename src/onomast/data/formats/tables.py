"""Binary tables of sentences: Parquet as Hugging Face writes it, and spaCy's DocBin. Both need an extra; read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onomast.data.formats.records import sentences_of_records
from onomast.data.formats.tag_repair import Spelling, TagRepairer
from onomast.data.input_file import InputFile, ReadLog, ReadOptions
from onomast.errors import MissingExtra
from onomast.sentence import Sentence


def read_parquet(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Rows with tokens and tags, or text and spans. Numbers become names by the ClassLabels of the schema's metadata.

    Raises MissingExtra without pyarrow. The line of a file is the number of the row.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    try:
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(file.content()))
        names = _class_names(table.schema_arrow.metadata or {})
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise file.error(f"not a whole Parquet file: {_line(error)}") from None
    file.encoding = "Parquet"
    yield from sentences_of_records(_rows(table, names, file), file, options, log, "table")


def _rows(table: Any, names: Mapping[str, Sequence[str]], file: InputFile) -> Iterator[tuple[int, Any]]:
    import pyarrow

    number = 0
    try:
        for batch in table.iter_batches(batch_size=1_000):
            for row in batch.to_pylist():
                number += 1
                yield number, {key: _named(value, names[key]) if key in names else value for key, value in row.items()}
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise file.error(f"the Parquet file is damaged: {_line(error)}", number + 1) from None


def _named(value: Any, names: Sequence[str]) -> Any:
    """The names that class numbers stand for; None for a number outside (-100 means: ignore this token)."""
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return value


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from what the `datasets` library keeps in the schema."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {key: names for key, feature in features.items() if (names := _names_in(feature))}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _names_in(feature: Any) -> list[str] | None:
    """The first list called `names` in a feature, however deep."""
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return next((found for value in feature.values() if (found := _names_in(value))), None)


def read_docbin(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Documents of a spaCy DocBin, cut into their sentences where they have any; white-space tokens are left out.

    Raises MissingExtra without spaCy. The line of a file is the number of the document.
    """
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise MissingExtra("spacy", "spacy") from None
    content = file.content()
    try:
        documents = list(DocBin().from_bytes(content).get_docs(spacy.blank("xx").vocab))
    except Exception as error:  # msgpack, zlib, numpy and spaCy each raise their own
        raise file.error(f"not a spaCy DocBin: {_line(error)}") from None
    log.guess += ["spaCy DocBin"]
    log.style = "iob2"
    repairer = TagRepairer(Spelling(), options.orphan, log, file.name)
    for number, document in enumerate(documents, 1):
        for part in document.sents if document.has_annotation("SENT_START") else [document]:
            sentence = _of_spacy(part, document, f"{file.name}:{number}", options, repairer, number)
            if sentence is not None:
                yield sentence


def _of_spacy(
    part: Any, document: Any, name: str, options: ReadOptions, repairer: TagRepairer, number: int
) -> Sentence | None:
    """A spaCy span or document as a sentence; `part` is what it covers of `document`."""
    words = [word for word in part if not word.is_space and word.text]
    if not words:
        return None
    # spaCy: "" means that nobody has said whether the token is part of an entity.
    raw = [f"{word.ent_iob_}-{word.ent_type_}" if word.ent_type_ else word.ent_iob_ or None for word in words]
    pos = tuple(word.pos_ or "_" for word in words)
    best = max(document.cats.items(), key=lambda item: item[1], default=(None, 0.0))
    start = words[0].idx
    end = words[-1].idx + len(words[-1].text)
    return Sentence(
        tuple(word.text for word in words),
        tags=repairer.repaired(raw, [number] * len(raw)),
        pos=None if set(pos) == {"_"} else pos,
        label=best[0] if best[1] > 0 else None,
        language=options.language,
        offsets=tuple((word.idx, word.idx + len(word.text)) for word in words),
        text=document.text[start:end],
        text_start=start,
        source=name,
    )


def _line(error: Exception) -> str:
    """The first line of a library's message."""
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
