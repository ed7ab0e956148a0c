"""Commands about taggers: train, evaluate, tag, recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import FILES, Columns, File, Html, Json, Model, WriteFormat, say, show
from onomast.errors import RecipeError, quantity


def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to write.")],
    train_file: Annotated[
        str | None, typer.Argument(metavar="TRAIN", help=f"{FILES} Without it: the sources alone (zero-shot).")
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
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="The pre-trained encoder of recipes that have one.")
    ] = None,
    with_encoder: Annotated[
        bool, typer.Option("--with-encoder", help="Copy the encoder into DIR, for machines that do not have it.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in DIR.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that DIR already holds.")] = False,
    columns: Columns = None,
    until: Annotated[
        int | None, typer.Option(metavar="LINE", help="Read TRAIN up to this line, where the rest is not labelled yet.")
    ] = None,
) -> None:
    """Train a tagger on labelled sentences, save it in DIR, and score it on --test.

    A corpus named without a split (sample:NAME, data:NAME) gives training, dev and test sentences at once.
    """
    from onomast.apps import train as training
    from onomast.data.transfer.label_alignment import parse_relabel

    options = training.TrainingOptions(
        train=train_file, out=out, recipe=recipe, dev=dev, test=test, budget=budget, sources=tuple(source or ()),
        relabel=parse_relabel(",".join(relabel or [])), vectors=vectors, raw=tuple(raw or ()), encoder=encoder,
        with_encoder=with_encoder,
        changes=_changes(set_ or []), seed=seed, resume=resume, force=force, columns=columns, until=until,
    )  # fmt: skip
    trained = training.train(options)
    say(f"trained in {trained.history.seconds:.1f} s; saved in {out}")
    if trained.report is not None:
        from onomast.evaluation.render import render_terminal

        render_terminal(trained.report)


def evaluate(model: Model, test: File, json_: Json = None, html: Html = None, columns: Columns = None) -> None:
    """Score a saved tagger on a labelled file, with 95 % intervals."""
    from onomast.apps import train as training

    scored = training.evaluate_folder(model, test, columns=columns)
    show(scored.report, scored.gold, scored.predicted, json_, html, f"{model.name} on {test}")


def tag(
    model: Model,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="Raw text, or a labelled file with --read.")
    ] = None,
    out: Annotated[
        str, typer.Option(metavar="FILE|DIR", help="Where to write; - is standard output; DIR with --jobs.")
    ] = "-",
    jobs: Annotated[
        int | None, typer.Option(help="Tag many .parquet, .jsonl, .txt files (.gz, .zst) into DIR, N at a time.")
    ] = None,
    format_: WriteFormat = None,
    read: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="FILE holds tokens: columns, conllu, jsonl ...")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Leave out entities less probable than this.")] = 0.0,
    segmenter: Annotated[
        str,
        typer.Option(metavar="NAME|DIR", help="How raw text is cut into tokens; DIR: of `onomast segment train`."),
    ] = "unicode",
    text_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="FILE is JSONL: tag this field of each object, keep the others.")
    ] = None,
    columns: Columns = None,
) -> None:
    """Tag raw text in any script, or the texts of a JSONL file; entities carry their offsets. It streams.

    echo "Asha alizaliwa Mombasa." | onomast tag model
    """
    import sys

    from onomast.apps.bulk import tag_file
    from onomast.taggers.registry import load_tagger

    if jobs is not None:
        if format_ is not None or read is not None or columns is not None or segmenter != "unicode":
            raise typer.BadParameter("--format, --read, --columns and --segmenter do not go with --jobs")
        _tag_many(model, files or [], out, jobs, text_field, min_confidence)
        return
    if len(files or ["-"]) > 1:
        raise typer.BadParameter("for several files give a folder and a number of processes: --out DIR --jobs 2")
    file = (files or ["-"])[0]
    if file == "-" and sys.stdin.isatty():
        say("reading text from the terminal; end it with Ctrl-D, or name a FILE")
    counts = tag_file(
        load_tagger(model),
        file,
        out,
        format=format_,
        read=read,
        columns=columns,
        min_confidence=min_confidence,
        segmenter=segmenter,
        text_field=text_field,
    )
    entities = "1 entity" if counts.entities == 1 else f"{counts.entities:,} entities"
    sizes = f"{quantity(counts.sentences, 'sentence')}, {quantity(counts.tokens, 'token')}, {entities}"
    repaired = f"; {quantity(counts.repairs, 'repair')} (`onomast check` lists them)" if counts.repairs else ""
    say(f"{sizes} in {counts.seconds:.1f} s{repaired}")


def _tag_many(model: Path, files: list[str], out: str, jobs: int, column: str | None, min_confidence: float) -> None:
    """`tag --jobs`."""
    from onomast.apps.shards.run import Job, tag_files
    from onomast.errors import require

    require("pyarrow", purpose="`onomast tag --jobs`")
    if out == "-":
        raise typer.BadParameter("--jobs writes one output for each file; name a folder: --out DIR")
    job = Job(model, Path(out), column or "text", min_confidence)
    summary = tag_files(job, [Path(name) for name in files], jobs=jobs)
    before = f", {summary.skipped} of them done before" if summary.skipped else ""
    wrong = f"; {quantity(summary.errors, 'row')} with an error (column error)" if summary.errors else ""
    say(f"{quantity(summary.files, 'file')}{before}: {quantity(summary.rows, 'row')} in {out}{wrong}")


def recipes(name: Annotated[str | None, typer.Argument(help="Show this one, with its comments.")] = None) -> None:
    """List the recipes, or show one."""
    from onomast.recipe import encoder_field, read_recipe, recipe_names, recipe_path

    if name is not None:
        print(recipe_path(name).read_text(encoding="utf-8"), end="")
        return
    for known in recipe_names():
        recipe = read_recipe(known)
        needs = " (needs a pre-trained encoder)" if encoder_field(recipe) else ""
        print(f"{known:22} {recipe.tagger:7} {recipe.description}{needs}")


def _changes(given: list[str]) -> dict[str, str]:
    """`--set KEY=VALUE`, as often as it was given."""
    changes = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals:
            raise RecipeError(f"--set {item}: expected KEY=VALUE, such as --set linear.features.prefix=3")
        changes[key] = value
    return changes
