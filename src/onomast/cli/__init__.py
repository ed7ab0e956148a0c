"""The command line: `main.py` and one module for each group of commands."""

from onomast.cli.main import app, main

__all__ = ["app", "main"]
