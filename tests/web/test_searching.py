# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searches over HTTP: what is asked reaches the search as it was meant, and what can't be done is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Unavailable
from synapse_groupreg.handlers.retention.searching import Wanted
from synapse_groupreg.retention.records import Kind, LogName
from tests.handlers.stage import ALICE

if TYPE_CHECKING:
    from tests.web.server import Server


class Asked:
    """Takes the place of `Recall`, and remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: Exception | None = None

    async def search(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.calls.append((*args, kwargs))
        if self.fail is not None:
            raise self.fail
        return {"records": []}

    about = search


@pytest.fixture
def asked(server: Server) -> Asked:
    made = Asked()
    object.__setattr__(server.services, "recall", made)
    return made


def test_all_conditions_reach_the_search(server: Server, asked: Asked) -> None:
    body = {
        "reason": "case 7",
        "log": "acts",
        "account": "@a:b",
        "room_id": "!r",
        "kind": ["look", "search"],
        "type": ["m.x", "m,y"],
        "code": ["room-full", "unavailable"],
        "from_ms": 5,
        "to_ms": 9,
        "limit": 7,
        "from": "1.2_3.4",
        "content": True,
    }
    assert server.ask("POST", "records/search", body).status == 200
    [(staff, wanted, how)] = asked.calls
    assert staff.admin
    assert wanted == Wanted(
        log=LogName.acts,
        account="@a:b",
        room="!r",
        kinds=(Kind.look, Kind.search),
        types=("m.x", "m,y"),
        codes=("room-full", "unavailable"),
        from_ms=5,
        to_ms=9,
    )
    assert how == {"reason": "case 7", "start": "1.2_3.4", "limit": 7, "content": True}


def test_a_search_without_conditions_is_one_for_everything(server: Server, asked: Asked) -> None:
    server.ask("POST", "records/search", {"reason": "r", "kind": [], "type": []})
    [(_, wanted, how)] = asked.calls
    assert (wanted, how) == (Wanted(), {"reason": "r", "start": None, "limit": 100, "content": False})


MOMENT = "must be a moment in milliseconds since 1970, like 1793800000000"


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"reason": None}, "reason", "must be a text"),
        ({"reason": ""}, "reason", "must not be empty"),
        ({"reason": "r" * 1001}, "reason", "must have at most 1,000 characters"),
        ({"account": "anna"}, "account", "must be a Matrix user id, like @anna:example.org"),
        ({"room_id": "garden"}, "room_id", "must be a room's id, like !abc:example.org"),
        ({"kind": ["logn"]}, "kind.0", "is no kind of records; did you mean login or logout?"),
        ({"kind": ["xyz"]}, "kind.0", f"is no kind of records; must be one of {', '.join(Kind)}"),
        ({"kind": "login"}, "kind", "must be a list"),
        ({"code": ["room-ful"]}, "code.0", "is no code of refusals; did you mean room-full or room-closed?"),
        ({"type": ["a"] * 51}, "type", "must have at most 50 entries"),
        ({"log": "other"}, "log", "must be 'events' or 'acts'"),
        ({"limit": 1001}, "limit", "must be at most 1,000"),
        ({"limit": 0}, "limit", "must be at least 1"),
        ({"limit": "9"}, "limit", "must be a whole number"),
        ({"from_ms": -1}, "from_ms", MOMENT),
        ({"to_ms": "yesterday"}, "to_ms", MOMENT),
        ({"from_ms": 9, "to_ms": 8}, "body", "must not have from_ms after to_ms: no record is of such a time"),
        ({"content": "yes"}, "content", "must be true or false"),
        ({"from": "1.1_" * 99}, "from", "must have at most 200 characters"),
        ({"form": "1.1"}, "form", "is not known here"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_searched(
    server: Server, asked: Asked, given: dict[str, Any], field: str, said: str
) -> None:
    reply = server.ask("POST", "records/search", {"reason": "r", **given})
    assert (reply.status, reply.fields) == (400, {field: said})
    assert asked.calls == []


def test_one_s_own_needs_no_reason_and_others_are_asked_for_in_a_body(server: Server, asked: Asked) -> None:
    assert server.ask("GET", f"accounts/{ALICE}/records", token="alice").status == 200
    assert len(asked.calls) == 1
    reply = server.ask("GET", f"accounts/{ALICE}/records?reason=r", token="inspector")
    assert (reply.status, "POST records/about" in reply.json["error"]) == (409, True)
    for reason in ({}, {"reason": ""}):
        reply = server.ask("POST", "records/about", {"user_id": ALICE, **reason}, token="inspector")
        assert (reply.status, list(reply.fields)) == (400, ["reason"])
    assert len(asked.calls) == 1
    assert server.ask("POST", "records/about", {"user_id": ALICE, "reason": "r"}, token="inspector").status == 200
    assert asked.calls[1][1:] == (ALICE, {"reason": "r", "start": None, "limit": 100})


def test_a_server_that_keeps_no_records_says_so(server: Server) -> None:
    for reply in (
        server.ask("POST", "records/search", {"reason": "r"}),
        server.ask("POST", "records/about", {"user_id": ALICE, "reason": "r"}),
        server.ask("GET", f"accounts/{ALICE}/records", token="alice"),
    ):
        assert (reply.status, reply.json["errcode"]) == (409, "ORG_GROUPREG_CONFLICT")
        assert "retention.enabled is false" in reply.json["error"]


def test_a_store_that_is_away_is_a_503_that_says_why(server: Server, asked: Asked) -> None:
    asked.fail = Unavailable("The retention store can't be read: its server can't be reached.")
    reply = server.ask("POST", "records/search", {"reason": "r"})
    assert (reply.status, reply.json["errcode"]) == (503, "ORG_GROUPREG_UNAVAILABLE")
    assert reply.json["error"] == "The retention store can't be read: its server can't be reached."


def test_the_document_says_that_a_reason_is_required(server: Server) -> None:
    schemas = server.ask("GET", "openapi.json", token=None).json["components"]["schemas"]
    assert schemas["SearchBody"]["required"] == ["reason"]
    assert schemas["AboutBody"]["required"] == ["user_id", "reason"]
    assert {"from", "room_id", "kind"} <= schemas["SearchBody"]["properties"].keys()


def test_no_endpoint_of_records_takes_a_name_or_a_reason_in_its_query(server: Server) -> None:
    """What stands there comes into the log of a proxy."""
    asked = [
        set(endpoint.query.model_json_schema(by_alias=True).get("properties", {}))
        for endpoint in server.endpoints
        if endpoint.path.startswith(("records", "exports", "retention")) or endpoint.path.endswith("/records")
    ]
    assert set().union(*asked) == {"from", "limit", "all", "part", "dry_run"}
