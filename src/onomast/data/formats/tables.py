"""Binary tables of sentences: Parquet, as Hugging Face writes it, and spaCy's DocBin. Both need an extra."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from onomast.data.formats.annotation_tools import text_and_offsets
from onomast.data.formats.columns import checked_tokens, written_tags
from onomast.data.formats.records import sentences_of_records
from onomast.data.formats.tag_repair import UNKNOWN, Spelling, TagRepairer
from onomast.data.input_file import STANDARD_INPUT, InputFile, ReadLog, ReadOptions, is_unbounded
from onomast.errors import DataError, MissingExtra
from onomast.files import atomic_path
from onomast.sentence import Sentence
from onomast.tags import Style

_BLOCK = 1 << 16  # bytes decompressed at once to see what comes out
_LARGEST = 1 << 20  # bytes decompressed in one step
_VALUES = 1_000_000  # values of a table about which nothing is said
_VALUES_PER_BYTE = 200


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
        _check_size(table.metadata, file)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise file.error(f"not a whole Parquet file: {_line(error)}") from None
    file.encoding = "Parquet"
    yield from sentences_of_records(_rows(table, names, file), file, options, log, "table")


def _check_size(metadata: Any, file: InputFile) -> None:
    """Raise DataError where the footer speaks of far more values, or bytes, than such a file can hold in good faith."""
    columns = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    size = max(1, sum(column.total_compressed_size for column in columns))
    file.check_expansion(size, sum(column.total_uncompressed_size for column in columns))
    values = max(metadata.num_rows, sum(column.num_values for column in columns))
    if values > _VALUES and values > _VALUES_PER_BYTE * size and not is_unbounded():
        raise file.error(
            f"{size:,} bytes hold {values:,} values; expected at most {_VALUES_PER_BYTE} a byte; it may be damaged, or "
            "made to fill the memory; if you trust it, set ONOMAST_UNBOUNDED=1"
        )


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
    log.guess += ["spaCy DocBin"]
    log.style = "iob2"
    repairer = TagRepairer(Spelling(), options.orphan, log, file.name)
    documents = iter(_documents(file, DocBin, spacy.blank("xx").vocab))
    number = 0
    while True:
        number += 1
        try:
            document = next(documents, None)
            sentences = [] if document is None else list(_of_document(document, file.name, options, repairer, number))
        except DataError:
            raise
        except Exception as error:  # msgpack, zlib, numpy and spaCy each raise their own
            raise file.error(f"not a whole spaCy DocBin: {_line(error)}") from None
        if document is None:
            return
        yield from sentences


def _documents(file: InputFile, docbin: Any, vocabulary: Any) -> Iterator[Any]:
    """The documents; first it is counted how much comes out of the compressed file."""
    content = file.content()
    stream = zlib.decompressobj()
    size = 0
    for start in range(0, len(content), _BLOCK):
        packed = content[start : start + _BLOCK]
        while packed:
            size += len(stream.decompress(packed, _LARGEST))
            file.check_expansion(len(content), size)
            packed = stream.unconsumed_tail
    yield from docbin().from_bytes(content).get_docs(vocabulary)


def _of_document(
    document: Any, name: str, options: ReadOptions, repairer: TagRepairer, number: int
) -> Iterator[Sentence]:
    for part in document.sents if document.has_annotation("SENT_START") else [document]:
        sentence = _of_spacy(part, document, f"{name}:{number}", options, repairer, number)
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


def write_parquet(sentences: Iterable[Sentence], path: str, style: Style) -> None:
    """A row a sentence: `tokens` and `ner_tags`, as data sets of the Hugging Face hub have them, and more.

    Raises MissingExtra without pyarrow, DataError for a sentence without tokens.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    strings = pyarrow.list_(pyarrow.string())
    fields = {
        "tokens": strings, "ner_tags": strings, "pos_tags": strings, "text": pyarrow.string(),
        "text_start": pyarrow.int64(), "offsets": pyarrow.list_(pyarrow.list_(pyarrow.int64())),
        "label": pyarrow.string(), "language": pyarrow.string(),
    }  # fmt: skip
    schema = pyarrow.schema(list(fields.items()))
    rows = (_row(sentence, path, style) for sentence in sentences)
    if path == STANDARD_INPUT:
        raise DataError("a Parquet file is binary; expected a file; name one with --out", path="standard output")
    with atomic_path(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        while batch := list(islice(rows, 1_000)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))


def _row(sentence: Sentence, path: str, style: Style) -> dict[str, Any]:
    tokens = checked_tokens(sentence, path)
    tags = None if sentence.tags is None else written_tags(sentence, style, path)
    return {
        "tokens": tokens,
        "ner_tags": None if tags is None else [None if tag == UNKNOWN else tag for tag in tags],
        "pos_tags": sentence.pos,
        "text": sentence.text,
        "text_start": sentence.text_start,
        "offsets": sentence.offsets,
        "label": sentence.label,
        "language": sentence.language,
    }


def write_docbin(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """A spaCy document a sentence, with its entities; universal parts of speech and the label (`cats`) are kept.

    Raises MissingExtra without spaCy, DataError for a sentence without tokens.
    """
    try:
        import spacy
        from spacy.parts_of_speech import IDS
        from spacy.tokens import Doc, DocBin
    except ImportError:
        raise MissingExtra("spacy", "spacy") from None
    if path == STANDARD_INPUT:
        raise DataError("a DocBin is binary; expected a file; name one with --out", path="standard output")
    vocabulary = spacy.blank("xx").vocab
    documents = DocBin(attrs=["ORTH", "SPACY", "ENT_IOB", "ENT_TYPE", "POS"])
    for sentence in sentences:
        text, offsets = text_and_offsets(sentence, path)
        tokens = checked_tokens(sentence, path)
        known = sentence.pos is not None and set(sentence.pos) <= set(IDS)
        document = Doc(
            vocabulary,
            words=list(tokens),
            spaces=[text[end : end + 1] == " " for _, end in offsets],
            pos=list(sentence.pos or ()) if known else None,
            ents=None if sentence.tags is None else [tag or "" for tag in sentence.tags],
        )
        if sentence.label is not None:
            document.cats = {sentence.label: 1.0}
        documents.add(document)
    with atomic_path(path) as temporary:
        temporary.write_bytes(documents.to_bytes())


def _line(error: Exception) -> str:
    """The first line of a library's message."""
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
