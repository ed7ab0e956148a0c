"""The commands and code of the README and the documentation do what they say, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def run(command: str | list[str], folder: Path) -> str:
    done = subprocess.run(
        command, shell=isinstance(command, str), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def python_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_commands_and_code_of_the_readme_run(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    commands = [line.strip() for line in text.splitlines() if re.match(r" {4}(onomast|echo) ", line)]
    assert len(commands) == 4
    for command in commands:
        run(command, tmp_path)
    assert (tmp_path / "report.html").is_file()
    (code,) = python_of(README)
    assert "f1 0." in run([sys.executable, "-c", code], tmp_path)


def test_the_readme_shows_what_tag_prints(tmp_path: Path) -> None:
    run("onomast train sample:swahili-news --out model", tmp_path)
    printed = run('echo "Asha alisafiri kwenda Dodoma." | onomast tag model', tmp_path)
    shown = re.findall(r"```json\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == [printed]


@pytest.mark.parametrize("name", ["tutorial.md", "how-to/python.md"])
def test_commands_and_code_of_the_documentation_run(name: str, tmp_path: Path) -> None:
    page = ROOT / "docs" / name
    (tmp_path / "LICENSE").write_text("Asha alirudi Dodoma.\n", encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for command in block.splitlines():
            if not command.startswith("pip "):
                run(command, tmp_path)
    for code in python_of(page):
        run([sys.executable, "-c", code], tmp_path)


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^ {4}make ([a-z-]+)", README.read_text(encoding="utf-8"), re.MULTILINE)) <= targets


def test_the_files_that_the_overview_names_exist() -> None:
    text = (ROOT / "docs" / "explanation" / "overview.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|\.toml|/))`", text)) - {"recipes/"}
    assert len(names) > 40
    assert {name for name in names if not (ROOT / "src" / "onomast" / name).exists()} <= {"tests/test_architecture.py"}


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if page not in menu} == set()


@pytest.mark.slow
def test_the_site_builds_strictly_loads_nothing_from_elsewhere_and_a_broken_link_fails(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    run([*build, str(tmp_path / "site"), "--config-file", str(ROOT / "mkdocs.yml")], tmp_path)
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"?https?://", home)
    for name in ("mkdocs.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "papers", "benchmarks", "src"):
        (tmp_path / "copy").mkdir(exist_ok=True)
        if name == "docs":
            subprocess.run(["cp", "-r", ROOT / name, tmp_path / "copy"], check=True)
        else:
            (tmp_path / "copy" / name).symlink_to(ROOT / name)
    page = tmp_path / "copy" / "docs" / "tutorial.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[broken](how-to/no-such-page.md)\n", encoding="utf-8")
    done = subprocess.run(
        [*build, str(tmp_path / "broken")], cwd=tmp_path / "copy", env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode != 0 and "no-such-page.md" in done.stderr
