# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each command: what it asks of the server, the sentence it prints, and JSON that is JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.cli.options import Cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

T = 1_772_366_400_000  # 2026-03-01 12:00 UTC
ANNA, ROOM = "@anna:fake.test", "!r:fake.test"

MEASURE = {
    "id": 12,
    "kind": "blacklisted",
    "subject_kind": "account",
    "subject": ANNA,
    "scope": "groups",
    "reason": "Spam",
    "basis": "article 11.3",
    "author": "@admin:fake.test",
    "start_ms": T,
    "until_ms": None,
    "review_ms": None,
    "lifted_ms": None,
}
ACCOUNT = {
    "user_id": ANNA,
    "assurance": "real_name",
    "identities": [{"provider": "operator", "assurance": "real_name", "since_ms": T}],
    "linked_accounts": ["@anna2:fake.test"],
    "quotas": {
        "rooms_founded": {"used": 3, "limit": 10, "override": None},
        "rooms_joined": {"used": 1500, "limit": 2000, "override": 2000},
    },
    "measures": [MEASURE],
    "roles": ["operator"],
    "exempt": False,
}
GROUP = {
    "room_id": ROOM,
    "name": "Garden [bold]",
    "kind": "group",
    "room_version": "12",
    "founder": ANNA,
    "managers": [ANNA],
    "names": {ANNA: "Anna [red]"},
    "labels": {"100": "建立者", "50": "管理者 / Manager"},
    "federated": False,
    "encrypted": True,
    "predecessor": None,
    "successor": None,
    "quotas": {"members": {"used": 512, "limit": 500, "override": None}},
    "measures": [],
}
STATUS = {
    "version": "0.1.0",
    "synapse": "1.163.2",
    "mode": "dry",
    "configured_mode": "enforce",
    "database": "sqlite",
    "schema": 3,
    "process": "main",
    "warnings": [{"code": "registration-open", "text": "Registration is open to everybody."}],
    "exempt": {"configured": ["@bridge_*:fake.test"], "server_admins": ["@admin:fake.test"], "appservices": []},
    "federated_groups": {"count": 1, "rooms": ["!fed:fake.test"]},
    "snapshot": {"version": 4, "accounts": 10, "exceptions": 2, "age_ms": 340},
    "counters": {"refused": {"room-full": 2}, "dry": {"identity-required": 5}, "refusals_lost": 1},
}
PLAN = {
    "rooms_over_cap": [{"room_id": ROOM, "name": "Garden", "members": 512, "cap": 500}],
    "rooms_over_cap_total": 140,
    "accounts_over_limit": [{"account": ANNA, "quota": "rooms_founded", "used": 12, "limit": 10}],
    "accounts_over_limit_total": 1,
    "accounts": {"total": 1200, "by_assurance": {"none": 900, "contact": 300}, "below_post": 900},
    "founderless_groups": ["!orphan:fake.test"],
    "federated_groups": ["!fed:fake.test"],
    "encrypted_groups": [{"room_id": ROOM, "name": "Garden"}],
    "exempt": {"configured": [], "server_admins": ["@admin:fake.test"], "appservices": []},
}
ACT = {
    "id": 3,
    "ts_ms": T,
    "author": "@admin:fake.test",
    "action": "set-cap",
    "subject": ROOM,
    "reason": "Small hall",
    "before": {"members": 500},
    "after": {"members": 7},
}
REFUSAL = {
    "minute_ms": T,
    "account": ANNA,
    "code": "room-full",
    "attempt": "join",
    "room_id": ROOM,
    "count": 3,
    "dry": False,
    "first_ms": T,
    "last_ms": T,
}


def changed(before: Any, after: Any, **more: Any) -> Callable[[Any], Any]:
    """Answer an act the way the server does, with or without dry_run."""
    return lambda request: {
        "dry_run": request.query.get("dry_run") == "true",
        "changed": before != after,
        "before": before,
        "after": after,
        **more,
    }


