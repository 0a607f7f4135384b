# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Staff over HTTP: what each role may call, the act journal, and the language in which people are refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.policy.staff import EVERYBODY, ROLES, Right, StaffRole
from synapse_groupreg.rig import Homeserver
from tests.e2e.client import GROUPREG, MATRIX, Answer, Client, Person, Staff, refused

CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "identity": {"required": {"post": "contact"}},
    "exempt": ["@bridge_*:localhost"],
}


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


@pytest.fixture(scope="module")
def room(admin: Staff) -> str:
    return admin.found_group()


CONCERNED = {Right.label_room, Right.look_after, Right.appeal}
"""Rights that need a group of one's own, or a measure, besides: told with the labels and the commands."""


def opens(answer: Answer) -> bool:
    """Whether somebody was let in: that there is no such thing is only told to those who may know."""
    return answer.status in (200, 404)


def calls(person: Person, room: str) -> dict[Right, Callable[[Client], Answer]]:
    """One call for each right; the acts are only tried."""
    account, group = f"{GROUPREG}/accounts/{quote(person.user_id)}", f"{GROUPREG}/rooms/{quote(room)}"

    def get(path: str) -> Callable[[Client], Answer]:
        return lambda who: who.call("GET", path)

    def act(method: str, path: str, body: object) -> Callable[[Client], Answer]:
        return lambda who: who.call(method, path, body, dry_run="true")

    entry = {"entity": person.user_id, "reason": "spam", "basis": "11.3"}
    return {
        Right.read_policy: get(f"{GROUPREG}/policy"),
        Right.read_status: get(f"{GROUPREG}/status"),
        Right.read_plan: get(f"{GROUPREG}/plan"),
        Right.set_mode: act("PUT", f"{GROUPREG}/mode", {"mode": "dry"}),
        Right.read_account: get(account),
        Right.verify: act("PUT", f"{account}/identity", {"assurance": "contact"}),
        Right.limit_account: act("PUT", f"{account}/quotas", {"rooms_founded": 1}),
        Right.read_rooms: get(group),
        Right.cap_room: act("PUT", f"{group}/quotas", {"members": 7}),
        Right.read_measures: get(f"{GROUPREG}/measures"),
        Right.impose: act("POST", f"{GROUPREG}/blacklist", entry),
        Right.emergency: act("PUT", f"{GROUPREG}/emergency", {"on": False, "switches": ["posting"]}),
        Right.read_appeals: get(f"{GROUPREG}/appeals"),
        Right.decide_appeals: act("POST", f"{GROUPREG}/appeals/999999/decision", {"outcome": "upheld", "reason": "r"}),
        Right.read_packets: get(f"{GROUPREG}/packets"),
        Right.make_packets: act("POST", f"{GROUPREG}/packets", {"measures": [999999]}),
        Right.read_proposals: get(f"{GROUPREG}/proposals"),
        Right.decide: act("POST", f"{GROUPREG}/proposals/999999/reject", {}),
        Right.read_staff: get(f"{GROUPREG}/staff"),
        Right.grant: act("PUT", f"{GROUPREG}/staff/{quote(person.user_id)}", {"roles": ["operator"]}),
        Right.read_acts: get(f"{GROUPREG}/acts"),
        Right.read_refusals: get(f"{GROUPREG}/refusals"),
        Right.read_notices: get(f"{GROUPREG}/notices"),
        Right.read_keeping: get(f"{GROUPREG}/retention/holds"),
        Right.keep_records: act("POST", f"{GROUPREG}/retention/keys", {"reason": "r"}),
        Right.erase_records: act("POST", f"{GROUPREG}/retention/erasures", {"user_id": person.user_id, "reason": "r"}),
        Right.export_records: act("POST", f"{GROUPREG}/exports", {"mode": "range", "case": "1", "basis": "13.1"}),
        Right.search_records: act("POST", f"{GROUPREG}/records/search", {"reason": "test"}),
    }


@pytest.mark.parametrize("role", StaffRole)
def test_a_role_opens_what_the_table_says(server: Homeserver, admin: Staff, room: str, role: StaffRole) -> None:
    clerk = Staff(server, role.value, roles=[role], granted_by=admin)
    opened = {right for right, call in calls(Person(server), room).items() if opens(call(clerk))}
    assert opened == {right for right, roles in ROLES.items() if role in roles} - CONCERNED


def test_whoever_is_not_staff_is_told_which_role_it_takes(server: Homeserver, room: str) -> None:
    somebody = Person(server)
    with Client(server.url, None) as nobody:
        for right, call in calls(Person(server), room).items():
            assert call(nobody).status == 401, right
            answer = call(somebody)
            if right in EVERYBODY:
                assert "exempt" not in answer.good()
                continue
            assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN"), right
            roles = {role.value for role in ROLES[right]} or {"server admin"}
            assert all(role in answer.body["error"] for role in roles), right


def test_a_server_admin_may_everything(server: Homeserver, admin: Staff, room: str) -> None:
    called = calls(Person(server), room)
    assert called.keys() == set(Right) - CONCERNED
    assert [right for right, call in called.items() if not opens(call(admin))] == []


def test_people_read_their_own_account_and_nobody_elses(server: Homeserver) -> None:
    person, other = Person(server), Person(server)
    own = person.groupreg("GET", f"accounts/{quote(person.user_id)}").good()
    assert (own["user_id"], own["assurance"], own["roles"]) == (person.user_id, "none", [])
    assert person.groupreg("GET", f"accounts/{quote(other.user_id)}").status == 403
    assert person.groupreg("GET", "accounts/@nobody:localhost").status == 403


