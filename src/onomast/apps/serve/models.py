"""The models of a server: each loaded once for every worker, and replaced as a whole when its folder changes."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onomast.apps.model import Model
from onomast.errors import OnomastError, nearest
from onomast.taggers.model_folder import TAGS

_log = logging.getLogger("onomast.serve")


@dataclass(frozen=True)
class Served:
    """One version of a model. A tagger keeps caches, so that no two threads may use one: each worker has its own."""

    name: str
    folder: Path
    copies: Sequence[Model]
    """One for each worker."""
    version: str
    """First 16 digits of the SHA-256 of tags.json, which holds the checksum of every other file."""

    def info(self) -> dict[str, Any]:
        """What a client may want to know of the model."""
        model = self.copies[0]
        vocabulary = _json(self.folder / "vocabulary.json")
        known = [language for language in vocabulary.get("languages", []) if language]
        return {
            "name": self.name,
            "version": self.version,
            "recipe": model.recipe.name,
            "tagger": model.recipe.tagger,
            "engine": "onnx" if any(self.folder.glob("*.onnx")) else model.recipe.tagger,
            "labels": list(model.labels),
            "languages": known,
            "calibration": _json(self.folder / "report.json").get("calibration"),
        }


class Models:
    """Models by name; the first one answers where a request names none."""

    def __init__(self, folders: Mapping[str, Path], workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._served = {name: self._load(name, folder) for name, folder in folders.items()}

    def get(self, name: str | None) -> Served:
        """The current version of a model. Raises OnomastError, which lists the names."""
        if name is None:
            return next(iter(self._served.values()))
        if name not in self._served:
            raise OnomastError(f"model: there is no model {name!r}; {nearest(name, self._served)}")
        return self._served[name]

    def all(self) -> list[Served]:
        """The current versions."""
        return list(self._served.values())

    def reload(self) -> list[str]:
        """Load the folders that hold another model than before; returns the names of those.

        A folder that cannot be loaded is reported in the log, and its old model goes on. Requests that have begun are
        answered by the model they began with.
        """
        with self._lock:
            changed = []
            for name, old in list(self._served.items()):
                try:
                    if _version(old.folder) == old.version:
                        continue
                    self._served[name] = self._load(name, old.folder)
                except (OnomastError, OSError) as error:
                    _log.warning("model %s was not reloaded, the old one goes on: %s", name, error)
                    continue
                _log.info("model %s is now version %s", name, self._served[name].version)
                changed.append(name)
            return changed

    def _load(self, name: str, folder: Path) -> Served:
        version = _version(folder) if (folder / TAGS).is_file() else ""  # else loading says what is missing
        copies = [Model.load(folder) for _ in range(self._workers)]
        return Served(name, folder, copies, version)


def named_folders(words: Sequence[str]) -> dict[str, Path]:
    """`NAME=DIR` or `DIR`, whose last part is then the name -> folders by name. Raises OnomastError for one twice."""
    folders: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.rpartition("=")
        path = Path(folder if equals else word)
        name = name or path.resolve().name
        if name in folders:
            raise OnomastError(f"{word}: the name {name!r} is taken; give models different names: NAME=DIR")
        folders[name] = path
    return folders


def _version(folder: Path) -> str:
    return hashlib.sha256((folder / TAGS).read_bytes()).hexdigest()[:16]


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}