REPLIES: dict[str, Any] = {
    "GET status": STATUS,
    "GET plan": PLAN,
    "GET policy": {"mode": "dry", "dry_run": [], "quotas": {"members_per_room": 500}, "federation": "closed"},
    "PUT mode": changed({"mode": "dry"}, {"mode": "enforce"}),
    f"GET accounts/{ANNA}": ACCOUNT,
    "GET accounts/@admin:fake.test": {**ACCOUNT, "user_id": "@admin:fake.test"},
    f"PUT accounts/{ANNA}/identity": changed({"assurance": "none"}, {"assurance": "real_name"}),
    f"DELETE accounts/{ANNA}/identity": changed({"assurance": "contact"}, {"assurance": "none"}),
    f"PUT accounts/{ANNA}/quotas": changed({"rooms_founded": 10}, {"rooms_founded": 3}),
    "GET rooms": {"rooms": [GROUP], "total": 1},
    f"GET rooms/{ROOM}": GROUP,
    f"PUT rooms/{ROOM}/quotas": changed({"members": 500}, {"members": 7}),
    f"PUT rooms/{ROOM}/labels": changed({"labels": None}, {"labels": {"0": "Member", "50": "Manager"}}),
    "GET /_matrix/client/v3/directory/room/#garden:fake.test": {"room_id": ROOM},
    "GET blacklist": lambda request: {
        "blacklist": [MEASURE] if request.query.get("subject") in {None, ANNA} else [],
        "total": 1,
    },
    "POST blacklist": changed(None, {"scope": "groups", "until_ms": T}, id=12),
    "DELETE blacklist/12": changed({"lifted": False}, {"lifted": True}),
    "GET staff": {"staff": [{"user_id": ANNA, "roles": ["operator", "inspector"]}]},
    f"GET staff/{ANNA}": {"user_id": ANNA, "roles": ["operator"]},
    f"PUT staff/{ANNA}": changed({"roles": ["operator"]}, {"roles": ["operator", "reviewer"]}),
    "GET acts": {"acts": [ACT], "total": 1},
    "GET refusals": {"refusals": [REFUSAL], "total": 1},
}

LOOKS: list[tuple[str, list[str]]] = [
    (
        "status",
        ["Mode dry", "configuration file says enforce", "WARNING", "registration-open", "@bridge_*", "room-full"],
    ),
    ("plan", ["140 rooms over the cap", "... and 139 more.", "!orphan:fake.test", "900 accounts of 1,200", "WARNING"]),
    *((look, ["!fed:fake.test", "whoever is too many is removed afterwards"]) for look in ("status", "plan")),
    ("policy", ["Mode dry", "members per room", "500", "closed"]),
    ("mode", ["Mode dry: everything is judged"]),
    (f"account show {ANNA}", ["real_name", "@anna2:fake.test", "1,500", "set for this person", "Spam", "in force"]),
    ("account show", ["@admin:fake.test"]),
    ("room list", [ROOM, "Garden [bold]", "512"]),
    (
        f"room show {ROOM}",
        ["500 (the server's default)", "encrypted", "yes", f"Anna [red] ({ANNA})", "50 管理者 / Manager, 100 建立者"],
    ),
    ("room show #garden:fake.test", [ROOM]),
    ("blacklist list", ["12", ANNA, "2026-03-01 12:00", "article 11.3"]),
    ("staff list", [ANNA, "operator, inspector"]),
    (f"staff show {ANNA}", ["operator."]),
    ("acts", ["set-cap", "members 500 -> 7", "Small hall"]),
    ("refusals", ["room-full", "refused", "2026-03-01 12:00"]),
]
ACTS: list[tuple[str, str, Any, str]] = [
    ("mode enforce --reason Ready", "PUT mode", {"mode": "enforce", "reason": "Ready"}, "mode dry -> enforce"),
    (
        f"account verify {ANNA} real_name --reference 4711",
        f"PUT accounts/{ANNA}/identity",
        {"assurance": "real_name", "provider": "operator", "reference": "4711"},
        f"Verified {ANNA}: assurance none -> real_name.",
    ),
    (f"account unverify {ANNA}", f"DELETE accounts/{ANNA}/identity", {}, "assurance contact -> none"),
    (
        f"account limit {ANNA} --founded 3 --joined default --reason Calm",
        f"PUT accounts/{ANNA}/quotas",
        {"rooms_founded": 3, "rooms_joined": None, "reason": "Calm"},
        "rooms founded 10 -> 3",
    ),
    (f"room cap {ROOM} 7", f"PUT rooms/{ROOM}/quotas", {"members": 7}, "members 500 -> 7"),
    (f"room cap {ROOM} default", f"PUT rooms/{ROOM}/quotas", {"members": None}, "Set the cap"),
    ("room cap #garden:fake.test 7", f"PUT rooms/{ROOM}/quotas", {"members": 7}, "Set the cap"),
    (f"room label {ROOM}", f"PUT rooms/{ROOM}/labels", {}, "labels 50 not set -> Manager"),
    (f"room label {ROOM} --reason Asked", f"PUT rooms/{ROOM}/labels", {"reason": "Asked"}, f"Labelled {ROOM}"),
    (
        f"blacklist add {ANNA} --reason Spam --basis 11.3 --scope account",
        "POST blacklist",
        {"entity": ANNA, "reason": "Spam", "basis": "11.3", "scope": "account"},
        "(entry 12): scope groups",
    ),
    ("blacklist lift 12 --reason Appeal", "DELETE blacklist/12", {"reason": "Appeal"}, "Lifted entry 12"),
    (f"blacklist lift {ANNA}", "DELETE blacklist/12", {}, "Lifted entry 12"),
    (f"staff set {ANNA} reviewer", f"PUT staff/{ANNA}", {"roles": ["reviewer"]}, "operator -> operator, reviewer"),
    (f"staff set {ANNA} --none", f"PUT staff/{ANNA}", {"roles": []}, "Changed the roles"),
    (f"staff grant {ANNA} reviewer", f"PUT staff/{ANNA}", {"roles": ["operator", "reviewer"]}, "Changed the roles"),
    (f"staff revoke {ANNA} operator", f"PUT staff/{ANNA}", {"roles": []}, "Changed the roles"),
]


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= REPLIES


