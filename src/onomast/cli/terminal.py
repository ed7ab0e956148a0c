"""One run of the command line: standard streams, messages, exit status. No command is defined here.

Exit status: 0 done; 1 an error, or `check` found one; 2 the command line is wrong; 130 interrupted.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, cast

import typer

from onomast.errors import EXTRAS, MissingExtra, OnomastError

_RESUMED = (("train",), ("encoder", "train"), ("encoder", "adapt"))  # commands with checkpoints and --resume
_RERUN = (("grid", "run"),)  # commands that go on where they were


def run(app: typer.Typer, words: Sequence[str]) -> int:
    """Run one command and return its exit status. Every error is one line on standard error, unless with --debug."""
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _open_closed_streams()
    with _logging_to_standard_error():
        try:
            status = _invoke(app, words)
            sys.stdout.flush()
            return status
        except KeyboardInterrupt:
            return _fail(_interrupted(words), 130)
        except BrokenPipeError:
            _discard(sys.stdout)
            return 0  # whoever read our output has enough
        except Exception as error:
            if debug:
                raise
            return _explain(error, words)


def say(line: str) -> None:
    """One line for the user; results go to standard output, everything else to standard error."""
    print(line, file=sys.stderr)


def _invoke(app: typer.Typer, words: list[str]) -> int:
    """Parse and call, without typer's own treatment of errors."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("onomast", list(words)) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return int(stop.exit_code)
    return 0


def _explain(error: Exception, words: Sequence[str]) -> int:
    """Print what went wrong in one line, and return the exit status."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return 2  # the help text has been printed
    if hasattr(error, "format_message"):  # a usage error of typer, whose class has moved between versions
        return _fail(_usage(error), 2)
    if isinstance(error, OnomastError):
        return _fail(str(error))
    if isinstance(error, ModuleNotFoundError) and (library := (error.name or "").split(".")[0]) in EXTRAS:
        return _fail(str(MissingExtra(library, EXTRAS[library], f"`{shlex.join(['onomast', *words[:2]])}`")))
    if isinstance(error, OSError):
        if error.errno == errno.EBADF:
            _discard(sys.stdout)
            return _fail("standard output is closed, so the result could not be printed; use --out FILE or open it")
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    if isinstance(error, MemoryError):
        return _fail("out of memory; use less data at once, a smaller recipe, or a machine with more memory")
    reason = " ".join(str(error).split())
    return _fail(f"{type(error).__name__}: {reason:.300}; a bug in Onomast: please report what --debug shows")


def _usage(error: Exception) -> str:
    """`train: no such option: --recpie ...; see onomast train --help`."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "onomast"
    reason = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    reason = reason[:1].lower() + reason[1:]
    command = path.removeprefix("onomast").strip()
    return f"{command + ': ' if command else ''}{reason}; see: {path} --help"


def _interrupted(words: Sequence[str]) -> str:
    """What to type to go on."""
    command = shlex.join(["onomast", *words])
    if any(tuple(words[: len(prefix)]) == prefix for prefix in _RESUMED):
        resumed = command if "--resume" in words else f"{command} --resume"
        return f"interrupted; to go on from the last checkpoint, type: {resumed}"
    if any(tuple(words[: len(prefix)]) == prefix for prefix in _RERUN):
        return f"interrupted; nothing is lost; to go on, type: {command}"
    return "interrupted"


def _fail(message: str, status: int = 1) -> int:
    say(f"onomast: {message}")
    return status


class _ToStandardError(logging.Handler):
    """Log records as lines on what `sys.stderr` is at the time; warnings are marked as such."""

    def emit(self, record: logging.LogRecord) -> None:
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


@contextmanager
def _logging_to_standard_error() -> Iterator[None]:
    """Show what the package logs, as long as this command runs."""
    logger, handler = logging.getLogger("onomast"), _ToStandardError()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _ClosedInput:
    """In place of a standard input that is closed."""

    @property
    def buffer(self) -> TextIO:
        """Whoever wants to read it hears what to do instead."""
        raise OnomastError("standard input is closed; name a FILE, or pipe text into the command")

    def isatty(self) -> bool:
        """It is none."""
        return False


def _open_closed_streams() -> None:
    """Give closed standard streams a descriptor, so that no data file gets it; show characters a terminal cannot."""
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one; 0 and 1 then refuse to be used
    if sys.stdin is None:
        sys.stdin = cast(TextIO, _ClosedInput())
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, so that Python's own flush at the end does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # no real stream, as in tests
        return
