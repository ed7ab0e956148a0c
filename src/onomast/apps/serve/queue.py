"""A bounded queue of requests and the threads that answer them, several requests in one batch where they wait."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from onomast.apps.model import Entities, Item
from onomast.apps.serve.models import Served

_CHARACTERS = 5  # of a token, about: what a batch holds is estimated before texts are cut
_log = logging.getLogger("onomast.serve")


class QueueFull(Exception):  # noqa: N818 - reads as what it is
    """No room for another request; `seconds` is about how long those that wait will take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the queue is full; try again in {seconds:.0f} s")
        self.seconds = seconds


@dataclass(eq=False)
class Job:
    """The texts (or tokens) of one request, and where the answer goes."""

    served: Served
    items: Sequence[Item]
    language: str | None
    tokens: int
    """About how many tokens it has."""
    future: Future[list[Entities]] = field(default_factory=Future)


class Workers:
    """`count` threads that take jobs from a queue of `room` jobs.

    A worker takes the first job and those behind it that the same model answers, up to `budget` tokens; it never waits
    for more. `on_batch` is called with the number of jobs and the seconds of each batch.
    """

    def __init__(
        self, count: int, *, room: int, budget: int, on_batch: Callable[[int, int, float], None] | None = None
    ) -> None:
        self.room = room
        self._budget = budget
        self._on_batch = on_batch
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._rate = 10_000.0  # tokens a second of one worker, measured as it goes
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._jobs)

    def submit(self, served: Served, items: Sequence[Item], language: str | None = None) -> Future[list[Entities]]:
        """Put texts into the queue. Raises QueueFull at once if there is no room."""
        job = Job(served, items, language, tokens_of(items))
        with self._changed:
            if self._stopped or len(self._jobs) >= self.room:
                waiting = sum(other.tokens for other in self._jobs)
                raise QueueFull(max(1.0, waiting / (self._rate * len(self._threads))))
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def stop(self, seconds: float) -> None:
        """Answer what is in the queue, for so long, and end the threads."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, number: int) -> None:
        while batch := self._take():
            began = time.perf_counter()
            self._answer(batch, number)
            seconds = time.perf_counter() - began
            tokens = sum(job.tokens for job in batch)
            self._rate += 0.1 * (tokens / max(seconds, 1e-6) - self._rate)
            if self._on_batch is not None:
                self._on_batch(len(batch), tokens, seconds)

    def _take(self) -> list[Job]:
        """The next jobs for one batch; none when the server stops."""
        batch: list[Job] = []
        with self._changed:
            while not batch:
                while not self._jobs:
                    if self._stopped:
                        return []
                    self._changed.wait()
                tokens = 0
                while self._jobs:
                    job = self._jobs[0]
                    alike = not batch or (job.served is batch[0].served and job.language == batch[0].language)
                    if not alike or (batch and tokens + job.tokens > self._budget):
                        break
                    self._jobs.popleft()
                    if job.future.set_running_or_notify_cancel():  # else the client has gone, or its time is over
                        batch.append(job)
                        tokens += job.tokens
        return batch

    def _answer(self, batch: Sequence[Job], number: int) -> None:
        model = batch[0].served.copies[number]
        try:
            items = [item for job in batch for item in job.items]
            found = model.entities(items, language=batch[0].language)
            start = 0
            for job in batch:
                job.future.set_result(found[start : start + len(job.items)])
                start += len(job.items)
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            _log.warning("a batch of %d requests failed, each is tried alone: %s", len(batch), error)
            for job in batch:
                self._answer([job], number)


def tokens_of(items: Sequence[Any]) -> int:
    """About how many tokens texts (or lists of tokens) hold; at least one each."""
    return sum(1 + len(item) // _CHARACTERS if isinstance(item, str) else max(1, len(item)) for item in items)
