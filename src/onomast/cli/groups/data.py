"""`onomast data`: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from onomast.cli.common import Json, emit_json

app = typer.Typer(no_args_is_help=True, help="Named corpora: where they are, under which licence; fetch them.")


@app.command("list")
def data_list(json_: Json = None) -> None:
    """List the corpora of the catalogue: languages, labels, licence, home."""
    from onomast.data.catalogue import render_entries, to_json

    emit_json(json_, to_json()) or print(render_entries())


@app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(metavar="NAME", help="A name of `onomast data list`.")]) -> None:
    """Download a corpus (or copy it from the folder ONOMAST_DATA), checking its checksums."""
    from onomast.data.catalogue import fetch

    print(fetch(name))
