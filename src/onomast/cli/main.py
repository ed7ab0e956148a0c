"""The command line: parse, call one function, print. A traceback reaches the user only with --debug."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from onomast._version import __version__
from onomast.cli import active, convert, data, encoder, grid, segment, transfer, vectors
from onomast.cli.common import FILES, Columns, File, Html, Json, Model, emit_json, named, say, show
from onomast.errors import OnomastError, RecipeError

if TYPE_CHECKING:
    from onomast.tags import Orphan

app = typer.Typer(
    name="onomast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Named-entity recognition when labels are scarce: check a labelled file, train, score, compare, tag raw text.",
    epilog="Start with: onomast train sample:swahili-news/train --test sample:swahili-news/test --out model",
)
for name, group in (
    ("data", data),
    ("vectors", vectors),
    ("segment", segment),
    ("transfer", transfer),
    ("grid", grid),
    ("encoder", encoder),
):
    app.add_typer(group.app, name=name)


class TagFormat(StrEnum):
    """Formats `onomast tag` writes."""

    jsonl = "jsonl"
    columns = "columns"
    html = "html"


def main() -> None:
    """The entry point of the command `onomast`."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app(prog_name="onomast")
    except OnomastError as error:
        if debug:
            raise
        _fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        _fail("interrupted; `onomast train ... --resume` goes on from the last checkpoint")


def _fail(message: str) -> NoReturn:
    print(f"onomast: {message}", file=sys.stderr)
    sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onomast {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=FILES)],
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a mended copy of the one FILE.")] = None,
    json_: Json = None,
    columns: Columns = None,
    limit: Annotated[int, typer.Option(help="Findings shown of each kind; 0: all.")] = 10,
) -> None:
    """Say what is wrong with labelled files, with file and line; exit status 1 if anything is.

    Several files are also compared with one another: sentences that stand in both train and test are leaked.
    """
    from onomast.data import check as checking

    findings = checking.check([named(name, columns) for name in files])
    emit_json(json_, checking.to_json(findings)) or print(checking.render(findings, limit=limit))
    if fix is not None:
        if len(files) != 1:
            raise typer.BadParameter("--fix takes exactly one FILE")
        for line in checking.fix(named(files[0], columns), fix):
            say(line)
    if findings:
        raise typer.Exit(1)


@app.command()
def describe(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=FILES)],
    json_: Json = None,
    columns: Columns = None,
) -> None:
    """Show sizes, labels, lengths, and how much the files share."""
    from onomast.data import check as checking

    description = checking.describe([named(name, columns) for name in files])
    emit_json(json_, description) or print(checking.render_description(description))


@app.command()
def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to write.")],
    train_file: Annotated[
        str | None, typer.Argument(metavar="TRAIN", help=f"{FILES} Without it the sources teach alone (zero-shot).")
    ] = None,
    dev: Annotated[str | None, typer.Option(metavar="FILE", help="Sentences to stop and select by.")] = None,
    test: Annotated[str | None, typer.Option(metavar="FILE", help="Score the tagger on these afterwards.")] = None,
    recipe: Annotated[str, typer.Option(metavar="NAME|FILE", help="`onomast recipes` lists them.")] = "crf",
    budget: Annotated[
        int | None, typer.Option(help="Use only B sentences of TRAIN (seeded shuffle), dev included.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Labels of another language or domain.")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW,...", help="Rename the sources' labels; OLD= for not annotated."),
    ] = None,
    vectors: Annotated[str | None, typer.Option(metavar="FILE", help="fastText, GloVe or word2vec vectors.")] = None,
    raw: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Raw text to learn vectors from first.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field of the recipe.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the budget's shuffle and of training.")] = 0,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoints in DIR.")] = False,
    columns: Columns = None,
) -> None:
    """Train a tagger on a labelled file, save it in DIR, and score it on --test.

    With 100 sentences in all: onomast train FILE --budget 100 --recipe crf --out DIR
    """
    from onomast.apps import train as training
    from onomast.data.transfer.label_alignment import parse_relabel

    changes = {}
    for item in set_ or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise RecipeError(f"--set {item}: expected KEY=VALUE, such as --set linear.features.prefix=3")
        changes[key] = value
    order = training.Order(
        train=train_file, out=out, recipe=recipe, dev=dev, test=test, budget=budget, sources=tuple(source or ()),
        relabel=parse_relabel(",".join(relabel or [])), vectors=vectors, raw=tuple(raw or ()), changes=changes,
        seed=seed, resume=resume, columns=columns,
    )  # fmt: skip
    trained = training.train(order, say)
    say(f"trained in {trained.history.seconds:.1f} s; saved in {out}")
    if trained.report is not None:
        from onomast.evaluation.render import render_terminal

        render_terminal(trained.report)


@app.command()
def evaluate(model: Model, test: File, json_: Json = None, html: Html = None, columns: Columns = None) -> None:
    """Score a saved tagger on a labelled file, with 95 % intervals."""
    from onomast.apps import train as training

    scored = training.evaluate_folder(model, test, say, columns=columns)
    show(scored.report, scored.gold, scored.predicted, json_, html, f"{model.name} on {test}")


@app.command()
def score(
    gold: Annotated[str, typer.Argument(metavar="GOLD", help=FILES)],
    predicted: Annotated[str, typer.Argument(metavar="PREDICTED", help="The same sentences, tagged; any format.")],
    train_file: Annotated[str | None, typer.Option("--train", metavar="FILE", help="For unseen and leaked.")] = None,
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


@app.command()
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


@app.command()
def tag(
    model: Model,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Raw text, or a labelled file with --read.")] = "-",
    out: Annotated[str, typer.Option(metavar="FILE", help="Where to write; - is standard output.")] = "-",
    format_: Annotated[TagFormat, typer.Option("--format", help="What to write.")] = TagFormat.jsonl,
    read: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="FILE holds tokens: columns, conllu, jsonl ...")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Leave out entities less probable than this.")] = 0.0,
    segmenter: Annotated[
        str,
        typer.Option(metavar="NAME|DIR", help="How raw text is cut into tokens; DIR: of `onomast segment train`."),
    ] = "unicode",
    columns: Columns = None,
) -> None:
    """Tag raw text in any script; entities carry their offsets in the original text. It streams.

    echo "Asha alizaliwa Mombasa." | onomast tag model
    """
    from onomast.apps.bulk import tag_file
    from onomast.taggers.registry import load_tagger

    counts = tag_file(
        load_tagger(model),
        file,
        out,
        format=format_.value,
        read=read,
        columns=columns,
        min_confidence=min_confidence,
        segmenter=segmenter,
    )
    sizes = f"{counts.sentences:,} sentences, {counts.tokens:,} tokens, {counts.entities:,} entities"
    mended = f"; {counts.repairs:,} repairs (`onomast check` lists them)" if counts.repairs else ""
    say(f"{sizes} in {counts.seconds:.1f} s{mended}")


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Show this one, with its comments.")] = None) -> None:
    """List the recipes, or show one."""
    from onomast.recipe import read_recipe, recipe_names, recipe_path

    if name is not None:
        print(recipe_path(name).read_text(encoding="utf-8"), end="")
        return
    for known in recipe_names():
        recipe = read_recipe(known)
        print(f"{known:22} {recipe.tagger:7} {recipe.description}")


app.command()(convert.convert)
app.command()(active.active)
app.command()(active.suspects)
