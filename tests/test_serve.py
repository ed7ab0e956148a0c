"""`onomast serve`, as a process of its own on the loopback, and what its clients see."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from made_up import labelled
from onomast.apps.model import Model
from onomast.corpus import Corpus
from onomast.recipe import read_recipe
from onomast.taggers.registry import new_tagger

for library in ("fastapi", "uvicorn", "prometheus_client"):
    pytest.importorskip(library)

from onomast.apps.serve.app import PAGE  # noqa: E402
from onomast.apps.serve.messages import utf16_positions  # noqa: E402

TEXT = "Asha alisafiri huko Tanga sana. 😀 Juma alilala huko Moshi."


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]

    def __call__(self, path: str, body: Any = None, **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request("GET" if body is None else "POST", path, sent, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@contextmanager
def serving(*words: str | Path, key: str = "") -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "onomast.cli", "serve", *map(str, words), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "ONOMAST_API_KEY": key}, stderr=subprocess.PIPE)
    server = Server(port, process)
    try:
        for _ in range(300):
            assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
            try:
                if server("/health/ready").status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait(30)
        if process.stderr:
            process.stderr.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear tagger that knows persons and places."""
    path = tmp_path_factory.mktemp("serve") / "people"
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("made up", labelled(40)))
    tagger.save(path)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    limits = ["--max-bytes", "200000", "--max-texts", "20", "--max-tokens", "20000", "--timeout", "3"]
    with serving(folder, f"twin={folder}", "--workers", "2", *limits) as running:
        yield running


def test_answers_equal_those_of_the_model(server: Server, folder: Path) -> None:
    model = Model.load(folder)
    texts = [TEXT, "", "\n\n", "Neema alisafiri huko Dodoma sana sana ."]
    answer = server("/v1/tag", {"text": texts})
    assert answer.status == 200 and answer.json["model"] == "people"
    for result, wanted, text in zip(answer.json["results"], model.entities(texts), texts, strict=True):
        assert [(one["start"], one["end"], one["label"]) for one in result["entities"]] == [
            (one.start, one.end, one.label) for one in wanted
        ]
        assert all(text[one["start"] : one["end"]] == one["text"] for one in result["entities"])
    assert len(answer.json["results"][0]["entities"]) >= 4
    tokens = TEXT.split()
    (one,) = server("/v1/tag", {"tokens": tokens, "model": "twin"}).json["results"]
    assert [entity["text"] for entity in one["entities"]] == [entity.text for entity in model.entities([tokens])[0]]
    many = server("/v1/tag", {"tokens": [tokens, tokens]}).json["results"]
    assert many == [one, one]


def test_offsets_in_utf16_are_those_of_javascript(server: Server) -> None:
    points, units = (
        server("/v1/tag", {"text": TEXT, "offsets": kind}).json["results"][0]["entities"]
        for kind in ("codepoint", "utf16")
    )
    encoded = TEXT.encode("utf-16-le")
    for one, other in zip(points, units, strict=True):
        assert encoded[2 * other["start"] : 2 * other["end"]].decode("utf-16-le") == one["text"]
    assert [one["start"] for one in points] != [one["start"] for one in units]
    assert utf16_positions("a😀b") == [0, 1, 3, 4]


def test_entities_below_the_least_confidence_are_left_out(server: Server) -> None:
    every = server("/v1/tag", {"text": TEXT}).json["results"][0]["entities"]
    least = sorted(one["confidence"] for one in every)[1]
    kept = server("/v1/tag", {"text": TEXT, "min_confidence": least}).json["results"][0]["entities"]
    assert kept == [one for one in every if one["confidence"] >= least] and len(kept) < len(every)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 422, "JSON"),
        (b"", 422, "JSON"),
        (b"\xff\xfe", 422, "JSON"),
        ({}, 422, "either text or tokens"),
        ({"text": "a", "tokens": ["a"]}, 422, "either text or tokens"),
        ({"text": 3}, 422, "text"),
        ({"texts": "a"}, 422, "texts"),
        ({"text": "a", "offsets": "bytes"}, 422, "offsets"),
        ({"text": "a", "min_confidence": 2}, 422, "min_confidence"),
        ({"text": "a", "model": "nobody"}, 422, "people"),
        ({"text": ["a"] * 21}, 413, "at most 20"),
        ({"text": "a " * 60_000}, 413, "at most 20000"),
        (b" " * 200_001, 413, "at most 200000"),
    ],
)
def test_refuses_what_is_wrong_or_too_much(server: Server, body: Any, status: int, said: str) -> None:
    answer = server("/v1/tag", body)
    assert (answer.status, said in answer.json["error"]) == (status, True), answer.body


