"""Starts the server process: models, workers, signals."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onomast.apps.serve.app import State, describe, new_app
from onomast.apps.serve.messages import Limits
from onomast.apps.serve.metrics import Metrics
from onomast.apps.serve.models import Models, named_folders
from onomast.apps.serve.queue import Workers
from onomast.errors import OnomastError

KEY = "ONOMAST_API_KEY"
_log = logging.getLogger("onomast.serve")


@dataclass(frozen=True)
class Settings:
    """How a server runs."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 0
    """Threads that tag; 0: one for each core that this process may use."""
    room: int = 64
    """Requests that may wait."""
    budget: int = 2048
    """Tokens of the requests that are tagged in one batch."""
    watch: float = 0.0
    """Seconds between looks whether a model folder has changed; 0: only on SIGHUP and /v1/reload."""
    limits: Limits = field(default_factory=Limits)


def serve(models: Sequence[str], settings: Settings) -> None:
    """Serve models (`DIR` or `NAME=DIR`) until SIGTERM or SIGINT; then answer what is waiting and end.

    Raises OnomastError, ModelError before anything is served.
    """
    import uvicorn

    count = settings.workers or len(os.sched_getaffinity(0))
    if settings.room < 1 or count < 1:
        raise OnomastError("--queue and --workers: expected 1 or more")
    metrics = Metrics()
    loaded = Models(named_folders(models), count)
    workers = Workers(count, room=settings.room, budget=settings.budget, on_batch=metrics.batch)
    state = State(loaded, workers, metrics, settings.limits, os.environ.get(KEY) or None)
    for served in loaded.all():
        _log.info("%s", describe(served))
    app = new_app(state, lambda: _watch(state, settings.watch))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(settings.limits.seconds) + 1,
        timeout_keep_alive=5,
        server_header=False,
    )
    _log.info(
        "http://%s:%d with %d workers; a page to try it is there, /docs describes it",
        settings.host,
        settings.port,
        count,
    )
    # uvicorn stops gracefully at SIGTERM and then raises the signal again for whoever handled it before: nobody.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uvicorn.Server(config).run()


async def _watch(state: State, seconds: float) -> None:
    """Reload on SIGHUP, and look every so many seconds."""
    loop = asyncio.get_running_loop()

    def reload() -> None:
        task: Any = loop.run_in_executor(None, state.models.reload)
        state.tasks.add(task)
        task.add_done_callback(state.tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)

    async def look() -> None:
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(state.models.reload)

    if seconds > 0:
        state.tasks.add(asyncio.ensure_future(look()))
