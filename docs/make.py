"""Write docs/recipes.md from the dataclasses of recipe.py, docs/cli.md from --help, docs/results.md from results."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from results import papers, results

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "onomast" / "recipe.py"
COMMANDS = (
    "check", "describe", "train", "evaluate", "score", "compare", "tag", "export", "recipes", "data list", "data fetch",
    "vectors train", "vectors info", "vectors prune", "segment train", "segment score", "segment apply",
    "transfer rank", "convert", "grid run", "grid table", "grid plot", "encoder train", "encoder convert",
)  # fmt: skip


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


def command_line() -> str:
    """What --help says of each command."""
    lines = ["# Command line", "", "What `--help` says, made by `make docs`.", ""]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for command in COMMANDS:
        words = [Path(sys.executable).with_name("onomast"), *command.split(), "--help"]
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


if __name__ == "__main__":
    (HERE / "recipes.md").write_text(recipe_fields(), encoding="utf-8")
    (HERE / "cli.md").write_text(command_line(), encoding="utf-8")
    (HERE / "results.md").write_text(results(), encoding="utf-8")
    (HERE.parent / "papers" / "README.md").write_text(papers(), encoding="utf-8")
