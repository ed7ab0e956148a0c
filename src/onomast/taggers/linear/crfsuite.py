"""CRFsuite's side of the linear tagger: training with its trainers, and reading the model file into arrays.

The library itself crashes on a damaged model file and cannot give the scores of tags; here every offset is checked,
and the weights are plain arrays.
"""

from __future__ import annotations

import ctypes
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pycrfsuite

from onomast.errors import DataError, RecipeError, nearest
from onomast.progress import progress
from onomast.recipe import Linear

_HEADER = np.dtype("<u4")
_FEATURE = np.dtype([("type", "<u4"), ("source", "<u4"), ("target", "<u4"), ("weight", "<f8")])
_STATE, _TRANSITION = 0, 1
_TABLES = 8  # of floats, one for each pair of tags, that CRFsuite holds
_LINE_SEARCHES = ("MoreThuente", "Backtracking", "StrongBacktracking")

Item = Sequence[str] | Mapping[str, float]  # features of a token, with values or without
Instance = tuple[Sequence[Item], Sequence[str]]  # features of each token, and its tag


@dataclass(frozen=True)
class Weights:
    """A trained linear-chain CRF: K tags, A features, F weights of (feature, tag) pairs."""

    tags: tuple[str, ...]
    rows: Mapping[str, int]
    """Feature -> its row, 1 to A; row 0 is that of unknown features, without weights."""
    starts: npt.NDArray[np.int64]
    """(A + 2,): the weights of row r are those from `starts[r]` to `starts[r + 1]`."""
    columns: npt.NDArray[np.int64]
    """(F,): the tag of each weight."""
    values: npt.NDArray[np.float64]
    """(F,)"""
    transitions: npt.NDArray[np.float64]
    """(K, K): from, to."""


def train(instances: Iterable[Instance], linear: Linear, seed: int) -> tuple[bytes, list[dict[str, Any]]]:
    """Train with CRFsuite; return the model file and one row of figures per iteration.

    Raises RecipeError for a parameter that the algorithm does not have.
    """
    trainer = new_trainer(linear)
    labels: set[str] = set()
    for features, tags in instances:
        if not labels.issuperset(tags):
            labels.update(tags)
            _require_memory(len(labels))
        trainer.append(features, tags)
    # The stochastic trainers shuffle with C's rand().
    ctypes.CDLL(None).srand(seed)
    rows: list[dict[str, Any]] = []
    limit = int(trainer.get("max_iterations"))
    with tempfile.TemporaryDirectory() as folder, progress("training", limit if limit < 10_000 else None) as advance:

        def on_message(line: str) -> None:
            if _read_log(line, rows):
                advance(len(rows), f"loss {rows[-1].get('loss', math.nan):.1f}")

        trainer.message = on_message
        path = Path(folder) / "model.crfsuite"
        trainer.train(str(path))
        return path.read_bytes(), rows


def _require_memory(tags: int) -> None:
    """Raise DataError if tables of pairs of tags do not fit the free memory: CRFsuite would crash without a message."""
    needed, free = _TABLES * 8 * tags**2, _free_memory()
    if needed > free:
        raise DataError(
            f"{tags:,} different tags need about {needed / 2**30:.1f} GB in CRFsuite, and {free / 2**30:.1f} GB are "
            "free; check which column was read as tags (`onomast describe FILE`)"
        )


def _free_memory() -> float:
    """Bytes that can still be taken; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return math.inf


_FIGURES: dict[str, tuple[str, Callable[[str], float]]] = {
    "Loss": ("loss", float),
    "Feature norm": ("norm", float),
    "Active features": ("active_features", int),
    "Seconds required for this iteration": ("seconds", float),
}


def _read_log(line: str, rows: list[dict[str, Any]]) -> bool:
    """Take the figures from a line of CRFsuite's log; is it the last line of an iteration?"""
    if line.startswith(("***** Iteration #", "***** Epoch #")):
        rows.append({"iteration": int(line.split("#")[1].split()[0])})
    name, _, value = line.partition(": ")
    if not rows or name not in _FIGURES:
        return False
    column, number = _FIGURES[name]
    rows[-1][column] = number(value)
    return column == "seconds"


def new_trainer(linear: Linear) -> Any:
    """A `pycrfsuite.Trainer`. Raises RecipeError for an unknown parameter or a bad value."""
    trainer = pycrfsuite.Trainer(linear.algorithm)
    known = trainer.params()
    named: dict[str, tuple[str, float | int | None]] = {
        "feature.minfreq": ("minimum_count", linear.minimum_count),
        "feature.possible_states": ("all_states", int(linear.all_states)),
        "feature.possible_transitions": ("all_transitions", int(linear.all_transitions)),
        "c1": ("c1", linear.c1),
        "c2": ("c2", linear.c2),
        "max_iterations": ("max_iterations", linear.max_iterations or None),
    }
    for name, (field, value) in named.items():
        if name in known and value is not None:
            _set(trainer, name, value, f"linear.{field}")
    for name, other in linear.parameters.items():
        if name in named:
            field = named[name][0]
            raise RecipeError(f"it has a field of its own; set linear.{field}", key=f"linear.parameters.{name}")
        if name not in known:
            hint = nearest(name, set(known) - set(named))
            raise RecipeError(f"{linear.algorithm} has no such parameter; {hint}", key=f"linear.parameters.{name}")
        _set(trainer, name, other, f"linear.parameters.{name}")
    return trainer


