"""`onomast active` and `onomast suspects`: what to label next, and which labels are probably wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from onomast.cli.common import Columns, File, Json, Model, emit_json, named, say

if TYPE_CHECKING:
    from onomast.active.ordering import Order

_ORDERS = "gain, uncertainty, disagreement, fluctuation or random."


def suspects(
    file: File,
    recipe: Annotated[str, typer.Option(metavar="NAME|FILE", help="What is trained for it.")] = "crf",
    folds: Annotated[int, typer.Option(help="Blocks of FILE, each looked at by a tagger of the others.")] = 5,
    limit: Annotated[int, typer.Option(help="How many to print; 0: all.")] = 50,
    json_: Json = None,
    columns: Columns = None,
) -> None:
    """List labels of a file that are probably wrong, most suspicious first: file:line, label, what else it could be.

    A tagger that was trained on the rest of the file says for each place how probable the label is. Nothing is changed.
    """
    from onomast.active import suspects as finding
    from onomast.progress import progress
    from onomast.recipe import read_recipe

    sentences = list(named(file, columns).sentences)
    with progress("looking for suspects", len(sentences)) as advance:
        found = finding.suspects(sentences, read_recipe(recipe), folds=folds, advance=advance)
    if emit_json(json_, finding.to_json(found)):
        return
    print(finding.render(found, limit))


def active(
    model: Model,
    raw: Annotated[str, typer.Argument(metavar="RAW", help="Raw text, or a file with tokens (with --read).")],
    count: Annotated[int, typer.Option(help="How many sentences to choose.")] = 50,
    order: Annotated[str, typer.Option(help=_ORDERS)] = "gain",
    other: Annotated[
        list[Path] | None,
        typer.Option(metavar="MODEL", help="Other taggers that vote, or earlier ones (fluctuation; oldest first)."),
    ] = None,
    labelled: Annotated[str | None, typer.Option(metavar="FILE", help="Already labelled: nothing like it.")] = None,
    random_share: Annotated[float, typer.Option(help="Share drawn at random: these serve to score.")] = 0.2,
    read: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="RAW holds tokens: columns, conllu, jsonl ...")
    ] = None,
    segmenter: Annotated[str, typer.Option(metavar="NAME|DIR", help="How raw text is cut into tokens.")] = "unicode",
    seed: Annotated[int, typer.Option(help="Of the random share.")] = 0,
    json_: Json = None,
) -> None:
    """Choose the sentences of a raw text that are most worth labelling next, one a line; --json gives the reasons."""
    from onomast.apps import choosing

    chosen = choosing.choose_next(
        model, raw, count, order=cast("Order", order), others=tuple(other or ()), labelled=labelled,
        random_share=random_share, read=read, segmenter=segmenter, seed=seed,
    )  # fmt: skip
    say(f"{len(chosen):,} sentences chosen by {order}")
    if not emit_json(json_, choosing.to_json(chosen)):
        for one in chosen:
            print(one.sentence.text if one.sentence.text is not None else " ".join(one.sentence.tokens))
