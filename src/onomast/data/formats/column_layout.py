"""The rows of a column file: how one is split, what is a comment, and the layout that all of them share."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from onomast.data.formats.tag_repair import Spelling
from onomast.tags import STYLES, Style

DOCUMENT = "-DOCSTART-"
COLUMN_NAMES = ("token", "pos", "tag", "label", "language", "id", "sentence", "ignore")
DELIMITERS = {"\t": "tabs", " ": "spaces", ",": "commas", ";": "semicolons", "|": "bars"}
PREFIXED = re.compile(r"([BIESLUMbieslum][-_:/|.# ]).+|-\w", re.DOTALL)  # or a tag that lost its first letter
_LETTERS = frozenset("BIESLUM")
SUFFIXED = re.compile(r"[^\W\d_]\S*[-_:/|.#][BIESLUM]\Z")  # the label first: LOC-B
_DIRECTIVE = re.compile(r"# columns = ([a-z ]+) \(([a-z0-9]+)\)\Z")
_COMMENT = re.compile(r"#+\s|#+$|#\s*[\w.-]+\s*[=:]")


@dataclass(frozen=True)
class ColumnLayout:
    """How the rows of a column file are to be read."""

    delimiter: str
    columns: tuple[str, ...]
    spelling: Spelling | None
    """None: there is no tag column, or all of it is `_`."""
    header: bool = False
    is_tag_split: bool = False
    """Does the delimiter stand inside of tags, as in `token B LOC`?"""
    languages: tuple[str, ...] = ()
    """Codes that stand before tokens, as `en:` does."""

    @property
    def words(self) -> str:
        """One line for people."""
        said = f"columns: {' '.join(self.columns)}, separated by {DELIMITERS.get(self.delimiter, repr(self.delimiter))}"
        said += "; a header row" if self.header else ""
        said += f"; {', '.join(self.languages)} before each token" if self.languages else ""
        return said + (f"; {self.spelling.words}" if self.spelling else "; no tags")


def split_row(line: str, delimiter: str) -> list[str]:
    """The fields of a row. Runs of spaces are one delimiter; fields between commas may stand in quotes."""
    if delimiter == " ":
        return [part for part in line.replace("\t", " ").split(" ") if part]
    if delimiter != "\t" and '"' in line:
        try:
            return next(csv.reader([line], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return line.split(delimiter)
    return line.split(delimiter)


def joined_tag(fields: list[str]) -> list[str]:
    """The fields of a row with `B` and `LOC` at its end as one, `B LOC`; `O` with an empty field after it as `O`."""
    if len(fields) > 2 and fields[-2] in _LETTERS and fields[-1]:
        return [*fields[:-2], f"{fields[-2]} {fields[-1]}"]
    return fields[:-1] if len(fields) > 2 and fields[-2] == "O" and not fields[-1] else fields


def directive(line: str) -> tuple[tuple[str, ...], Style] | None:
    """Columns and scheme of our own comment `# columns = token pos tag (iob2)`; rows after it are read verbatim."""
    match = _DIRECTIVE.match(line)
    if match is None or match[2] not in STYLES:
        return None
    columns = tuple(match[1].split())
    known = columns.count("token") == 1 and columns.count("tag") <= 1 and set(columns) <= set(COLUMN_NAMES)
    return (columns, match[2]) if known else None


def is_comment(line: str) -> bool:
    """Does the line look like a comment: `# ...` or `#key = ...`? (A row of the right width may look so too.)"""
    return _COMMENT.match(line) is not None


def is_blank(line: str) -> bool:
    """Only tabs and plain spaces, or nothing."""
    return not line.strip(" \t\r")
