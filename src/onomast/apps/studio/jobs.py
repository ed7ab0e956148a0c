"""Starting the slow work: one process a job, at most one at a time; what is asked for meanwhile waits."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from onomast.apps.studio.store import Store
from onomast.apps.studio.views import RETRAIN_EVERY
from onomast.errors import OnomastError, nearest

KINDS = ("retrain", "train", "use", "progress", "mistakes", "suspects")


class Jobs:
    """The queue of jobs of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Forget jobs that a killed server left behind, and begin."""
        with self._store.transaction() as db:
            message = "the studio was stopped before it was done"
            db.execute("UPDATE jobs SET state = 'failed', message = ? WHERE state = 'running'", (message,))
        self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Stop the job that runs."""
        self._closed = True
        self._wake.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def ask(self, kind: str, detail: str = "") -> None:
        """Queue a job, unless the same one waits already. Raises OnomastError for an unknown kind."""
        if kind not in KINDS:
            raise OnomastError(f"there is no job {kind!r}; {nearest(kind, KINDS)}")
        with self._store.transaction() as db:
            waiting = "SELECT 1 FROM jobs WHERE kind = ? AND detail = ? AND state = 'waiting'"
            if db.execute(waiting, (kind, detail)).fetchone() is None:
                row = (kind, detail, time.time())
                db.execute("INSERT INTO jobs (kind, detail, state, began) VALUES (?, ?, 'waiting', ?)", row)
        self._wake.set()

    def after_label(self) -> None:
        """Retrain when ten more sentences are finished than the last training knew."""
        with self._store.reading() as db:
            done = db.execute("SELECT COUNT(*) FROM sentences WHERE status = 'done'").fetchone()[0]
            row = db.execute(
                "SELECT state, detail, json_extract(result, '$.sentences') FROM jobs WHERE kind = 'retrain' "
                "ORDER BY id DESC LIMIT 1"
            ).fetchone()
        known = int(row[2] or 0) if row is not None else 0
        pending = row is not None and row[0] in ("waiting", "running")
        if not pending and done - known >= RETRAIN_EVERY:
            self.ask("retrain")

    def _work(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            while not self._closed and (job := self._next()) is not None:
                module = "onomast.apps.studio.worker"
                words = [sys.executable, "-m", module, str(self._store.folder.resolve()), str(job)]
                environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
                self._process = subprocess.Popen(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
                self._process.wait()
                self._record_crash(job)

    def _next(self) -> int | None:
        with self._store.reading() as db:
            row = db.execute("SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id LIMIT 1").fetchone()
        return None if row is None else int(row[0])

    def _record_crash(self, job: int) -> None:
        """A process that was killed cannot say so itself."""
        with self._store.transaction() as db:
            message = "the process ended before it was done; is there enough memory?"
            db.execute(
                "UPDATE jobs SET state = 'failed', message = ?, ended = ? "
                "WHERE id = ? AND state IN ('waiting', 'running')",
                (message, time.time(), job),
            )
