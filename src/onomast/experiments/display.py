"""How a running grid looks: a bar with the time left on a terminal, one line for each finished cell everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, str], None]
"""What has ended, and how long the rest may take."""


@contextmanager
def bar(total: int, left: str, say: Callable[[str], None]) -> Iterator[Advance]:
    """Yield a function to call after each cell; on a terminal a bar stands below its lines."""
    if not sys.stderr.isatty() or not total:
        done = 0

        def tell(line: str, left: str) -> None:
            nonlocal done
            done += 1
            say(f"{done}/{total} {line}; {left}")

        yield tell
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
