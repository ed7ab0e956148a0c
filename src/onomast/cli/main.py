"""The command line: all commands, and the entry point. Each command parses, calls one function and prints."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onomast._version import __version__
from onomast.cli import active, export, labelled, models, serve, studio
from onomast.cli.groups import data, encoder, grid, segment, transfer, vectors
from onomast.cli.terminal import run

app = typer.Typer(
    name="onomast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Named-entity recognition when labels are scarce: check a labelled file, train, score, compare, tag raw text.",
    epilog="Start with: onomast train sample:swahili-news --out model",
)
for command in (
    labelled.check, labelled.describe, models.train, models.evaluate, models.tag, labelled.score, labelled.compare,
    labelled.convert, active.active, active.suspects, studio.studio, export.export, serve.serve, models.recipes,
):  # fmt: skip
    app.command()(command)
for name, group in (
    ("data", data),
    ("vectors", vectors),
    ("encoder", encoder),
    ("segment", segment),
    ("transfer", transfer),
    ("grid", grid),
):
    app.add_typer(group.app, name=name)


def main() -> None:
    """The entry point of the command `onomast`."""
    sys.exit(run(app, sys.argv[1:]))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onomast {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""
