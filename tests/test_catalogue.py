"""Named corpora: names to paths, and fetching from a mirror or a real HTTP server."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from onomast.data import catalogue
from onomast.errors import DataError

TRAIN = b"Asha B-PER\n\n" * 20_000
TEST = b"Juma B-PER\n\n"
MADE = b"made from other files\n"
PATHS = {
    "/owner/pairs/abc123/corpora/de%20v.txt": TEST,
    "/owner/pairs/abc123/corpora/train.txt": TRAIN,
    "/owner/pairs/abc123/corpora/changed.txt": b"not what it was",
}


def table() -> str:
    def row(path: str, content: bytes, source: str | None) -> str:
        origin = "" if source is None else f'from = "corpora/{source}", '
        digest = hashlib.sha256(content).hexdigest()
        return f'{{ path = "{path}", {origin}bytes = {len(content)}, sha256 = "{digest}" }}'

    return f"""
    [languages]
    swa = ["sw", "Swahili"]
    hau = ["ha", "Hausa"]
    [samples]
    swahili-news = "swa"
    [pairs]
    title = "Pairs"
    home = "https://github.com/owner/pairs"
    commit = "abc123"
    licence = "CC0"
    labels = ["PER"]
    [pairs.parts]
    coast = {{ language = "swa" }}
    north = {{ language = "hau" }}
    [pairs.files]
    "coast/train" = {row("coast/train.txt", TRAIN, "train.txt")}
    "coast/dev" = {row("coast/dev.txt", TEST, "de v.txt")}
    "north/train" = {row("north/train.txt", TEST, "changed.txt")}
    "north/made" = {row("north/made.txt", MADE, None)}
    "north/gone" = {row("north/gone.txt", MADE, "gone.txt")}
    """


class Handler(BaseHTTPRequestHandler):
    """Serves `PATHS`; with `stall`, half of a file and then nothing."""

    stall = threading.Event()
    halfway = threading.Event()
    fault = ""

    def do_GET(self) -> None:
        content = PATHS.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        length = {"endless": None, "wrong": "many"}.get(Handler.fault, str(len(content)))
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if Handler.fault == "endless":
            with suppress(OSError):
                for _ in range(10_000):
                    self.wfile.write(b"x" * 10_000)
            return
        if Handler.fault == "slow":
            with suppress(OSError):
                for place in range(len(content)):
                    self.wfile.write(content[place : place + 1])
                    self.wfile.flush()
                    time.sleep(0.1)
            return
        if Handler.stall.is_set():
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            Handler.halfway.set()
            while Handler.stall.is_set():
                time.sleep(0.02)
            return
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.stall.clear()
    Handler.halfway.clear()
    Handler.fault = ""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    Handler.stall.clear()
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(autouse=True)
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A catalogue of our own, an empty cache and no mirror."""
    if request.node.name.startswith(("test_the_shipped", "test_every")):
        return  # these look at the real one
    (tmp_path / "made.toml").write_text(table(), encoding="utf-8")
    monkeypatch.setattr(catalogue, "_CATALOGUE", tmp_path / "made.toml")
    monkeypatch.setenv("ONOMAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ONOMAST_DATA", raising=False)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    for path, content in {"coast/train.txt": TRAIN, "coast/dev.txt": TEST, "north/made.txt": MADE}.items():
        (folder / "pairs" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "pairs" / path).write_bytes(content)
    monkeypatch.setenv("ONOMAST_DATA", str(folder))
    return folder


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["coast/train", "sw/train", "swa/train", "Swahili/train", "COAST/Train"])
def test_a_part_is_known_by_its_name_and_its_language(name: str, mirror: Path) -> None:
    assert catalogue.resolve(f"data:pairs/{name}") == mirror / "pairs" / "coast" / "train.txt"
    assert catalogue.language_of(f"data:pairs/{name}") == "swa"


@pytest.mark.parametrize("split", ["dev", "val", "valid", "validation"])
def test_a_split_is_known_by_its_other_names(split: str, mirror: Path) -> None:
    assert catalogue.resolve(f"data:pairs/coast/{split}") == mirror / "pairs" / "coast" / "dev.txt"