@pytest.mark.parametrize(("command", "texts"), LOOKS)
def test_looks(groupreg: Callable[..., Result], command: str, texts: list[str]) -> None:
    result = groupreg(*command.split())
    assert result.exit_code == 0, result.output
    for text in texts:
        assert text in result.stdout


@pytest.mark.parametrize("command", [command for command, _ in LOOKS] + [command for command, *_ in ACTS])
def test_json_is_json_and_nothing_else(groupreg: Callable[..., Result], command: str) -> None:
    result = groupreg(*command.split(), "--json")
    assert result.exit_code == 0, result.output
    assert isinstance(json.loads(result.stdout), dict)
    assert json.loads(groupreg("--json", *command.split()).stdout)


@pytest.mark.parametrize(("command", "request_line", "body", "text"), ACTS)
def test_acts(
    server: Any, groupreg: Callable[..., Result], *, command: str, request_line: str, body: Any, text: str
) -> None:
    result = groupreg(*command.split())
    assert result.exit_code == 0, result.output
    assert text in result.stdout
    sent = server.sent(*request_line.split())
    assert [(one.body, one.query) for one in sent] == [(body, {})]


@pytest.mark.parametrize("command", [command for command, *_ in ACTS])
def test_every_act_has_a_dry_run(server: Any, groupreg: Callable[..., Result], command: str) -> None:
    result = groupreg(*command.split(), "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Dry run, nothing was changed. This would ")
    writes = [one for one in server.requests if one.method != "GET"]
    assert [one.query for one in writes] == [{"dry_run": "true"}]


