"""Write docs/reference/recipes.md from the dataclasses of recipe.py, the command line from --help, the results."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import typer
from results import papers, results

from onomast.cli import app

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "onomast" / "recipe.py"


def recipe_fields() -> str:
    """A table of fields for each dataclass of recipe.py: name, type, default, meaning."""
    lines = [
        "# Fields of a recipe",
        "",
        "Made from `src/onomast/recipe.py` by `make docs`. `--set linear.c2=0.5` changes one.",
        "",
    ]
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        lines += [
            f"## {node.name}",
            "",
            ast.get_docstring(node) or "",
            "",
            "| field | type | default | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for place, item in enumerate(node.body):
            if not isinstance(item, ast.AnnAssign):
                continue
            after = node.body[place + 1] if place + 1 < len(node.body) else None
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            meaning = " ".join(str(after.value.value).split()) if documented else ""  # type: ignore[union-attr]
            default = "" if item.value is None else ast.unparse(item.value)
            default = "" if "default_factory" in default else f"`{default}`"
            kind = ast.unparse(item.annotation).replace("|", "\\|")
            lines.append(
                f"| `{ast.unparse(item.target)}` | {kind} | {default} | {meaning.replace('|', chr(92) + '|')} |"
            )
        lines.append("")
    return "\n".join(lines)


def commands(command: Any = None, path: str = "") -> Iterator[str]:
    """Every command that does something, such as `data list`, in the order of the help."""
    members = getattr(command or typer.main.get_command(app), "commands", None)
    if members is None:
        yield path
        return
    for name, member in members.items():
        yield from commands(member, f"{path} {name}".strip())


def command_line() -> str:
    """What --help says of each command."""
    lines = [
        "# Command line",
        "",
        "What `--help` says, written by `make docs`. Exit status of every command: 0 done; 1 an error (one line on "
        "standard error), or `check` found one; 2 the command line is wrong; 130 interrupted.",
        "",
    ]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for command in commands():
        words = [sys.executable, "-m", "onomast", *command.split(), "--help"]
        shown = subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout
        lines += [
            f"## onomast {command}",
            "",
            "```",
            *(line.rstrip() for line in shown.strip().splitlines()),
            "```",
            "",
        ]
    return "\n".join(lines)


def licences() -> str:
    """The libraries that Onomast can use, with the licences their authors declare."""
    lines = [
        "# Licences",
        "",
        "Onomast: Apache-2.0. What it installs, by extra, as the packages declare it. Written by `make docs`;",
        "`make sbom` lists everything, dependencies of dependencies too. Corpora: see `onomast data list`.",
        "",
        "| library | extra | licence |",
        "| --- | --- | --- |",
    ]
    wanted = {}
    for line in metadata.requires("onomast") or ():
        name = re.split(r"[ \[<>=!~;]", line)[0].lower()
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        wanted.setdefault(name, extra[1] if extra else "")
    for name, extra in sorted(wanted.items()):
        if name != "onomast" and extra not in ("dev", "all"):
            lines.append(f"| {name} | {extra or '(core)'} | {licence_of(name)} |")
    return "\n".join([*lines, ""])


def licence_of(name: str) -> str:
    """The licence in a package's metadata, in one line."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed here"
    classifiers = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License")
    ]
    given = about.get("License-Expression") or ", ".join(classifiers) or about.get("License") or "not declared"
    return given.splitlines()[0][:60].replace("|", "/")


if __name__ == "__main__":
    (HERE / "reference" / "recipes.md").write_text(recipe_fields(), encoding="utf-8")
    (HERE / "reference" / "cli.md").write_text(command_line(), encoding="utf-8")
    (HERE / "reference" / "licences.md").write_text(licences(), encoding="utf-8")
    (HERE / "results.md").write_text(results(), encoding="utf-8")
    (HERE.parent / "papers" / "README.md").write_text(papers(), encoding="utf-8")
