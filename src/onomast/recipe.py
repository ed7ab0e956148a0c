"""Recipes: a system is a TOML file. Dataclasses <-> TOML; an unknown key is an error that names the nearest one.

Each field is documented by the string below it; `onomast recipes NAME` shows a built-in file with its comments.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from onomast.errors import RecipeError, nearest
from onomast.tags import Style

_FOLDER = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True)
class Features:
    """Feature templates of the linear tagger. A window is a tuple of positions relative to the token."""

    word: tuple[int, ...] = (-2, -1, 0, 1, 2)
    """Positions whose word, as written, is a feature."""
    lower: tuple[int, ...] = ()
    """Positions whose lower-cased word is a feature."""
    prefix: int = 4
    """Prefixes of 1 to this many characters; 0: none."""
    suffix: int = 4
    """Suffixes of 1 to this many characters; 0: none."""
    affix_window: tuple[int, ...] = (0,)
    """Positions whose affixes are features."""
    shape: tuple[int, ...] = (-1, 0, 1)
    """Positions whose shape is a feature (`Nairobi-2` -> `Xx-d`)."""
    digits: bool = True
    """Marks for a word of digits only and for a word with a digit in it."""
    hyphen: bool = True
    """A mark for a word with a hyphen."""
    position: bool = True
    """Marks for the first and the last token of the sentence."""
    bigrams: tuple[tuple[int, int], ...] = ()
    """Pairs of positions whose lower-cased words together are a feature."""
    shape_bigrams: tuple[tuple[int, int], ...] = ()
    """Pairs of positions whose shapes together are a feature."""
    pos: tuple[int, ...] = ()
    """Positions whose part-of-speech tag is a feature; needs a POS column in training and when tagging."""
    lists: tuple[str, ...] = ()
    """Word lists (files, one entry a line, of one or more words): a match marks its tokens with the file's name."""
    clusters: str | None = None
    """A file `word<TAB>cluster`: the cluster and its prefixes of 4, 6 and 10 characters are features."""


@dataclass(frozen=True)
class Linear:
    """A linear-chain CRF trained by CRFsuite (Okazaki 2007)."""

    algorithm: Literal["lbfgs", "l2sgd", "ap", "pa", "arow"] = "lbfgs"
    """CRFsuite's trainer."""
    parameters: Mapping[str, float | int | str] = dataclasses.field(default_factory=lambda: {"c1": 0.05, "c2": 0.1})
    """CRFsuite's own parameters of that trainer, such as the penalties c1 (L1) and c2 (L2) of lbfgs."""
    features: Features = dataclasses.field(default_factory=Features)


@dataclass(frozen=True)
class Recipe:
    """One system."""

    name: str
    tagger: Literal["linear", "neural"]
    """`linear`: CRFsuite on hand-made features, seconds on a CPU. `neural`: an encoder and heads in PyTorch."""
    description: str = ""
    scheme: Style = "iobes"
    """The tag scheme inside the tagger; files and results do not depend on it."""
    seed: int = 0
    """Of everything random in training."""
    linear: Linear = dataclasses.field(default_factory=Linear)


def recipe_names() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """The file of a built-in recipe, or `name` itself if it is a path. Raises RecipeError naming the nearest."""
    path = _FOLDER / f"{name}.toml"
    if path.is_file() and "/" not in name:
        return path
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    raise RecipeError(
        f"there is no recipe {name!r}, nor a file of that name ending in .toml; {nearest(name, recipe_names())}"
    )


def read_recipe(name: str | Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """A built-in recipe or a TOML file, with dotted `changes` such as `{"linear.features.prefix": "3"}` applied.

    Raises RecipeError for an unknown key, a value of the wrong type, or a file that is not TOML.
    """
    path = recipe_path(str(name))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    for key, value in (changes or {}).items():
        _set(table, key, value)
    table.setdefault("name", path.stem)
    return from_table(Recipe, table)


def from_table(kind: type[T], table: Mapping[str, Any], key: str = "") -> T:
    """Build a dataclass from a TOML table, checking every key and type. Raises RecipeError."""
    fields = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in table.items():
        dotted = f"{key}.{name}" if key else name
        if name not in fields:
            raise RecipeError(f"unknown field; {nearest(name, fields)}", key=dotted)
        values[name] = _checked(fields[name], value, dotted)
    missing = [
        field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecipeError(f"the field {missing[0]!r} is missing", key=key or None)
    return kind(**values)


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text; `read_recipe` of it gives an equal recipe."""
    import tomli_w

    return tomli_w.dumps(_table(recipe))


def _table(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _table(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {name: _table(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_table(item) for item in value]
    return value


def _checked(kind: Any, value: Any, key: str) -> Any:
    """`value` as the type `kind`, or RecipeError."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        errors = []
        for option in arguments:
            if option is type(None):
                continue
            try:
                return _checked(option, value, key)
            except RecipeError as error:
                errors.append(error)
        raise errors[0] if len(errors) == 1 else RecipeError(f"{value!r} is not {_type_name(kind)}", key=key)
    if origin is Literal:
        if value not in arguments:
            raise RecipeError(f"{value!r} is not possible; {nearest(str(value), map(str, arguments))}", key=key)
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is Ellipsis:
            return tuple(_checked(arguments[0], item, key) for item in value)
        if len(value) == len(arguments):
            return tuple(_checked(item_kind, item, key) for item_kind, item in zip(arguments, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {str(name): _checked(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return from_table(kind, value, key)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (bool, int, float, str) and type(value) is kind:
        return value
    raise RecipeError(f"{value!r} is not {_type_name(kind)}", key=key)


def _type_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}
    if kind in names:
        return names[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return "a list, each item " + _type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(option) for option in arguments if option is not type(None))
    return "a table" if origin is not None or dataclasses.is_dataclass(kind) else str(kind)


def _set(table: dict[str, Any], key: str, text: str) -> None:
    """Put one `--set key=value` into a table; the value is read as TOML, or as text where it is no TOML value."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{parent!r} is a value, not a table", key=key)
    table[last] = value
