"""What goes into a project and what comes out: any file we read, raw text, word lists; any format we write."""

from __future__ import annotations

import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from onomast.apps.studio.store import (
    Item,
    Store,
    add_item,
    content_of,
    items,
    sentence_of,
    set_setting,
    setting,
)
from onomast.data.formats.registry import WRITERS, read_file, write
from onomast.data.raw_text import read_blocks, stream_text
from onomast.errors import DataError, nearest
from onomast.sentence import Sentence

SUFFIXES = {"columns": ".conll", "conllu": ".conllu", "jsonl": ".jsonl", "brat": ".ann", "html": ".html"}
# After Okabe and Ito (2008), pale enough for black text, and three more; names and underlines tell labels apart, too.
COLOURS = ("#f6c667", "#9fd3f2", "#7fd1b0", "#f5ee8a", "#a9bdf0", "#f2a27c", "#e3b6d3", "#d0d0d0", "#c9e39b", "#d8c3a5")
_PROJECT_KEY = "onomast_project"
_QUEUE = 10_000
_SETTINGS: dict[str, Any] = {"labels": [], "sentence_labels": [], "lists": {}}


@dataclass(frozen=True)
class Label:
    """A label of the project."""

    name: str
    colour: str
    guideline: str = ""


def labels_of(store: Store) -> list[Label]:
    """The project's labels, in the order of their keys."""
    with store.reading() as db:
        return [Label(**one) for one in setting(db, "labels", [])]


def set_labels(store: Store, labels: Sequence[dict[str, str]], sentence_labels: Sequence[str] | None = None) -> None:
    """Replace the labels (name, colour, guideline). Raises DataError for a name twice, or one that no tag can hold."""
    made: list[Label] = []
    for number, one in enumerate(labels):
        name = str(one.get("name", "")).strip()
        if not name or any(letter.isspace() for letter in name) or name == "O" or name in [done.name for done in made]:
            raise DataError(f"label {name!r}: expected a name of its own, without spaces, other than O")
        colour = str(one.get("colour") or COLOURS[number % len(COLOURS)])
        if len(colour) != 7 or colour[0] != "#" or not all(c in "0123456789abcdefABCDEF" for c in colour[1:]):
            raise DataError(f"label {name}: {colour!r} is no colour; expected six hexadecimal digits after #")
        made.append(Label(name, colour, str(one.get("guideline", ""))[:10_000]))
    with store.transaction() as db:
        set_setting(db, "labels", [asdict(one) for one in made])
        if sentence_labels is not None:
            set_setting(db, "sentence_labels", [name.strip() for name in sentence_labels if name.strip()])


def import_file(store: Store, path: Path, name: str, user: str, *, kind: str = "auto", label: str = "") -> str:
    """Add a file to the project; returns one line on what came in.

    `kind`: `auto`, `text` (raw), `words` (a list of names of `label`, one a line), or a name of READERS. Sentences
    whose every token is annotated count as done. Raises DataError.
    """
    if kind == "words":
        return _import_words(store, path, label)
    if kind == "auto" and (found := _project_of(path)) is not None:
        return _import_project(store, found)
    sentences, guess = _read(path, name, kind)
    made = [_named(one, str(path), name) for one in sentences if len(one)]
    if not made:
        raise DataError("there is no sentence in it", path=name)
    add_sentences(store, made, user)
    done = sum(_is_done(one) for one in made)
    return f"{name}: {len(made):,} sentences, {done:,} of them labelled ({guess})"


def _read(path: Path, name: str, kind: str) -> tuple[Iterable[Sentence], str]:
    """The sentences of a file, and how it was understood. A file of text that holds no tags is raw text."""
    if kind != "text" and not (kind == "auto" and _is_raw(path)):
        try:
            reading = read_file(path, format=None if kind == "auto" else kind)
            return reading.sentences, reading.guess
        except DataError:
            if kind != "auto" or path.suffix not in (".txt", ".text", ""):
                raise
    return stream_text(read_blocks(path), source=name), "raw text"


def add_sentences(store: Store, sentences: Sequence[Sentence], user: str) -> None:
    """Add sentences at the end, their labels to the project's, and draw the queue anew (at random, with no tagger)."""
    with store.transaction() as db:
        known = [one["name"] for one in setting(db, "labels", [])]
        new = sorted({span.label for one in sentences for span in one.spans} - set(known))
        labels = setting(db, "labels", [])
        labels += [asdict(Label(name, COLOURS[(len(labels) + i) % len(COLOURS)])) for i, name in enumerate(new)]
        set_setting(db, "labels", labels)
        categories = setting(db, "sentence_labels", [])
        categories += sorted({one.label for one in sentences if one.label} - set(categories))
        set_setting(db, "sentence_labels", categories)
        for one in sentences:
            done = _is_done(one)
            add_item(db, Item(0, one, "done" if done else "new", is_random=done, user=user, at=time.time()))
        _draw_queue(db)


def _draw_queue(db: Any) -> None:
    """All open sentences in random order: as long as there is no tagger, that is the order to label in."""
    open_ = [row[0] for row in db.execute("SELECT id FROM sentences WHERE status = 'new' ORDER BY id")]
    random.Random(0).shuffle(open_)
    db.execute("DELETE FROM queue")
    db.executemany("INSERT INTO queue VALUES (?, ?, 1)", enumerate(open_[:_QUEUE]))


def _is_done(sentence: Sentence) -> bool:
    return sentence.tags is not None and None not in sentence.tags


