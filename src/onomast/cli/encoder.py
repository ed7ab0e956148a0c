"""`onomast encoder`: pre-trained encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import say

app = typer.Typer(no_args_is_help=True, help="Pre-trained encoders: make a folder safe to read.")


@app.callback()
def encoder() -> None:
    """Pre-trained encoders."""


@app.command("convert")
def encoder_convert(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A Hugging Face folder with pytorch_model.bin.")],
) -> None:
    """Write the tensors of a pickle (.bin) as model.safetensors; nothing else in it is read, no code is run."""
    from onomast.taggers.pretrained import convert_weights

    say(f"wrote {convert_weights(folder)}")
