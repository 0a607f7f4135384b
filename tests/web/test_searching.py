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
    query = (
        "reason=case%207&log=acts&account=@a:b&room_id=!r&kind=look,search&type=m.x&code=room-full,nothing"
        "&from_ms=5&to_ms=9&limit=7&from=1.2_3.4&content=true"
    )
    assert server.ask("GET", f"records?{query}").status == 200
    [(staff, wanted, how)] = asked.calls
    assert staff.admin
    assert wanted == Wanted(
        log=LogName.acts,
        account="@a:b",
        room="!r",
        kinds=(Kind.look, Kind.search),
        types=("m.x",),
        codes=("room-full", "nothing"),
        from_ms=5,
        to_ms=9,
    )
    assert how == {"reason": "case 7", "start": "1.2_3.4", "limit": 7, "content": True}


def test_a_search_without_conditions_is_one_for_everything(server: Server, asked: Asked) -> None:
    server.ask("GET", "records?reason=r&kind=&type=")
    [(_, wanted, how)] = asked.calls
    assert (wanted, how) == (Wanted(), {"reason": "r", "start": None, "limit": 100, "content": False})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "reason"),
        ("reason=", "reason"),
        (f"reason={'r' * 1001}", "reason"),
        ("reason=r&account=anna", "account"),
        ("reason=r&room_id=garden", "room_id"),
        ("reason=r&kind=king", "kind.0"),
        (f"reason=r&type={'a,' * 51}", "type"),
        ("reason=r&log=other", "log"),
        ("reason=r&limit=1001", "limit"),
        ("reason=r&limit=0", "limit"),
        ("reason=r&from_ms=-1", "from_ms"),
        ("reason=r&to_ms=yesterday", "to_ms"),
        (f"reason=r&from={'1.1_' * 99}1.1", "from"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_searched(server: Server, asked: Asked, query: str, field: str) -> None:
    reply = server.ask("GET", f"records?{query}")
    assert (reply.status, list(reply.fields)) == (400, [field])
    assert asked.calls == []


def test_only_for_ones_own_no_reason_is_needed(server: Server, asked: Asked) -> None:
    assert server.ask("GET", f"accounts/{ALICE}/records", token="alice").status == 200
    assert len(asked.calls) == 1
    for query in ("", "?reason="):
        reply = server.ask("GET", f"accounts/{ALICE}/records{query}", token="inspector")
        assert (reply.status, list(reply.fields)) == (400, ["reason"])
    assert server.ask("GET", f"accounts/{ALICE}/records?reason=r", token="inspector").status == 200
    assert len(asked.calls) == 2


@pytest.mark.parametrize("path", ["records", f"accounts/{ALICE}/records"])
def test_a_server_that_keeps_no_records_says_so(server: Server, path: str) -> None:
    reply = server.ask("GET", f"{path}?reason=r")
    assert (reply.status, reply.json["errcode"]) == (409, "ORG_GROUPREG_CONFLICT")
    assert "retention.enabled is false" in reply.json["error"]


def test_a_store_that_is_away_is_a_503_that_says_why(server: Server, asked: Asked) -> None:
    asked.fail = Unavailable("The retention store can't be read: its server can't be reached.")
    reply = server.ask("GET", "records?reason=r")
    assert (reply.status, reply.json["errcode"]) == (503, "ORG_GROUPREG_UNAVAILABLE")
    assert reply.json["error"] == "The retention store can't be read: its server can't be reached."


def test_the_document_says_that_a_reason_is_required(server: Server) -> None:
    operations = server.ask("GET", "openapi.json", token=None).json["paths"]
    required = {
        path: [one["required"] for one in operations[path]["get"]["parameters"] if one["name"] == "reason"]
        for path in ("/records", "/accounts/{user_id}/records", "/accounts/{user_id}")
    }
    assert required == {
        "/records": [True],
        "/accounts/{user_id}/records": [False],
        "/accounts/{user_id}": [False],
    }
