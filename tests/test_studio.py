"""The studio without a browser: the project folder, the rules of a change, and a real server spoken to over HTTP."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from made_up import labelled
from onomast import DataError, Sentence, Span, read, write
from onomast.apps.studio import labelling, project, views, worker
from onomast.apps.studio.server import Studio
from onomast.apps.studio.store import Store, items, sentence_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "project")
    made.create()
    return made


def with_text(store: Store, *texts: str) -> list[int]:
    path = store.folder / "text.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    project.import_file(store, path, "text.txt", "asha", kind="text")
    with store.reading() as db:
        return [one.id for one in items(db)]


def the(store: Store, number: int) -> Any:
    with store.reading() as db:
        return items(db, "id = ?", (number,))[0]


def test_a_change_names_the_version_it_saw(store: Store) -> None:
    (number,) = with_text(store, "Asha yuko Mombasa")
    first = labelling.act(store, number, 0, "asha", "tags", {"tags": ["B-PER", None, None]})
    assert first.version == 1 and first.sentence.spans == [Span(0, 1, "PER")]
    with pytest.raises(labelling.Conflict) as refused:
        labelling.act(store, number, 0, "juma", "tags", {"tags": [None, None, "B-LOC"]})
    assert refused.value.current.sentence.tags == ("B-PER", None, None)
    assert the(store, number).user == "asha"


def test_twenty_people_at_once_lose_no_label(store: Store) -> None:
    """Each adds one label of its own, again from what stands there now when somebody was faster."""
    (number,) = with_text(store, " ".join(f"neno{i}" for i in range(20)))

    def add(place: int) -> None:
        while True:
            now = the(store, number)
            tags = list(now.sentence.tags or [None] * 20)
            tags[place] = "B-PER"
            try:
                labelling.act(store, number, now.version, f"user{place}", "tags", {"tags": tags})
                return
            except labelling.Conflict:
                continue

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(add, range(20)))
    assert the(store, number).sentence.tags == ("B-PER",) * 20
    assert the(store, number).version == 20


def test_undo_takes_back_step_by_step_and_not_over_another_persons_change(store: Store) -> None:
    (number,) = with_text(store, "Asha yuko Mombasa")
    labelling.act(store, number, 0, "asha", "tags", {"tags": ["B-PER", None, None]})
    labelling.act(store, number, 1, "asha", "done", {"tags": ["B-PER", "O", "B-LOC"]})
    undone = labelling.undo(store, "asha")
    assert undone is not None and undone.status == "new" and undone.sentence.tags == ("B-PER", None, None)
    undone = labelling.undo(store, "asha")
    assert undone is not None and undone.sentence.tags is None
    assert labelling.undo(store, "asha") is None
    now = labelling.act(store, number, the(store, number).version, "asha", "flag", {"on": True})
    labelling.act(store, number, now.version, "juma", "tags", {"tags": [None, None, "B-LOC"]})
    with pytest.raises(labelling.Conflict):
        labelling.undo(store, "asha")


@pytest.mark.parametrize(
    "tags", [["B-PER"], ["I-PER", "O", "O"], ["PER", "O", "O"], "OOO", [1, "O", "O"], ["B-", "O", "O"]]
)
def test_tags_that_no_sentence_can_have_are_refused(store: Store, tags: Any) -> None:
    (number,) = with_text(store, "Asha yuko Mombasa")
    with pytest.raises(DataError):
        labelling.act(store, number, 0, "asha", "done", {"tags": tags})
    assert the(store, number).version == 0


def test_split_and_join_at_graphemes_keep_text_offsets_and_labels(store: Store) -> None:
    text = "นายสมชาย 👩‍👩‍👧 é"
    (number,) = with_text(store, text)
    before = the(store, number).sentence
    family = before.tokens.index("👩‍👩‍👧")
    with pytest.raises(DataError, match="nowhere"):
        labelling.split_token(before, family, 1)
    joined = labelling.join_tokens(before, 0, 2)
    assert joined.tokens[0] == before.tokens[0] + before.tokens[1]
    parts = labelling.split_token(joined, 0, len(before.tokens[0]))
    assert (parts.tokens, parts.offsets) == (before.tokens, before.offsets)
    with pytest.raises(DataError, match="white space"):
        labelling.join_tokens(before, family, family + 2)
    tagged = replace(before, tags=("B-PER", "I-PER", *("O",) * (len(before) - 2)))
    assert labelling.join_tokens(tagged, 0, 2).spans == [Span(0, 1, "PER")]
    assert (
        labelling.split_token(tagged, 0, len(tagged.tokens[0]) - 1 or 1).spans[0].end == 3
        if len(tagged.tokens[0]) > 1
        else True
    )
    for one in (joined, parts):
        for token, (start, end) in zip(one.tokens, one.offsets or (), strict=True):
            assert text[start:end] == token


def test_an_entity_cut_by_a_join_stays_legal() -> None:
    sentence = Sentence(("a", "b", "c"), ("O", "B-PER", "I-PER"), offsets=((0, 1), (1, 2), (2, 3)), text="abc")
    assert labelling.join_tokens(sentence, 0, 2).tags == ("O", "B-PER")


@pytest.mark.parametrize("format", sorted(project.SUFFIXES))
def test_every_format_comes_out(store: Store, format: str) -> None:
    project.add_sentences(store, labelled(20), "asha")
    name, content = project.export(store, format)
    assert content and Path(name).suffix in (".zip", project.SUFFIXES[format])
    name, content = project.export(store, format, splits=True)
    assert zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_export_and_import_give_the_same_project(store: Store, tmp_path: Path) -> None:
    numbers = with_text(store, "Asha yuko Mombasa", "Juma 😀 hayuko", "سلام دنیا")
    labelling.act(store, numbers[0], 0, "asha", "done", {"tags": ["B-PER", None, "B-LOC"]})
    labelling.act(store, numbers[1], 0, "juma", "flag", {"on": True})
    project.set_labels(store, [{"name": "PER", "colour": "#aabbcc", "guideline": "people"}], ["news"])
    path = tmp_path / "project.json"
    path.write_bytes(project.export_project(store))
    other = Store(tmp_path / "other")
    other.create()
    project.import_file(other, path, "project.json", "asha")
    assert project.export_project(other) == path.read_bytes()
    with pytest.raises(DataError, match="empty"):
        project.import_file(other, path, "project.json", "asha")


def test_labelled_and_partly_labelled_files_come_in(store: Store, tmp_path: Path) -> None:
    write(labelled(10), tmp_path / "a.conll")
    write([replace(one, tags=(None,) * len(one)) for one in labelled(3, seed=2)], tmp_path / "b.jsonl")
    project.import_file(store, tmp_path / "a.conll", "a.conll", "asha")
    project.import_file(store, tmp_path / "b.jsonl", "b.jsonl", "asha")
    with store.reading() as db:
        found = items(db)
    assert [one.status for one in found] == ["done"] * 10 + ["new"] * 3
    assert {one.name for one in project.labels_of(store)} >= {"PER", "LOC"}
    _, content = project.export(store, "columns")
    (tmp_path / "back.conll").write_bytes(content)
    assert [one.tags for one in read(tmp_path / "back.conll")] == [one.tags for one in labelled(10)]


def test_names_of_a_list_are_suggested(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "places.txt"
    path.write_text("Dar es Salaam\nMombasa\n", encoding="utf-8")
    project.import_file(store, path, "places.txt", "asha", kind="words", label="LOC")
    sentence = Sentence(("Asha", "yuko", "Dar", "es", "Salaam", "leo"))
    assert worker.listed(sentence, {"LOC": ["Dar es Salaam", "Mombasa"]}) == [(2, 5, "LOC")]
    assert [one.name for one in project.labels_of(store)] == ["LOC"]


def test_agreement_of_two_people() -> None:
    """Kappa by hand: 4 tokens, 3 agreed (0.75), by chance 10/16."""
    one = Sentence(("a", "b", "c", "d"), ("B-PER", "O", "O", "O"))
    two = Sentence(("a", "b", "c", "d"), ("B-PER", "O", "O", "B-PER"))
    found = views.agreement([("x", 1, one), ("y", 1, two), ("y", 2, two)])
    expected = (1 / 4) * (2 / 4) + (3 / 4) * (2 / 4)
    assert found == [
        {
            "people": ["x", "y"],
            "sentences": 1,
            "kappa": pytest.approx((0.75 - expected) / (1 - expected)),
            "f1": pytest.approx(2 / 3),
        }
    ]


def test_retraining_suggests_and_orders(store: Store) -> None:
    project.add_sentences(store, labelled(60), "asha")
    project.add_sentences(store, [one.bare() for one in labelled(50, seed=7)], "asha")
    for kind in ("retrain", "progress", "mistakes", "suspects"):
        with store.transaction() as db:
            job = db.execute("INSERT INTO jobs (kind, state, began) VALUES (?, 'waiting', 0)", (kind,)).lastrowid
        worker.run(store, job or 0)
        with store.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        assert row["state"] == "done", row["message"]
    with store.reading() as db:
        drawn = [row["is_random"] for row in db.execute("SELECT * FROM queue ORDER BY place")]
    assert sum(drawn) == 10 and len(drawn) == 50
    view = views.next_sentence(store, [], "asha", "queue")
    assert view is not None and view["suggestions"]
    assert "<html" in (store.folder / "mistakes.html").read_text(encoding="utf-8").lower()


def start(folder: Path, *words: str) -> tuple[subprocess.Popen[str], str, str]:
    """A real studio: the process, host:port, token."""
    code = "from onomast.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "studio", str(folder), "--no-browser", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://(\S+?)/\?token=(\S+)", line):
            return process, found[1], found[2]
    raise AssertionError("the studio printed no address")


class Client:
    """A browser as far as HTTP goes."""

    def __init__(self, host: str, token: str) -> None:
        self.host = host
        self.headers = {"Cookie": f"onomast-studio-{host.rpartition(':')[2]}={token}", "Origin": f"http://{host}"}

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request(method, path, body, {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def post(self, route: str, **values: Any) -> tuple[int, Any]:
        status, _, content = self.ask(
            "POST", f"/api/{route}", json.dumps(values).encode(), Content_Type="application/json"
        )
        return status, json.loads(content)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Studio(tmp_path / "project", user="asha") as server:
        server.api.jobs.start()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Client(f"127.0.0.1:{server.server_port}", server.token)
        server.shutdown()
        thread.join()


def test_only_the_token_opens_the_studio(client: Client) -> None:
    stranger = Client(client.host, "no")
    assert stranger.ask("GET", "/")[0] == 403 and stranger.ask("GET", "/api/state")[0] == 403
    assert stranger.ask("GET", "/?token=wrong")[0] == 403
    token = client.headers["Cookie"].partition("=")[2]
    status, headers, _ = stranger.ask("GET", f"/?token={token}")
    assert status == 303 and "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    status, headers, page = client.ask("GET", "/")
    assert status == 200 and b"app.js" in page
    assert (
        "script-src 'self'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
    )


def test_other_pages_and_names_are_turned_away(client: Client) -> None:
    assert client.ask("GET", "/api/state", Host="evil.example")[0] == 403
    assert client.ask("GET", "/api/state", Host=f"evil.example:{client.host.rpartition(':')[2]}")[0] == 403
    for origin in ("http://evil.example", "null", f"https://{client.host}", ""):
        assert client.ask("POST", "/api/undo", b"{}", Origin=origin, Content_Type="application/json")[0] == 403
    assert client.ask("POST", "/api/undo", b"{}", Content_Type="text/plain")[0] == 415
    assert client.post("undo") == (200, {"sentence": None})


def test_no_path_leaves_the_project_and_uploads_are_bounded(client: Client) -> None:
    for path in (
        "/../server.py",
        "/%2e%2e/server.py",
        "/vendor/../../server.py",
        "/project.sqlite",
        "/..%2f..%2fetc/passwd",
    ):
        assert client.ask("GET", path)[0] == 404
    for name in ("..", "../..", "/etc", "."):
        assert client.ask("GET", f"/api/tagger?name={name}")[0] == 400
    assert client.post("job", kind="use", detail="../../etc")[0] == 400
    assert client.ask("POST", "/api/import", b"", Content_Length=str(1 << 40))[0] == 413
    assert client.ask("POST", "/api/import?name=../../x.txt", b"Asha yuko hapa.")[0] == 200
    assert client.ask("GET", "/api/sentence?id=nonsense")[0] == 400 and client.post("act", id=1)[0] == 400
    assert client.post("act", id=99, version=0, kind="flag", on=True)[0] == 400


def test_two_browsers_see_each_other(client: Client) -> None:
    client.ask("POST", "/api/import?name=t.txt&kind=text", b"Asha yuko Mombasa.\nJuma yuko Nairobi.\n")
    first = json.loads(client.ask("GET", "/api/next?session=a&user=asha")[2])["sentence"]
    second = json.loads(client.ask("GET", "/api/next?session=b&user=juma")[2])["sentence"]
    assert first["id"] != second["id"]  # nobody is given what another is labelling
    tags = ["B-PER", "O", "B-LOC", "O"]
    status, answer = client.post("act", id=first["id"], version=0, kind="done", tags=tags, user="asha")
    assert status == 200 and answer["sentence"]["status"] == "done"
    status, answer = client.post("act", id=first["id"], version=0, kind="tags", tags=["O"] * 4, user="juma")
    assert status == 409 and answer["sentence"]["tags"] == tags and "asha" in answer["error"]


@pytest.mark.slow
def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (tmp_path / "t.txt").write_text("\n".join(f"Asha yuko Mombasa{i} ." for i in range(12)), encoding="utf-8")
    process, host, token = start(folder, "--add", str(tmp_path / "t.txt"))
    sure = []
    for number in range(1, 6):
        status, _ = Client(host, token).post(
            "act", id=number, version=0, kind="done", tags=["B-PER", "O", "B-LOC", "O"]
        )
        assert status == 200
        sure.append(number)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        process, host, token = start(folder)
        with Store(folder).reading() as db:
            assert [one.id for one in items(db, "status = 'done'")] == sure
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_content_of_a_damaged_project_is_named() -> None:
    with pytest.raises(DataError):
        sentence_of({"tokens": 3})


def test_the_tagger_learns_after_ten_sentences_without_blocking(client: Client) -> None:
    text = "\n".join(" ".join(one.tokens) + " ." for one in labelled(40))
    client.ask("POST", "/api/import?name=t.txt&kind=text", text.encode())
    for _ in range(10):
        view = json.loads(client.ask("GET", "/api/next?session=a&user=asha")[2])["sentence"]
        tags = ["B-PER", *["O"] * (len(view["tokens"]) - 1)]
        assert client.post("act", id=view["id"], version=view["version"], kind="done", tags=tags)[0] == 200
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        jobs = json.loads(client.ask("GET", "/api/state")[2])["jobs"]
        if any(job["kind"] == "retrain" and job["state"] in ("done", "failed") for job in jobs):
            break
        time.sleep(0.2)
    assert jobs[0]["state"] == "done", jobs
    status, answer = client.post("try", text="Asha yuko hapa.")
    assert status == 200 and answer["sentences"][0]["spans"]
    assert zipfile.ZipFile(io.BytesIO(client.ask("GET", "/api/tagger?name=current")[2])).namelist()