def _set(trainer: Any, name: str, value: float | int | str, key: str) -> None:
    """Set a parameter, its value checked: CRFsuite reads a word as 0 and crashes on some zeros. Raises RecipeError."""
    default = trainer.get(name)
    if name == "linesearch":
        right, expected = value in _LINE_SEARCHES, ", ".join(_LINE_SEARCHES)
    elif name == "type":
        right, expected = value in (0, 1, 2), "0, 1 or 2"
    elif isinstance(value, str):
        right, expected = False, "a number"
    elif isinstance(default, bool):
        right, expected = value in (0, 1), "0 or 1"
    elif isinstance(default, int):
        right, expected = isinstance(value, int) and 0 < value < 2**31, "a whole number above 0"
    else:
        right, expected = 0 <= value < math.inf, "a number, 0 or more"
    if not right:
        raise RecipeError(f"{value!r} is not possible; expected {expected}", key=key)
    trainer.set(name, value)


def read_model(data: bytes) -> Weights:
    """Read the bytes of a CRFsuite model file. Raises ValueError saying what is wrong with it."""
    if data[:4] != b"lCRF" or len(data) < 48:
        raise ValueError("it is not a CRFsuite model")
    header = np.frombuffer(data, _HEADER, 12)
    if int(header[1]) != len(data):
        raise ValueError(f"it has {len(data)} bytes, and was written with {int(header[1])}")
    if data[8:12] != b"FOMC":
        raise ValueError(f"its type is {data[8:12]!r}, not a linear chain")
    features = _features(data, int(header[7]))
    tags = _strings(data, int(header[8]))
    attributes = _strings(data, int(header[9]))
    kinds, sources, targets = features["type"], features["source"].astype(np.int64), features["target"].astype(np.int64)
    states, steps = kinds == _STATE, kinds == _TRANSITION
    in_range = (targets < len(tags)) & (sources < np.where(states, len(attributes), len(tags)))
    if not (in_range & (states | steps)).all() or not np.isfinite(features["weight"]).all():
        raise ValueError("a weight belongs to no tag or feature")
    transitions = np.zeros((len(tags), len(tags)))
    transitions[sources[steps], targets[steps]] = features["weight"][steps]
    order = np.argsort(sources[states], kind="stable")
    counts = np.bincount(sources[states], minlength=len(attributes))
    return Weights(
        tags=tuple(tags),
        rows={name: row for row, name in enumerate(attributes, start=1)},
        starts=np.concatenate([[0, 0], np.cumsum(counts)]),
        columns=targets[states][order],
        values=features["weight"][states][order].astype(np.float64),
        transitions=transitions,
    )


def _features(data: bytes, offset: int) -> npt.NDArray[np.void]:
    """The chunk FEAT: its length, its number of features, then 20 bytes for each."""
    if data[offset : offset + 4] != b"FEAT":
        raise ValueError("its weights are missing")
    number = int(np.frombuffer(data, _HEADER, 3, offset)[2])
    if offset + 12 + number * _FEATURE.itemsize > len(data):
        raise ValueError("its weights are cut off")
    return np.frombuffer(data, _FEATURE, number, offset + 12)


def _strings(data: bytes, offset: int) -> list[str]:
    """The strings of a chunk CQDB in the order of their ids; each record is id, length, bytes, NUL."""
    if data[offset : offset + 4] != b"CQDB" or offset + 24 > len(data):
        raise ValueError("its dictionary is missing")
    number, table = (int(value) for value in np.frombuffer(data, _HEADER, 6, offset)[4:])
    if number == 0:
        return []
    if offset + table + 4 * number > len(data):
        raise ValueError("its dictionary is cut off")
    records = np.frombuffer(data, _HEADER, number, offset + table).astype(np.int64) + offset
    if records.max() + 8 > len(data):
        raise ValueError("its dictionary is cut off")
    view = np.frombuffer(data, np.uint8)
    sizes = view[records[:, None] + np.arange(4, 8)].astype(np.int64) @ (256 ** np.arange(4))
    if (sizes < 1).any() or (records + 8 + sizes).max() > len(data):
        raise ValueError("its dictionary is damaged")
    pairs = zip((records + 8).tolist(), (records + 7 + sizes).tolist(), strict=True)
    return [data[start:end].decode("utf-8") for start, end in pairs]
