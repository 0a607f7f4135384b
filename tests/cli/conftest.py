# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small HTTP server that speaks the module's REST interface, and `groupreg` pointed at it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import pytest
from click.testing import CliRunner

from synapse_groupreg.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

PREFIX = "/_synapse/client/groupreg/v1/"
TOKEN = "the-token"
ME = "@admin:fake.test"


@attrs.frozen
class Request:
    """One request as the server saw it; `path` is below the prefix and unquoted."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str | None


@attrs.frozen
class Reply:
    """One answer; a `body` of str is sent as it is."""

    status: int
    body: Any
    headers: dict[str, str] = attrs.field(factory=dict)


def matrix_error(status: int, error: str, errcode: str = "M_FORBIDDEN", **more: object) -> Reply:
    return Reply(status, {"errcode": errcode, "error": error, **more})


@attrs.define
class FakeServer:
    """Answers from a table `"METHOD path" -> reply or function of the request`, and remembers every request."""

    url: str = ""
    replies: dict[str, Any] = attrs.field(factory=dict)
    requests: list[Request] = attrs.field(factory=list)

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self.replies.get(f"{request.method} {request.path}")
        if request.path.startswith("/_matrix/client/v3/login"):
            return as_reply(reply, request)
        if request.token != TOKEN:
            return matrix_error(401, "Unrecognised access token", "M_UNKNOWN_TOKEN")
        return as_reply(reply, request)

    error = staticmethod(matrix_error)
    raw = Reply

    def sent(self, method: str, path: str) -> list[Request]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]


def as_reply(reply: Any, request: Request) -> Reply:
    if callable(reply):
        reply = reply(request)
    if reply is None:
        return matrix_error(404, "Unrecognized request", "M_UNRECOGNIZED")
    return reply if isinstance(reply, Reply) else Reply(200, reply)


def handler_for(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
            request = Request(
                method=self.command,
                path="/".join(map(unquote, parts.path.removeprefix(PREFIX).split("/"))),
                query=dict(parse_qsl(parts.query)),
                body=json.loads(raw) if raw else None,
                token=token if scheme == "Bearer" else None,
            )
            reply = server.reply(request)
            data = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, held in {"Content-Length": str(len(data)), **reply.headers}.items():
                self.send_header(name, held)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server on a free loopback port."""
    fake = FakeServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(fake)) as http:
        fake.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of the person who runs the tests takes part."""
    for name in ("GROUPREG_URL", "GROUPREG_TOKEN", "GROUPREG_SESSION", "FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))


@pytest.fixture
def logged_out() -> Callable[..., Result]:
    """`groupreg` without a login."""

    def run(*args: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [*map(str, args)], input=stdin, catch_exceptions=False, prog_name="groupreg")

    return run


@pytest.fixture
def groupreg(
    server: FakeServer, logged_out: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Any:
    """`groupreg` logged in at the fake server."""
    session = tmp_path / "session.json"
    session.write_text(json.dumps({"url": server.url, "token": TOKEN, "user_id": ME}))
    monkeypatch.setenv("GROUPREG_SESSION", str(session))
    return logged_out
