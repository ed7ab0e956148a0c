"""`onomast grid`: many runs from one file, their tables and pictures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import say
from onomast.errors import OnomastError

app = typer.Typer(no_args_is_help=True, help="Many recipes, corpora, sizes and seeds: run them, tabulate, draw.")

Grid = Annotated[Path, typer.Argument(metavar="GRID.toml", help="What is run; see docs/how-to/grids.md.")]
Full = Annotated[
    bool, typer.Option("--full", help="The larger grid: what the table `full` of GRID.toml says is put in place.")
]


class EngineName(StrEnum):
    """Where cells are run."""

    processes = "processes"
    ray = "ray"


@app.command("run")
def grid_run(
    grid: Grid,
    jobs: Annotated[int, typer.Option(help="Cells at a time, one thread each.")] = 1,
    engine: Annotated[EngineName, typer.Option(help="ray: RAY_ADDRESS, or a local cluster.")] = EngineName.processes,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what is left, and how long it may take.")] = False,
    full: Full = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run those that failed again.")] = False,
) -> None:
    """Run every cell once; results are appended to results.jsonl beside GRID.toml. Killed, it goes on where it was.

    A cell that fails is recorded with its error and the rest goes on; exit status 1 if any has failed.
    """
    from onomast.experiments import run

    order = run.RunOptions(jobs, engine.value, "full" if full else "reduced", failed=retry_failed)
    if dry_run:
        for line in run.describe(run.plan_of(grid, order), order):
            print(line)
        return
    try:
        ran = run.run_grid(grid, order, say)
    except KeyboardInterrupt:
        raise OnomastError("interrupted; nothing is lost: the same command goes on where it was") from None
    broken = f", {ran.failed} failed (`--retry-failed` runs them again)" if ran.failed else ""
    say(f"{ran.done} cells done, {ran.before} before{broken}")
    if ran.failed:
        raise typer.Exit(1)


@app.command("table")
def grid_table(
    grid: Grid,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every figure, one cell a line; - prints.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write Markdown; - prints, as without.")] = None,
    full: Full = False,
) -> None:
    """Their numbers beside ours, with intervals over seeds and test sentences, tested against the baseline."""
    from onomast.experiments.analysis import tables
    from onomast.experiments.analysis.markdown import to_markdown
    from onomast.files import write_text

    table = tables.table_of(grid, "full" if full else "reduced")
    outputs = [(csv, tables.to_csv), (markdown, to_markdown)]
    if csv is None and markdown is None:
        outputs = [(Path("-"), to_markdown)]
    for path, render in outputs:
        if path is not None and str(path) == "-":
            print(render(table), end="")
        elif path is not None:
            write_text(path, render(table))
            say(f"wrote {path}")


@app.command("plot")
def grid_plot(
    grid: Grid,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; default: beside GRID.toml.")] = None,
    full: Full = False,
) -> None:
    """Draw learning curves and bars with intervals, as PNG and SVG."""
    from onomast.experiments.analysis import plots

    for path in plots.draw(grid, out or grid.parent, "full" if full else "reduced"):
        say(f"wrote {path}")
