"""`onomast transfer`: labels of other languages and domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from onomast.cli.common import FILES, Json, emit_json, named, say

if TYPE_CHECKING:
    from onomast.corpus import Corpus
    from onomast.data.transfer.ranking import Ranked

app = typer.Typer(no_args_is_help=True, help="Other languages' labels: which of them will help.")


@app.callback()
def group() -> None:
    """Keep `rank` a command of its own, though it is the only one."""


@app.command("rank")
def transfer_rank(
    target: Annotated[str, typer.Argument(metavar="TARGET", help=FILES)],
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Labelled files, named in the same way.")],
    text: Annotated[bool, typer.Option("--text", help="TARGET is raw text: compare words, not labels.")] = False,
    budget: Annotated[int | None, typer.Option(help="Use only B sentences of TARGET (seeded shuffle).")] = None,
    limit: Annotated[int, typer.Option(help="Sources shown; 0: all.")] = 0,
    json_: Json = None,
) -> None:
    """Rank labelled corpora by how much they should help a target, before anyone trains.

    By features of the data alone: shared entities and words, spelling, script, labels, size. It knows no language.
    """
    from onomast.corpus import Corpus
    from onomast.data.transfer.ranking import rank, to_json

    wanted = _text(target) if text else Corpus(target, named(target, None).sentences)
    if budget is not None:
        wanted = wanted.sample(budget)
    ranking = rank(wanted, [Corpus(source, named(source, None).sentences) for source in dict.fromkeys(sources)])
    for ranked in ranking:
        for warning in ranked.warnings:
            say(f"note: {warning}")
    if not emit_json(json_, to_json(wanted, ranking)):
        _show(wanted, ranking, limit)


def _text(name: str) -> Corpus:
    """Raw text as a corpus of bare sentences."""
    from onomast.corpus import Corpus
    from onomast.data.named_files import read_named_text

    sentences = tuple(read_named_text(name))
    say(f"{name}: {len(sentences):,} sentences of raw text")
    return Corpus(name, sentences)


def _show(target: Corpus, ranking: Sequence[Ranked], limit: int) -> None:
    from rich.console import Console
    from rich.table import Table

    labels = f"labels {', '.join(target.labels)}" if target.labels else "no labels"
    table = Table(
        title=f"Sources for {target.name} ({len(target.train):,} sentences, {labels})", title_justify="left", box=None
    )
    table.add_column("rank", justify="right")
    table.add_column("source", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("shares with the target (mean: of all sources)")
    for ranked in ranking[: limit or None]:
        table.add_row(str(ranked.rank), ranked.name, f"{ranked.score:.3f}", ranked.explanation)
    Console().print(table)
    if limit and limit < len(ranking):
        say(f"... and {len(ranking) - limit} more (--limit 0 shows all)")
