"""Fixtures of all tests. No sentence of a foreign corpus is here: small sentences are made up on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora; tests that ask for it are skipped where there is none."""
    folder = os.environ.get("ONOMAST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ONOMAST_DATA does not point to the real corpora")
    return Path(folder)
