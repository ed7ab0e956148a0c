"""The routes of the studio: a name and values in, JSON-ready values out. HTTP itself is in `server.py`."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onomast.apps.studio import labelling, project, views
from onomast.apps.studio.jobs import Jobs
from onomast.apps.studio.store import Item, Store, item
from onomast.errors import DataError, OnomastError
from onomast.tags import Span, tags_of

_MOST_TEXT = 100_000  # characters of a text to try


class Leases:
    """Who looks at which sentence: the same one is not offered to two people at once."""

    SECONDS = 90

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, float]] = {}

    def hold(self, session: str, number: int) -> None:
        """This page shows this sentence."""
        self._held[session] = (number, time.monotonic())

    def of_others(self, session: str) -> list[int]:
        """Sentences that other pages show, as far as they were heard of lately."""
        late = time.monotonic() - self.SECONDS
        return [
            number
            for other, (number, at) in list(self._held.items())
            if not (session and other.startswith(session)) and at > late
        ]


class Api:
    """What the page can ask of one project."""

    def __init__(self, store: Store, user: str) -> None:
        self.store = store
        self.user = user
        self.jobs = Jobs(store)
        self._leases = Leases()
        self._trial = views.Trial(store)

    def view(self, one: Item) -> dict[str, Any]:
        """A sentence as the page shows it."""
        with self.store.reading() as db:
            return views.sentence_view(db, one)

    def get(self, route: str, query: dict[str, str]) -> Any:
        """Answer a question. Raises OnomastError for an unknown one, KeyError for a missing value."""
        session = query.get("session", "")
        if route == "state":
            if query.get("sentence"):
                self._leases.hold(session, int(query["sentence"]))
            return {**views.state(self.store, query.get("sentence")), "user": self.user}
        if route == "next":
            # `skip`: what the page shows now; it asks for the one after that, to have it at hand.
            taken = [*self._leases.of_others(session), *map(int, filter(None, [query.get("skip")]))]
            found = views.next_sentence(self.store, taken, query["user"], query.get("mode", "queue"))
            if found is not None:
                self._leases.hold(f"{session} ahead" if query.get("skip") else session, found["id"])
            return {"sentence": found}
        if route == "sentence":
            self._leases.hold(session, int(query["id"]))
            return {"sentence": views.one_sentence(self.store, int(query["id"]))}
        if route == "search":
            return views.search(self.store, query.get("words", ""), query.get("status", ""), int(query.get("start", 0)))
        simple: dict[str, Callable[[], Any]] = {
            "check": lambda: {"findings": views.check(self.store)},
            "speed": lambda: views.speed(self.store),
            "taggers": lambda: {"taggers": views.taggers(self.store), "recipes": views.recipes()},
            "suspects": self._suspects,
            "history": lambda: {"history": labelling.history(self.store, int(query["id"]))},
        }
        if route not in simple:
            raise OnomastError(f"there is no question {route!r}")
        return simple[route]()

    def post(self, route: str, values: dict[str, Any]) -> Any:
        """Change something. Raises Conflict, OnomastError, KeyError, TypeError, ValueError."""
        user = str(values.get("user") or self.user)[:100]
        if route == "act":
            one = labelling.act(self.store, int(values["id"]), int(values["version"]), user, values["kind"], values)
            if values["kind"] == "done":
                self.jobs.after_label()
            following = None
            if values.get("mode"):  # the next one in the same answer: one wait instead of two
                session = str(values.get("session", ""))
                following = self.get("next", {"session": session, "user": user, "mode": str(values["mode"])})
            return {"sentence": self.view(one), "next": following and following["sentence"]}
        if route == "undo":
            undone = labelling.undo(self.store, user)
            return {"sentence": None if undone is None else self.view(undone)}
        if route == "second":
            labelling.second_opinion(self.store, int(values["id"]), user, values["tags"])
            return {"next": self.get("next", {"user": user, "mode": "second"})["sentence"]}
        if route == "labels":
            project.set_labels(self.store, values["labels"], values.get("sentence_labels"))
            return {}
        if route == "job":
            self.jobs.ask(str(values["kind"]), self._checked(str(values["kind"]), str(values.get("detail", ""))))
            return {}
        if route == "try":
            return {"sentences": self._trial.tag(str(values["text"])[:_MOST_TEXT])}
        if route == "accept":
            return self._accept(values, user)
        raise OnomastError(f"there is no action {route!r}")

    def take_in(self, body: bytes, query: dict[str, str]) -> dict[str, str]:
        """Import the bytes of a file."""
        name = Path(query.get("name", "text.txt")).name or "text.txt"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"upload{Path(name).suffix.lower()[:12]}"
            path.write_bytes(body)
            try:
                said = project.import_file(
                    self.store, path, name, query.get("user") or self.user,
                    kind=query.get("kind", "auto"), label=query.get("label", "").strip(),
                )  # fmt: skip
            except OnomastError as error:
                raise DataError(str(error).replace(str(path), name)) from None
        return {"message": said}

    def export(self, query: dict[str, str]) -> tuple[str, bytes]:
        """A file to download."""
        if query["format"] == "project":
            return f"{self.store.folder.resolve().name}.json", project.export_project(self.store)
        return project.export(
            self.store, query["format"], splits=query.get("splits") == "1", everything=query.get("all") == "1"
        )

    def tagger(self, name: str) -> tuple[str, bytes]:
        """A tagger to download."""
        return f"{name}.zip", views.zipped_tagger(self.store, name)

    def _checked(self, kind: str, detail: str) -> str:
        """What a job may be asked: a recipe of the list, a tagger of the list, nothing."""
        known = {
            "train": [one["name"] for one in views.recipes()],
            "use": [one["name"] for one in views.taggers(self.store)],
        }
        if kind in known and detail not in known[kind]:
            raise OnomastError(f"{kind} {detail!r}: expected one of {', '.join(known[kind])}")
        return detail if kind in known else ""

    def _suspects(self) -> Any:
        """The suspects of the last search that nobody has decided on yet."""
        with self.store.reading() as db:
            row = db.execute(
                "SELECT result FROM jobs WHERE kind = 'suspects' AND state = 'done' ORDER BY id DESC LIMIT 1"
            ).fetchone()
            versions = dict(db.execute("SELECT id, version FROM sentences").fetchall())
            kept = {(r[0], r[1], r[2]) for r in db.execute("SELECT * FROM kept")}
        rows = [] if row is None else json.loads(row[0]).get("suspects", [])
        open_ = [
            one
            for one in rows
            if versions.get(one["id"]) == one["version"] and (one["id"], one["start"], one["end"]) not in kept
        ]
        return {"suspects": open_, "searched": row is not None}

    def _accept(self, values: dict[str, Any], user: str) -> Any:
        """Put the tagger's entities in the place of what stands there; `keep`: what stands there is right."""
        number, start, end = int(values["id"]), int(values["start"]), int(values["end"])
        if values.get("keep"):
            with self.store.transaction() as db:
                db.execute("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", (number, start, end))
            return {}
        with self.store.reading() as db:
            sentence = item(db, number).sentence
        kept = [one for one in sentence.spans if one.end <= start or end <= one.start]
        new = [Span(int(a), int(b), str(label)) for a, b, label in values["spans"]]
        tags = tags_of([*kept, *new], len(sentence))
        one = labelling.act(self.store, number, int(values["version"]), user, "tags", {"tags": list(tags)})
        return {"sentence": self.view(one)}
