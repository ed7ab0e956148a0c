"""`onomast convert`: a file in another script."""

from __future__ import annotations

from typing import Annotated

import typer

from onomast.cli.common import Columns, File, say

_SCRIPTS = (
    "deva (Devanagari), beng (Bengali), guru (Gurmukhi), gujr (Gujarati), orya (Odia), taml (Tamil), telu (Telugu), "
    "knda (Kannada), mlym (Malayalam): from one another, and from Urdu; the same with `:indic`, such as deva:indic: by "
    "the library indic-transliteration; latn: any script to ASCII; latn:indic: ISO 15919."
)


def convert(
    file: File,
    script: Annotated[str, typer.Option(metavar="S", help=_SCRIPTS)],
    out: Annotated[str, typer.Option(metavar="F", help="Where to write; - is standard output.")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="FILE is raw text, without labels.")] = False,
    columns: Columns = None,
) -> None:
    """Write a file in another script, token by token: tags, POS and labels stay.

    A recipe with `script` set does the same inside the tagger, which shows the original text.
    """
    from onomast.apps import convert as converting

    tally = (
        converting.convert_text(file, script, out)
        if raw
        else converting.convert_file(file, script, out, say, columns=columns)
    )
    for line in str(tally).splitlines():
        say(f"{file}: {line}")