def test_a_body_that_does_not_come_is_given_up(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        slow.sendall(b'POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{"text"')
        assert b" 408 " in slow.recv(1000).splitlines()[0]


def test_a_stream_answers_each_line_in_order(server: Server) -> None:
    lines = [json.dumps({"text": f"Asha alisafiri huko Tanga {number}."}) for number in range(50)]
    lines[7:7] = ["nonsense", "", json.dumps({"text": "a", "model": "nobody"})]
    answer = server("/v1/tag/stream", "\n".join(lines).encode())
    answers = [json.loads(line) for line in answer.body.splitlines()]
    assert len(answers) == 52 and "JSON" in answers[7]["error"] and "nobody" in answers[8]["error"]
    assert all(len(one["results"][0]["entities"]) == 2 for one in [*answers[:7], *answers[9:]])
    assert "bytes" in json.loads(server("/v1/tag/stream", b"x" * 300_000).body)["error"]


def test_says_what_it_serves(server: Server) -> None:
    info = server("/info").json
    assert [model["name"] for model in info["models"]] == ["people", "twin"]
    assert set(info["models"][0]["labels"]) == {"LOC", "PER"} and len(info["models"][0]["version"]) == 16
    assert server("/health/live").status == 200
    figures = server("/metrics").body.decode()
    assert re.search(r'onomast_requests_total{path="/v1/tag",status="200"} [1-9]', figures)
    assert "/v1/tag" in server("/openapi.json").json["paths"]
    assert server("/page/secret").status == server("/nothing").status == 404


def test_pages_load_nothing_from_elsewhere(server: Server) -> None:
    for path, name in (("/", "try.html"), ("/docs", "docs.html"), ("/page/try.js", "try.js")):
        answer = server(path)
        assert answer.status == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.body == (PAGE / name).read_bytes()
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "//" not in re.sub(r"^// .*$", "", text, flags=re.MULTILINE) and "innerHTML" not in text
        assert not re.search(r"<script>|<style>|style=|onclick=", text)


def test_asks_for_the_key(folder: Path) -> None:
    with serving(folder, "--workers", "1", key="s3cret") as locked:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            assert locked("/v1/tag", {"text": TEXT}, **given).status == 401
            assert locked("/info", **given).status == 401
        assert locked("/v1/tag", {"text": TEXT}, Authorization="Bearer s3cret").status == 200
        assert locked("/health/ready").status == locked("/").status == 200


def test_a_full_queue_refuses_and_everything_else_is_answered_rightly(folder: Path) -> None:
    with serving(folder, "--workers", "1", "--queue", "2") as small:
        body = {"text": [TEXT * 20] * 20}
        alone = small("/v1/tag", body).json["results"]
        with ThreadPoolExecutor(20) as clients:
            answers = list(clients.map(lambda _: small("/v1/tag", body), range(40)))
        assert {answer.status for answer in answers} == {200, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status == 429)
        assert all(answer.json["results"] == alone for answer in answers if answer.status == 200)


def test_reloads_without_dropping_a_request_and_stops_after_answering(folder: Path, tmp_path: Path) -> None:
    served = tmp_path / "model"
    shutil.copytree(folder, served)
    with serving(served, "--workers", "2", "--queue", "100") as running:
        answers: list[Answer] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                answers.append(running("/v1/tag", {"text": TEXT}))

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        before = running("/info").json["models"][0]["version"]
        (served / "recipe.toml").write_text("broken", encoding="utf-8")
        assert running("/v1/reload", {}).json == {"reloaded": []}  # tags.json is the same
        tagger = new_tagger(read_recipe("crf"))
        tagger.fit(Corpus("other", labelled(12, seed=3)))
        tagger.save(served)
        running.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 20
        while running("/info").json["models"][0]["version"] == before and time.monotonic() < until:
            time.sleep(0.05)
        count = len(answers)
        while len(answers) < count + 20 and time.monotonic() < until:
            time.sleep(0.05)
        stop.set()
        for client in clients:
            client.join()
        assert {answer.status for answer in answers} == {200}
        versions = [answer.json["version"] for answer in answers]
        assert set(versions) == {before, running("/info").json["models"][0]["version"]} and before != versions[-1]
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(running, "/v1/tag", {"text": [TEXT * 30] * 20}) for _ in range(4)]
            time.sleep(0.15)
            running.process.send_signal(signal.SIGTERM)
            assert [one.result().status for one in waiting] == [200] * 4
        assert running.process.wait(20) == 0


def test_says_what_is_wrong_before_it_serves(folder: Path, tmp_path: Path) -> None:
    for words, said in (([tmp_path / "no"], "no such folder"), ([folder, folder], "is taken")):
        command = [sys.executable, "-m", "onomast.cli", "serve", *map(str, words)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 1 and said in ran.stderr and "Traceback" not in ran.stderr


def test_is_a_backend_for_label_studio(server: Server) -> None:
    config = '<View><Labels name="l" toName="t"><Label value="PER"/></Labels><Text name="t" value="$text"/></View>'
    assert server("/label-studio/health").json["status"] == "UP"
    assert server("/label-studio/setup", {}).json["model_version"] == server("/info").json["models"][0]["version"]
    asked = {"tasks": [{"id": 1, "data": {"text": TEXT}}], "label_config": config}
    (one,) = server("/label-studio/predict", asked).json["results"]
    assert [result["value"]["text"] for result in one["result"]][:1] == ["Asha"]
    for wrong in ({}, [], {**asked, "tasks": [{}]}, {**asked, "label_config": "<"}):
        assert server("/label-studio/predict", wrong).status == 422
