"""Progress of a running grid: a bar with the time left on a terminal, and one line for each finished cell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, str], None]
"""Called with a finished cell and the time left, in words."""


@contextmanager
def bar(total: int, left: str, say: Callable[[str], None]) -> Iterator[Advance]:
    """Yield a function to call after each cell; on a terminal a bar stands below its lines."""
    if not sys.stderr.isatty() or not total:
        done = 0

        def print_line(line: str, left: str) -> None:
            nonlocal done
            done += 1
            say(f"{done}/{total} {line}; {left}")

        yield print_line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")]
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(left, total=total)

        def advance(line: str, left: str) -> None:
            shown.console.print(line, markup=False, highlight=False)
            shown.update(task, advance=1, description=left)

        yield advance
