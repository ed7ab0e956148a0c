"""Write the generated part of a benchmark's README.md; the text above the mark is written by hand and kept."""

from __future__ import annotations

from pathlib import Path

from onomast.files import write_text

MARK = "<!-- Generated below this line: {command} -->"


def write_page(path: Path, generated: str, command: str) -> None:
    """Replace the generated part of a page. Raises ValueError for a page without the mark."""
    mark = MARK.format(command=command)
    written, found, _ = path.read_text(encoding="utf-8").partition(mark)
    if not found:
        raise ValueError(f"{path}: expected the line {mark!r}; everything below it is replaced")
    write_text(path, f"{written}{mark}\n\n{generated.strip()}\n")
