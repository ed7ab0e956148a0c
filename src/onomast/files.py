"""Writing files so that a reader never sees half of one: a temporary name in the same folder, then a rename.

What cannot be replaced (devices, named pipes, `/dev/stdout`) is written into instead, and a symbolic link is followed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_DESCRIPTORS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_NUMBERED = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})\Z")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` when the block ends without an exception.

    The file that `path` names keeps its permissions, and a symbolic link stays one: its target is replaced. The content
    for a device or a pipe is written to a temporary file first, and then into it. OSErrors name `path`.
    """
    path = Path(path)
    try:
        if is_direct(path):
            with tempfile.TemporaryDirectory(prefix="onomast-") as folder:
                temporary = Path(folder) / (path.name or "output")
                temporary.touch()
                yield temporary
                with temporary.open("rb") as content, open_direct(path) as target:
                    shutil.copyfileobj(content, target)
            return
        with _beside(Path(os.path.realpath(path)) if path.is_symlink() else path) as temporary:
            yield temporary
    except OSError as error:
        if error.filename is None:  # such as "No space left on device"
            error.filename = str(path)
        raise


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder; expected the name of a file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: libraries choose formats (and compression) by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _copy_permissions(path, temporary)  # now: some libraries write a new file of this name
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_direct(path: str | Path) -> bool:
    """Must `path` be written into, rather than replaced: a device, a named pipe, a socket, an open descriptor?"""
    if _descriptor(path) is not None:
        return True
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_direct(path: str | Path) -> BinaryIO:
    """Open such a path for writing; `/dev/stdout` continues after what was printed."""
    descriptor = _descriptor(path)
    if descriptor is None:
        return Path(path).open("wb")
    if descriptor == 1 and sys.stdout is not None:
        sys.stdout.flush()
    return os.fdopen(os.dup(descriptor), "wb")


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Do two names lead to one regular file?"""
    with suppress(OSError, ValueError):
        return Path(first).is_file() and Path(first).samefile(second)
    return False


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically; a byte of a file name that is not UTF-8 becomes an escape, `\\udcff`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _descriptor(path: str | Path) -> int | None:
    name = str(path)
    numbered = _NUMBERED.match(name)
    return _DESCRIPTORS.get(name) if numbered is None else int(numbered[1])


def _copy_permissions(path: Path, temporary: Path) -> None:
    """Those of the file that is replaced, or what a new file gets."""
    try:
        old = path.stat()
    except OSError:
        temporary.chmod(0o666 & ~_umask())
        return
    with suppress(OSError):  # only root may give a file to someone else
        os.chown(temporary, old.st_uid, old.st_gid)
    temporary.chmod(stat.S_IMODE(old.st_mode))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
