# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appeals by REST: everybody sees their own, staff what is theirs to decide, and every look is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.handlers.stage import ALICE, BOB, NOW, Stage
from tests.web.server import Server

if TYPE_CHECKING:
    from tests.database import TestDatabase

TEXT = "It was my brother."


@pytest.fixture
def server(sqlite_db: TestDatabase) -> Server:
    """One that keeps records, and a measure against Bob by the admin."""
    server = Server(Stage(sqlite_db), seal=lambda plain: plain)
    entry = {"entity": BOB, "reason": "r", "basis": "11.3"}
    assert server.ask("POST", "blacklist", entry).json["id"] == 1
    return server


def recorded(server: Server) -> int:
    return len(server.stage.contents()["groupreg_outbox"])


def test_the_life_of_an_appeal(server: Server) -> None:
    body = {"measure_id": 1, "text": TEXT}
    assert server.ask("POST", "appeals?dry_run=true", body, token="bob").json["dry_run"]
    assert server.ask("POST", "appeals", body, token="bob").json["id"] == 1
    listed = server.ask("GET", "appeals", token="reviewer").json
    shown = {"id": 1, "measure_id": 1, "author": BOB, "made_ms": NOW, "state": "open"}
    undecided = dict.fromkeys(("answer", "decided_by", "decided_ms", "erased_ms"))
    assert (listed["appeals"], listed["total"]) == ([{**shown, **undecided}], 1)
    assert server.ask("GET", "appeals/1", token="reviewer").json == {**shown, **undecided, "text": TEXT}
    decision = {"outcome": "lifted", "reason": "He has one."}
    done = server.ask("POST", "appeals/1/decision", decision, token="reviewer").json
    assert {one["effect"] for one in done["effects"]} == {"notice"}
    assert server.ask("GET", "appeals").json["appeals"] == []
    assert server.ask("GET", "appeals?all=true&measure=1").json["total"] == 1
    assert server.ask("GET", "appeals?all=true&measure=2").json["total"] == 0
    [own] = server.ask("GET", f"accounts/{BOB}/appeals", token="bob").json["appeals"]
    assert (own["text"], own["state"], own["answer"]) == (TEXT, "lifted", "He has one.")
    assert "decided_by" not in own
    assert server.ask("GET", "measures/1").json["lift_reason"] == "He has one."


def test_looking_at_what_somebody_wrote_is_recorded_and_listing_is_not(server: Server) -> None:
    server.ask("POST", "appeals", {"measure_id": 1, "text": TEXT}, token="bob")
    server.ask("GET", "appeals", token="inspector")
    server.ask("GET", f"accounts/{BOB}/appeals", token="bob")
    server.ask("GET", f"accounts/{ALICE}/appeals", token="inspector")
    assert recorded(server) == 0
    server.ask("GET", "appeals/1?reason=turn", token="inspector")
    server.ask("GET", f"accounts/{BOB}/appeals", token="reviewer")
    assert recorded(server) == 2


@pytest.mark.parametrize("number", ["0", "2", "x", "1x", "9" * 30])
def test_there_is_none(server: Server, number: str) -> None:
    assert server.ask("GET", f"appeals/{number}").status == 404
    decision = {"outcome": "upheld", "reason": "r"}
    assert server.ask("POST", f"appeals/{number}/decision", decision).status == 404


def test_what_is_wrong_is_named(server: Server) -> None:
    assert set(server.ask("POST", "appeals", {"measure_id": 0, "text": ""}, token="bob").fields) == {
        "measure_id",
        "text",
    }
    assert server.ask("POST", "appeals", {"measure_id": 1, "text": "x" * 4001}, token="bob").fields == {
        "text": "must have at most 4,000 characters"
    }
    assert server.ask("POST", "appeals/1/decision", {"outcome": "maybe"}).fields.keys() == {"outcome", "reason"}


def test_the_policy_says_where_and_who(server: Server) -> None:
    policy = server.ask("GET", "policy", token="bob").json
    assert policy["second_staff"] == "required"
    assert policy["notices"] == {"enabled": True, "account": "groupreg"}
