# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What endpoints answer, in the shapes that others build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.policy.types import RoomKind
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, NOW
from tests.storage import seed

if TYPE_CHECKING:
    from tests.web.server import Server

ACCOUNT = f"accounts/{ALICE}"


def test_an_account(server: Server) -> None:
    server.ask("PUT", f"{ACCOUNT}/identity", {"assurance": "real_name", "reference": "A 1"})
    server.ask("PUT", f"{ACCOUNT}/quotas", {"rooms_joined": 9})
    case = server.ask("POST", "blacklist", {"entity": ALICE, "reason": "r", "basis": "11.3"}).json["id"]
    seen = server.ask("GET", ACCOUNT).json
    assert seen["assurance"] == "real_name"
    assert seen["identities"] == [{"provider": "operator", "assurance": "real_name", "since_ms": NOW}]
    assert seen["quotas"] == {
        "rooms_founded": {"used": 0, "limit": 10, "override": None},
        "rooms_joined": {"used": 0, "limit": 9, "override": 9},
    }
    assert [(one["id"], one["subject"], one["scope"]) for one in seen["measures"]] == [(case, ALICE, "groups")]
    assert (seen["roles"], seen["exempt"], seen["linked_accounts"]) == ([], False, [])
    assert server.ask("GET", f"accounts/{ADMIN}").json["exempt"] is True


def test_a_room(server: Server) -> None:
    room_id = server.stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL])
    server.stage.do(seed.set_state, room_id, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50, CAROL: 49}})
    server.stage.do(seed.set_state, room_id, ALICE, "m.room.name", {"name": "Chess"})
    server.ask("PUT", f"rooms/{room_id}/quotas", {"members": 7})
    seen = server.ask("GET", f"rooms/{room_id}").json
    assert seen["founder"] == ALICE
    assert seen["managers"] == [BOB]
    assert seen["quotas"] == {"members": {"used": 3, "limit": 7, "override": 7}}
    assert (seen["name"], seen["kind"], seen["room_version"]) == ("Chess", "group", "11")
    assert (seen["federated"], seen["encrypted"], seen["predecessor"], seen["successor"]) == (False, False, None, None)


def test_creators_of_a_room_of_version_12_are_managers(server: Server) -> None:
    content = {"room_version": "12", "additional_creators": [BOB]}
    room_id = server.stage.do(
        seed.make_room, ALICE, room_id="!v12", kind=RoomKind.group, members=[BOB, CAROL], content=content
    )
    assert server.ask("GET", f"rooms/{room_id}").json["managers"] == [BOB]
    older = {"room_version": "11", "additional_creators": [BOB]}
    room_id = server.stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB], content=older)
    assert server.ask("GET", f"rooms/{room_id}").json["managers"] == []


def test_quotas_that_are_absent_stay_and_null_goes_back(server: Server) -> None:
    server.ask("PUT", f"{ACCOUNT}/quotas", {"rooms_founded": 3, "rooms_joined": 9})
    answer = server.ask("PUT", f"{ACCOUNT}/quotas", {"rooms_founded": None}).json
    assert answer == {
        "dry_run": False,
        "changed": True,
        "before": {"rooms_founded": 3},
        "after": {"rooms_founded": None},
    }
    quotas = server.ask("GET", ACCOUNT).json["quotas"]
    assert (quotas["rooms_founded"]["limit"], quotas["rooms_joined"]["limit"]) == (10, 9)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "mode", {"mode": "dry"}),
        ("PUT", f"{ACCOUNT}/identity", {"assurance": "contact"}),
        ("PUT", f"{ACCOUNT}/quotas", {"rooms_founded": 3}),
        ("POST", "blacklist", {"entity": BOB, "reason": "r", "basis": "b"}),
        ("POST", "measures", {"kind": "warning", "entity": BOB, "reason": "r", "basis": "b"}),
        ("PUT", "emergency", {"on": True, "switches": ["posting", "joining"], "until_ms": NOW + 9, "reason": "r"}),
        ("PUT", f"staff/{BOB}", {"roles": ["reviewer"]}),
    ],
)
def test_every_act_can_be_tried(server: Server, method: str, path: str, body: object) -> None:
    before = server.stage.contents()
    tried = server.ask(method, f"{path}?dry_run=true", body).json
    assert (tried["dry_run"], tried["changed"]) == (True, True)
    assert server.stage.contents() == before
    done = server.ask(method, path, body).json
    assert {**done, "dry_run": True} == tried or "id" in done


def test_an_entry_comes_and_goes(server: Server) -> None:
    entry = {"entity": BOB, "reason": "fraud", "basis": "11.3", "until_ms": NOW + 5}
    number = server.ask("POST", "blacklist", entry, token="reviewer").json["id"]
    assert server.ask("POST", "blacklist", {**entry, "reason": "more"}, token="reviewer").json["id"] == number
    listed = server.ask("GET", "blacklist").json
    assert (listed["total"], [one["id"] for one in listed["blacklist"]]) == (1, [number])
    fields = """id kind subject_kind subject scope room reason note basis grave author start_ms until_ms review_ms
        deadline_ms lifted_ms lifted_by lift_reason report report_text report_by report_ms list_room
        accepted"""
    assert set(listed["blacklist"][0]) == set(fields.split())
    assert server.ask("DELETE", f"blacklist/{number}", {"reason": "appeal"}, token="reviewer").json["changed"]
    assert server.ask("GET", "blacklist").json["total"] == 0
    assert server.ask("GET", "blacklist?all=true").json["blacklist"][0]["lift_reason"] == "appeal"


