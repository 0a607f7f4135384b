# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""As much of the Matrix Authentication Service as Synapse asks: whose token this is, and accounts made by it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from typing_extensions import override

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Client, Staff

SECRET = "of-no-worth-outside-this-machine"
DEVICE = "DEVICE"
ADMIN = "urn:synapse:admin:*"


class _Introspection(BaseHTTPRequestHandler):
    """Answers about tokens of the form `name` or `name+admin`."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        name, _, admin = parse_qs(asked)["token"][0].partition("+")
        scope = f"urn:matrix:client:api:* urn:matrix:client:device:{DEVICE} {ADMIN if admin else ''}".strip()
        answer = json.dumps({"active": True, "scope": scope, "username": name, "sub": name}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def authentication_service() -> Iterator[dict[str, Any]]:
    """A running service; what homeserver.yaml says about it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Introspection) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{service.server_port}/"
        yield {
            "matrix_authentication_service": {"enabled": True, "endpoint": endpoint, "secret": SECRET},
            "enable_registration": False,
            "enable_registration_without_verification": False,
        }
        service.shutdown()


class MasPerson(Staff):
    """An account that the service made; it needs no registration in Synapse."""

    def __init__(self, server: Homeserver, name: str, *, admin: bool = False) -> None:
        self.name = name
        self.user_id = server.user_id(name)
        Client.__init__(self, server.url, SECRET)
        self.provision()
        self.token = f"{name}+admin" if admin else name

    def provision(self, **body: object) -> None:
        """What the service tells Synapse about the account."""
        with Client(self.url, SECRET) as service:
            for act, more in (("provision_user", body), ("upsert_device", {"device_id": DEVICE})):
                told = service.call("POST", f"/_synapse/mas/{act}", {"localpart": self.name, **more})
                assert told.status in (200, 201), told
