# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may ask what: every endpoint, every role, cell by cell, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.policy.types import RoomKind
from tests.handlers.stage import ADMIN, ALICE, BOB, NOW, Stage
from tests.storage import seed
from tests.web.server import TOKENS, Server

if TYPE_CHECKING:
    from tests.database import TestDatabase

WHO = ("other", "own", "operator", "reviewer", "identity_officer", "inspector", "admin")
"""Somebody, the account that the address names or that founded the room, and the staff."""
#                                     other own  oper rev  iden insp admin
MATRIX = """
GET    policy                       | yes   yes  yes  yes  yes  yes  yes
GET    status                       | no    no   yes  yes  yes  yes  yes
GET    plan                         | no    no   yes  no   no   yes  yes
PUT    mode                         | no    no   yes  no   no   no   yes
GET    accounts/{user_id}           | no    yes  yes  yes  yes  yes  yes
PUT    accounts/{user_id}/identity  | no    no   no   no   yes  no   yes
DELETE accounts/{user_id}/identity  | no    no   no   no   yes  no   yes
PUT    accounts/{user_id}/quotas    | no    no   yes  no   no   no   yes
GET    rooms                        | no    no   yes  yes  no   yes  yes
GET    rooms/{room_id}              | no    no   yes  yes  no   yes  yes
GET    groups/{number}              | no    no   yes  yes  no   yes  yes
PUT    rooms/{room_id}/quotas       | no    no   yes  no   no   no   yes
PUT    rooms/{room_id}/labels       | no    yes  no   no   no   no   no
PUT    rooms/{room_id}/mutes/{user_id}    | hid yes no no hid no no
DELETE rooms/{room_id}/mutes/{user_id}    | hid yes no no hid no no
PUT    rooms/{room_id}/founder            | hid yes no no hid no no
POST   rooms/{room_id}/founder/accept     | hid yes no no hid no no
POST   rooms/{room_id}/founder/decline    | hid no no no hid no no
PUT    rooms/{room_id}/category           | hid yes no no hid no no
PUT    rooms/{room_id}/slow               | hid yes no no hid no no
GET    blacklist                    | no    no   yes  yes  no   yes  yes
POST   blacklist                    | no    no   no   yes  no   no   yes
DELETE blacklist/{measure_id}       | no    no   no   yes  no   no   yes
POST   blacklist/import             | no    no   no   yes  no   no   yes
GET    measures                     | no    no   yes  yes  no   yes  yes
GET    measures/{measure_id}        | no    no   yes  yes  no   yes  yes
POST   measures                     | no    no   no   yes  no   no   yes
DELETE measures/{measure_id}        | no    no   no   yes  no   no   yes
PUT    measures/{measure_id}/report | no    no   no   yes  no   no   yes
GET    emergency                    | no    no   yes  yes  no   yes  yes
PUT    emergency                    | no    no   yes  yes  no   no   yes
GET    appeals                      | no    no   no   yes  no   yes  yes
GET    appeals/{appeal_id}          | no    no   no   yes  no   yes  yes
GET    accounts/{user_id}/appeals   | no    yes  no   yes  no   yes  yes
POST   appeals                      | yes   yes  yes  yes  yes  yes  yes
POST   appeals/{appeal_id}/decision | no    no   no   yes  no   no   yes
GET    packets                      | no    no   no   yes  no   yes  yes
GET    packets/{packet_id}          | no    no   no   yes  no   yes  yes
POST   packets                      | no    no   no   yes  no   no   yes
PUT    packets/{packet_id}/state    | no    no   no   yes  no   no   yes
GET    followed                     | no    no   yes  yes  no   yes  yes
PUT    followed/{room_id}           | no    no   no   yes  no   no   yes
DELETE followed/{room_id}           | no    no   no   yes  no   no   yes
GET    proposals                    | no    no   yes  yes  no   yes  yes
GET    proposals/{proposal_id}      | no    no   yes  yes  no   yes  yes
POST   proposals/{proposal_id}/approve | no no   no   yes  no   no   yes
POST   proposals/{proposal_id}/reject  | no no   no   yes  no   no   yes
GET    staff                        | no    no   yes  yes  yes  yes  yes
GET    staff/{user_id}              | no    yes  yes  yes  yes  yes  yes
PUT    staff/{user_id}              | no    no   no   no   no   no   yes
GET    acts                         | no    no   yes  yes  no   yes  yes
GET    refusals                     | no    no   yes  yes  no   yes  yes
GET    notices                      | no    no   yes  yes  no   yes  yes
POST   records/search               | no    no   no   no   no   yes  yes
POST   records/about                | no    no   no   no   no   yes  yes
GET    accounts/{user_id}/records   | no    yes  no   no   no   yes  yes
POST   exports                      | no    no   no   no   no   yes  yes
GET    exports/{export_id}          | no    no   no   no   no   yes  yes
POST   imports                      | no    no   no   no   yes  no   yes
PUT    imports/{import_id}/rows     | no    no   no   no   yes  no   yes
POST   imports/{import_id}/commit   | no    no   no   no   yes  no   yes
DELETE imports/{import_id}          | no    no   no   no   yes  no   yes
GET    retention/holds              | no    no   yes  no   no   yes  yes
POST   retention/holds              | no    no   yes  no   no   no   yes
PUT    retention/holds/{hold_id}    | no    no   yes  no   no   no   yes
DELETE retention/holds/{hold_id}    | no    no   yes  no   no   no   yes
GET    retention/periods            | no    no   yes  no   no   yes  yes
POST   retention/purge              | no    no   yes  no   no   no   yes
POST   retention/keys               | no    no   yes  no   no   no   yes
POST   retention/epoch              | no    no   yes  no   no   no   yes
GET    retention/erasures           | no    no   yes  no   no   yes  yes
POST   retention/erasures           | no    no   yes  no   no   no   yes
"""
CELLS = {
    tuple(left.split()): dict(zip(WHO, right.split(), strict=True))
    for left, right in (line.split("|") for line in MATRIX.strip().splitlines())
}
ROOM = "!room:test.example.org"
BODIES: dict[tuple[str, ...], object] = {
    ("PUT", "mode"): {"mode": "dry"},
    ("PUT", "accounts/{user_id}/identity"): {"assurance": "contact"},
    ("PUT", "accounts/{user_id}/quotas"): {"rooms_founded": 3},
    ("PUT", "rooms/{room_id}/quotas"): {"members": 7},
    ("PUT", "rooms/{room_id}/founder"): {"user_id": BOB},
    ("PUT", "rooms/{room_id}/category"): {"category": "c"},
    ("PUT", "rooms/{room_id}/slow"): {"seconds": 5},
    ("POST", "blacklist"): {"entity": BOB, "reason": "r", "basis": "b"},
    ("POST", "measures"): {"entity": BOB, "kind": "warning", "reason": "r", "basis": "b"},
    ("PUT", "measures/{measure_id}/report"): {"state": "due"},
    ("POST", "appeals"): {"measure_id": 1, "text": "t"},
    ("POST", "appeals/{appeal_id}/decision"): {"outcome": "upheld", "reason": "r"},
    ("POST", "packets"): {"measures": [1]},
    ("PUT", "packets/{packet_id}/state"): {"state": "handed-in"},
    ("PUT", "emergency"): {"on": False, "switches": ["posting"]},
    ("POST", "blacklist/import"): {"rules": [{"entity": BOB}], "basis": "b"},
    ("PUT", "staff/{user_id}"): {"roles": []},
    ("POST", "retention/holds"): {"from_ms": 1, "to_ms": 2, "until_ms": NOW + 1, "reason": "r", "basis": "b"},
    ("PUT", "retention/holds/{hold_id}"): {"until_ms": NOW + 1, "reason": "r"},
    ("DELETE", "retention/holds/{hold_id}"): {"reason": "r"},
    ("POST", "retention/purge"): {"reason": "r"},
    ("POST", "retention/keys"): {"reason": "r"},
    ("POST", "retention/epoch"): {"log": "events", "reason": "r"},
    ("POST", "retention/erasures"): {"user_id": BOB, "reason": "r"},
    ("POST", "records/search"): {"reason": "r"},
    ("POST", "records/about"): {"user_id": ALICE, "reason": "r"},
    ("POST", "exports"): {"mode": "range", "case": "c", "basis": "b"},
}

