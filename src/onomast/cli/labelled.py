"""Commands about labelled files: check, describe, score, compare, convert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onomast.cli.common import FILES, Columns, File, Html, Json, WriteFormat, emit_json, named, say, show
from onomast.errors import quantity

if TYPE_CHECKING:
    from onomast.data.formats.registry import Reading
    from onomast.tags import Orphan

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help=FILES)]
_SCRIPTS = (
    "deva (Devanagari), beng (Bengali), guru (Gurmukhi), gujr (Gujarati), orya (Odia), taml (Tamil), telu (Telugu), "
    "knda (Kannada), mlym (Malayalam): from one another, and from Urdu; the same with `:indic`, such as deva:indic: by "
    "the library indic-transliteration; latn: any script to ASCII; latn:indic: ISO 15919."
)


def check(
    files: Files,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a repaired copy of the one FILE.")] = None,
    json_: Json = None,
    columns: Columns = None,
    limit: Annotated[int, typer.Option(help="Findings shown of each kind; 0: all.")] = 10,
) -> None:
    """List errors and doubtful places in labelled files, with file and line; exit status 1 if there are errors.

    Several files are also compared with one another: sentences that are in both train and test are leaked.
    """
    from onomast.data import check as checking

    readings = _read_all(files, columns)
    findings = checking.check(readings)
    emit_json(json_, checking.to_json(findings)) or print(checking.render(findings, limit=limit))
    if fix is not None:
        if len(readings) != 1:
            raise typer.BadParameter("--fix takes exactly one FILE")
        for line in checking.fix(readings[0], fix):
            say(line)
    if any(finding.is_error for finding in findings):
        raise typer.Exit(1)


def describe(files: Files, json_: Json = None, columns: Columns = None) -> None:
    """Show sizes, labels and lengths, and how much the files share."""
    from onomast.data import check as checking

    description = checking.describe(_read_all(files, columns))
    emit_json(json_, description) or print(checking.render_description(description))


def score(
    gold: Annotated[str, typer.Argument(metavar="GOLD", help=FILES)],
    predicted: Annotated[str, typer.Argument(metavar="PREDICTED", help="The same sentences, tagged; any format.")],
    train_file: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE", help="Training data: for unseen and leaked."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Entities with illegal tags do not count.")] = False,
    json_: Json = None,
    html: Html = None,
    columns: Columns = None,
) -> None:
    """Score one labelled file against another."""
    from onomast.evaluation.report import evaluate as compute

    orphan: Orphan = "strict" if strict else "conlleval"
    golds, guesses = (list(named(name, columns, orphan).sentences) for name in (gold, predicted))
    known = list(named(train_file, columns).sentences) if train_file else []
    report = compute(golds, guesses, train=known, orphan=orphan)
    show(report, golds, guesses, json_, html, f"{predicted} against {gold}")


def compare(
    gold: Annotated[str, typer.Argument(metavar="GOLD", help=FILES)],
    predicted: Annotated[list[str], typer.Argument(metavar="PRED PRED...", help="Two or more tagged files.")],
    json_: Json = None,
    columns: Columns = None,
) -> None:
    """Compare taggers on the same sentences by paired tests: bootstrap and approximate randomisation."""
    from onomast.evaluation import render
    from onomast.evaluation.significance import compare as compute

    golds = list(named(gold, columns).sentences)
    comparisons = compute(golds, {name: list(named(name, columns).sentences) for name in predicted})
    if not emit_json(json_, render.comparisons_json(comparisons)):
        render.render_comparisons(comparisons)


def convert(
    file: File,
    target: Annotated[str | None, typer.Argument(metavar="OUT", help="Where to write; the same as --out.")] = None,
    script: Annotated[str | None, typer.Option(metavar="S", help=_SCRIPTS)] = None,
    out: Annotated[str, typer.Option(metavar="F", help="Where to write; - is standard output.")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="FILE is raw text, without labels; with --script.")] = False,
    format_: WriteFormat = None,
    columns: Columns = None,
) -> None:
    """Write a labelled file in another format: onomast convert a.conll b.jsonl; or in another script: --script S.

    Formats: columns, CoNLL-U, JSON and JSONL, doccano, Label Studio, Prodigy, brat, Parquet, spaCy's DocBin, HTML.
    A recipe with `script` set converts inside the tagger, which shows the original text.
    """
    from onomast.apps import convert as converting

    out = target or out
    if script is None:
        number = converting.convert_format(file, out, format=format_, columns=columns)
        say(f"wrote {quantity(number, 'sentence')} to {'standard output' if out == '-' else out}")
        return
    tally = (
        converting.convert_text(file, script, out)
        if raw
        else converting.convert_file(file, script, out, columns=columns)
    )
    for line in str(tally).splitlines():
        say(f"{file}: {line}")


def _read_all(files: list[str], columns: str | None) -> list[Reading]:
    """The files; of a corpus named without a split, each of its splits."""
    from onomast.data.catalogue import splits_of

    names = [split for name in files for split in (splits_of(name).values() or (name,))]
    return [named(name, columns) for name in names]