def _named(sentence: Sentence, path: str, name: str) -> Sentence:
    """The sentence with the name of the file that the user knows, not of the temporary copy."""
    source = sentence.source
    return replace(sentence, confidence=None, source=source.replace(path, name, 1) if source else name)


def _is_raw(path: Path) -> bool:
    """Is it text rather than a labelled file? Labelled files have columns, JSON or a binary beginning."""
    start = path.read_bytes()[:65_536]
    if start[:1] in (b"{", b"[", b"\x1f", b"\x78", b"P") and path.suffix not in (".txt", ".text"):
        return False
    lines = [line.split() for line in start.decode("utf-8", errors="replace").splitlines()[:200] if line.strip()]
    narrow = [len(line) for line in lines if not line[0].startswith("#")]
    if not narrow:
        return True
    common = max(set(narrow), key=narrow.count)
    return not (2 <= common <= 12 and narrow.count(common) >= 0.9 * len(narrow) and len(narrow) > 1)


def _import_words(store: Store, path: Path, label: str) -> str:
    words = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not words or not label:
        raise DataError("expected a list of names, one a line, and the label that they have", path=path.name)
    with store.transaction() as db:
        lists = setting(db, "lists", {})
        lists[label] = sorted({*lists.get(label, []), *words})
        set_setting(db, "lists", lists)
        labels = setting(db, "labels", [])
        if label not in [one["name"] for one in labels]:
            set_setting(db, "labels", [*labels, asdict(Label(label, COLOURS[len(labels) % len(COLOURS)]))])
    return f"{len(words):,} names of {label}: they are suggested where they stand"


def _project_of(path: Path) -> dict[str, Any] | None:
    with path.open("rb") as handle:
        if f'"{_PROJECT_KEY}"'.encode() not in handle.read(100):
            return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"the project is damaged: {error}", path=path.name) from None
    return found if isinstance(found, dict) else None


def _import_project(store: Store, found: dict[str, Any]) -> str:
    try:
        rows = [(Item(0, sentence_of(one["content"]), one["status"], bool(one["flagged"]), bool(one["is_random"]), 0,
                      one["user"], one["at"]), one["opinions"]) for one in found["sentences"]]  # fmt: skip
        with store.transaction() as db:
            if db.execute("SELECT 1 FROM sentences LIMIT 1").fetchone():
                raise DataError("a whole project can be taken into an empty one only; start with another folder")
            for key, empty in _SETTINGS.items():
                set_setting(db, key, found["settings"].get(key, empty))
            for new, opinions in rows:
                number = add_item(db, new)
                for one in opinions:
                    content = content_of(sentence_of(one["content"]))
                    db.execute("INSERT INTO opinions VALUES (?, ?, ?, ?)", (number, one["user"], content, one["at"]))
            _draw_queue(db)
    except (KeyError, TypeError) as error:
        raise DataError(f"the project is damaged: {error!r} is missing or of the wrong kind") from None
    return f"a whole project: {len(rows):,} sentences"


def export_project(store: Store) -> bytes:
    """Everything but undo history and taggers; importing it into an empty folder gives the same project."""
    with store.reading() as db:
        settings = {key: setting(db, key, empty) for key, empty in _SETTINGS.items()}
        opinions: dict[int, list[dict[str, Any]]] = {}
        for row in db.execute("SELECT * FROM opinions ORDER BY sentence, user"):
            one = {"user": row["user"], "at": row["at"], "content": json.loads(row["content"])}
            opinions.setdefault(row["sentence"], []).append(one)
        sentences = [
            {"content": json.loads(content_of(one.sentence)), "status": one.status, "flagged": one.flagged,
             "is_random": one.is_random, "user": one.user, "at": one.at, "opinions": opinions.get(one.id, [])}
            for one in items(db)
        ]  # fmt: skip
    whole = {_PROJECT_KEY: 1, "settings": settings, "sentences": sentences}
    return (json.dumps(whole, ensure_ascii=False) + "\n").encode()


def export(store: Store, format: str, *, splits: bool = False, everything: bool = False) -> tuple[str, bytes]:
    """A file name and its bytes: the finished sentences (`everything`: all) in a format of WRITERS.

    `splits`: a zip of train, dev and test (80, 10, 10 %; a sentence stays in its part as the project grows). Raises
    DataError where there is nothing to write, or the format cannot hold it.
    """
    if format not in WRITERS:
        raise DataError(f"there is no writer {format!r}; {nearest(format, WRITERS)}")
    with store.reading() as db:
        found = items(db, "1" if everything else "status = 'done'")
    if not found:
        raise DataError("no sentence is finished yet; label one and press Enter, then export again")
    parts: dict[str, list[Sentence]] = {}
    for one in found:
        parts.setdefault(_part(one.id) if splits else "labelled", []).append(one.sentence)
    files = {name: _written(sentences, name, format) for name, sentences in parts.items()}
    if len(files) == 1 and not splits and len(files["labelled"]) == 1:
        return next(iter(files["labelled"].items()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for contents in files.values():
            for name, content in contents.items():
                archive.writestr(name, content)
    return "labelled.zip", packed.getvalue()


def _part(number: int) -> str:
    return random.Random(number).choices(("train", "dev", "test"), (80, 10, 10))[0]


def _written(sentences: Sequence[Sentence], name: str, format: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write(sentences, Path(folder) / f"{name}{SUFFIXES[format]}", format=format)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