def test_an_act_that_changes_nothing_says_so(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["PUT mode"] = changed({"mode": "dry"}, {"mode": "dry"})
    assert groupreg("mode", "dry").stdout.startswith("Nothing to change")


@pytest.mark.parametrize(
    "command",
    [
        "mode sometimes",
        f"account verify {ANNA} certain",
        "account verify anna contact",
        f"account limit {ANNA}",
        f"account limit {ANNA} --founded -1",
        f"account limit {ANNA} --founded many",
        "room cap garden 7",
        f"room cap {ROOM} 7.5",
        f"blacklist add {ANNA} --basis x",
        f"blacklist add {ANNA} --basis x --reason y --until yesterday",
        f"staff set {ANNA}",
        f"staff set {ANNA} operator --none",
        f"staff set {ANNA} king",
        "acts --limit -1",
    ],
)
def test_wrong_usage_sends_nothing(server: Any, groupreg: Callable[..., Result], command: str) -> None:
    result = groupreg(*command.split())
    assert result.exit_code == 2, result.output
    assert not server.requests


def test_filters_reach_the_server(server: Any, groupreg: Callable[..., Result]) -> None:
    groupreg("acts", "--author", ANNA, "--action", "set-cap")
    assert server.requests[-1].query == {"author": ANNA, "action": "set-cap", "limit": "100"}
    groupreg("refusals", "--room", "#garden:fake.test", "--code", "room-full")
    assert server.requests[-1].query == {"room_id": ROOM, "code": "room-full", "limit": "100"}
    groupreg("blacklist", "list", "--all", "--limit", "0")
    assert server.requests[-1].query == {"all": "true", "limit": "500"}


def test_until_and_review_are_sent_in_milliseconds(server: Any, groupreg: Callable[..., Result]) -> None:
    args = ("--reason", "r", "--basis", "b", "--until", "2999-12-31T00:00:00Z", "--review", "2999-06-01")
    assert groupreg("blacklist", "add", "*.evil.test", *args).exit_code == 0
    body = server.sent("POST", "blacklist")[0].body
    assert (body["until_ms"], body["review_ms"]) == (32503593600000, 32485276799000)


def test_a_new_entry_says_what_kind_of_thing_it_bars(server: Any, groupreg: Callable[..., Result]) -> None:
    after = {"id": 12, "subject_kind": "server", "subject": "anna", "author": "@admin:fake.test", "scope": "groups"}
    server.replies["POST blacklist"] = changed(None, after, id=12)
    said = groupreg("blacklist", "add", "anna", "--reason", "r", "--basis", "b").stdout
    assert said == "Blacklisted the server anna (entry 12): scope groups.\n"


def test_an_unknown_alias_says_where_to_look(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["GET /_matrix/client/v3/directory/room/#no:fake.test"] = server.error(
        404, "No such alias", "M_NOT_FOUND"
    )
    result = groupreg("room", "show", "#no:fake.test")
    assert (result.exit_code, "No such alias. See the rooms of this server" in result.stderr) == (1, True)


def test_lifting_an_entity_without_an_entry_says_so(groupreg: Callable[..., Result]) -> None:
    result = groupreg("blacklist", "lift", "@nobody:fake.test")
    assert result.exit_code == 1
    assert "no entry in force" in result.stderr


def test_a_reference_can_come_from_a_file(server: Any, groupreg: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "reference"
    file.write_text("4711\n")
    result = groupreg("account", "verify", ANNA, "contact", "--reference-file", str(file))
    assert server.sent("PUT", f"accounts/{ANNA}/identity")[0].body["reference"] == "4711"
    assert "4711" not in result.output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cli, "interactive", property(lambda _: True))


@pytest.mark.usefixtures("terminal")
def test_enforcing_on_a_terminal_shows_counts_and_asks(server: Any, groupreg: Callable[..., Result]) -> None:
    result = groupreg("mode", "enforce", stdin="n\n")
    assert result.exit_code == 1
    assert "140 rooms over the cap" in result.stderr
    assert "Nothing was changed." in result.stderr
    assert not server.sent("PUT", "mode")
    assert groupreg("mode", "enforce", stdin="y\n").exit_code == 0
    assert len(server.sent("PUT", "mode")) == 1


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("args", [("enforce", "--yes"), ("enforce", "--dry-run"), ("dry",)])
def test_nothing_else_asks(server: Any, groupreg: Callable[..., Result], args: tuple[str, ...]) -> None:
    assert groupreg("mode", *args).exit_code == 0
    assert not server.sent("GET", "plan")
    assert len(server.sent("PUT", "mode")) == 1
