"""Fixtures of all tests. No sentence of a foreign corpus is here: small sentences are made up on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from onomast.cli import main


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora; tests that ask for it are skipped where there is none."""
    folder = os.environ.get("ONOMAST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ONOMAST_DATA does not point to the real corpora")
    return Path(folder)


@dataclass
class Result:
    """Exit status and output of one command."""

    status: int
    out: str
    err: str


class Onomast:
    """Run `onomast ...` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *words: str | Path) -> Result:
        self.monkeypatch.setattr(sys, "argv", ["onomast", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = self.capsys.readouterr()
        return Result(status, captured.out, captured.err)


@pytest.fixture
def onomast(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Onomast:
    """Run commands in this process, as the user would type them."""
    return Onomast(monkeypatch, capsys)


@pytest.fixture(scope="session")
def core_install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the core install alone, as the README says: no torch, no extras."""
    root = Path(__file__).parent.parent
    folder = tmp_path_factory.mktemp("core") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", root / "constraints.txt", root], check=True)
    return folder
