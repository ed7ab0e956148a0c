"""Grid -> cells: one for each run. What a cell is, apart from its names, decides whether it has been run before."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onomast.errors import OnomastError, RecipeError, nearest
from onomast.experiments.grid import (
    Choice,
    Data,
    EncoderTraining,
    Grid,
    Size,
    System,
    Use,
    VectorTraining,
    meets,
    names,
    size_label,
)
from onomast.recipe import Recipe, read_recipe, to_toml
from onomast.tags import Style
from onomast.typed_toml import from_table, to_table


@dataclass(frozen=True)
class Cell:
    """One run: a recipe on a corpus of a size, with a seed."""

    row: str
    """What the table calls it."""
    coordinates: Mapping[str, str]
    """`system`, `corpus`, `size`, `row` and every axis -> its value."""
    recipe: Recipe
    """With all changes and the seed in it."""
    changes: Mapping[str, Any]
    """What was changed in the recipe, dotted."""
    data: Data
    size: Size
    seed: int
    use: tuple[Use, ...]
    vectors: VectorTraining
    tag_scheme: Style
    folder: Path
    """Of grid.toml: relative paths start there."""
    encoder: EncoderTraining = dataclasses.field(default_factory=EncoderTraining)
    corpora: tuple[Data, ...] = ()
    """Of the grid, where an encoder is used: none of their test and dev sentences is in its text."""
    rest_sentences: int = 0
    """At most this many sentences of `rest`; 0: all of them."""

    @property
    def corpus(self) -> str:
        """Name of the corpus."""
        return self.data.name

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Names of the files that the run depends on, by what they are for."""
        data = self.data
        sources = tuple(name for name in data.sources if name not in names(data.train))
        by_role = {"train": names(data.train), "dev": names(data.dev), "test": names(data.test)}
        by_role["sources"] = sources if "sources" in self.use else ()
        by_role["raw"] = names(data.raw) if "raw" in self.use else ()
        by_role["vectors"] = (data.vectors,) if "vectors" in self.use else ()
        by_role["leaked"] = sources if data.leaked == "removed" else ()
        if self.uses_encoder:
            by_role["encoder"] = tuple(file for _, file in encoder_text(self.encoder))
            by_role["hidden"] = tuple(name for one in self.corpora for name in (*names(one.test), *names(one.dev)))
        return {role: value for role, value in by_role.items() if value}

    @property
    def uses_encoder(self) -> bool:
        """Does it need the grid's encoder, learnt or with random weights?"""
        return bool({"encoder", "untrained"} & {*self.use})

    @property
    def parts(self) -> dict[str, Any]:
        """All that the result depends on, less the contents of the files; JSON-ready, and free of chosen names."""
        parts = {
            "recipe": tomllib.loads(to_toml(self.recipe)),
            "files": {role: list(files) for role, files in self.files.items()},
            "size": self.size,
            "seed": self.seed,
            "columns": self.data.columns,
            "leaked": self.data.leaked,
            "rest": "rest" in self.use,
            "tag_scheme": self.tag_scheme,
        }
        if self.rest_sentences and "rest" in self.use:
            parts["rest_sentences"] = self.rest_sentences
        if "raw" in self.use:
            learning = to_table(self.vectors)
            if not self.vectors.lower:
                del learning["lower"]  # results of before there was this field stay valid
            parts["vector_training"] = learning
        if self.uses_encoder:
            usual = to_table(EncoderTraining())
            chosen = {key: value for key, value in to_table(self.encoder).items() if value != usual[key]}
            parts["encoder_training"] = {**chosen, "kind": "encoder" if "encoder" in self.use else "untrained"}
        return parts

    @functools.cached_property
    def identity(self) -> str:
        """Digest of `parts`."""
        return identity(self.parts)

    def __str__(self) -> str:
        return f"{self.row} · {self.corpus} · {self.coordinates['size']} · seed {self.seed}"


