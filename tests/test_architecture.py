"""The arrows of docs/overview.md: who may import whom, and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import onomast

SOURCE = Path(onomast.__file__).parent
ROOT = {path.stem for path in SOURCE.glob("*.py")} - {"cli", "__init__"}
MAY_IMPORT = {
    "layers": {"layers", "errors"},
    "data": ROOT | {"data"},
    "evaluation": ROOT | {"evaluation"},
    "taggers": ROOT | {"taggers", "layers", "data"},
    "experiments": ROOT | {"experiments", "evaluation", "taggers", "layers", "data", "apps"},
    "apps": ROOT | {"apps", "experiments", "evaluation", "taggers", "layers", "data"},
    "root": ROOT,
}


def imported_parts(path: Path) -> set[str]:
    """First part below `onomast` of every import in a file."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "onomast":
            names = node.module.split(".")[1:2] or [alias.name for alias in node.names]
            parts.update(names)
    return parts


def test_imports_point_one_way() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        folder = path.relative_to(SOURCE).parts[0] if path.parent != SOURCE else "root"
        if folder == "cli" or (path.name == "__init__.py" and folder == "root"):
            continue
        allowed = MAY_IMPORT[folder] | ({"taggers"} if path == SOURCE / "tagger.py" else set())
        wrong += [f"{path.relative_to(SOURCE)} imports {part}" for part in imported_parts(path) - allowed]
    assert not wrong


def test_layers_know_no_recipe() -> None:
    assert all("recipe" not in imported_parts(path) for path in (SOURCE / "layers").glob("*.py"))


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, onomast, onomast.cli; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "onomast.cli" in loaded
    assert not loaded & {"torch", "numpy", "transformers", "gensim", "pycrfsuite", "ray", "pandas", "matplotlib"}


def test_public_names_resolve() -> None:
    for name in onomast.__all__:
        assert getattr(onomast, name) is not None
