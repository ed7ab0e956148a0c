"""`onomast segment`: raw text into sentences and tokens."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Split raw text into sentences and tokens.")


@app.command("apply")
def segment_apply(
    file: Annotated[str, typer.Argument(metavar="FILE")] = "-",
    segmenter: Annotated[str, typer.Option(help="`unicode`, `spaces`, `clusters`, `syllables` ...")] = "unicode",
) -> None:
    """Print raw text one sentence a line, tokens separated by spaces."""
    from onomast.apps.bulk import segment_file

    segment_file(file, segmenter)
