"""Named corpora: `data:NAME/SPLIT` and `sample:NAME/SPLIT` -> paths, and fetching what is not here.

What is known of each stands in catalogue.toml; no corpus is shipped but the samples.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
import secrets
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from onomast.errors import DataError, nearest
from onomast.progress import progress

RAW_FILES = "https://raw.githubusercontent.com"  # where files of a GitHub repository are served
_CATALOGUE = Path(__file__).with_name("catalogue.toml")
_SAMPLES = Path(__file__).parent.parent / "samples"
_SPLITS = {"val": "dev", "valid": "dev", "validation": "dev", "devel": "dev", "eval": "dev"}
_NOT_CORPORA = ("languages", "samples")  # tables of the catalogue
_SECONDS = 30  # without an answer from the server, and in all for a small file
_SLOWEST = 10_000  # bytes a second that are waited for
_BLOCK = 1 << 14  # bytes written at once
_LONG = 3600  # seconds after which a part of a file is nobody's


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus."""

    name: str
    """`SPLIT` or `PART/SPLIT`."""
    path: str
    """Below the folder of the corpus."""
    url: str | None
    """None: it was made from published files, and is only to be had from a mirror."""
    bytes: int
    sha256: str
    language: str | None


@dataclass(frozen=True)
class NamedCorpus:
    """One corpus."""

    name: str
    title: str
    homes: tuple[str, ...]
    """Public repositories, with the commit after an @."""
    licence: str
    """As its authors state it."""
    labels: tuple[str, ...]
    files: tuple[CorpusFile, ...]
    note: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-3 codes, sorted."""
        return tuple(sorted({file.language for file in self.files if file.language}))


def entries() -> list[NamedCorpus]:
    """All corpora, by name."""
    table = _table(_CATALOGUE)
    return [
        _named_corpus(name, corpus) for name, corpus in sorted(table.items()) if name not in ("languages", "samples")
    ]


def resolve(name: str) -> Path:
    """The path of a FILE: a path or "-" as it is, `sample:NAME/SPLIT`, or `data:NAME[/PART][/SPLIT]`.

    A part may be named by its language (`te`, `tel`, `Telugu`). Corpora lie in the folder ONOMAST_DATA or, fetched, in
    the cache. Raises DataError for an unknown name (with the nearest), an ambiguous one, and a file that is not here.
    """
    kind, colon, rest = name.partition(":")
    if colon and kind == "sample":
        return _sample(rest)
    if not colon or kind != "data":
        return Path(name)
    corpus, files = _find(rest)
    if len(files) > 1:
        choices = ", ".join(f"data:{corpus.name}/{file.name}" for file in files)
        raise DataError(f"names {len(files)} files; expected one of {choices}", path=name)
    places = [folder / corpus.name / files[0].path for folder in (_mirror(), cache()) if folder is not None]
    for path in places:
        if path.is_file():
            return path
    raise DataError(f"is not here; fetch it with: onomast data fetch {corpus.name}/{files[0].name}", path=name)


def splits_of(name: str) -> dict[str, str]:
    """The splits of a corpus that is named without one: `sample:NAME` -> `{"train": "sample:NAME/train", ...}`.

    Empty for a path, a name with a split, and a corpus of several parts. Raises DataError for an unknown corpus.
    """
    kind, colon, rest = name.partition(":")
    if not colon or kind not in ("sample", "data"):
        return {}
    if kind == "sample":
        names = sorted(f"{path.parent.name}/{path.stem}" for path in _SAMPLES.glob(f"{rest.strip('/')}/*.conll"))
    else:
        entry, files = _find(rest)
        names = [f"{entry.name}/{file.name}" for file in files]
    splits = {file.rpartition("/")[2]: f"{kind}:{file}" for file in names}
    parts = {file.rpartition("/")[0] for file in names}
    return splits if len(parts) == 1 and len(splits) > 1 and "train" in splits else {}


def language_of(name: str) -> str | None:
    """The language (ISO 639-3) of a `data:` or `sample:` name, where all its files have the same; else None."""
    kind, colon, rest = name.partition(":")
    if not colon or kind not in ("data", "sample"):
        return None
    if kind == "sample":
        language = _table(_CATALOGUE)["samples"].get(rest.split("/")[0])
        return None if language is None else str(language)
    languages = {file.language for file in _find(rest)[1]}
    return languages.pop() if len(languages) == 1 else None


def language_name(code: str) -> str | None:
    """English name of an ISO 639-3 code that the catalogue knows; None: another word."""
    others = _table(_CATALOGUE)["languages"].get(code, ())
    return next((name for name in others if name[:1].isupper()), None)


def fetch(name: str, *, to: Path | None = None) -> Path:
    """Copy a corpus, or some of its files, from ONOMAST_DATA if that is set, else download it; return its folder.

    `name`: `NAME[/PART][/SPLIT]`, with or without `data:`. `to`: the folder to put it in (a folder NAME is made there);
    default: the cache. Files that are there already and whole are kept. Every file is checked against its SHA-256 and
    gets its name only then. Raises DataError.
    """
    corpus, files = _find(name.removeprefix("data:"))
    folder = (to or cache()) / corpus.name
    mirror = _mirror()
    before = 0
    with progress(f"fetching {corpus.name}", sum(file.bytes for file in files)) as advance:
        for file in files:

            def report(done: float, before: int = before, name: str = file.name) -> None:
                advance(before + done, name)

            target = folder / file.path
            if not (target.is_file() and _sha256(target) == file.sha256):
                _fetch_file(corpus, file, target, mirror, report)
            before += file.bytes
    return folder


def cache() -> Path:
    """Where fetched corpora lie: ONOMAST_CACHE, or the platform's folder for caches."""
    chosen = os.environ.get("ONOMAST_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("onomast"))


def to_json() -> list[dict[str, Any]]:
    """The catalogue as JSON-ready rows."""
    return [
        {
            "name": corpus.name,
            "title": corpus.title,
            "languages": list(corpus.languages),
            "labels": list(corpus.labels),
            "licence": corpus.licence,
            "homes": list(corpus.homes),
            "note": corpus.note,
            "files": [
                {"name": f"data:{corpus.name}/{file.name}", "language": file.language, "url": file.url}
                | {"bytes": file.bytes, "sha256": file.sha256}
                for file in corpus.files
            ],
        }
        for corpus in entries()
    ]


def render_entries() -> str:
    """The catalogue for a terminal: one paragraph per corpus."""
    paragraphs = []
    for corpus in entries():
        names = _shortened([file.name for file in corpus.files])
        labels = ", ".join(corpus.labels[:12]) + (
            f" and {len(corpus.labels) - 12} more" if len(corpus.labels) > 12 else ""
        )
        lines = [
            f"data:{corpus.name}",
            f"  {corpus.title}",
            f"  languages  {' '.join(corpus.languages)}",
            f"  labels     {labels or 'none'}",
            f"  files      {names}",
            f"  licence    {corpus.licence}",
            *(f"  home       {home}" for home in corpus.homes),
        ]
        paragraphs.append("\n".join(lines + ([f"  note       {corpus.note}"] if corpus.note else [])))
    samples = " ".join(f"sample:{path.parent.name}/{path.stem}" for path in sorted(_SAMPLES.glob("*/*.conll")))
    return "\n\n".join([*paragraphs, f"Shipped with Onomast: {samples}"])


def _shortened(names: list[str]) -> str:
    """`hau/train hau/dev swa/train swa/dev` -> `{hau,swa}/{train,dev}`; a part with other splits stands apart."""
    splits: dict[str, list[str]] = {}
    for name in names:
        part, _, split = name.rpartition("/")
        splits.setdefault(part, []).append(split)
    parts: dict[tuple[str, ...], list[str]] = {}
    for part, found in splits.items():
        parts.setdefault(tuple(found), []).append(part)
    return " ".join(
        "/".join(
            ("{" + ",".join(group) + "}") if len(group) > 1 else group[0]
            for group in (owners, list(found))
            if group != [""]
        )
        for found, owners in parts.items()
    )


@lru_cache
def _table(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as handle:
        return tomllib.load(handle)


def _named_corpus(name: str, table: Mapping[str, Any]) -> NamedCorpus:
    parts: Mapping[str, Mapping[str, str]] = table.get("parts", {})
    files = []
    homes: dict[str, None] = {}
    for key, file in table["files"].items():
        own = {
            **{k: table[k] for k in ("home", "commit", "language") if k in table},
            **parts.get(key.split("/")[0], {}),
        }
        url = None
        if "home" in own:
            homes[f"{own['home']}@{own['commit']}"] = None
            if "from" in file:
                repository = own["home"].removeprefix("https://github.com/")
                url = f"{RAW_FILES}/{repository}/{own['commit']}/{quote(file['from'])}"
        files.append(CorpusFile(key, file["path"], url, file["bytes"], file["sha256"], own.get("language")))
    return NamedCorpus(
        name,
        table["title"],
        tuple(homes),
        table["licence"],
        tuple(table["labels"]),
        tuple(files),
        table.get("note", ""),
    )


def _find(name: str) -> tuple[NamedCorpus, list[CorpusFile]]:
    """The corpus and those of its files that `NAME[/PART][/SPLIT]` names: at least one. Raises DataError."""
    first, *rest = name.strip("/").split("/")
    table = _table(_CATALOGUE)
    known = sorted(set(table) - {*_NOT_CORPORA})
    if first not in known:
        raise DataError(f"there is no corpus {first!r}; {nearest(first, known)}", path=f"data:{name}")
    corpus = _named_corpus(first, table[first])
    files = [file for file in corpus.files if _matches(rest, file, table["languages"])]
    if not files:
        wrong = "/".join(rest)
        names = [file.name for file in corpus.files]
        close = "".join(f"did you mean {near!r}? " for near in difflib.get_close_matches(wrong, names, n=1, cutoff=0.5))
        raise DataError(f"{first} has no file {wrong!r}; {close}known: {_shortened(names)}", path=f"data:{name}")
    return corpus, files


def _matches(asked: list[str], file: CorpusFile, languages: Mapping[str, list[str]]) -> bool:
    """Do the parts of a name lead to this file? A part is also known by its language, in every way it is written."""
    parts = file.name.split("/")
    if len(asked) > len(parts):
        return False
    for index, (word, part) in enumerate(zip(asked, parts, strict=False)):
        known = {part.casefold()}
        if index == 0 and (len(parts) > 1 or part == file.language) and file.language is not None:
            known |= {file.language, *(other.casefold() for other in languages[file.language])}
        if _SPLITS.get(word.casefold(), word.casefold()) not in known and word.casefold() not in known:
            return False
    return True


def _sample(rest: str) -> Path:
    path = _SAMPLES / f"{rest}.conll"
    known = sorted(f"{path.parent.name}/{path.stem}" for path in _SAMPLES.glob("*/*.conll"))
    if rest not in known:
        files = [name for name in known if name.startswith(f"{rest.strip('/')}/")]
        if files:
            choices = ", ".join(f"sample:{name}" for name in files)
            raise DataError(f"names {len(files)} files; expected one of {choices}", path=f"sample:{rest}")
        raise DataError(f"there is no such sample; {nearest(rest, known)}", path=f"sample:{rest}")
    return path


def _mirror() -> Path | None:
    folder = os.environ.get("ONOMAST_DATA")
    return Path(folder).expanduser() if folder else None


def _fetch_file(
    corpus: NamedCorpus, file: CorpusFile, target: Path, mirror: Path | None, advance: Callable[[float], object]
) -> None:
    name = f"data:{corpus.name}/{file.name}"
    if mirror is None and file.url is None:
        raise DataError(
            "is not published as one file, so it cannot be downloaded; set ONOMAST_DATA to a folder that holds "
            f"{corpus.name}/{file.path}",
            path=name,
        )
    with _checked(target, file.sha256, name) as partial:
        if mirror is None:
            _download(str(file.url), partial, file.bytes, name, advance)
            return
        try:
            shutil.copyfile(mirror / corpus.name / file.path, partial)
        except FileNotFoundError as error:
            raise DataError(
                f"ONOMAST_DATA has no file {error.filename}; unset ONOMAST_DATA to download it", path=name
            ) from None


@contextmanager
def _checked(target: Path, sha256: str, name: str) -> Iterator[Path]:
    """Yield a path to write; it becomes `target` if what was written has this SHA-256.

    Each process has its own; what a killed one left is removed by the next.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        with suppress(OSError):
            if not _is_running(old.name.split(".")[-2].partition("-")[0]) or time.time() - old.stat().st_mtime > _LONG:
                old.unlink()
    partial = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        yield partial
        actual = _sha256(partial)
        if actual != sha256:
            raise DataError(
                f"the file got has SHA-256 {actual[:12]}..., the catalogue says {sha256[:12]}...; it was not kept; "
                "try again, or look whether its home has changed",
                path=name,
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except OSError:
        return True
    return True


def _download(url: str, path: Path, size: int, name: str, advance: Callable[[float], object]) -> None:
    """Write the answer of a server. Raises DataError where it is larger than it should be, slow, or does not answer."""
    import requests
    import urllib3

    limit = _SECONDS + size / _SLOWEST
    began = time.monotonic()
    try:
        with requests.get(url, stream=True, timeout=_SECONDS) as answer, path.open("wb") as out:
            answer.raise_for_status()
            done = 0
            for block in iter(lambda: answer.raw.read1(_BLOCK, decode_content=True), b""):
                done += out.write(block)
                if done > size:
                    raise DataError(
                        f"{url} sends more than {size:,} bytes, its size in the catalogue; it was not kept; "
                        "look whether its home has changed",
                        path=name,
                    )
                if time.monotonic() - began > limit:
                    raise DataError(
                        f"{url} sent {done:,} of {size:,} bytes in {limit:.0f} s; expected {_SLOWEST // 1000} kB/s or "
                        "more; try again later, or set ONOMAST_DATA to a folder that holds the corpora",
                        path=name,
                    )
                advance(done)
    except requests.HTTPError as error:
        raise DataError(f"{url}: {error}", path=name) from None
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ValueError,
    ) as error:
        raise DataError(
            f"cannot be downloaded from {url} ({type(error).__name__}): is there a network? set ONOMAST_DATA to a "
            "folder that holds the corpora",
            path=name,
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
