"""A progress bar for anything that takes more than two seconds, on a terminal's standard error only."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_PATIENCE = 2.0  # seconds before a bar appears


class Advance(Protocol):
    """Report `done` units in all, and a few words on the state."""

    def __call__(self, done: float, state: str = "") -> None: ...


@contextmanager
def progress(title: str, total: float | None) -> Iterator[Advance]:
    """Yield a function to call with the units done so far (of `total`; None: not known).

    Shows elapsed and remaining time; nothing at all when standard error is no terminal, when the
    logger `onomast` is silent (as in Python, unless logging is configured), or when the work is short.
    """
    if not (sys.stderr.isatty() and logging.getLogger("onomast").isEnabledFor(logging.INFO)):
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(title, total=total, state="")
    began = time.monotonic()

    def advance(done: float, state: str = "") -> None:
        if not bar.live.is_started and time.monotonic() - began > _PATIENCE:
            bar.start()
        bar.update(task, completed=done, state=state)

    try:
        yield advance
    finally:
        bar.stop()


def _silent(done: float, state: str = "") -> None:  # noqa: ARG001 - the shape of Advance
    return
