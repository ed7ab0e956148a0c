"""TOML tables <-> frozen dataclasses: every key and type checked, an unknown key answered with the nearest one."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from onomast.errors import RecipeError, nearest

T = TypeVar("T")

FORMERLY = "formerly"
"""Key of a field's metadata: the name it had in earlier versions, which is still read."""


_LARGEST = 1 << 20  # characters of a TOML file
_MANY_PARTS = re.compile(r"(?:[\w-]+\s*\.\s*){50}")
"""A dotted key of so many parts; the parser would need memory that grows with the square of their number."""


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises RecipeError for one that is not TOML, too large or nested too deeply."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST or _MANY_PARTS.search(text):
            raise RecipeError(f"{path}: expected a TOML file of at most 1 MB with keys of fewer than 50 parts")
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    except RecursionError:
        raise RecipeError(f"{path}: its tables or lists are nested too deeply; expected a recipe") from None


def from_table(kind: type[T], table: Mapping[str, Any], key: str = "") -> T:
    """Build a dataclass from a TOML table, checking every key and type. Raises RecipeError."""
    fields = _fields(kind)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    former = _former_names(kind)  # type: ignore[arg-type]
    for name, value in table.items():
        dotted = f"{key}.{name}" if key else name
        name = former.get(name, name)
        if name in values:
            raise RecipeError(f"is now called {name!r}, and both are given; leave one of them out", key=dotted)
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


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """Names and types, found out once: files of results hold thousands of recipes."""
    return typing.get_type_hints(kind)


@functools.cache
def _former_names(kind: type) -> dict[str, str]:
    """Former name -> present name of the fields that were renamed."""
    renamed = (field for field in dataclasses.fields(kind) if FORMERLY in field.metadata)
    return {field.metadata[FORMERLY]: field.name for field in renamed}


def to_table(value: Any, *, former_names: bool = False) -> Any:
    """A dataclass as plain tables and lists, `None` left out; `former_names`: renamed fields under their first name."""
    convert = functools.partial(to_table, former_names=former_names)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {
            field.metadata.get(FORMERLY, field.name) if former_names else field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
        }
        return {name: convert(item) for name, item in items.items() if item is not None}
    if isinstance(value, Mapping):
        return {name: convert(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [convert(item) for item in value]
    return value


def _checked(kind: Any, value: Any, key: str) -> Any:
    """`value` as the type `kind`, or RecipeError."""
    if kind is Any:
        return value
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
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return "a list, each item " + _type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(option) for option in arguments if option is not type(None))
    return "a table" if origin is not None or dataclasses.is_dataclass(kind) else str(kind)


def set_value(kind: type, table: dict[str, Any], key: str, text: str) -> None:
    """Put one `--set key=value` into the table of a dataclass `kind`.

    The value is read as TOML, or as text where it is not a TOML value. Fields may be given by their former names.
    """
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    level: type | None = kind
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{parent!r} is a value, not a table", key=key)
        level = _fields(level).get(parent) if level is not None and dataclasses.is_dataclass(level) else None
    if level is not None and dataclasses.is_dataclass(level):
        former = _former_names(level)
        last = former.get(last, last)
        for name in [name for name, present in former.items() if present == last]:
            table.pop(name, None)
    table[last] = value
