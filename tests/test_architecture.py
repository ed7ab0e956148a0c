"""The import rules of docs/explanation/overview.md: which folder may import which, no cycles, what importing costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import onomast

SOURCE = Path(onomast.__file__).parent
ROOT = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
MAY_IMPORT = {
    "root": ROOT,
    "layers": {"errors"},
    "data": ROOT,
    "evaluation": ROOT,
    "training": ROOT | {"layers"},
    "vectors": ROOT | {"data"},
    "pretrained": ROOT | {"data", "layers", "training"},
    "taggers": ROOT | {"data", "layers", "training", "vectors", "pretrained"},
}
MAY_IMPORT["export"] = ROOT | {"data", "vectors", "pretrained", "taggers", "evaluation"}
MAY_IMPORT["active"] = ROOT | {"data", "taggers"}
MAY_IMPORT["experiments"] = ROOT | {*MAY_IMPORT, "apps"}
MAY_IMPORT["apps"] = ROOT | {*MAY_IMPORT}
MAY_IMPORT["integrations"] = ROOT | {*MAY_IMPORT}
MAY_IMPORT["cli"] = ROOT | {*MAY_IMPORT}
MOST_FILES = 13  # Python files in one folder, less __init__.py
MOST_LINES = 60  # of a function
MODULES = {
    ".".join(("onomast", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}


def imported_modules(path: Path) -> Iterator[str]:
    """Every module of this package that a file imports, wherever the statement stands; not under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unchecked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] == "onomast"
            and id(node) not in unchecked
        ):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def folder_of(module: str) -> str:
    """First folder below the package; `root` for the modules beside it."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 or (len(parts) == 2 and parts[1] not in ROOT) else "root"


def test_imports_point_one_way() -> None:
    wrong = []
    for module, path in MODULES.items():
        if module in ("onomast", "onomast.__main__"):
            continue
        here = folder_of(module)
        for target in imported_modules(path):
            part = target.split(".")[1] if target != "onomast" else "__init__"
            if part != here and part not in MAY_IMPORT[here]:
                wrong.append(f"{module} imports {target}")
    assert not wrong


def test_there_are_no_import_cycles() -> None:
    graph = {module: {*imported_modules(path)} - {module} for module, path in MODULES.items() if module != "onomast"}
    list(TopologicalSorter(graph).static_order())  # raises CycleError naming the modules


def test_no_folder_is_crowded() -> None:
    folders = [path for path in (SOURCE, *SOURCE.rglob("*")) if path.is_dir() and path.name != "__pycache__"]
    counts = {str(path.relative_to(SOURCE)): len(list(path.glob("*.py"))) - 1 for path in folders}
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_functions_fit_a_screen() -> None:
    long = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_LINES
    ]
    assert not long


def test_layers_know_no_recipe() -> None:
    assert all("onomast.recipe" not in imported_modules(path) for path in (SOURCE / "layers").glob("*.py"))


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


def test_tests_do_not_import_tests() -> None:
    """Shared makers stand in made_up.py, tiny_encoders.py, text_checks.py and conftest.py."""
    names = re.compile(r"^\s*(?:from|import) (test_\w+)", re.MULTILINE)
    imports = {
        path.name: names.findall(path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("*.py")
    }
    assert not {name: modules for name, modules in imports.items() if modules}
