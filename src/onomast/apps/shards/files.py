"""One file of a bulk job: Parquet, JSONL or text (also .gz and .zst) in, Parquet or JSONL out, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from onomast.apps.model import Model
from onomast.apps.shards.table import ENTITIES, ERROR, check_columns, entity_type, tag_batch, tag_texts
from onomast.errors import DataError
from onomast.files import atomic_path

_ROWS = 1024  # rows that are tagged at once
_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class Done:
    """What was written of a file."""

    rows: int
    errors: int


def output_name(path: Path) -> str:
    """The name of a file's output: `news.txt.gz` -> `news.jsonl.gz`; Parquet and JSONL keep theirs.

    Raises DataError for a file of another kind.
    """
    packed = path.suffix if path.suffix in _PACKED else ""
    stem = path.name.removesuffix(packed)
    if stem.endswith(".parquet") and not packed:
        return path.name
    if stem.endswith((".jsonl", ".ndjson")):
        return path.name
    if stem.endswith(".txt"):
        return f"{stem.removesuffix('.txt')}.jsonl{packed}"
    raise DataError("expected .parquet, .jsonl or .txt (the last two also .gz or .zst)", path=path)


def tag_shard(model: Model, source: Path, target: Path, *, column: str, min_confidence: float) -> Done:
    """Tag one file. Raises DataError for a file that cannot be read at all; bad rows go into the column `error`."""
    if source.suffix == ".parquet":
        return _tag_parquet(model, source, target, column, min_confidence)
    return _tag_lines(model, source, target, column, min_confidence)


def _tag_parquet(model: Model, source: Path, target: Path, column: str, least: float) -> Done:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise DataError(f"cannot be read as Parquet ({error})", path=source) from None
    rows = errors = 0
    with file, atomic_path(target) as temporary:
        schema = file.schema_arrow
        check_columns(schema, column, source)
        written = schema.append(pa.field(ENTITIES, entity_type())).append(pa.field(ERROR, pa.string()))
        with pq.ParquetWriter(temporary, written) as writer:
            for batch in file.iter_batches(_ROWS):
                table = tag_batch(pa.Table.from_batches([batch]), model, column=column, min_confidence=least)
                said = [
                    None if error is None else f"{source.name}: row {rows + place}: {error}"
                    for place, error in enumerate(table.column(ERROR).to_pylist(), 1)
                ]
                table = table.set_column(table.num_columns - 1, ERROR, pa.array(said, pa.string()))
                writer.write_table(table.cast(written))
                rows += len(said)
                errors += sum(error is not None for error in said)
    return Done(rows, errors)


def _tag_lines(model: Model, source: Path, target: Path, column: str, least: float) -> Done:
    import pyarrow as pa

    is_text = ".txt" in source.suffixes
    rows = errors = 0
    packed = {".gz": "gzip", ".zst": "zstd"}.get(target.suffix)
    with atomic_path(target) as temporary, pa.output_stream(str(temporary), compression=packed) as output:
        lines = _lines(source)
        while group := list(islice(lines, _ROWS)):
            records = [_record(line, column, is_text) for line in group]
            found, failed = tag_texts(model, [record.get(column) for record, _ in records], least)
            for (record, broken), entities, error in zip(records, found, failed, strict=True):
                rows += 1
                said = broken or error
                note = {} if said is None else {ERROR: f"{source.name}: line {rows}: {said}"}
                errors += bool(note)
                output.write((json.dumps({**record, ENTITIES: entities, **note}, ensure_ascii=False) + "\n").encode())
    return Done(rows, errors)


def _lines(source: Path) -> Iterator[bytes]:
    """The lines of a file, which may be packed. Raises DataError for a damaged one."""
    import pyarrow as pa

    held = b""
    try:
        with pa.input_stream(str(source), compression="detect") as file:
            while block := file.read(1 << 16):
                *whole, held = (held + block).split(b"\n")
                yield from whole
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot be read to the end ({error})", path=source) from None
    if held:
        yield held


def _record(line: bytes, column: str, is_text: bool) -> tuple[dict[str, Any], str | None]:
    """A line as an object, and what is wrong with it."""
    try:
        text = line.decode("utf-8").removesuffix("\r")
        record = {column: text} if is_text else json.loads(text)
    except ValueError as error:
        return {"line": line.decode("utf-8", "replace")}, f"not UTF-8 or not JSON ({error})"
    if not isinstance(record, dict):
        return {"line": record}, "not a JSON object"
    taken = [name for name in (ENTITIES, ERROR) if name in record]
    return record, f"it has a field {taken[0]!r} already, which was replaced" if taken else None