NAMED: dict[str, Any] = {
    "user_id": ALICE,
    "room_id": ROOM,
    "import_id": "none",
    "export_id": "none",
    "number": "123456786",
    **dict.fromkeys(("measure_id", "appeal_id", "packet_id", "hold_id", "proposal_id"), 1),
}
"""What addresses name."""


@pytest.fixture
def server(sqlite_db: TestDatabase) -> Server:
    server = Server(Stage(sqlite_db))
    server.stage.do(seed.make_room, ALICE, room_id=ROOM, kind=RoomKind.group)
    return server


def test_the_matrix_has_every_endpoint(server: Server) -> None:
    assert set(CELLS) == {(endpoint.method, endpoint.path) for endpoint in server.endpoints}


@pytest.mark.parametrize("line", CELLS, ids=" ".join)
def test_the_matrix(server: Server, line: tuple[str, str]) -> None:
    """`own` asks about their own account, all others about Alice's. `hid`: they aren't told that there is the group."""
    method, path = line
    for who, cell in CELLS[line].items():
        token = {"other": "bob", "own": "alice"}.get(who, who)
        before = server.stage.contents()
        reply = server.ask(method, f"{path.format(**NAMED)}?dry_run=true&reason=r", BODIES.get(line), token=token)
        if cell == "yes":
            assert reply.status in (200, 404, 409) or "rows" in reply.fields, f"{who}: {reply.content!r}"
        elif cell == "hid":
            assert (reply.status, reply.json["errcode"]) == (404, "M_NOT_FOUND"), f"{who}: {reply.content!r}"
            assert server.stage.contents() == before
        else:
            assert (reply.status, reply.json["errcode"]) == (403, "M_FORBIDDEN"), f"{who}: {reply.content!r}"
            assert "server admin" in reply.json["error"]
            assert server.stage.contents() == before


