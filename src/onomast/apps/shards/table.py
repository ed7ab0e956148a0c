"""`tag_batch`: a table with a column of text -> the same table with columns of entities and errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.apps.model import Entities, Model
from onomast.errors import DataError, OnomastError

if TYPE_CHECKING:
    import pyarrow as pa

ENTITIES, ERROR = "entities", "error"
"""The columns that are added."""


def tag_batch(
    table: pa.Table, model: Model | str | Path, *, column: str = "text", min_confidence: float = 0.0
) -> pa.Table:
    """Tag the texts of a table; every other column stays.

    Adds `entities` (list of start, end, label, text, confidence; offsets in code points) and `error` (null where all
    is well). A row whose text is null has no entities and an error. Raises DataError when the table has no such column
    of text, or has columns of the names that are added.
    """
    import pyarrow as pa

    model = model if isinstance(model, Model) else Model.load(model)
    check_columns(table.schema, column)
    entities, errors = tag_texts(model, table.column(column).to_pylist(), min_confidence)
    kind = entity_type()
    return table.append_column(ENTITIES, pa.array(entities, kind)).append_column(ERROR, pa.array(errors, pa.string()))


def check_columns(schema: Any, column: str, path: str | Path | None = None) -> None:
    """Raises DataError unless a schema has this column of text, and none that would be added."""
    import pyarrow.types as types

    if column not in schema.names:
        raise DataError(f"there is no column {column!r}; columns: {', '.join(schema.names)}", path=path)
    kind = schema.field(column).type
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)):
        raise DataError(f"column {column!r} is of type {kind}; expected text", path=path)
    taken = [name for name in (ENTITIES, ERROR) if name in schema.names]
    if taken:
        raise DataError(f"there is a column {taken[0]!r} already, which would be written; rename it", path=path)


def entity_type() -> Any:
    """The Arrow type of the column `entities`."""
    import pyarrow as pa

    fields = [("start", pa.int64()), ("end", pa.int64()), ("label", pa.string()), ("text", pa.string())]
    return pa.list_(pa.struct([*fields, ("confidence", pa.float32())]))


def tag_texts(
    model: Model, texts: Sequence[Any], min_confidence: float = 0.0
) -> tuple[list[list[dict[str, Any]] | None], list[str | None]]:
    """Entities and an error for each text. What is no text, or cannot be tagged, has None and an error."""
    good = [place for place, text in enumerate(texts) if isinstance(text, str)]
    entities: list[list[dict[str, Any]] | None] = [None] * len(texts)
    errors: list[str | None] = [None if isinstance(text, str) else f"no text but {text!r:.40}" for text in texts]
    try:
        found: list[Entities] = model.entities([texts[place] for place in good], min_confidence=min_confidence)
        for place, one in zip(good, found, strict=True):
            entities[place] = _plain(one)
    except OnomastError:
        raise
    except Exception:  # one bad text must not stop a job: find it
        for place in good:
            try:
                entities[place] = _plain(model.entities(str(texts[place]), min_confidence=min_confidence))
            except Exception as error:
                errors[place] = f"{type(error).__name__}: {error}"
    return entities, errors


def _plain(entities: Entities) -> list[dict[str, Any]]:
    return [
        {"start": one.start, "end": one.end, "label": one.label, "text": one.text, "confidence": one.confidence}
        for one in entities
    ]
