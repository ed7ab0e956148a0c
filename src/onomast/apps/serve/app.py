"""The HTTP interface: endpoints, limits, key, metrics. Tagging itself happens in the threads of `queue.py`."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from onomast._version import __version__
from onomast.apps.serve.label_studio import predictions, read_config, texts_of
from onomast.apps.serve.messages import Limits, Refused, TagAnswer, TagRequest, parse, results
from onomast.apps.serve.metrics import Metrics
from onomast.apps.serve.models import Models, Served
from onomast.apps.serve.queue import QueueFull, Workers
from onomast.errors import OnomastError

PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_OPEN = ("/", "/docs", "/health/live", "/health/ready", "/openapi.json")  # and /page/...: no key is asked for
_AHEAD = 8  # lines of a stream that are in the queue at once


@dataclass
class State:
    """What the endpoints share."""

    models: Models
    workers: Workers
    metrics: Metrics
    limits: Limits
    key: str | None
    ready: bool = True
    tasks: set[Any] = field(default_factory=set)


def new_app(state: State, on_start: Callable[[], Awaitable[None]] | None = None) -> FastAPI:
    """The application. `on_start` is awaited when the server has begun."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if on_start is not None:
            await on_start()
        yield
        state.ready = False
        await asyncio.to_thread(state.workers.stop, state.limits.seconds)

    app = FastAPI(title="Onomast", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(_Guard, state=state)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(QueueFull, _refused)
    app.add_exception_handler(OnomastError, _refused)
    _add_tagging(app, state)
    _add_observation(app, state)
    _add_label_studio(app, state)
    _add_pages(app)
    return app


class _Guard:
    """ASGI middleware: asks for the key, sets headers, and counts answers."""

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        path = scope["path"]
        given = dict(scope["headers"]).get(b"authorization", b"")
        is_open = self._state.key is None or path in _OPEN or path.startswith("/page/")
        try:
            if is_open or hmac.compare_digest(given, f"Bearer {self._state.key}".encode()):
                await self._app(scope, receive, sending)
            else:
                refusal = _error(401, "the key is missing or wrong; send Authorization: Bearer KEY")
                await refusal(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._state.metrics.request(route, status, time.perf_counter() - began)


class _Lines(StreamingResponse):
    """NDJSON whose lines are made while the body of the request is still being read.

    Starlette's own would read the body too, to see whether the client has gone.
    """

    media_type = "application/x-ndjson"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI
        await self.stream_response(send)


def _add_tagging(app: FastAPI, state: State) -> None:
    schema = {"requestBody": {"content": {"application/json": {"schema": TagRequest.model_json_schema()}}}}
    errors: dict[int | str, dict[str, Any]] = {
        status: {"description": said}
        for status, said in (
            (401, "The key is missing or wrong."),
            (408, "The request, or tagging it, took too long."),
            (413, "Too many bytes, texts or tokens."),
            (422, "The request is malformed."),
            (429, "The queue is full; Retry-After says how many seconds to wait."),
        )
    }

    @app.post("/v1/tag", response_model=TagAnswer, openapi_extra=schema, responses=errors)
    async def tag(request: Request) -> Response:
        """Find the entities of texts, or of sentences given as tokens."""
        if state.workers.waiting >= state.workers.room:
            raise QueueFull(1.0)  # before the body is read
        try:
            async with asyncio.timeout(state.limits.seconds):
                body = await _body(request, state.limits.bytes)
                return JSONResponse(await _answer(state, body))
        except TimeoutError:
            raise Refused(408, f"not answered within {state.limits.seconds:g} s") from None

    @app.post("/v1/tag/stream", response_class=_Lines, responses=errors)
    async def stream(request: Request) -> Response:
        """One request a line in (as for /v1/tag), one answer a line out, in order; a bad line gets an `error`."""
        return _Lines(_stream(request, state))


async def _answer(state: State, body: bytes) -> dict[str, Any]:
    """The answer to the body of a request. Raises Refused, QueueFull, OnomastError."""
    request, items = parse(body, state.limits)
    served = state.models.get(request.model)
    found = await asyncio.wrap_future(state.workers.submit(served, items, request.language)) if items else []
    state.metrics.texts.inc(len(items))
    return {"model": served.name, "version": served.version, "results": results(found, request)}


async def _body(request: Request, most: int) -> bytes:
    """The body. Raises Refused as soon as it is too long."""
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said) > most:
        raise Refused(413, f"{said} bytes; at most {most} are taken at once")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Refused(413, f"more than {most} bytes; no more are taken at once")
    return bytes(body)


async def _stream(request: Request, state: State) -> AsyncIterator[str]:
    """Answers in the order of the lines; at most `_AHEAD` of them are in work, so a client that does not read waits."""
    waiting: list[asyncio.Task[str]] = []
    try:
        async for line in _lines(request, state.limits.bytes):
            waiting.append(asyncio.ensure_future(_answer_line(state, line)))
            if len(waiting) >= _AHEAD:
                yield await waiting.pop(0)
        while waiting:
            yield await waiting.pop(0)
    finally:
        for task in waiting:
            task.cancel()


async def _answer_line(state: State, line: bytes | None) -> str:
    if line is None:
        answer: dict[str, Any] = {"error": f"a line of more than {state.limits.bytes} bytes; the rest was not read"}
        return json.dumps(answer) + "\n"
    while True:
        try:
            async with asyncio.timeout(state.limits.seconds):
                answer = await _answer(state, line)
        except QueueFull:
            await asyncio.sleep(0.05)  # the client waits; that is what a stream is for
            continue
        except (Refused, OnomastError) as error:
            answer = {"error": str(error)}
        except TimeoutError:
            answer = {"error": f"not answered within {state.limits.seconds:g} s"}
        return json.dumps(answer, ensure_ascii=False) + "\n"


async def _lines(request: Request, most: int) -> AsyncIterator[bytes | None]:
    """Lines of a body, empty ones left out; None, and the end, for one that is too long."""
    held = b""
    async for part in request.stream():
        *whole, held = (held + part).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(held) > most:
            yield None
            return
    if held.strip():
        yield held


def _add_observation(app: FastAPI, state: State) -> None:
    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready(response: Response) -> dict[str, str]:
        """Models are loaded and the server is not stopping."""
        response.status_code = 200 if state.ready else 503
        return {"status": "ready" if state.ready else "stopping"}

    @app.get("/info")
    async def info() -> dict[str, Any]:
        """The models: version (a hash), labels, languages, recipe, calibration; and the limits of a request."""
        return {
            "onomast": __version__,
            "models": [served.info() for served in state.models.all()],
            "limits": vars(state.limits),
        }

    @app.post("/v1/reload")
    async def reload() -> dict[str, list[str]]:
        """Load the models whose folders have changed; requests go on meanwhile."""
        return {"reloaded": await asyncio.to_thread(state.models.reload)}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(state.metrics.text(state.workers.waiting), media_type="text/plain; version=0.0.4")


def _add_label_studio(app: FastAPI, state: State) -> None:
    """The ML backend that a Label Studio project is connected to, at http://HOST:PORT/label-studio."""

    @app.get("/label-studio/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "UP", "model_class": "onomast"}

    @app.post("/label-studio/setup", include_in_schema=False)
    async def setup() -> dict[str, str]:
        return {"model_version": state.models.get(None).version}

    @app.post("/label-studio/predict", include_in_schema=False)
    async def predict(request: Request) -> Response:
        body = await _body(request, state.limits.bytes)
        try:
            asked = json.loads(body)
            config = read_config(asked["label_config"])
            texts = texts_of(asked["tasks"], config)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(422, f"expected tasks and label_config, as Label Studio sends them ({error!r})") from None
        if len(texts) > state.limits.texts:
            raise Refused(413, f"{len(texts)} tasks; at most {state.limits.texts} are taken at once")
        served = state.models.get(None)
        found = await asyncio.wrap_future(state.workers.submit(served, texts)) if texts else []
        return JSONResponse({"results": predictions(found, config, served.version)})


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "try.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        known = {path.name: path for path in PAGE.iterdir() if path.suffix in (".css", ".js")}
        return FileResponse(known[name]) if name in known else _error(404, "there is no such page")


async def _refused(_: Request, error: Exception) -> Response:
    """What went wrong, as JSON."""
    if not isinstance(error, QueueFull):
        return _error(error.status if isinstance(error, Refused) else 422, str(error))
    response = _error(429, str(error))
    response.headers["Retry-After"] = str(math.ceil(error.seconds))
    return response


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


def describe(served: Served) -> str:
    """One line for the log."""
    model = served.copies[0]
    return f"{served.name}: {served.folder} ({model.recipe.name}; {', '.join(model.labels)}), version {served.version}"