def test_paths_and_standard_input_are_left_alone() -> None:
    assert catalogue.resolve("-") == Path("-")
    assert catalogue.resolve("some/file.conll") == Path("some/file.conll")
    assert catalogue.language_of("some/file.conll") is None
    assert catalogue.language_of("sample:swahili-news/train") == "swa"
    assert catalogue.language_of("data:pairs") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data:piars/train", "did you mean 'pairs'"),
        ("data:pairs/coast/trian", "did you mean 'coast/train'.*known: coast/{train,dev} north/{train,made,gone}"),
        ("data:pairs/coast/train/more", "has no file"),
        ("data:pairs/coast", "names 2 files; expected one of data:pairs/coast/train, data:pairs/coast/dev"),
        ("data:pairs/north/train", "is not here; fetch it with: onomast data fetch pairs/north/train"),
        ("sample:no-such/train", "there is no such sample"),
        ("sample:../../recipes/crf", "there is no such sample"),
    ],
)
def test_a_name_that_leads_nowhere_is_answered_with_what_there_is(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        catalogue.resolve(name)


def test_fetch_copies_from_the_mirror(mirror: Path, tmp_path: Path) -> None:
    folder = catalogue.fetch("data:pairs/north/made")
    assert folder == tmp_path / "cache" / "pairs"
    assert files_under(folder) == ["north/made.txt"]
    assert catalogue.fetch("pairs/coast", to=tmp_path / "here") == tmp_path / "here" / "pairs"
    assert files_under(tmp_path / "here") == ["pairs/coast/dev.txt", "pairs/coast/train.txt"]
    (mirror / "pairs" / "coast" / "dev.txt").write_bytes(b"edited")
    with pytest.raises(DataError, match=r"data:pairs/coast/dev: .*SHA-256"):
        catalogue.fetch("pairs/coast", to=tmp_path / "there")
    assert files_under(tmp_path / "there") == ["pairs/coast/train.txt"]
    with pytest.raises(DataError, match="ONOMAST_DATA has no file"):
        catalogue.fetch("pairs/north/gone")


def test_fetch_downloads_and_then_the_name_resolves(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    assert catalogue.fetch("pairs/coast") == tmp_path / "cache" / "pairs"
    assert catalogue.resolve("data:pairs/coast/train").read_bytes() == TRAIN
    assert catalogue.resolve("data:pairs/coast/dev").read_bytes() == TEST
    monkeypatch.setattr(catalogue, "RAW_FILES", "http://127.0.0.1:1")
    catalogue.fetch("pairs/coast")  # nothing is fetched twice
    (tmp_path / "cache" / "pairs" / "coast" / "dev.txt").write_bytes(b"damaged")
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    catalogue.fetch("pairs/coast")
    assert catalogue.resolve("data:pairs/coast/dev").read_bytes() == TEST


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("north/train", "it was not kept"),
        ("north/gone", "404"),
        ("north/made", "cannot be downloaded; set ONOMAST_DATA"),
    ],
)
def test_a_download_that_is_not_what_it_should_be_is_refused(
    name: str, message: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    with pytest.raises(DataError, match=message) as caught:
        catalogue.fetch(f"pairs/{name}")
    assert "\n" not in str(caught.value)
    assert files_under(tmp_path / "cache") == []


def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", "http://127.0.0.1:1")
    with pytest.raises(DataError, match="is there a network") as caught:
        catalogue.fetch("pairs/coast/train")
    assert "\n" not in str(caught.value)
    assert files_under(tmp_path / "cache") == []


def test_a_server_that_stops_half_way_leaves_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    monkeypatch.setattr(catalogue, "_SECONDS", 0.5)
    Handler.stall.set()
    with pytest.raises(DataError, match="cannot be downloaded"):
        catalogue.fetch("pairs/coast/train")
    assert files_under(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("endless", "sends more than [0-9,]+ bytes, its size in the catalogue"),
        ("slow", "sent [0-9,]+ of [0-9,]+ bytes in 1 s; expected 1000 kB/s or more"),
    ],
)
def test_a_server_that_does_not_behave_is_not_waited_for(
    fault: str, message: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    monkeypatch.setattr(catalogue, "_SECONDS", 0.6)
    monkeypatch.setattr(catalogue, "_SLOWEST", 1_000_000)
    Handler.fault = fault
    began = time.monotonic()
    with pytest.raises(DataError, match=message):
        catalogue.fetch("pairs/coast/train")
    assert time.monotonic() - began < 20
    assert files_under(tmp_path / "cache") == []


def test_a_content_length_that_is_no_number_does_no_harm(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    Handler.fault = "wrong"
    catalogue.fetch("pairs/coast/train")
    assert files_under(tmp_path / "cache") == ["pairs/coast/train.txt"]


def test_two_fetches_at_once_both_succeed(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: catalogue.fetch("pairs/coast/train"), range(24)))
    assert len(set(folders)) == 1 and files_under(tmp_path / "cache") == ["pairs/coast/train.txt"]


def test_killed_half_way_nothing_has_the_files_name_and_the_next_fetch_leaves_no_rest(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Handler.stall.set()
    script = (
        "from pathlib import Path; from onomast.data import catalogue; "
        f"catalogue._CATALOGUE = Path({str(tmp_path / 'made.toml')!r}); catalogue.RAW_FILES = {server!r}; "
        "catalogue.fetch('pairs/coast/train')"
    )
    child = subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ))
    assert Handler.halfway.wait(60)
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) != 0
    with pytest.raises(DataError, match="is not here"):
        catalogue.resolve("data:pairs/coast/train")
    Handler.stall.clear()
    monkeypatch.setattr(catalogue, "RAW_FILES", server)
    catalogue.fetch("pairs/coast/train")
    assert files_under(tmp_path / "cache") == ["pairs/coast/train.txt"]


