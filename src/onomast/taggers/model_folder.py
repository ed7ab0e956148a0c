"""A model folder: `tags.json` names what is predicted and holds the checksum of every other file of the model.

A model is written as a whole new folder beside the old one, and the two are exchanged: whoever looks finds one or the
other, never a mixture.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from onomast.errors import ModelError
from onomast.files import write_text

TAGS = "tags.json"
_OWN = "checksum"  # entry of tags.json: the checksum of its other entries
_REPORTS = ("README.md", "report.json", "history.jsonl", "known.json")  # written beside a model, not all of them sealed
_CHECKPOINTS = "checkpoints"
_EXCHANGE = 2  # flag RENAME_EXCHANGE of renameat2
_CURRENT_FOLDER = -100  # AT_FDCWD


def seal(folder: Path, described: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write `tags.json` with the SHA-256 of the named files of the folder, and its own."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    entries = {**{key: value for key, value in described.items() if key != _OWN}, "sha256": sums}
    write_text(folder / TAGS, json.dumps({**entries, _OWN: _digest(entries)}, ensure_ascii=False) + "\n")


def seal_also(folder: Path, names: Iterable[str]) -> None:
    """Add the checksums of further files of the folder to its `tags.json`."""
    described = unseal(folder, ())
    more = {*described.pop("sha256"), *names}
    seal(folder, described, sorted(more))


def unseal(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """What `tags.json` says, once every file whose checksum it has, these among them, has been found whole.

    Raises ModelError naming the first file that is missing, not what was saved, unreadable, or outside the folder.
    """
    for name in (TAGS, *names):
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing; copy the whole folder again, or train anew", folder=folder)
    try:
        described: dict[str, Any] = json.loads((folder / TAGS).read_text(encoding="utf-8"))
        sums = dict(described["sha256"])
        own = described.get(_OWN)
        if own is not None and own != _digest({key: value for key, value in described.items() if key != _OWN}):
            raise ValueError("its checksum differs")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ModelError(
            f"{TAGS} is damaged ({reason}); copy the whole folder again, or train anew", folder=folder
        ) from None
    for name in sorted({*names, *sums}):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise ModelError(f"{TAGS} names {name!r}, which is not inside the folder; do not use it", folder=folder)
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing; copy the whole folder again, or train anew", folder=folder)
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != sums.get(name):
            raise ModelError(
                f"{name} is not the file that was saved (its checksum differs); save it again", folder=folder
            )
    return described


def _digest(entries: Mapping[str, Any]) -> str:
    text = json.dumps(entries, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield a new, empty folder beside `folder`; it takes the name `folder` when the block ends without an exception.

    A model and checkpoints that stood there are removed then; other files of the user are kept. What an earlier run
    left behind when it was killed is swept first.
    """
    folder = Path(os.path.realpath(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name[:40]}-new-"
    for leftover in folder.parent.glob(f"{_escaped(prefix)}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        new.chmod(folder.stat().st_mode & 0o7777 if folder.is_dir() else 0o777 & ~_umask())
        yield new
        if folder.is_dir():
            _keep_other_files(folder, new)
        _sync(new)
        _exchange(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)  # the old one, or one that was not finished


def _keep_other_files(old: Path, new: Path) -> None:
    """Copy the files of the old folder that belong neither to its model nor to a training."""
    try:
        sealed = {*json.loads((old / TAGS).read_text(encoding="utf-8"))["sha256"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        sealed = set()
    for path in old.rglob("*"):
        name = path.relative_to(old)
        own = name.parts[0] in (_CHECKPOINTS, TAGS, *_REPORTS) or name.as_posix() in sealed
        if own or path.is_dir() or path.name.startswith("."):  # such names have files of killed writers
            continue
        if not (new / name).exists():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / name, follow_symlinks=False)


def _sync(folder: Path) -> None:
    """Have the names in the folder written to the disk; its files already are."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(new: Path, folder: Path) -> None:
    """Exchange the names of the two folders, in one step where the system can."""
    if not folder.exists():
        new.rename(folder)
        return
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is not None:
        paths = os.fsencode(new), os.fsencode(folder)
        if rename(_CURRENT_FOLDER, paths[0], _CURRENT_FOLDER, paths[1], _EXCHANGE) == 0:
            return
    aside = new.with_name(f"{new.name}-old")
    folder.rename(aside)
    new.rename(folder)
    aside.rename(new)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
