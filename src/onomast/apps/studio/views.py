"""What the page shows: the state of the project, the next sentence, the tabs, as JSON-ready values."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onomast.apps.studio.project import labels_of
from onomast.apps.studio.store import Item, Store, item, items, sentence_of, setting
from onomast.sentence import Sentence

RETRAIN_EVERY = 10
_CONTEXT = 2  # sentences before and after
_SESSION_GAP = 300  # seconds without an action end a session


def state(store: Store, number: str | None = None) -> dict[str, Any]:
    """Counts, labels, jobs and the last change; cheap, as every page asks for it every other second.

    `number`: the sentence that the page shows, whose version is given as well.
    """
    with store.reading() as db:
        counts = dict(db.execute("SELECT status, COUNT(*) FROM sentences GROUP BY status").fetchall())
        flagged = db.execute("SELECT COUNT(*) FROM sentences WHERE flagged").fetchone()[0]
        change = db.execute("SELECT COALESCE(MAX(id), 0) FROM actions").fetchone()[0]
        jobs = [
            {**dict(row), "result": json.loads(row["result"] or "{}")}
            for row in db.execute("SELECT * FROM jobs WHERE id IN (SELECT MAX(id) FROM jobs GROUP BY kind)")
        ]
        trained = next((job["result"].get("sentences", 0) for job in jobs if job["kind"] == "retrain"), 0)
        version = db.execute("SELECT version FROM sentences WHERE id = ?", (number,)).fetchone() if number else None
        users = [row[0] for row in db.execute("SELECT DISTINCT user FROM actions ORDER BY user")]
        more = {key: setting(db, key, default) for key, default in (("sentence_labels", []), ("lists", {}))}
    for job in jobs:
        if job["kind"] == "suspects":
            job["result"] = {"count": len(job["result"].get("suspects", []))}
    done = counts.get("done", 0)
    return {
        "name": store.folder.resolve().name, "done": done, "new": counts.get("new", 0),
        "skipped": counts.get("skipped", 0), "flagged": flagged, "change": change, "version": version and version[0],
        "jobs": jobs, "users": users,
        "labels": [asdict(one) for one in labels_of(store)], "sentence_labels": more["sentence_labels"],
        "lists": {label: len(rows) for label, rows in more["lists"].items()},
        "until_retrain": RETRAIN_EVERY - (done - trained) if done > trained else RETRAIN_EVERY,
    }  # fmt: skip


def sentence_view(db: sqlite3.Connection, one: Item, *, context: bool = True) -> dict[str, Any]:
    """A sentence for the page: tokens with what stands between them, tags, suggestions, neighbours."""
    row = db.execute("SELECT * FROM suggestions WHERE sentence = ?", (one.id,)).fetchone()
    fresh = row is not None and len(json.loads(row["begins"])) == len(one.sentence)
    around = []
    if context:
        near = "id BETWEEN ? AND ? AND id != ?"
        around = [
            sentence_view(db, other, context=False)
            for other in items(db, near, (one.id - _CONTEXT, one.id + _CONTEXT, one.id))
        ]
    return {
        "id": one.id, "version": one.version, "status": one.status, "flagged": one.flagged, "user": one.user,
        "tokens": list(one.sentence.tokens), "gaps": gaps(one.sentence), "label": one.sentence.label,
        "tags": list(one.sentence.tags) if one.sentence.tags is not None else None,
        "suggestions": json.loads(row["spans"]) if fresh else [], "begins": json.loads(row["begins"]) if fresh else [],
        "is_random": one.is_random, "source": one.sentence.source, "around": around,
    }  # fmt: skip


def gaps(sentence: Sentence) -> list[str]:
    """What stands after each token: a space, nothing, in the original text."""
    if sentence.offsets is None:
        return [" "] * len(sentence)
    ends = [*sentence.offsets[1:], (sentence.offsets[-1][1],) * 2] if sentence.offsets else []
    return [" " if after[0] > here[1] else "" for here, after in zip(sentence.offsets, ends, strict=True)]


def one_sentence(store: Store, number: int) -> dict[str, Any]:
    """A sentence by its number."""
    with store.reading() as db:
        return sentence_view(db, item(db, number))


def next_sentence(store: Store, taken: Sequence[int], user: str, mode: str) -> dict[str, Any] | None:
    """The next one to label: of the queue, then any open one; `taken`: what others are looking at.

    `second`: a finished sentence of somebody else, without its labels. `flagged`, `skipped`: those. None: no more.
    """
    marks = ",".join("?" * len(taken))
    free = f"s.id NOT IN ({marks})"
    ways = {
        "queue": f"SELECT s.id FROM queue q JOIN sentences s ON s.id = q.sentence WHERE s.status = 'new' AND {free} "
        "ORDER BY q.place LIMIT 1",
        "open": f"SELECT s.id FROM sentences s WHERE s.status = 'new' AND {free} ORDER BY s.id LIMIT 1",
        "flagged": f"SELECT s.id FROM sentences s WHERE s.flagged AND {free} ORDER BY s.id LIMIT 1",
        "skipped": f"SELECT s.id FROM sentences s WHERE s.status = 'skipped' AND {free} ORDER BY s.id LIMIT 1",
        "second": "SELECT s.id FROM sentences s JOIN opinions o ON o.sentence = s.id WHERE s.status = 'done' AND "
        f"o.user != ? AND s.id NOT IN (SELECT sentence FROM opinions WHERE user = ?) AND {free} ORDER BY s.id LIMIT 1",
    }
    order = {"second": ["second"], "flagged": ["flagged"], "skipped": ["skipped"], "order": ["open"]}
    with store.reading() as db:
        for way in order.get(mode, ["queue", "open"]):
            values = (user, user, *taken) if way == "second" else tuple(taken)
            row = db.execute(ways[way], values).fetchone()
            if row is not None:
                view = sentence_view(db, item(db, row[0]))
                if way == "queue":
                    drawn = db.execute("SELECT is_random FROM queue WHERE sentence = ?", (row[0],)).fetchone()
                    view["is_random"] = bool(drawn and drawn[0])
                if way == "second":
                    view |= {"tags": None, "suggestions": [], "second": True}
                return view
    return None


def search(store: Store, words: str, status: str, start: int, count: int = 50) -> dict[str, Any]:
    """A page of the list of sentences."""
    where, values = ["1"], []
    if status in ("new", "done", "skipped"):
        where.append("status = ?")
        values.append(status)
    if status == "flagged":
        where.append("flagged")
    if words:
        where.append("instr(lower(content), lower(?))")
        values.append(json.dumps(words, ensure_ascii=False)[1:-1])
    condition = " AND ".join(where)
    with store.reading() as db:
        total = db.execute(f"SELECT COUNT(*) FROM sentences WHERE {condition}", values).fetchone()[0]
        rows = db.execute(
            f"SELECT * FROM sentences WHERE {condition} ORDER BY id LIMIT ? OFFSET ?", (*values, count, start)
        )
        found = [
            {"id": row["id"], "status": row["status"], "flagged": bool(row["flagged"]), "user": row["user"],
             **_short(sentence_of(json.loads(row["content"])))}
            for row in rows
        ]  # fmt: skip
    return {"total": total, "rows": found}


def _short(sentence: Sentence) -> dict[str, Any]:
    between = gaps(sentence)
    text = "".join(token + gap for token, gap in zip(sentence.tokens, between, strict=True))
    return {"text": text[:300], "entities": [[sentence.span_text(span), span.label] for span in sentence.spans]}


def check(store: Store) -> list[dict[str, Any]]:
    """What `onomast check` finds in the finished sentences, with a way to each."""
    from onomast.data import check as checking
    from onomast.data.formats.registry import Reading

    with store.reading() as db:
        done = items(db, "status = 'done'")
    named = {f"sentence:{one.id}": one.id for one in done}
    sentences = tuple(_located(one.sentence, f"sentence:{one.id}") for one in done)
    found = checking.check([Reading("project", sentences, "columns", "iob2", "", ())])
    return [
        {**asdict(one), "id": named.get(one.source), "what": checking.KINDS.get(one.kind, "")} for one in found[:500]
    ]


def _located(sentence: Sentence, source: str) -> Sentence:
    from dataclasses import replace

    return replace(sentence, source=source)


def speed(store: Store) -> dict[str, Any]:
    """Per person: finished sentences, entities, and sentences an hour, breaks of five minutes taken off."""
    with store.reading() as db:
        actions = db.execute("SELECT user, at, kind FROM actions WHERE NOT undone ORDER BY user, at").fetchall()
        opinions = [
            (r["user"], r["sentence"], sentence_of(json.loads(r["content"])))
            for r in db.execute("SELECT * FROM opinions")
        ]
    people: dict[str, dict[str, Any]] = {}
    before: dict[str, float] = {}
    for row in actions:
        mine = people.setdefault(row["user"], {"sentences": 0, "entities": 0, "seconds": 0.0})
        gap = row["at"] - before.get(row["user"], row["at"])
        mine["seconds"] += gap if gap < _SESSION_GAP else 0.0
        mine["sentences"] += row["kind"] == "done"
        before[row["user"]] = row["at"]
    for user, _, sentence in opinions:
        mine = people.setdefault(user, {"sentences": 0, "entities": 0, "seconds": 0.0})
        mine["entities"] += len(sentence.spans)
    for mine in people.values():
        mine["per_hour"] = round(3600 * mine["sentences"] / mine["seconds"]) if mine["seconds"] > 60 else None
    return {"people": people, "agreement": agreement(opinions)}


def agreement(opinions: Sequence[tuple[str, int, Sentence]]) -> list[dict[str, Any]]:
    """For each pair of people, over the sentences both labelled: Cohen's kappa of tokens' tags, F1 of entities."""
    by_user: dict[str, dict[int, Sentence]] = {}
    for user, number, sentence in opinions:
        by_user.setdefault(user, {})[number] = sentence
    found = []
    users = sorted(by_user)
    for place, first in enumerate(users):
        for second in users[place + 1 :]:
            pairs = [
                (by_user[first][n], by_user[second][n])
                for n in sorted(by_user[first].keys() & by_user[second].keys())
                if by_user[first][n].tokens == by_user[second][n].tokens
            ]
            if pairs:
                found.append({"people": [first, second], "sentences": len(pairs), **_agreement(pairs)})
    return found


def _agreement(pairs: Sequence[tuple[Sentence, Sentence]]) -> dict[str, float | None]:
    tokens = [tags for a, b in pairs for tags in zip(a.tags or (), b.tags or (), strict=True) if None not in tags]
    number = len(tokens)
    left, right = Counter(a for a, _ in tokens), Counter(b for _, b in tokens)
    observed = sum(a == b for a, b in tokens) / number if number else 1.0
    expected = sum(left[tag] * right[tag] for tag in left) / number**2 if number else 1.0
    kappa = (observed - expected) / (1 - expected) if expected < 1 else None
    both = sum(len(set(a.spans) & set(b.spans)) for a, b in pairs)
    entities = sum(len(a.spans) + len(b.spans) for a, b in pairs)
    return {"kappa": kappa, "f1": 2 * both / entities if entities else None}


def taggers(store: Store) -> list[dict[str, Any]]:
    """The saved taggers, the latest first."""
    found = []
    for path in (store.folder / "taggers").glob("*/studio.json"):
        if not path.parent.name.startswith("."):
            found.append({"name": path.parent.name, **json.loads(path.read_text(encoding="utf-8"))})
    return sorted(found, key=lambda one: -one["at"])


def recipes() -> list[dict[str, Any]]:
    """The recipes that can be trained with what is installed, and without other corpora or vectors."""
    from importlib.util import find_spec

    from onomast.recipe import read_recipe, recipe_names

    has_torch = find_spec("torch") is not None and find_spec("safetensors") is not None
    simple = {"crf": "seconds", "small": "minutes", "bilstm-crf": "minutes"}
    return [
        {"name": name, "description": read_recipe(name).description, "takes": simple[name]}
        for name in recipe_names()
        if name in simple and (has_torch or read_recipe(name).tagger == "linear")
    ]


class Trial:
    """The current tagger, loaded when first used and again when it changes, for the tab "try it"."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: tuple[float, Any] | None = None

    def tag(self, text: str) -> list[dict[str, Any]]:
        """Entities of a text. Raises DataError where there is no tagger yet."""
        from onomast.data.raw_text import stream_text
        from onomast.errors import DataError
        from onomast.taggers.registry import load_tagger

        folder = self._store.folder / "taggers" / "current"
        card = folder / "studio.json"
        if not card.is_file():
            raise DataError("there is no tagger yet; finish ten sentences, and one is trained by itself")
        if self._loaded is None or self._loaded[0] != card.stat().st_mtime:
            self._loaded = (card.stat().st_mtime, load_tagger(folder))
        tagged = self._loaded[1].tag(list(stream_text([text])))
        return [
            {"tokens": list(one.tokens), "gaps": gaps(one), "tags": list(one.tags or ()),
             "spans": [[s.start, s.end, s.label, one.span_confidence(s)] for s in one.spans]}
            for one in tagged
        ]  # fmt: skip


def zipped_tagger(store: Store, name: str) -> bytes:
    """A tagger's folder as a zip. Raises DataError for a name that is none of them."""
    import zipfile

    from onomast.errors import DataError, nearest

    known = [one["name"] for one in taggers(store)]
    if name not in known:
        raise DataError(f"there is no tagger {name!r}; {nearest(name, known)}")
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((store.folder / "taggers" / name).rglob("*")):
                if path.is_file():
                    archive.write(path, Path(name) / path.relative_to(store.folder / "taggers" / name))
        packed.seek(0)
        return packed.read()