def test_lists_come_in_pages(server: Server) -> None:
    seen, start = [], "0"
    while True:
        page = server.ask("GET", f"acts?limit=3&from={start}").json
        assert len(page["acts"]) <= 3
        seen += [one["id"] for one in page["acts"]]
        if "next_token" not in page:
            break
        start = page["next_token"]
    assert len(seen) == page["total"] == len(server.stage.journal())
    assert seen == sorted(seen, reverse=True), "the newest first"
    beyond = server.ask("GET", "acts?from=1000").json
    assert (beyond["acts"], "next_token" in beyond) == ([], False)


def test_acts_are_found_by_author_subject_and_action(server: Server) -> None:
    server.ask("PUT", f"{ACCOUNT}/quotas", {"rooms_founded": 3}, token="operator")
    for query in ("author=@operator:test.example.org", f"subject={ALICE}", "action=limit"):
        assert [one["subject"] for one in server.ask("GET", f"acts?{query}").json["acts"]] == [ALICE]
    assert server.ask("GET", f"acts?action=limit&subject={BOB}").json["total"] == 0


def test_rooms_are_found_by_name_and_id_and_wildcards_are_letters(server: Server) -> None:
    for name in ("one", "two_", "t%o"):
        server.stage.do(seed.make_room, ALICE, room_id=f"!{name}:test.example.org", kind=RoomKind.group)
    for search, found in (("one", 1), ("_", 1), ("%25", 1), ("", 3), ("!", 3), ("none", 0)):
        assert server.ask("GET", f"rooms?search={search}").json["total"] == found, search


def test_a_list_of_rooms_says_which_were_replaced_by_whomever(server: Server) -> None:
    old = server.stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    new = server.stage.do(seed.make_room, BOB, kind=None, predecessor=old)
    server.stage.do(seed.bury, old, BOB, new)
    listed = {one["room_id"]: one["successor"] for one in server.ask("GET", "rooms").json["rooms"]}
    assert listed == {old: new, new: None}


def test_an_import_from_its_beginning_to_its_end(server: Server) -> None:
    number = server.ask("POST", "imports", {"reason": "spring"}).json["id"]
    rows = [
        {"line": 2, "user_id": ALICE, "assurance": "real_name", "reference": "A 1"},
        {"line": 3, "user_id": BOB, "assurance": "contact"},
    ]
    assert server.ask("PUT", f"imports/{number}/rows", {"rows": rows}).json == {"rows": 2}
    reply = server.ask(
        "PUT",
        f"imports/{number}/rows",
        {"rows": [{**rows[0], "line": 4}, {**rows[0], "line": 5, "user_id": "@ghost:test.example.org"}]},
    )
    assert reply.fields == {
        "line 4, user_id": "must not stand twice; see line 2",
        "line 5, user_id": "must be an account of this server",
    }
    tally = {"accounts": 2, "linked": 1, "unchanged": 0}
    tried = server.ask("POST", f"imports/{number}/commit?dry_run=true").json
    assert tried == {"dry_run": True, "changed": True, **tally}
    assert server.ask("GET", ACCOUNT).json["assurance"] == "none"
    assert server.ask("POST", f"imports/{number}/commit").json == {"dry_run": False, "changed": True, **tally}
    assert server.ask("GET", ACCOUNT).json["assurance"] == "real_name"
    assert server.ask("POST", f"imports/{number}/commit").status == 404


def test_an_import_that_was_given_up_leaves_nothing(server: Server) -> None:
    before = server.stage.contents()
    number = server.ask("POST", "imports", {}).json["id"]
    server.ask("PUT", f"imports/{number}/rows", {"rows": [{"line": 2, "user_id": BOB, "assurance": "contact"}]})
    assert server.ask("DELETE", f"imports/{number}").status == 200
    assert server.stage.contents() == before


def test_a_reference_goes_no_further_than_its_digest(server: Server) -> None:
    secret = "110101199003077777"
    server.ask("PUT", f"{ACCOUNT}/identity", {"assurance": "real_name", "reference": secret})
    assert secret not in repr(server.stage.contents())
    assert "digest of 18 characters" in repr(server.stage.contents())


def test_the_mode_is_live_in_policy_and_status(server: Server) -> None:
    assert server.ask("PUT", "mode", {"mode": "dry"}).json["mode"] == "dry"
    server.stage.refresh()
    assert server.ask("GET", "policy").json["mode"] == "dry"
    status = server.ask("GET", "status").json
    assert (status["mode"], status["configured_mode"]) == ("dry", "enforce")
    assert status["counters"]["refused"] == {}


def test_the_plan_says_what_would_happen(server: Server) -> None:
    room_id = server.stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL])
    server.ask("PUT", f"rooms/{room_id}/quotas", {"members": 2})
    server.ask("PUT", f"{ACCOUNT}/quotas", {"rooms_founded": 0})
    before = server.stage.journal()
    plan = server.ask("GET", "plan").json
    assert [(one["room_id"], one["members"], one["cap"]) for one in plan["rooms_over_cap"]] == [(room_id, 3, 2)]
    over = [(one["account"], one["quota"], one["used"], one["limit"]) for one in plan["accounts_over_limit"]]
    assert over == [(ALICE, "rooms_founded", 1, 0)]
    assert plan["rooms_over_cap_total"] == 1
    assert plan["accounts"]["total"] == len(server.stage.database.rows("SELECT 1 FROM users"))
    assert server.stage.journal() == before
