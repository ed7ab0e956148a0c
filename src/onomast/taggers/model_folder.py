"""A model folder: `tags.json` names what is predicted and holds the checksum of every other file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onomast.errors import ModelError
from onomast.files import write_text

TAGS = "tags.json"


def seal(folder: Path, described: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write `tags.json` with the SHA-256 of the named files of the folder; the last file to be written."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    write_text(folder / TAGS, json.dumps({**described, "sha256": sums}, ensure_ascii=False) + "\n")


def unseal(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """What `tags.json` says, once every file whose checksum it has, these among them, has been found whole.

    Raises ModelError naming the first file that is missing, not what was saved, or unreadable.
    """
    for name in (TAGS, *names):
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing; copy the whole folder again, or train anew", folder=folder)
    try:
        described: dict[str, Any] = json.loads((folder / TAGS).read_text(encoding="utf-8"))
        sums = dict(described["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{TAGS} is damaged ({error}); copy the whole folder again, or train anew", folder=folder
        ) from None
    for name in sorted({*names, *sums}):
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing; copy the whole folder again, or train anew", folder=folder)
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != sums.get(name):
            raise ModelError(
                f"{name} is not the file that was saved (its checksum differs); save it again", folder=folder
            )
    return described