def test_the_list_shows_names_licences_and_homes() -> None:
    shown = catalogue.render_entries()
    assert "data:pairs" in shown and "coast/{train,dev} north/{train,made,gone}" in shown and "CC0" in shown
    assert "https://github.com/owner/pairs@abc123" in shown
    row = catalogue.to_json()[0]
    assert row["languages"] == ["hau", "swa"]
    assert row["files"][1]["url"] == f"{catalogue.RAW_FILES}/owner/pairs/abc123/corpora/de%20v.txt"


def test_the_shipped_catalogue_is_whole() -> None:
    table = catalogue._table(catalogue._CATALOGUE)
    corpora = catalogue.entries()
    assert len(corpora) == 26
    for entry in corpora:
        assert entry.title and entry.licence and (entry.homes or entry.name == "raw")
        assert len({file.name for file in entry.files}) == len({file.path for file in entry.files}) == len(entry.files)
        for file in entry.files:
            assert file.language in table["languages"]
            assert len(file.sha256) == 64 and file.bytes > 0
            assert file.url is None or file.url.startswith("https://raw.githubusercontent.com/")


def test_every_sample_resolves_and_has_a_language() -> None:
    for path in catalogue._SAMPLES.glob("*/*.conll"):
        name = f"sample:{path.parent.name}/{path.stem}"
        assert catalogue.resolve(name) == path
        assert catalogue.language_of(name) in ("eng", "ind", "swa")


NAMES = {
    "myner/train": "mya",
    "myner/test": "mya",
    "masakhaner2/swa/test": "swa",
    "masakhaner2/hau/train": "hau",
    "ilner/Telugu/train": "tel",
    "ilner/te/train": "tel",
    "conll2003_en/train": "eng",
    "injongo/swa/train": "swa",
    "raw/swa": "swa",
}


@pytest.mark.corpus
@pytest.mark.skipif("ONOMAST_DATA" not in os.environ, reason="ONOMAST_DATA is not set: no corpora here")
def test_every_file_of_the_mirror_is_what_the_catalogue_says() -> None:
    mirror = Path(os.environ["ONOMAST_DATA"])
    for name, language in NAMES.items():
        assert catalogue.resolve(f"data:{name}").is_relative_to(mirror)
        assert catalogue.language_of(f"data:{name}") == language
    for entry in catalogue.entries():
        for file in entry.files:
            path = mirror / entry.name / file.path
            assert path.stat().st_size == file.bytes, path
            assert catalogue._sha256(path) == file.sha256, path
