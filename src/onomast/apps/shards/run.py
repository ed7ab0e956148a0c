"""A bulk job: files in, one output for each in a folder, by several processes; running it again does what is missing.

Each output is written under a temporary name and renamed; then its record is written (hash of the input, rows, errors).
A file is done when its record is there and fits. `manifest.json` names the model and the options of the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onomast._version import __version__
from onomast.apps.model import Model
from onomast.apps.shards.files import Done, output_name, tag_shard
from onomast.errors import DataError, OnomastError
from onomast.files import write_text
from onomast.taggers.model_folder import TAGS

MANIFEST, RECORDS = "manifest.json", "manifest"
_log = logging.getLogger("onomast")


@dataclass(frozen=True)
class Job:
    """What is done to every file."""

    model: Path
    out: Path
    column: str = "text"
    min_confidence: float = 0.0


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    files: int
    skipped: int
    """Of these, done before."""
    rows: int
    errors: int


def tag_files(job: Job, sources: Sequence[Path], *, jobs: int = 1) -> Summary:
    """Tag files into `job.out` with so many processes; each has a model of its own and one thread.

    Raises DataError for a file that cannot be read (the others are finished first), OnomastError for a folder that
    holds the output of another model or of other options, or that another run is writing to.
    """
    names = _names(sources)
    if jobs < 1:
        raise OnomastError(f"--jobs {jobs}: expected 1 or more")
    with _owned(job):
        missing = [source for source, name in names.items() if _record(job, source, name) is None]
        for number, (source, done) in enumerate(_tagged(job, missing, names, jobs), 1):
            _log.info("%d of %d: %s, %d rows, %d errors", number, len(missing), source.name, done.rows, done.errors)
        records = [_record(job, source, name) for source, name in names.items()]
        rows, errors = (sum(record[key] for record in records if record is not None) for key in ("rows", "errors"))
        return Summary(len(names), len(names) - len(missing), rows, errors)


def _tagged(job: Job, missing: Sequence[Path], names: Mapping[Path, str], jobs: int) -> Iterator[tuple[Path, Done]]:
    """Tag what is missing, and yield each file as it is done; errors come after all others are finished."""
    failed: list[DataError] = []
    if jobs == 1 and missing:
        _start(job, None)
        for source in missing:
            try:
                yield source, _work(job, source, names[source])
            except DataError as error:
                failed.append(error)
    elif missing:
        context = multiprocessing.get_context("spawn")
        workers = min(jobs, len(missing))
        with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(job, os.getpid())) as pool:
            running = {pool.submit(_work, job, source, names[source]): source for source in missing}
            try:
                for future in as_completed(running):
                    problem = future.exception()
                    if isinstance(problem, DataError):
                        failed.append(problem)
                        continue
                    yield running[future], future.result()
            except BrokenProcessPool:
                raise OnomastError(
                    "a process ended before its file was done (killed, or out of memory); nothing is lost: run the "
                    "same command again, it does what is missing"
                ) from None
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise OnomastError(f"{failed[0]}{more}; the other files are done")


_model: Model | None = None  # of this process


def _start(job: Job, parent: int | None) -> None:
    """Load the model; end this process when its parent is gone."""
    global _model
    _model = Model.load(job.model)
    if parent is not None:

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(0.5)
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _work(job: Job, source: Path, name: str) -> Done:
    """Tag one file and write its record."""
    assert _model is not None
    before = _hash(source)
    done = tag_shard(_model, source, job.out / name, column=job.column, min_confidence=job.min_confidence)
    record = {"input": str(source), "sha256": before, **asdict(done)}
    write_text(job.out / RECORDS / f"{name}.json", json.dumps(record, ensure_ascii=False) + "\n")
    return done


def _record(job: Job, source: Path, name: str) -> dict[str, Any] | None:
    """The record of a file that is done; None if it is not, or if the input has changed."""
    path = job.out / RECORDS / f"{name}.json"
    if not path.is_file() or not (job.out / name).is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record if record["sha256"] == _hash(source) else None


@contextmanager
def _owned(job: Job) -> Iterator[None]:
    """The output folder, for this run alone. Raises OnomastError where it is not for this model and these options."""
    options = {"column": job.column, "min_confidence": job.min_confidence}
    wanted = {"model": _hash(job.model / TAGS) if (job.model / TAGS).is_file() else "", "options": options}
    job.out.mkdir(parents=True, exist_ok=True)
    with (job.out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OnomastError(f"{job.out}: another run is writing into this folder; wait for it to end") from None
        path = job.out / MANIFEST
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            for key, what in (("model", "model"), ("options", "options")):
                if known[key] != wanted[key]:
                    raise OnomastError(
                        f"{job.out}: holds the output of another {what} ({known[key]}, not {wanted[key]}); "
                        "give another --out"
                    )
        else:
            write_text(path, json.dumps({**wanted, "onomast": __version__}) + "\n")
        for left in job.out.glob(".*-*"):  # of a run that was killed
            left.unlink(missing_ok=True)
        yield


def _names(sources: Sequence[Path]) -> dict[Path, str]:
    """The output name of each file. Raises DataError for two files of one name, or one that is not there."""
    names: dict[Path, str] = {}
    for source in sources:
        if not source.is_file():
            raise DataError("there is no such file", path=source)
        name = output_name(source)
        if name in names.values():
            raise DataError(f"its output {name} would replace that of another file; rename one", path=source)
        names[source] = name
    if not names:
        raise OnomastError("there are no files to tag")
    return names


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
