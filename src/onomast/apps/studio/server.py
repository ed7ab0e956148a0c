"""The local server of the studio: a few routes over the project, for browsers that know the token.

Standard library alone. Listens on 127.0.0.1 unless told otherwise. Every request needs the cookie that the address with
the token gives, and a Host that is ours; every change besides an Origin that is ours.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import secrets
import socket
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from onomast.apps.studio.api import Api
from onomast.apps.studio.labelling import Conflict
from onomast.apps.studio.store import Store
from onomast.errors import OnomastError

MOST_UPLOAD = 64 << 20  # bytes
_MOST_JSON = 4 << 20
_SECONDS = 120  # without a byte from the other side
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript"}
_PAGES = ("index.html", "style.css", "app.js", "label.js", "data.js", "tabs.js", "text.js", "api.js", "ui.js")
_VENDOR = ("preact.mjs", "hooks.mjs", "htm.mjs")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# The report is a page with a script of its own: it gets no origin, so it can reach nothing of the studio.
_REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
)


class Studio(ThreadingHTTPServer):
    """The server of one project."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, user: str = "me") -> None:
        self.store = Store(folder)
        self.store.create()
        self.token = secrets.token_urlsafe(24)
        self.host = host
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.api = Api(self.store, user)
        self.cookie = f"onomast-studio-{self.server_port}"

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_port}/?token={self.token}"

    def knows_host(self, value: str) -> bool:
        """Is this Host header one of ours? Keeps out pages of other sites whose name was made to point here."""
        name, _, port = value.rpartition(":")
        name = name.strip("[]").lower()
        if port != str(self.server_port):
            return False
        if name in ("127.0.0.1", "localhost", "::1", self.host.lower()):
            return True
        if self.host not in ("0.0.0.0", "::"):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == socket.gethostname().lower()
        return True

    def server_close(self) -> None:
        """Stop listening, and the job that runs."""
        super().server_close()
        self.api.jobs.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Studio
    protocol_version = "HTTP/1.1"
    server_version = "onomast-studio"
    sys_version = ""
    timeout = _SECONDS
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        """Pages, and the questions of the page."""
        self._answered(self._get)

    def do_POST(self) -> None:
        """Everything that changes something."""
        self._answered(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the address."""

    def _answered(self, work: Callable[[str, dict[str, str]], None]) -> None:
        address = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        try:
            if not self.server.knows_host(self.headers.get("Host", "")):
                self._fail(HTTPStatus.FORBIDDEN, "this address is not the studio's; open the one that it printed")
            elif self._opens(address.path, query):
                self._welcome()
            elif not self._is_known():
                self._fail(HTTPStatus.FORBIDDEN, "open the studio by the address that it printed, with its token")
            else:
                work(unquote(address.path), query)
        except Conflict as error:
            self._json({"error": str(error), "sentence": self.server.api.view(error.current)}, HTTPStatus.CONFLICT)
        except OnomastError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        except (KeyError, TypeError, ValueError) as error:
            self._fail(HTTPStatus.BAD_REQUEST, f"the request cannot be understood: {type(error).__name__} {error}")

    def _opens(self, path: str, query: dict[str, str]) -> bool:
        return path == "/" and hmac.compare_digest(query.get("token", "").encode(), self.server.token.encode())

    def _is_known(self) -> bool:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.server.cookie)
        return found is not None and hmac.compare_digest(found.value.encode(), self.server.token.encode())

    def _welcome(self) -> None:
        """The token moves from the address into a cookie that no script can read."""
        self.send_response(HTTPStatus.SEE_OTHER)
        cookie = f"{self.server.cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        self.send_header("Set-Cookie", cookie)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self._safe_headers()
        self.end_headers()

    def _get(self, path: str, query: dict[str, str]) -> None:
        if path == "/":
            path = "/index.html"
        name = path.removeprefix("/")
        folder = files("onomast.apps.studio") / "web"
        if name in _PAGES:
            self._file((folder / name).read_bytes(), Path(name).suffix)
        elif name.removeprefix("vendor/") in _VENDOR:
            self._file((folder / "vendor" / name.removeprefix("vendor/")).read_bytes(), ".mjs")
        elif path == "/mistakes.html":
            report = self.server.store.folder / "mistakes.html"
            page = report.read_bytes() if report.is_file() else b"<!doctype html><title>-</title>"
            self._send(page, "text/html; charset=utf-8", policy=_REPORT_POLICY)
        elif path == "/api/export":
            self._download(*self.server.api.export(query))
        elif path == "/api/tagger":
            self._download(*self.server.api.tagger(query["name"]))
        elif path.startswith("/api/"):
            self._json(self.server.api.get(path.removeprefix("/api/"), query))
        else:
            self._fail(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self, path: str, query: dict[str, str]) -> None:
        origin = self.headers.get("Origin", "")
        size = int(self.headers.get("Content-Length") or -1)
        most = MOST_UPLOAD if path == "/api/import" else _MOST_JSON
        if urlsplit(origin).netloc != self.headers.get("Host") or urlsplit(origin).scheme != "http":
            self._fail(HTTPStatus.FORBIDDEN, "the request comes from another page")
        elif not 0 <= size <= most:
            self.close_connection = True
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"too large; at most {most >> 20} MB at once")
        else:
            body = self.rfile.read(size)
            if path == "/api/import":
                self._json(self.server.api.take_in(body, query))
                return
            if self.headers.get_content_type() != "application/json":
                self._fail(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
                return
            values = json.loads(body)
            if not isinstance(values, dict):
                raise ValueError("expected an object")
            self._json(self.server.api.post(path.removeprefix("/api/"), values))

    def _file(self, content: bytes, suffix: str) -> None:
        self._send(content, f"{_KINDS[suffix]}; charset=utf-8")

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", status)

    def _fail(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = True  # a body that was not read must not count as the next request
        self._json({"error": message}, status)

    def _download(self, name: str, content: bytes) -> None:
        safe = re.sub(r"[^\w.-]+", "-", name)
        self._send(content, "application/octet-stream", name=safe)

    def _send(
        self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, *, name: str = "", policy: str = _POLICY
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if name:
            self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}")
        if self.close_connection:
            self.send_header("Connection", "close")
        self._safe_headers(policy)
        self.end_headers()
        self.wfile.write(content)

    def _safe_headers(self, policy: str = _POLICY) -> None:
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
