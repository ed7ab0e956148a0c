"""`onomast vectors`: fastText vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import named, words_of

app = typer.Typer(no_args_is_help=True, help="Word vectors: train them on raw text, look at a file, make it small.")


@app.command("train")
def vectors_train(
    raw: Annotated[
        list[str], typer.Argument(metavar="RAW...", help="Raw text, one sentence or paragraph a line; .gz too.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The fastText .bin file to write.")],
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Drop the sentences of this test file.")
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option(help="How text is cut into tokens: a name, or the folder of a learned one.")
    ] = None,
    width: Annotated[int, typer.Option(help="Width of a vector.")] = 100,
    epochs: Annotated[int, typer.Option(help="Passes over the text.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
) -> None:
    """Learn fastText vectors from raw text."""
    from onomast.data.catalogue import resolve
    from onomast.taggers.word_segmenter import find_segmenter
    from onomast.vectors.train import train_vectors

    hidden = [sentence.tokens for name in exclude or [] for sentence in named(name, None).sentences]
    paths = [resolve(name) for name in raw]
    cut = find_segmenter(segmenter) if segmenter and Path(segmenter).is_dir() else segmenter
    print(train_vectors(paths, out, exclude=hidden, segmenter=cut, width=width, epochs=epochs, seed=seed))


@app.command("info")
def vectors_info(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    words: Annotated[
        str | None, typer.Option(metavar="FILE", help="How many words of this labelled file it knows.")
    ] = None,
) -> None:
    """Show a vectors file: format, width, number of words, coverage."""
    from onomast.vectors.files import describe_vectors

    print(describe_vectors(file, None if words is None else words_of(words)))


@app.command("prune")
def vectors_prune(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    words: Annotated[str, typer.Option(metavar="FILE", help="Keep the words of this labelled file.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The smaller file.")],
) -> None:
    """Write a smaller vectors file that holds only the words of a labelled file, and n-grams for unseen ones."""
    from onomast.vectors.files import prune_vectors

    print(prune_vectors(file, words_of(words), out))
