"""What the commands share: argument types, reading a named file, JSON output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onomast.cli.terminal import say

if TYPE_CHECKING:
    from onomast.data.formats.registry import Reading
    from onomast.sentence import Sentence
    from onomast.tags import Orphan

__all__ = [
    "FILES",
    "Columns",
    "File",
    "Html",
    "Json",
    "Model",
    "WriteFormat",
    "emit_json",
    "named",
    "say",
    "show",
    "words_of",
]

FILES = "A path, - for standard input, sample:NAME/SPLIT (shipped) or data:NAME/SPLIT (see `onomast data list`)."
File = Annotated[str, typer.Argument(metavar="FILE", help=FILES)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder written by `onomast train`.")]
WriteFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="What to write, such as jsonl, columns, label-studio or html; by default what the suffix of --out says.",
    ),
]
Columns = Annotated[str | None, typer.Option(help='Names of the columns, such as "token pos tag"; others: _')]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON; - prints them.")]
Html = Annotated[
    Path | None, typer.Option("--html", help="Write one self-contained page with charts and every mistake.")
]


def named(name: str, columns: str | None = None, orphan: Orphan = "conlleval") -> Reading:
    """Read a FILE, saying how it was understood and what was repaired; of a corpus without a split the test part."""
    from onomast.apps.inputs import read_labelled

    return read_labelled(name, columns=columns, orphan=orphan, split="test")


def words_of(name: str) -> list[str]:
    """The distinct words of a labelled FILE, sorted."""
    return sorted({token for sentence in named(name).sentences for token in sentence.tokens})


def emit_json(path: Path | None, figures: Any) -> bool:
    """Write figures as JSON if `path` is given; True if they went to standard output and nothing else should."""
    if path is None:
        return False
    text = json.dumps(figures, ensure_ascii=False, indent=1)
    if str(path) == "-":
        print(text)
        return True
    from onomast.files import write_text

    write_text(path, text + "\n")
    return False


def show(
    report: Any,
    gold: Sequence[Sentence],
    predicted: Sequence[Sentence],
    json_: Path | None,
    html: Path | None,
    title: str,
) -> None:
    """Print a report, or write it as JSON, and its page."""
    from onomast.evaluation import render

    if not emit_json(json_, report.to_json()):
        render.render_terminal(report)
    if html is not None:
        from onomast.files import write_text

        write_text(html, render.render_html(report, gold, predicted, title))
        say(f"wrote {html}")
