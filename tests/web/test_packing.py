# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Report packets by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.handlers.stage import BOB, Stage
from tests.web.server import Server

if TYPE_CHECKING:
    from tests.database import TestDatabase


@pytest.fixture
def server(sqlite_db: TestDatabase) -> Server:
    """One that keeps records; Bob is barred and appeals."""
    server = Server(Stage(sqlite_db), seal=lambda plain: plain)
    server.ask("POST", "blacklist", {"entity": BOB, "reason": "r", "basis": "11.3"})
    server.ask("POST", "appeals", {"measure_id": 1, "text": "It was my brother."}, token="bob")
    return server


def recorded(server: Server) -> int:
    return len(server.stage.contents()["groupreg_outbox"])


def test_the_life_of_a_packet(server: Server) -> None:
    file = {"name": "b", "size": 1, "sha256": "0" * 64}
    made = server.ask("POST", "packets", {"measures": [1], "attachments": [file]}, token="reviewer").json
    assert (made["id"], made["after"]["measures"], "facts" in made["after"]) == (1, [1], False)
    listed = server.ask("GET", "packets", token="inspector")
    assert (listed.json["total"], listed.json["packets"][0]["state"]) == (1, "drafted")
    assert b"brother" not in listed.content
    assert recorded(server) == 0
    seen = server.ask("GET", "packets/1?reason=turn", token="inspector").json
    assert (seen["measures"][0]["appeals"][0]["text"], seen["attachments"]) == ("It was my brother.", [file])
    assert recorded(server) == 1, "the look at what Bob wrote"
    done = server.ask("PUT", "packets/1/state", {"state": "receipt", "text": "5"}, token="reviewer").json
    assert done["after"]["state"] == "receipt"
    assert server.ask("GET", "measures/1").json["report_text"] == "packet 1: 5"


@pytest.mark.parametrize("number", ["0", "2", "x", "9" * 30])
def test_there_is_none(server: Server, number: str) -> None:
    assert server.ask("GET", f"packets/{number}").status == 404
    assert server.ask("PUT", f"packets/{number}/state", {"state": "handed-in", "text": "t"}).status == 404


def test_what_is_wrong_is_named(server: Server) -> None:
    assert server.ask("POST", "packets", {"measures": []}).fields.keys() == {"measures"}
    assert server.ask(
        "POST", "packets", {"measures": [1], "attachments": [{"name": "b", "size": 1, "sha256": "0"}]}
    ).fields
    assert server.ask("POST", "packets", {"measures": [7]}).status == 404
