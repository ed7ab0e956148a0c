"""results.jsonl: one line per run, appended and synced at once. A line torn by a kill is cut off by the next run."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from onomast.errors import DataError, OnomastError, RecipeError
from onomast.experiments.cells import Cell, identity

if TYPE_CHECKING:
    from onomast.evaluation.counting import Counts

Row = dict[str, Any]
RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Results:
    """The rows of results.jsonl, found by what was run."""

    rows: tuple[Row, ...]
    """All of them, oldest first."""
    known: Mapping[str, Row]
    """The last row of each run: identity and checksums -> row."""
    newest: Mapping[str, Row]
    """The last row that is done of each identity, whatever the files held."""

    def of(self, cell: Cell, checksums: Mapping[str, str]) -> Row | None:
        """The last row of this very run; None: it is still to be done."""
        return self.known.get(_key(cell.identity, checksums))

    def latest(self, cell: Cell) -> Row | None:
        """The last row of this cell that is done; needs no corpora, so a table can be made without them."""
        return self.newest.get(cell.identity)


def read_results(path: Path) -> Results:
    """Read results.jsonl; a last line without its end is passed over. Raises DataError for any other broken line."""
    rows = _rows(path)
    known: dict[str, Row] = {}
    newest: dict[str, Row] = {}
    for row in rows:
        with suppress(RecipeError, KeyError, TypeError):  # a recipe of another time: the row is history
            now = identity(row["parts"])
            known[_key(now, row["checksums"])] = row
            if row["status"] == "done":
                newest[now] = row
    return Results(tuple(rows), known, newest)


def row_of(cell: Cell, checksums: Mapping[str, str], outcome: Mapping[str, Any]) -> Row:
    """The row that is written: what was run, on which files, and the outcome."""
    return {
        "id": cell.identity,
        "row": cell.row,
        "coordinates": dict(cell.coordinates),
        "seed": cell.seed,
        "changes": dict(cell.changes),
        "status": outcome["status"],
        **{key: value for key, value in outcome.items() if key not in ("status", "counts")},
        "checksums": dict(checksums),
        "parts": cell.parts,
        **({"counts": outcome["counts"]} if "counts" in outcome else {}),
    }


def pack_counts(counts: Counts) -> str:
    """(N, 3) counts of the test sentences as text: 16-bit numbers, zlib, base 64."""
    return base64.b64encode(zlib.compress(counts.astype("<u2").tobytes(), 9)).decode()


def unpack_counts(text: str) -> Counts:
    """(N, 3): what `pack_counts` wrote."""
    import numpy as np

    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2").reshape(-1, 3).astype(np.int64)


def mixed_files(rows: Sequence[Row]) -> list[str]:
    """Names of files that these rows read in different states."""
    states: dict[str, set[str]] = {}
    for row in rows:
        for name, digest in row["checksums"].items():
            states.setdefault(name, set()).add(digest)
    return sorted(name for name, digests in states.items() if len(digests) > 1)


@contextmanager
def appending(path: Path) -> Iterator[Callable[[Row], None]]:
    """Yield a function that appends a row and syncs it. Raises OnomastError while another run holds the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        _lock(handle, path)
        _cut_torn_line(handle)

        def append(row: Row) -> None:
            handle.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
            handle.flush()
            os.fsync(handle.fileno())

        yield append


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    whole, _, _torn = path.read_bytes().rpartition(b"\n")
    rows = []
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or "status" not in row:
                raise ValueError("not a row of results")
        except ValueError as error:
            raise DataError(f"not a row of results ({error}); delete the line", path=path, line=number) from None
        rows.append(row)
    return rows


def _cut_torn_line(handle: BinaryIO) -> None:
    """Remove an incomplete last line, left by a kill while it was written; that run is repeated."""
    handle.seek(0)
    whole, newline, torn = handle.read().rpartition(b"\n")
    if torn:
        handle.truncate(len(whole) + len(newline))
    handle.seek(0, os.SEEK_END)


def _lock(handle: BinaryIO, path: Path) -> None:
    """Hold the file until it is closed; a killed process lets go of it."""
    try:
        import fcntl
    except ImportError:  # Windows: nothing stops two runs of one grid at a time
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OnomastError(f"{path}: another `onomast grid run` is writing it; wait for it, or stop it") from None


def _key(identity_: str, checksums: Mapping[str, str]) -> str:
    return f"{identity_} {json.dumps(dict(checksums), sort_keys=True)}"