@pytest.mark.parametrize("line", CELLS, ids=" ".join)
def test_nobody_comes_in_without_a_good_token(server: Server, line: tuple[str, str]) -> None:
    method, path = line
    address = path.format(**NAMED)
    before = server.stage.contents()
    missing, unknown = server.ask(method, address, token=None), server.ask(method, address, token="stolen")
    assert (missing.status, missing.json["errcode"]) == (401, "M_MISSING_TOKEN")
    assert (unknown.status, unknown.json["errcode"]) == (401, "M_UNKNOWN_TOKEN")
    assert server.stage.contents() == before


def test_who_may_not_is_told_before_anything_about_the_request(server: Server) -> None:
    """A body that is wrong, or an account that doesn't exist, tells nothing to who has no business there."""
    for path in (f"accounts/{ALICE}/identity", "accounts/@ghost:test.example.org/identity"):
        assert server.ask("PUT", path, {"nonsense": 1}, token="operator").status == 403
    assert server.ask("GET", "accounts/@ghost:test.example.org", token="bob").status == 403


def test_the_refusal_names_the_role_that_is_needed(server: Server) -> None:
    reply = server.ask("PUT", "mode", {"mode": "dry"}, token="inspector")
    assert "operator" in reply.json["error"]


def test_ones_own_account_is_known_by_its_id_and_not_by_how_it_is_written(server: Server) -> None:
    for written in (ALICE, "%40alice:test.example.org", "@alice%3Atest.example.org"):
        assert server.ask("GET", f"accounts/{written}", token="alice").status == 200
    for other in ("@Alice:test.example.org", "@alice:test.example.org%20", "@alice:test.example.org:443"):
        assert server.ask("GET", f"accounts/{other}", token="alice").status == 403


def test_a_role_that_was_taken_back_opens_nothing_any_more(server: Server) -> None:
    assert server.ask("GET", "acts", token="inspector").status == 200
    server.ask("PUT", f"staff/{TOKENS['inspector']}", {"roles": []})
    server.stage.refresh()
    assert server.ask("GET", "acts", token="inspector").status == 403


def test_under_delegated_authentication_the_token_says_who_administers(server: Server) -> None:
    server.api.scopes["carol"] = {"urn:synapse:admin:*"}
    assert server.ask("PUT", f"staff/{BOB}", {"roles": ["reviewer"]}, token="carol").status == 200
    server.api.scopes["carol"] = {"urn:matrix:client:api:*"}
    assert server.ask("PUT", f"staff/{BOB}", {"roles": []}, token="carol").status == 403


def test_only_staff_see_who_is_exempt_and_which_accounts_are_linked(server: Server) -> None:
    assert "exempt" not in server.ask("GET", "policy", token="alice").json
    assert "exempt" in server.ask("GET", "policy", token="inspector").json
    assert "linked_accounts" not in server.ask("GET", f"accounts/{ALICE}", token="alice").json
    assert "linked_accounts" in server.ask("GET", f"accounts/{ALICE}", token="reviewer").json


def test_an_import_belongs_to_who_began_it(server: Server) -> None:
    number = server.ask("POST", "imports", {}, token="identity_officer").json["id"]
    rows = {"rows": [{"line": 2, "user_id": ALICE, "assurance": "contact"}]}
    assert server.ask("PUT", f"imports/{number}/rows", rows, token="admin").status == 404
    assert server.ask("POST", f"imports/{number}/commit", token="admin").status == 404
    assert server.ask("DELETE", f"imports/{number}", token="admin").status in (404, 409)
    assert server.ask("PUT", f"imports/{number}/rows", rows, token="identity_officer").json == {"rows": 1}


def test_the_act_is_in_the_name_of_who_asked(server: Server) -> None:
    server.ask("PUT", f"accounts/{ALICE}/quotas", {"rooms_founded": 3, "reason": "school"}, token="operator")
    line = server.stage.journal()[-1]
    assert (line.author, line.subject, line.reason) == (TOKENS["operator"], ALICE, "school")
    assert line.author != ADMIN
