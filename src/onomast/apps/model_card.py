"""What `onomast train` writes beside a saved tagger: model card, report, history, fingerprints of the training data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onomast.apps.inputs import name_of
from onomast.corpus import Corpus
from onomast.errors import ModelError, quantity
from onomast.files import write_text
from onomast.recipe import Recipe
from onomast.tagger import History

if TYPE_CHECKING:
    from onomast.apps.train import TrainingOptions
    from onomast.evaluation.report import Known, Report

KNOWN = "known.json"
FILES = ("README.md", "report.json", "history.jsonl", KNOWN)
"""Everything this module writes."""


def write_known(folder: Path, corpus: Corpus) -> Known:
    """Fingerprints of the training sentences and mentions, so that later scores can tell unseen from seen."""
    from onomast.evaluation.report import Known

    auxiliary = (sentence for source in corpus.sources for sentence in source.train)
    known = Known.of((*corpus.train, *corpus.dev, *auxiliary))
    figures = {"sentences": sorted(known.sentences), "mentions": sorted(known.mentions)}
    figures["labels"] = sorted(known.labels or ())
    write_text(folder / KNOWN, json.dumps(figures))
    return known


def read_known(folder: Path) -> Known | None:
    """The fingerprints, or None where the folder has none (a tagger saved without them)."""
    from onomast.evaluation.report import Known

    path = folder / KNOWN
    if not path.is_file():
        return None
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        labels = frozenset(figures["labels"]) if "labels" in figures else None
        return Known(frozenset(figures["sentences"]), frozenset(figures["mentions"]), labels)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{KNOWN} is damaged ({error}); delete it, or copy the folder again", folder=folder) from None


def write_card(
    options: TrainingOptions, corpus: Corpus, recipe: Recipe, history: History, report: Report | None, folder: Path
) -> None:
    """Write `report.json`, `history.jsonl` and the model card `README.md`."""
    figures: dict[str, Any] = {"seconds": {"train": round(history.seconds, 2)}}
    if report is not None:
        figures = report.to_json()
    if stages := _stages(history):
        figures["stages"] = stages
    _write(folder / "report.json", json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    _write(folder / "history.jsonl", "".join(json.dumps(dict(row)) + "\n" for row in history.epochs))
    _write(folder / "README.md", _card(options, corpus, recipe, history, report))


def training_command(options: TrainingOptions) -> str:
    """The command line that trains this model again, quoted for a shell; data in memory is `<sentences in memory>`."""
    words = ["onomast", "train", *([name_of(options.train)] if options.train is not None else [])]
    words += ["--recipe", str(options.recipe), "--seed", str(options.seed)]
    single = {"dev": name_of(options.dev), "test": name_of(options.test), "budget": options.budget}
    single |= {"vectors": options.vectors, "encoder": options.encoder, "columns": options.columns}
    words += [word for name, value in single.items() if value for word in (f"--{name}", str(value))]
    words += [word for name in options.raw for word in ("--raw", str(name))]
    words += [word for source in options.sources for word in ("--source", name_of(source))]
    words += ["--relabel", ",".join(f"{a}={b}" for a, b in options.relabel.items())] if options.relabel else []
    words += [word for key, value in options.changes.items() for word in ("--set", f"{key}={value}")]
    return shlex.join([*words, "--out", str(options.out)])


def _card(options: TrainingOptions, corpus: Corpus, recipe: Recipe, history: History, report: Report | None) -> str:
    from onomast.evaluation.render import render_markdown

    lines = [
        f"# {recipe.name}: a named-entity tagger",
        "",
        f"Trained by Onomast on {quantity(len(corpus.train), 'sentence')} of `{corpus.name}`{_beside(corpus)} "
        f"(recipe `{recipe.name}`, seed {options.seed}) in {history.seconds:.1f} s. "
        f"Labels: {', '.join(corpus.labels) or 'none'}.",
        "",
        f"    {training_command(options)}",
        f"    onomast tag {shlex.quote(str(options.out))} text.txt",
        "",
        *(f"- {note}" for note in history.notes),
    ]
    if report is not None:
        lines += ["", f"## Scores on `{name_of(options.test)}`", "", render_markdown(report)]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Write text; parts of file names that are not UTF-8 are written as escapes."""
    write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _beside(corpus: Corpus) -> str:
    """The auxiliary corpora."""
    if not corpus.sources:
        return ""
    sentences = sum(len(source.train) for source in corpus.sources)
    return f" and {sentences:,} of {', '.join(f'`{source.name}`' for source in corpus.sources)}"


def _stages(history: History) -> list[dict[str, Any]]:
    """For each stage of a chain: epochs, last loss, best dev F1 if there were dev sentences; mlm: masked accuracy."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in history.epochs:
        if "stage" in row:
            rows.setdefault(row["stage"], []).append(row)
    return [
        {
            "stage": name,
            "epochs": len(epochs),
            "loss": epochs[-1]["loss"],
            **({"dev_f1": max(row["f1"] for row in epochs)} if "f1" in epochs[0] else {}),
            **{name: epochs[-1][name] for name in ("masked_accuracy",) if name in epochs[-1]},
        }
        for name, epochs in rows.items()
    ]
