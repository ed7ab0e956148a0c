"""grid.toml -> Grid: which systems, on which corpora, of which sizes, with which seeds. `cells.py` multiplies them.

Each field is documented by the string below it; docs/how-to/grids.md shows how to write a file.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onomast.errors import RecipeError, nearest
from onomast.tags import Style
from onomast.typed_toml import from_table

Names = str | tuple[str, ...]
Use = Literal["sources", "raw", "vectors", "rest", "encoder", "untrained"]
Size = int | float | Literal["all"]
Value = str | int | float
Where = Mapping[str, Value | tuple[Value, ...]]
"""Conditions on a cell: `system`, `corpus`, `size`, `row` or the name of an axis -> a value, or a list of them."""


@dataclass(frozen=True)
class Data:
    """One corpus: paths (relative to the grid's folder), `data:NAME/SPLIT` or `sample:NAME/SPLIT`; one or a list."""

    name: str
    train: Names
    test: Names
    dev: Names = ()
    """Sentences to stop and select by. They come on top of a budget: leave them out for a budget in all."""
    sources: tuple[str, ...] = ()
    """Labels of other languages or domains, for systems that `use` them, less its own training files."""
    raw: Names = ()
    """Text to learn vectors from, for systems that `use` it; `train` is the text of the training file, `text:NAME` that
    of another labelled file."""
    raw_epochs: int = 0
    """Passes over `raw`, instead of those of [vectors]: little text needs more of them."""
    vectors: str = ""
    """A vectors file, for systems that `use` it."""
    columns: str = ""
    """Names of the columns, as `--columns`."""
    leaked: Literal["kept", "removed"] = "kept"
    """`removed`: test sentences that stand in the whole training, dev or source files are left out."""
    budgets: tuple[int | Literal["all"], ...] | None = None
    """Instead of the grid's."""
    fractions: tuple[float, ...] | None = None
    """Instead of the grid's."""
    each: tuple[str | Mapping[str, str], ...] = ()
    """Writes this block once for each item, which replaces `{each}` (or `{key}` of a table) in all of its texts."""


@dataclass(frozen=True)
class System:
    """One recipe, perhaps with changed fields; axes multiply it."""

    name: str
    recipe: str
    """A built-in name, or a file ending in .toml (relative to the grid's folder)."""
    set: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Changed fields, dotted in quotes or as tables."""
    use: tuple[Use, ...] = ()
    """What is used beside labelled sentences. `rest`: the sentences beyond the size, with their category alone;
    `encoder`: the small encoder that [encoder] describes; `untrained`: one just like it, with random weights."""
    axes: tuple[str, ...] | None = None
    """Axes that multiply it; all where it is left out."""
    corpora: tuple[str, ...] | None = None
    """Corpora it is run on; all where it is left out."""
    rest_sentences: int = 0
    """At most this many sentences of `rest`; 0: all of them."""


@dataclass(frozen=True)
class Choice:
    """One value of an axis."""

    name: str
    set: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    use: tuple[Use, ...] = ()


@dataclass(frozen=True)
class Axis:
    """Something that is varied: each value is a set of changed fields."""

    name: str
    value: tuple[Choice, ...]


@dataclass(frozen=True)
class RowName:
    """A readable name for the cells that meet `where`; else it is the system's name and the values of its axes."""

    where: Where
    name: str


@dataclass(frozen=True)
class Published:
    """Published numbers, as fractions in [0, 1], of the cells that meet `where`."""

    where: Where
    scores: Mapping[str, float]
    source: str
    """Paper and table."""


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, put to the test: `better` against `worse`, all else being equal."""

    text: str
    better: Where
    worse: Where
    by: float = 0.0
    """The least difference of F1 that the statement is about, such as 0.08."""
    where: Where = dataclasses.field(default_factory=dict)
    """Only these cells."""


@dataclass(frozen=True)
class TableOptions:
    """How the table is laid out."""

    scores: tuple[str, ...] = ("f1",)
    """Columns; the first is that of pivoted tables and of pictures. See docs/how-to/grids.md for the names."""
    baseline: str = ""
    """The row against which differences are tested."""
    across: Literal["scores", "sizes", "corpora", ""] = ""
    """What stands across; by default `sizes` where there are several, else `scores`."""
    digits: int = 1
    """Decimals of a percentage."""
    rows: tuple[str, ...] = ()
    """Rows to show, in this order; all where it is left out."""


@dataclass(frozen=True)
class FigureOptions:
    """What the pictures show."""

    rows: tuple[str, ...] = ()
    """Rows, in this order; all where it is left out."""
    corpora: tuple[str, ...] = ()
    score: str = ""
    """Default: the first of the table's scores."""
    bars: str = ""
    """Size that the bars are of; default: the smallest."""


@dataclass(frozen=True)
class VectorTraining:
    """How vectors are learnt from `raw`, as `onomast vectors train`."""

    width: int = 100
    epochs: int = 10
    min_count: int = 2
    window: int = 5
    minn: int = 3
    maxn: int = 6
    segmenter: str = ""
    """How raw text is cut into tokens; found out where it is empty."""
    lower: bool = False
    """Learn from lower-cased text; words are then found in lower case, as with GloVe."""


@dataclass(frozen=True)
class EncoderTraining:
    """How a small encoder is learnt, once for all corpora of the grid, as `onomast encoder train`."""

    text: tuple[str, ...] = ()
    """Raw text and labelled files: a `data:` name knows its language, else `LANGUAGE=FILE`. Test and dev sentences of
    every corpus of the grid are cut out; what they share with training sentences is not."""
    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary: int = 16_000
    steps: int = 0
    minutes: float = 0.0
    """Instead of `steps`; then every machine makes another encoder, the faster the better."""
    batch: int = 4096
    block: int = 128
    rate: float = 1e-3
    smoothing: float = 0.7
    precision: Literal["auto", "single", "bf16"] = "auto"
    seed: int = 0


@dataclass(frozen=True)
class Grid:
    """Systems x axes x corpora x sizes x seeds, less what is left out."""

    title: str
    corpus: tuple[Data, ...]
    system: tuple[System, ...]
    description: str = ""
    reduced: str = ""
    """What is smaller here than in the paper; stands below the table, not with `--full`."""
    axis: tuple[Axis, ...] = ()
    budgets: tuple[int | Literal["all"], ...] = ()
    """Numbers of training sentences (the first of a seeded shuffle), or `"all"`."""
    fractions: tuple[float, ...] = ()
    """Shares of the training file. Neither budgets nor fractions: the whole file."""
    seeds: tuple[int, ...] = (0, 1, 2)
    set: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Changed fields of every recipe; those of systems and axes come after them."""
    leave_out: tuple[Where, ...] = ()
    """Combinations that are not run; here `seed` can be a condition, too."""
    row: tuple[RowName, ...] = ()
    theirs: tuple[Published, ...] = ()
    claim: tuple[Claim, ...] = ()
    table: TableOptions = dataclasses.field(default_factory=TableOptions)
    plot: FigureOptions = dataclasses.field(default_factory=FigureOptions)
    vectors: VectorTraining = dataclasses.field(default_factory=VectorTraining)
    encoder: EncoderTraining = dataclasses.field(default_factory=EncoderTraining)
    tag_scheme: Style = "iobes"
    """Scheme of the tag-level scores."""
    full: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """With `--full`: keys that replace those above; blocks with a name replace the fields of the block of that name."""


Variant = Literal["reduced", "full"]


def read_grid(path: str | Path, variant: Variant = "reduced") -> Grid:
    """Read and check grid.toml. Raises RecipeError naming the file, the key, and the nearest known one."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file; expected a grid (see docs/how-to/grids.md)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    try:
        grids = {"reduced": _grid(table), "full": _grid(_merged(table))}
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None
    return grids[variant]


def names(value: Names) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return (value,) if isinstance(value, str) else value


def size_label(size: Value) -> str:
    """100 -> "100", 0.2 -> "20 %", "all" -> "all"."""
    return f"{100 * size:.4g} %" if isinstance(size, float) else str(size)


def meets(where: Where, coordinates: Mapping[str, str]) -> bool:
    """Does a cell meet all conditions?"""
    return all(
        coordinates.get(key) in [size_label(item) for item in (value if isinstance(value, tuple) else (value,))]
        for key, value in where.items()
    )


def _grid(table: Mapping[str, Any]) -> Grid:
    grid = from_table(Grid, table)
    grid = dataclasses.replace(grid, corpus=tuple(one for data in grid.corpus for one in _written_out(data)))
    _require(bool(grid.system and grid.corpus and grid.seeds), "expected a [[system]], a [[corpus]] and a seed")
    for kind, blocks in (("corpus", grid.corpus), ("system", grid.system), ("axis", grid.axis)):
        _require_distinct(kind, [block.name for block in blocks])
    for axis in grid.axis:
        _require_distinct(f"axis {axis.name!r}: value", [value.name for value in axis.value])
        _require(axis.name not in ("system", "corpus", "size", "row", "seed"), f"no axis can be called {axis.name!r}")
    for system in grid.system:
        _require_known("system.axes", system.axes or (), [axis.name for axis in grid.axis])
        _require_known("system.corpora", system.corpora or (), [data.name for data in grid.corpus])
    for key, where in _conditions(grid):
        _check_where(grid, key, where)
    return grid


def _conditions(grid: Grid) -> Iterable[tuple[str, Where]]:
    yield from (("leave_out", where) for where in grid.leave_out)
    yield from (("row.where", row.where) for row in grid.row)
    yield from (("theirs.where", theirs.where) for theirs in grid.theirs)
    for claim in grid.claim:
        yield from (("claim.better", claim.better), ("claim.worse", claim.worse), ("claim.where", claim.where))


def _check_where(grid: Grid, key: str, where: Where) -> None:
    """Names of axes and values must exist; sizes and rows are only known once everything is multiplied."""
    known = {"system": [system.name for system in grid.system], "corpus": [data.name for data in grid.corpus]}
    known |= {axis.name: [value.name for value in axis.value] for axis in grid.axis}
    for name, value in where.items():
        _require_known(key, [name], [*known, "size", "row", *(["seed"] if key == "leave_out" else [])])
        if name in known:
            _require_known(
                f"{key}.{name}", [str(v) for v in (value if isinstance(value, tuple) else (value,))], known[name]
            )


def _written_out(data: Data) -> list[Data]:
    """A block with `each`, once for each item."""
    if not data.each:
        return [data]
    blocks = []
    for item in data.each:
        words = {"each": item} if isinstance(item, str) else item
        changed: dict[str, Any] = {"each": ()}
        for field in dataclasses.fields(data):
            value = getattr(data, field.name)
            if field.name != "each" and isinstance(value, str):
                changed[field.name] = _filled(value, words)
            elif field.name in ("train", "test", "dev", "sources", "raw"):
                changed[field.name] = tuple(_filled(name, words) for name in value)
        blocks.append(dataclasses.replace(data, **changed))
    return blocks


def _filled(text: str, words: Mapping[str, str]) -> str:
    try:
        return text.format_map(words)
    except (KeyError, ValueError, IndexError):
        known = ", ".join(f"{{{word}}}" for word in words)
        raise RecipeError(f"{text!r} cannot be filled in; known: {known}", key="corpus.each") from None


def _merged(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with what `full` says in place."""
    merged = dict(table)
    changes = merged.pop("full", {})
    for key, value in changes.items() if isinstance(changes, Mapping) else ():
        named = isinstance(value, list) and value and all(isinstance(one, Mapping) and "name" in one for one in value)
        if named and key in ("corpus", "system", "axis"):
            blocks = {block.get("name"): dict(block) for block in merged.get(key, [])}
            for block in value:
                blocks[block["name"]] = {**blocks.get(block["name"], {}), **block}
            merged[key] = list(blocks.values())
        else:
            merged[key] = _joined(merged.get(key), value)
    return merged


def _joined(old: Any, new: Any) -> Any:
    """`new` in place of `old`; of two tables, key by key."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _joined(old.get(key), value) for key, value in new.items()}}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RecipeError(message)


def _require_distinct(kind: str, names: list[str]) -> None:
    for name in names:
        _require(names.count(name) == 1, f"{kind} {name!r} is there twice; expected distinct names")


def _require_known(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise RecipeError(f"there is no {name!r}; {nearest(name, known) if known else 'there are none'}", key=key)
