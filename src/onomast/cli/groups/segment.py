"""`onomast segment`: raw text into sentences and tokens, and word segmenters that are learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import Json, emit_json, say

app = typer.Typer(no_args_is_help=True, help="Split raw text into sentences and tokens; learn to cut it into words.")

_NAMES = "`unicode`, `spaces`, `clusters` ..., or the folder of a learned one."
Words = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Text cut into words by | (BEST) or spaces, or a labelled file.")
]
Form = Annotated[str | None, typer.Option("--format", help="bars, spaces or labelled; found out where not given.")]


@app.command("apply")
def segment_apply(
    file: Annotated[str, typer.Argument(metavar="FILE")] = "-",
    segmenter: Annotated[str, typer.Option(metavar="NAME|DIR", help=_NAMES)] = "unicode",
) -> None:
    """Print raw text one sentence a line, tokens separated by spaces."""
    from onomast.apps.bulk import segment_file

    segment_file(file, segmenter)


@app.command("train")
def segment_train(
    files: Words,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    test: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Score the segmenter on these afterwards.")
    ] = None,
    form: Form = None,
    json_: Json = None,
) -> None:
    """Learn to cut text into words, for scripts without spaces: Thai, Lao, Khmer, Burmese ...

    Then: onomast tag MODEL text.txt --segmenter DIR
    """
    from onomast.apps import segmenting

    lines = segmenting.read_lines(files, form, say)
    segmenter = segmenting.train_folder(lines, out, say)
    if test:
        report = segmenting.score_segmenter(segmenter, segmenting.read_lines(test, form, say), lines)
        emit_json(json_, segmenting.figures(report)) or print(segmenting.shown(report))


@app.command("score")
def segment_score(
    segmenter: Annotated[str, typer.Argument(metavar="NAME|DIR", help=_NAMES)],
    files: Words,
    train: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="What it learnt from: for words and lines not seen there.")
    ] = None,
    form: Form = None,
    json_: Json = None,
) -> None:
    """Score a segmenter on text cut into words: precision, recall and F1 of words, with 95 % intervals over lines."""
    from onomast.apps import segmenting
    from onomast.taggers.word_segmenter import find_segmenter

    lines = segmenting.read_lines(files, form, say)
    known = segmenting.read_lines(train or [], form, say)
    report = segmenting.score_segmenter(find_segmenter(segmenter), lines, known)
    emit_json(json_, segmenting.figures(report)) or print(segmenting.shown(report))
