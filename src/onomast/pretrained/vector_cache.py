"""Arrays cached on disk under the hash of what they were computed from; safe to delete, safe with several processes.

A folder holds parts: `NAME.npy`, float16 rows one after the other, and `NAME.index.npy`, which says whose rows they
are. The index is renamed into place last, so a part with an index is complete. Nothing is ever changed in place.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onomast.files import atomic_path

Rows = npt.NDArray[np.float16]

KEY_BYTES = 16
_DEFAULT_GIGABYTES = 8.0
_BUFFER_BYTES = 64_000_000  # kept in memory before they are written as a part
_INDEX = np.dtype([("key", f"V{KEY_BYTES}"), ("start", "<i8"), ("length", "<i8")])


def cache_folder() -> Path:
    """`$ONOMAST_CACHE`, or `onomast` in the user's cache folder."""
    if given := os.environ.get("ONOMAST_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onomast"


def cache_limit() -> int:
    """Bytes that all parts below `cache_folder` may take: `$ONOMAST_CACHE_GB` gigabytes, or 8."""
    try:
        return int(float(os.environ.get("ONOMAST_CACHE_GB", "")) * 1e9)
    except ValueError:
        return int(_DEFAULT_GIGABYTES * 1e9)


class VectorCache:
    """The parts of one folder, read through memory maps, and what is not written yet.

    A folder that cannot be written only costs the time to compute the arrays again: nothing is raised for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[bytes, tuple[str, int, int]] = {}  # part, first row, number of rows
        self._parts: dict[str, Rows] = {}
        self._seen: set[str] = set()
        self._buffer: dict[bytes, Rows] = {}
        self._buffered = 0
        self.scan()

    def scan(self) -> None:
        """Read the index of every part that is new, such as those another process has written since."""
        for path in self.folder.glob("*.index.npy"):
            if path.name not in self._seen:
                self._seen.add(path.name)
                self._add(path)

    def get(self, key: bytes) -> Rows | None:
        """The rows under a key, or None."""
        if (rows := self._buffer.get(key)) is not None:
            return rows
        place = self._places.get(key)
        if place is None:
            return None
        name, start, length = place
        return self._parts[name][start : start + length]

    def put(self, found: Mapping[bytes, Rows]) -> None:
        """Remember rows, all of one shape but for their number; written once there are enough of them."""
        for key, rows in found.items():
            self._buffer[key] = rows
            self._buffered += rows.nbytes
        if self._buffered > _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet as a part, and delete the parts used least recently beyond the limit."""
        if not self._buffer:
            return
        entries, self._buffer, self._buffered = self._buffer, {}, 0
        lengths = [len(rows) for rows in entries.values()]
        starts = np.cumsum([0, *lengths[:-1]])
        table = np.array(list(zip(entries, starts.tolist(), lengths, strict=True)), _INDEX)
        vectors = np.concatenate(list(entries.values()))
        name = secrets.token_hex(8)
        try:
            with atomic_path(self.folder / f"{name}.npy") as path:
                np.save(path, vectors)
            with atomic_path(self.folder / f"{name}.index.npy") as path:
                np.save(path, table)
            _shrink(self.folder.parent, cache_limit(), keep=name)
            self.scan()
        except OSError:
            pass
        if name not in self._parts:
            self._remember(name, vectors, table)

    def _add(self, path: Path) -> None:
        name = path.name.removesuffix(".index.npy")
        try:
            table = np.load(path, allow_pickle=False)
            vectors = np.load(path.with_name(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
            if table.dtype != _INDEX or vectors.dtype != np.float16 or len(vectors) != table["length"].sum():
                return
            os.utime(path)  # parts in use are the last to be deleted
        except (OSError, ValueError, EOFError):
            return  # deleted since, or damaged: as if it were not there
        self._remember(name, vectors, table)

    def _remember(self, name: str, vectors: Rows, table: npt.NDArray[np.void]) -> None:
        self._parts[name] = vectors
        for key, start, length in zip(table["key"], table["start"].tolist(), table["length"].tolist(), strict=True):
            self._places[bytes(key)] = (name, start, length)


def _shrink(folder: Path, limit: int, keep: str) -> None:
    """Delete the parts below `folder` used least recently until `limit` bytes are left; never `keep`."""
    parts = []
    for index in folder.glob("*/*.index.npy"):
        vectors = index.with_name(index.name.replace(".index.npy", ".npy"))
        try:
            parts.append((index.stat().st_mtime, index, vectors, vectors.stat().st_size + index.stat().st_size))
        except OSError:
            continue
    total = sum(size for *_, size in parts)
    for _, index, vectors, size in sorted(parts):
        if total <= limit:
            return
        if index.name != f"{keep}.index.npy":
            index.unlink(missing_ok=True)
            vectors.unlink(missing_ok=True)
            total -= size