def identity(parts: Mapping[str, Any]) -> str:
    """16 hexadecimal digits for what a run depends on; equal recipes count as equal whatever they are called.

    A recipe is read by today's rules first: a field that did not exist when a result was written has its default, and
    the digest is still that of the planned cell. Raises RecipeError for a recipe that cannot be read any more.
    """
    recipe = dataclasses.replace(from_table(Recipe, parts["recipe"]), name="", description="")
    text = json.dumps({**parts, "recipe": tomllib.loads(to_toml(recipe))}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def cells_of(grid: Grid, folder: Path) -> list[Cell]:
    """Every cell once, seed by seed. Raises RecipeError for a recipe or a change that is wrong, or two equal rows."""
    all_cells: list[Cell] = []
    row_names: dict[str, tuple[str, ...]] = {}
    for system, choices in _systems(grid):
        cells = list(_cells_of_system(grid, folder, system, choices))
        combination = (system.name, *(choice.name for choice in choices.values()))
        for row in {cell.row for cell in cells}:
            if row_names.setdefault(row, combination) != combination:
                raise RecipeError(f"two rows are called {row!r}; give each a name of its own with [[row]]", key="row")
        all_cells += cells
    _check_named(grid, all_cells)
    order = {name: place for place, name in enumerate([*map(str, grid.seeds)])}
    unique = {cell.identity: cell for cell in reversed(all_cells)}
    kept = [cell for cell in all_cells if unique[cell.identity] is cell]
    return sorted(kept, key=lambda cell: order[str(cell.seed)])


def encoder_text(settings: EncoderTraining) -> list[tuple[str, str]]:
    """Language and file of each text of [encoder]; the language is empty where the file's name knows it."""
    texts = []
    for name in settings.text:
        language, equals, file = name.partition("=")
        has_language = bool(equals) and "/" not in language and ":" not in language
        texts.append((language, file) if has_language else ("", name))
    return texts


def size_of(cell: Cell, available: int) -> int:
    """How many of the available training sentences are taken."""
    if cell.size == "all":
        return available
    return cell.size if isinstance(cell.size, int) else max(1, round(cell.size * available))


def _systems(grid: Grid) -> Iterator[tuple[System, dict[str, Choice]]]:
    """Every system with every combination of the values of its axes."""
    for system in grid.system:
        axes = [axis for axis in grid.axis if system.axes is None or axis.name in system.axes]
        for values in itertools.product(*(axis.value for axis in axes)):
            yield system, {axis.name: value for axis, value in zip(axes, values, strict=True)}


def _cells_of_system(grid: Grid, folder: Path, system: System, choices: Mapping[str, Choice]) -> Iterator[Cell]:
    row = _row_name(grid, system, choices)
    used = tuple(sorted({*system.use, *(use for choice in choices.values() for use in choice.use)}))
    changes: dict[str, Any] = {}
    elsewhere = _of_other_taggers(system, folder)
    changes |= {key: value for key, value in _dotted(grid.set).items() if not key.startswith(elsewhere)}
    for table in (system.set, *(choice.set for choice in choices.values())):
        changes |= _dotted(table)
    recipe: Recipe | None = None
    for seed, data in itertools.product(grid.seeds, grid.corpus):
        if system.corpora is not None and data.name not in system.corpora:
            continue
        for size in _sizes(grid, data):
            coordinates = {"system": system.name, "corpus": data.name, "size": size_label(size), "row": row}
            coordinates |= {axis: choice.name for axis, choice in choices.items()}
            if any(meets(where, {**coordinates, "seed": str(seed)}) for where in grid.leave_out):
                continue
            recipe = recipe or _recipe(system, changes, folder)
            _check_use(grid, system, used, data)
            seeded = dataclasses.replace(recipe, seed=seed)
            learning = dataclasses.replace(grid.vectors, epochs=data.raw_epochs or grid.vectors.epochs)
            cell = Cell(row, coordinates, seeded, changes, data, size, seed, used, learning, grid.tag_scheme, folder)
            cell = dataclasses.replace(cell, rest_sentences=system.rest_sentences)
            yield dataclasses.replace(cell, encoder=grid.encoder, corpora=grid.corpus) if cell.uses_encoder else cell


def _sizes(grid: Grid, data: Data) -> tuple[Size, ...]:
    own = data.budgets is not None or data.fractions is not None
    sizes = ((data.budgets or ()) + (data.fractions or ())) if own else grid.budgets + grid.fractions
    return tuple(dict.fromkeys(sizes)) or ("all",)


def _row_name(grid: Grid, system: System, choices: Mapping[str, Choice]) -> str:
    coordinates = {"system": system.name, **{axis: choice.name for axis, choice in choices.items()}}
    for row in grid.row:
        if meets(row.where, coordinates):
            return row.name
    return ", ".join([system.name, *(choice.name for choice in choices.values())])


def _of_other_taggers(system: System, folder: Path) -> str:
    """Start of the fields that the grid's common [set] may hold for other systems: they mean nothing to this one."""
    return "neural." if _recipe(system, {}, folder).tagger == "linear" else "linear."


def _recipe(system: System, changes: Mapping[str, Any], folder: Path) -> Recipe:
    own = folder / system.recipe
    name = own if system.recipe.endswith(".toml") and own.is_file() else system.recipe
    try:
        return read_recipe(name, {key: _toml(value) for key, value in changes.items()})
    except RecipeError as error:
        raise RecipeError(f"system {system.name!r}: {error}") from None


def _check_use(grid: Grid, system: System, used: Sequence[Use], data: Data) -> None:
    for use in used:
        if use in ("encoder", "untrained"):
            if not grid.encoder.text or {"encoder", "untrained"} <= {*used}:
                problem = "gives both" if grid.encoder.text else "has no text in [encoder]; give it some"
                raise RecipeError(f"system {system.name!r} uses {use!r}, but the grid {problem}")
            continue
        own = names(data.train) if use == "sources" else ()
        if use != "rest" and not set(names(getattr(data, use))) - {"", *own}:
            raise RecipeError(
                f"system {system.name!r} uses {use!r}, but corpus {data.name!r} has none; give it some, "
                "or leave the combination out"
            )


def _check_named(grid: Grid, cells: Sequence[Cell]) -> None:
    """Rows and sizes that the grid speaks of must exist."""
    rows, sizes = ({cell.coordinates[key] for cell in cells} for key in ("row", "size"))
    if not cells:
        raise RecipeError("everything is left out; expected at least one cell", key="leave_out")
    for key, named in (("table.baseline", [grid.table.baseline]), ("table.rows", grid.table.rows)):
        _check_known(key, [name for name in named if name], rows)
    _check_known("plot.rows", grid.plot.rows, rows)
    _check_known("plot.corpora", grid.plot.corpora, {cell.corpus for cell in cells})
    _check_known("plot.bars", [grid.plot.bars] if grid.plot.bars else [], sizes)
    conditions = [("theirs.where", theirs.where) for theirs in grid.theirs]
    conditions += [("claim", where) for claim in grid.claim for where in (claim.better, claim.worse, claim.where)]
    for key, where in conditions:
        for name, known in (("row", rows), ("size", sizes)):
            if name in where:
                value = where[name]
                wanted = value if isinstance(value, tuple) else (value,)
                _check_known(f"{key}.{name}", [size_label(one) for one in wanted], known)


def _check_known(key: str, named: Sequence[str], known: set[str]) -> None:
    for name in named:
        if name not in known:
            raise RecipeError(f"there is no {name!r}; {nearest(name, known)}", key=key)


def _dotted(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """{"linear": {"c2": 1}} -> {"linear.c2": 1}"""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _dotted(value, f"{before}{key}.") if isinstance(value, Mapping) else {before + key: value}
    return flat


def _toml(value: Any) -> str:
    """A value as TOML text, as `--set` takes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    raise OnomastError(f"{value!r} is no value of a recipe; expected text, a number, true, false, a list or a table")
