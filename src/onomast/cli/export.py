"""`onomast export`: a neural tagger as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import FILES, Columns, Model, named, say


def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Eight-bit weights, if F1 on --dev stays within 0.3.")] = False,
    dev: Annotated[str | None, typer.Option(metavar="FILE", help=f"Labelled sentences for --int8. {FILES}")] = None,
    columns: Columns = None,
) -> None:
    """Write a neural tagger as ONNX: `tag`, `evaluate` and `serve` take the folder and need no PyTorch.

    onomast export model --out model-onnx
    """
    if int8 != (dev is not None):
        raise typer.BadParameter("--int8 and --dev FILE go together: the F1 of both precisions is compared on FILE")
    if dev is None:
        from onomast.export.build import export as write

        write(model, out)
        say(f"saved in {out}")
        return
    from onomast.export.int8 import export_int8

    loss = export_int8(model, out, list(named(dev, columns).sentences))
    say(
        f"F1 {loss.f1_int8:.2f} in int8, {loss.f1:.2f} in float32 ({loss.sentences} sentences); "
        f"{loss.size_int8 / 1e6:.2f} MB instead of {loss.size / 1e6:.2f} MB; saved in {out}"
    )
