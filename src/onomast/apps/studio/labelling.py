"""What a click does to a sentence: set tags, split and join tokens, finish, skip, flag, undo.

Every change names the version of the sentence that the page has seen. If somebody changed it since, nothing is written
and `Conflict` carries what stands there now: nobody's label is lost or overwritten.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import regex

from onomast.apps.studio.store import Item, Store, content_of, item, sentence_of, write_item
from onomast.errors import DataError, OnomastError
from onomast.sentence import Sentence
from onomast.tags import Tag, faults

KINDS = ("tags", "split", "join", "done", "skip", "reopen", "flag", "label")
_GRAPHEME = regex.compile(r"\X")


class Conflict(OnomastError):  # noqa: N818 - reads as what it is
    """Somebody changed the sentence in the meantime."""

    def __init__(self, current: Item) -> None:
        self.current = current
        super().__init__(f"{current.user or 'somebody'} changed this sentence in the meantime; it was loaded again")


def act(store: Store, number: int, version: int, user: str, kind: str, values: dict[str, Any]) -> Item:
    """Do one thing to one sentence, in one transaction, and return it as it is now.

    `values` by kind: `tags`, `done`: `tags` (IOB2, None: not annotated); `split`: `token`, `at` (characters);
    `join`: `start`, `end` (tokens); `flag`: `on`; `label`: `label` (of the sentence). Raises Conflict; DataError for
    what the sentence cannot take.
    """
    with store.transaction() as db:
        before = item(db, number)
        if before.version != version:
            raise Conflict(before)
        after = write_item(db, _changed(before, kind, values, is_drawn=_is_drawn(db, number)), user)
        _remember(db, before, after, user, kind)
        if kind == "done":
            _remember_opinion(db, after, user)
        if kind in ("split", "join"):
            db.execute("DELETE FROM suggestions WHERE sentence = ?", (number,))
    return after


def undo(store: Store, user: str) -> Item | None:
    """Take back the last action of this person; None: there is none. Raises Conflict where another changed it since."""
    with store.transaction() as db:
        row = db.execute(
            "SELECT * FROM actions WHERE user = ? AND NOT undone ORDER BY id DESC LIMIT 1", (user,)
        ).fetchone()
        if row is None:
            return None
        now = item(db, row["sentence"])
        if now.version != row["after_version"] and not _only_mine(db, row, user):
            raise Conflict(now)
        old = json.loads(row["before"])
        restored = replace(now, sentence=sentence_of(old["content"]), status=old["status"], flagged=old["flagged"])
        db.execute("UPDATE actions SET undone = 1 WHERE id = ?", (row["id"],))
        if row["kind"] == "done":
            db.execute("DELETE FROM opinions WHERE sentence = ? AND user = ?", (now.id, user))
        return write_item(db, restored, user)


def second_opinion(store: Store, number: int, user: str, tags: Sequence[Tag]) -> None:
    """Store what a second person labelled, beside the project's own labels, which stay."""
    with store.transaction() as db:
        one = item(db, number)
        _remember_opinion(db, replace(one, sentence=_with_tags(one.sentence, tags)), user)


def _only_mine(db: sqlite3.Connection, row: sqlite3.Row, user: str) -> bool:
    """Since this action, did nobody else touch the sentence? (Undoing raises the version, too.)"""
    others = "SELECT 1 FROM actions WHERE sentence = ? AND id > ? AND user != ? LIMIT 1"
    return db.execute(others, (row["sentence"], row["id"], user)).fetchone() is None


def _remember(db: sqlite3.Connection, before: Item, after: Item, user: str, kind: str) -> None:
    old = {"content": json.loads(content_of(before.sentence)), "status": before.status, "flagged": before.flagged}
    db.execute(
        "INSERT INTO actions (sentence, user, at, kind, before, after_version) VALUES (?, ?, ?, ?, ?, ?)",
        (before.id, user, time.time(), kind, json.dumps(old, ensure_ascii=False), after.version),
    )


def _remember_opinion(db: sqlite3.Connection, one: Item, user: str) -> None:
    db.execute(
        "INSERT OR REPLACE INTO opinions VALUES (?, ?, ?, ?)", (one.id, user, content_of(one.sentence), time.time())
    )


def _is_drawn(db: sqlite3.Connection, number: int) -> bool:
    """Did the queue draw the sentence at random?"""
    row = db.execute("SELECT is_random FROM queue WHERE sentence = ?", (number,)).fetchone()
    return row is not None and bool(row[0])


