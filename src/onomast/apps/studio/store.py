"""The project's database: SQLite, one transaction an action, durable before it returns.

What is stored is said by `SCHEMA`; what a click does to a sentence is in `labelling.py`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from onomast.errors import DataError
from onomast.sentence import Sentence

DATABASE = "project.sqlite"
_BUSY_SECONDS = 30
_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sentences (
    id INTEGER PRIMARY KEY,          -- in the order of import
    content TEXT NOT NULL,           -- JSON: see `content_of`
    status TEXT NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'done', 'skipped')),
    flagged INTEGER NOT NULL DEFAULT 0,
    is_random INTEGER NOT NULL DEFAULT 0,  -- was drawn at random: serves to score
    version INTEGER NOT NULL DEFAULT 0,    -- one more with every change
    user TEXT, at REAL               -- of the last change
);
CREATE INDEX IF NOT EXISTS by_status ON sentences (status, id);
CREATE TABLE IF NOT EXISTS actions (  -- the history, for undo
    id INTEGER PRIMARY KEY, sentence INTEGER NOT NULL, user TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
    before TEXT NOT NULL, after_version INTEGER NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_user ON actions (user, undone, id);
CREATE TABLE IF NOT EXISTS opinions (  -- what each person labelled, for agreement
    sentence INTEGER NOT NULL, user TEXT NOT NULL, content TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (sentence, user)
);
CREATE TABLE IF NOT EXISTS suggestions (  -- of the current tagger or of word lists
    sentence INTEGER PRIMARY KEY, version INTEGER NOT NULL, spans TEXT NOT NULL, begins TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS queue (place INTEGER PRIMARY KEY, sentence INTEGER NOT NULL, is_random INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS kept (  -- suspects that somebody looked at and kept
    sentence INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, PRIMARY KEY (sentence, start, "end")
);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,
    began REAL NOT NULL, ended REAL, pid INTEGER, message TEXT NOT NULL DEFAULT '', result TEXT
);
"""

Status = Literal["new", "done", "skipped"]


@dataclass(frozen=True)
class Item:
    """A sentence of the project and its state."""

    id: int
    sentence: Sentence
    status: Status = "new"
    flagged: bool = False
    is_random: bool = False
    version: int = 0
    user: str | None = None
    at: float | None = None


class Store:
    """The database of one project. Every method opens its own connection: safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE

    def create(self) -> None:
        """Make the folder and the tables where they are missing. Raises DataError for a file that is no project."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self.transaction() as db:
                for statement in SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(_VERSION),))
                version = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"is not a project of the studio ({error}); choose another folder", path=self.path
            ) from None
        if int(version) > _VERSION:
            raise DataError(
                f"the project has version {version}, this program reads {_VERSION}; update it", path=self.path
            )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the database."""
        db = self._connect()
        try:
            db.execute("BEGIN")
            yield db
        finally:
            db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction: all or nothing, on the disk when the block has ended."""
        db = self._connect()
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # rolls back what was not committed

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a commit waits for the disk
        return db


def setting(db: sqlite3.Connection, key: str, default: Any) -> Any:
    """A value of the project's settings."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row[0])


def set_setting(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Store a JSON value."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value, ensure_ascii=False)))


def item_of(row: sqlite3.Row) -> Item:
    """A row of `sentences`."""
    return Item(
        row["id"], sentence_of(json.loads(row["content"])), row["status"], bool(row["flagged"]),
        bool(row["is_random"]), row["version"], row["user"], row["at"],
    )  # fmt: skip


def items(db: sqlite3.Connection, where: str = "1", values: Iterable[Any] = ()) -> list[Item]:
    """Sentences in the order of import; `where` is SQL of this program's own, `values` fill its question marks."""
    return [item_of(row) for row in db.execute(f"SELECT * FROM sentences WHERE {where} ORDER BY id", tuple(values))]


def item(db: sqlite3.Connection, number: int) -> Item:
    """One sentence. Raises DataError."""
    found = items(db, "id = ?", (number,))
    if not found:
        raise DataError(f"there is no sentence {number} in this project")
    return found[0]


def write_item(db: sqlite3.Connection, changed: Item, user: str) -> Item:
    """Store a changed sentence under its next version."""
    changed = replace(changed, version=changed.version + 1, user=user, at=time.time())
    db.execute(
        "UPDATE sentences SET content = ?, status = ?, flagged = ?, is_random = ?, version = ?, user = ?, at = ? "
        "WHERE id = ?",
        (content_of(changed.sentence), changed.status, changed.flagged, changed.is_random, changed.version, user,
         changed.at, changed.id),
    )  # fmt: skip
    return changed


def add_item(db: sqlite3.Connection, new: Item) -> int:
    """Store a new sentence at the end; its id is given by the database."""
    cursor = db.execute(
        "INSERT INTO sentences (content, status, flagged, is_random, user, at) VALUES (?, ?, ?, ?, ?, ?)",
        (content_of(new.sentence), new.status, new.flagged, new.is_random, new.user, new.at),
    )
    return int(cursor.lastrowid or 0)


_FIELDS = ("tokens", "tags", "pos", "label", "language", "offsets", "text", "text_start", "source", "unannotated")


def content_of(sentence: Sentence) -> str:
    """A sentence as JSON; confidence, which belongs to suggestions, is left out."""
    return json.dumps({name: getattr(sentence, name) for name in _FIELDS}, ensure_ascii=False)


def sentence_of(content: Mapping[str, Any]) -> Sentence:
    """The sentence of its JSON. Raises DataError for JSON that is none."""
    try:
        fields: dict[str, Any] = {name: content[name] for name in _FIELDS if content.get(name) is not None}
        for name in ("tokens", "tags", "pos", "unannotated"):
            if name in fields:
                fields[name] = tuple(fields[name])
        if "offsets" in fields:
            fields["offsets"] = tuple((int(a), int(b)) for a, b in fields["offsets"])
        return Sentence(**fields)
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"a sentence of the project cannot be read: {error}") from None