def test_a_role_works_from_the_next_request_and_only_as_long_as_it_is_held(server: Homeserver, admin: Staff) -> None:
    person, client = Person(server), Person(server)
    identity = f"accounts/{quote(client.user_id)}/identity"
    assert person.groupreg("PUT", identity, {"assurance": "contact"}).status == 403
    admin.grant(person.user_id, ["identity_officer", "inspector"]).good()
    person.groupreg("PUT", identity, {"assurance": "contact"}).good()
    person.groupreg("GET", "acts").good()
    listed = admin.groupreg("GET", "staff").good()["staff"]
    assert {"user_id": person.user_id, "roles": ["identity_officer", "inspector"]} in listed

    admin.grant(person.user_id, []).good()
    assert person.groupreg("PUT", identity, {"assurance": "real_name"}).status == 403
    assert admin.grant("@nobody:localhost", ["operator"]).status == 404
    assert admin.grant(person.user_id, ["king"]).status == 400


def test_nobody_raises_their_own_role(server: Homeserver, admin: Staff) -> None:
    clerk = Staff(server, "clerk", roles=["operator"], granted_by=admin)
    assert clerk.grant(clerk.user_id, ["operator", "reviewer"]).status == 403


def test_the_journal_says_who_did_what_and_why(server: Homeserver, admin: Staff, room: str) -> None:
    operator = Staff(server, "operator", roles=["operator"], granted_by=admin)
    path = f"rooms/{quote(room)}/quotas"
    operator.groupreg("PUT", path, {"members": 7, "reason": "trial"}).good()
    operator.groupreg("PUT", path, {"members": 7, "reason": "again"}).good()
    operator.groupreg("PUT", path, {"members": 9}, dry_run="true").good()
    operator.groupreg("PUT", path, {"members": None, "reason": "over"}).good()

    told = admin.acts(author=operator.user_id)
    assert [(one["action"], one["subject"], one["reason"], one["before"], one["after"]) for one in told] == [
        ("cap", room, "over", {"members": 7}, {"members": None}),
        ("cap", room, "trial", {"members": None}, {"members": 7}),
    ]
    assert told[0]["ts_ms"] >= told[1]["ts_ms"]
    page = admin.groupreg("GET", "acts", limit=1, author=operator.user_id).good()
    assert (len(page["acts"]), page["total"], page["next_token"]) == (1, 2, "1")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "mode", {"mode": "on"}),
        ("PUT", "rooms/{room}/quotas", {"members": 0}),
        ("PUT", "rooms/{room}/quotas", {"members": "7"}),
        ("PUT", "accounts/{user}/quotas", {"rooms_founded": -1}),
        ("PUT", "accounts/{user}/quotas", {"rooms_fonded": 1}),
        ("POST", "blacklist", {"entity": "@a:b"}),
        ("PUT", "accounts/{user}/identity", ["contact"]),
    ],
)
def test_bad_input_is_named_by_field(admin: Staff, room: str, method: str, path: str, body: object) -> None:
    target = path.format(room=quote(room), user=quote(admin.user_id))
    before = admin.groupreg("GET", "acts").good()["total"]
    answer = admin.groupreg(method, target, body)
    assert answer.status == 400
    assert all(one["field"] and one["problem"] for one in answer.body["org.groupreg.fields"])
    assert admin.groupreg("GET", "acts").good()["total"] == before


def test_unknown_rooms_and_accounts_are_not_found(admin: Staff) -> None:
    assert admin.groupreg("GET", "rooms/!nowhere:localhost").status == 404
    assert admin.groupreg("GET", "accounts/@nobody:localhost").status == 404
    assert admin.lift(987654).status == 404
    assert admin.cap("!nowhere:localhost", 5).status == 404


@pytest.mark.parametrize(
    ("language", "words"), [("ko", "본인 확인"), ("zh-CN", "验证"), ("de", "needs to be verified")]
)
@pytest.mark.parametrize("setting", ["account data", "pusher"])
def test_people_are_refused_in_their_language(
    server: Homeserver, room: str, language: str, words: str, setting: str
) -> None:
    person = Person(server)
    person.join(room).good()
    if setting == "account data":
        path = f"{MATRIX}/user/{quote(person.user_id)}/account_data/org.groupreg.settings"
        person.call("PUT", path, {"language": language}).good()
    else:
        pusher = {
            "kind": "http",
            "app_id": "org.example.app",
            "pushkey": person.name,
            "app_display_name": "App",
            "device_display_name": "Phone",
            "lang": language,
            "data": {"url": "http://127.0.0.1:9/_matrix/push/v1/notify"},
        }
        person.call("POST", f"{MATRIX}/pushers/set", pusher).good()
    assert words in refused(person.send(room), "identity-required")["error"]


def test_the_rules_page_follows_the_browser(server: Homeserver) -> None:
    with Client(server.url, None) as browser:
        for wish, words in (("ko-KR,ko;q=0.9", "본인 확인"), ("zh-TW", "验证"), ("fr", "verified")):
            browser.headers["Accept-Language"] = wish
            page = browser.call("GET", "/_synapse/client/groupreg/rules").good()
            assert words in page, wish
            assert 'id="identity-required"' in page