def _changed(before: Item, kind: str, values: dict[str, Any], *, is_drawn: bool) -> Item:
    sentence = before.sentence
    if kind == "tags":
        return replace(before, sentence=_with_tags(sentence, values.get("tags")))
    if kind == "done":
        is_random = before.is_random or is_drawn
        tagged = _with_tags(sentence, values.get("tags"))
        return replace(before, sentence=tagged, status="done", is_random=is_random)
    if kind == "skip":
        return replace(before, status="skipped")
    if kind == "reopen":
        return replace(before, status="new")
    if kind == "flag":
        return replace(before, flagged=bool(values.get("on")))
    if kind == "label":
        label = values.get("label")
        if label is not None and not isinstance(label, str):
            raise DataError(f"sentence label {label!r}: expected text or nothing")
        return replace(before, sentence=replace(sentence, label=label or None))
    if kind == "split":
        return replace(before, sentence=split_token(sentence, values.get("token"), values.get("at")))
    if kind == "join":
        return replace(before, sentence=join_tokens(sentence, values.get("start"), values.get("end")))
    raise DataError(f"there is no action {kind!r}; known: {', '.join(KINDS)}")


def _with_tags(sentence: Sentence, tags: Any) -> Sentence:
    """The sentence with new tags, checked."""
    if not isinstance(tags, list | tuple) or len(tags) != len(sentence):
        raise DataError(f"expected {len(sentence)} tags, one for each token")
    for tag in tags:
        if tag is not None and (
            not isinstance(tag, str) or (tag != "O" and (tag[:2] not in ("B-", "I-") or not tag[2:]))
        ):
            raise DataError(f"tag {tag!r}: expected O, B-LABEL, I-LABEL or nothing")
    if wrong := faults(tuple(tags)):
        raise DataError(f"token {wrong[0][0] + 1}: {wrong[0][1]} is not possible")
    return replace(sentence, tags=tuple(tags))


def split_token(sentence: Sentence, token: Any, at: Any) -> Sentence:
    """Cut a token in two, `at` characters from its beginning. Raises DataError where no grapheme ends there."""
    if not isinstance(token, int) or not 0 <= token < len(sentence):
        raise DataError(f"there is no token {token!r} in this sentence")
    word = sentence.tokens[token]
    borders = [match.end() for match in _GRAPHEME.finditer(word)][:-1]
    if at not in borders:
        raise DataError(f"{word!r} cannot be split at {at!r}; possible: {', '.join(map(str, borders)) or 'nowhere'}")
    parts = {"tokens": (word[:at], word[at:])}
    changes: dict[str, Any] = {}
    if sentence.offsets is not None:
        start, end = sentence.offsets[token]
        changes["offsets"] = _put(sentence.offsets, token, token + 1, ((start, start + at), (start + at, end)))
    if sentence.tags is not None:
        tag = sentence.tags[token]
        changes["tags"] = _put(
            sentence.tags, token, token + 1, (tag, f"I-{tag[2:]}" if tag not in (None, "O") else tag)
        )
    if sentence.pos is not None:
        changes["pos"] = _put(sentence.pos, token, token + 1, (sentence.pos[token],) * 2)
    return replace(sentence, tokens=_put(sentence.tokens, token, token + 1, parts["tokens"]), **changes)


def join_tokens(sentence: Sentence, start: Any, end: Any) -> Sentence:
    """Make one token of the tokens `start` to `end` (exclusive); white space between them stays in it as it is."""
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end - 1 < len(sentence):
        raise DataError(f"tokens {start!r} to {end!r} cannot be joined; expected two or more neighbours")
    changes: dict[str, Any] = {}
    word = "".join(sentence.tokens[start:end])
    if sentence.offsets is not None:
        first, last = sentence.offsets[start][0], sentence.offsets[end - 1][1]
        changes["offsets"] = _put(sentence.offsets, start, end, ((first, last),))
        if sentence.text is not None:
            word = sentence.text[first - sentence.text_start : last - sentence.text_start]
    if any(letter.isspace() for letter in word):
        raise DataError("there is white space between these tokens; only neighbours without a space can be joined")
    if sentence.tags is not None:
        tags = list(sentence.tags)
        label = tags[start][2:] if tags[start] not in (None, "O") else ""  # type: ignore[index]
        if end < len(tags) and str(tags[end]).startswith("I-") and str(tags[end])[2:] != label:
            tags[end] = f"B-{str(tags[end])[2:]}"  # what is left of an entity that began inside
        changes["tags"] = _put(tuple(tags), start, end, (tags[start],))
    if sentence.pos is not None:
        changes["pos"] = _put(sentence.pos, start, end, (sentence.pos[start],))
    return replace(sentence, tokens=_put(sentence.tokens, start, end, (word,)), **changes)


def _put(values: Sequence[Any], start: int, end: int, new: Sequence[Any]) -> tuple[Any, ...]:
    return (*values[:start], *new, *values[end:])


def history(store: Store, number: int) -> list[dict[str, Any]]:
    """Who did what to a sentence, the latest first."""
    with store.reading() as db:
        rows = db.execute("SELECT user, at, kind, undone FROM actions WHERE sentence = ? ORDER BY id DESC", (number,))
        return [dict(row) for row in rows]
