"""The exception tree. Every message reads: where: what was found; what was expected; what to do.

OnomastError
├── DataError       a labelled file or raw text       (path, line)
├── RecipeError     a recipe or one of its fields     (key)
├── ModelError      a model folder                    (folder)
└── MissingExtra    an optional library is absent     (the install line)
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

EXTRAS: Mapping[str, str] = {
    "torch": "neural",
    "transformers": "transformers",
    "tokenizers": "transformers",
    "huggingface_hub": "transformers",
    "sentencepiece": "transformers",
    "gensim": "vectors",
    "pyarrow": "parquet",
    "spacy": "spacy",
    "uniseg": "segment",
    "pythainlp": "segment",
    "anyascii": "scripts",
    "indic_transliteration": "scripts",
    "matplotlib": "plots",
    "ray": "ray",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "sklearn": "scikit-learn",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}
"""Optional libraries, by the name they are imported under, and the extra that installs each."""


class OnomastError(Exception):
    """Anything Onomast refuses to do; the message is one line meant for the user."""


class DataError(OnomastError):
    """Something is wrong with a file of sentences.

    `path` and `line` (1-based) name the place, where they are known; they are put before the message.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message)


class RecipeError(OnomastError):
    """A recipe cannot be used; `key` is the dotted field, such as `linear.c2`."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        self.key = key
        super().__init__(message if key is None else f"{key}: {message}")


class ModelError(OnomastError):
    """A model folder cannot be loaded or written."""

    def __init__(self, message: str, *, folder: str | Path) -> None:
        self.folder = str(folder)
        super().__init__(f"{folder}: {message}")


class MissingExtra(OnomastError):  # noqa: N818 - reads as what it is
    """An optional library is not installed. `purpose` says what it is needed for."""

    def __init__(self, library: str, extra: str, purpose: str = "this command") -> None:
        self.library = library
        self.extra = extra
        verb, pronoun = ("are", "them") if ", " in library else ("is", "it")
        install = f"install {pronoun} with: pip install 'onomast[{extra}]'"
        super().__init__(f"{library} {verb} not installed; {purpose} needs {pronoun}; {install}")


def require(*libraries: str, purpose: str) -> None:
    """Raise MissingExtra naming those of these libraries (names in `EXTRAS`) that are not installed."""
    missing = [library for library in libraries if importlib.util.find_spec(library) is None]
    if missing:
        raise MissingExtra(", ".join(missing), ",".join(dict.fromkeys(EXTRAS[name] for name in missing)), purpose)


def quantity(number: int, noun: str) -> str:
    """`1 sentence`, `1,200 sentences`: a regular noun with its number."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say what to type instead of `name`: the nearest known name, and all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(choices)}"
