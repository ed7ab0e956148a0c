"""Where runs take place: processes of this machine, or a Ray cluster. Each run has a process and a thread of its own.

A run that dies (out of memory, killed) is one failed outcome; the others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from onomast.errors import MissingExtra
from onomast.experiments.measure import failed

Outcome = dict[str, Any]
Work = Callable[[Any], Outcome]
Done = tuple[int, Outcome]
"""Place of the task, and what came of it."""
Engine = Callable[[Work, Sequence[Any], int], Iterator[Done]]

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def on_processes(work: Work, tasks: Sequence[Any], jobs: int) -> Iterator[Done]:
    """Do the tasks in `jobs` processes at a time, a fresh one for each; yield them as they end."""
    context = multiprocessing.get_context("spawn")
    waiting = deque(enumerate(tasks))
    running: dict[Connection, tuple[int, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                place, task = waiting.popleft()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(work, task, sender), daemon=True)
                with _environment(_ONE_THREAD):
                    process.start()
                sender.close()
                running[receiver] = place, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                yield _received(ready, *running.pop(ready))
    finally:
        for receiver, (_, process) in running.items():
            process.terminate()
            process.join()
            receiver.close()


def on_ray(work: Work, tasks: Sequence[Any], jobs: int) -> Iterator[Done]:
    """Do the tasks on the cluster that RAY_ADDRESS names, or on a local one of `jobs` cores.

    The grid's folder and the corpora must be at the same place on every machine. Raises MissingExtra without Ray.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray") from None
    started = not ray.is_initialized()
    if started and os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    elif started:
        ray.init(address="local", num_cpus=jobs, include_dashboard=False, log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=1, max_calls=1, max_retries=0, runtime_env={"env_vars": _ONE_THREAD})(work)
        pending = {remote.remote(task): place for place, task in enumerate(tasks)}
        while pending:
            for reference in ray.wait(list(pending), num_returns=1)[0]:
                place = pending.pop(reference)
                try:
                    outcome = ray.get(reference)
                except ray.exceptions.RayError as error:
                    outcome = failed(f"the process died: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
                yield place, outcome
    finally:
        if started:
            ray.shutdown()


def _child(work: Work, task: Any, sender: Connection) -> None:
    """One task in its own process, which ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sender.send(work(task))
    sender.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _received(receiver: Connection, place: int, process: SpawnProcess) -> Done:
    try:
        outcome: Outcome = receiver.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = f"killed by signal {-code}, perhaps for want of memory" if code < 0 else f"exit status {code}"
        outcome = failed(f"the process died: {how}")
    receiver.close()
    process.join()
    return place, outcome


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


ENGINES: Mapping[str, Engine] = {"processes": on_processes, "ray": on_ray}
