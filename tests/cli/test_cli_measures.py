# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg measure` and `groupreg emergency`: what is asked for, and what is said."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_cli_commands import STATUS, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

ANNA, ROOM, T = "@anna:fake.test", "!garden:fake.test", 1_900_000_000_000
WARNING = {
    "id": 12,
    "kind": "warning",
    "subject_kind": "room",
    "subject": ROOM,
    "scope": "groups",
    "room": None,
    "reason": "Spam",
    "note": "third time",
    "basis": "11.1",
    "author": "@admin:fake.test",
    "start_ms": T,
    "deadline_ms": T,
    "next_step": "posting-suspended",
}
EFFECTS = [
    {"effect": "notice", "accounts": [ANNA]},
    {"effect": "removal", "room_id": ROOM, "members": 2, "due_ms": T},
]
EMERGENCY = [{"subject": "posting", "room": None, "until_ms": T, "author": "@admin:fake.test", "reason": "flood"}]
WHY = "--basis 11.1 --reason Spam"
ACTS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        f"measure impose closed {ROOM} {WHY} --note n --key k",
        "POST measures",
        {"kind": "closed", "entity": ROOM, "basis": "11.1", "reason": "Spam", "note": "n", "key": "k"},
        f"Imposed closed on {ROOM} (measure 12)",
    ),
    (
        f"measure impose posting-suspended 123456786 {WHY}",
        "POST measures",
        {"kind": "posting-suspended", "entity": ROOM, "basis": "11.1", "reason": "Spam"},
        "Imposed posting-suspended on 123456786 (measure 12)",
    ),
    (
        f"measure impose management-suspended {ANNA} --in #garden:fake.test {WHY}",
        "POST measures",
        {"kind": "management-suspended", "entity": ANNA, "room": ROOM, "basis": "11.1", "reason": "Spam"},
        "Told in a direct room: @anna:fake.test",
    ),
    ("measure lift 12 --reason Appeal", "DELETE measures/12", {"reason": "Appeal"}, "Lifted measure 12"),
    (
        "measure report 12 handed-in --text R5",
        "PUT measures/12/report",
        {"state": "handed-in", "text": "R5"},
        "Noted handed-in for measure 12",
    ),
    (
        "emergency off posting founding",
        "PUT emergency",
        {"on": False, "switches": ["posting", "founding"]},
        "Goes on: posting and founding in the whole server",
    ),
]


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= {
        "GET measures": {"measures": [WARNING], "total": 1},
        "GET measures/12": WARNING,
        "POST measures": changed(None, {"until_ms": T}, id=12, effects=EFFECTS),
        "DELETE measures/12": changed({"lifted": False}, {"lifted": True, "subject": ROOM}),
        "PUT measures/12/report": changed({"report": "due"}, {"report": "handed-in"}),
        "GET groups/123456786": {"room_id": ROOM},
        "GET emergency": {"emergency": EMERGENCY},
        "PUT emergency": changed({"posting": None}, {"posting": {}}),
        "GET /_matrix/client/v3/directory/room/#garden:fake.test": {"room_id": ROOM},
    }


@pytest.mark.parametrize(("command", "request_line", "body", "text"), ACTS)
def test_acts_and_trying_them(
    server: Any, groupreg: Callable[..., Result], *, command: str, request_line: str, body: Any, text: str
) -> None:
    assert text in groupreg(*command.split()).stdout
    tried = groupreg(*command.split(), "--dry-run")
    assert tried.stdout.startswith("Dry run, nothing was changed. This would ")
    sent = server.sent(*request_line.split())
    assert [(one.body, one.query) for one in sent] == [(body, {}), (body, {"dry_run": "true"})]
    assert json.loads(groupreg(*command.split(), "--json").stdout)["changed"]


def test_an_emergency_has_an_end_and_a_reason(server: Any, groupreg: Callable[..., Result]) -> None:
    assert groupreg("emergency", "on", "posting", "--reason", "flood").exit_code == 2
    assert groupreg("emergency", "on", "--until", "2h", "--reason", "flood").exit_code == 2
    assert "'abc' is not a valid whole number" in groupreg("measure", "show", "abc").stderr
    done = groupreg("emergency", "on", "posting", "--until", "2h", "--reason", "flood", "--room", ROOM)
    assert done.stdout == f"Stopped: posting in {ROOM}.\n"
    (sent,) = server.sent("PUT", "emergency")
    assert {**sent.body, "until_ms": 0} == {
        "on": True,
        "until_ms": 0,
        "reason": "flood",
        "room": ROOM,
        "switches": ["posting"],
    }


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        ("measure list", [ROOM, "warning", "groupreg measure impose posting-suspended '!garden:fake.test'"]),
        ("measure show 12", ["third time", "11.1", "2030-03-17"]),
        ("emergency show", ["posting", "the whole server", "flood"]),
    ],
)
def test_looks(groupreg: Callable[..., Result], command: str, texts: list[str]) -> None:
    said = groupreg(*command.split())
    assert said.exit_code == 0, said.output
    assert [text for text in texts if text not in said.stdout] == []
    assert isinstance(json.loads(groupreg(*command.split(), "--json").stdout), dict)


@pytest.mark.parametrize(
    ("accepted", "shown"), [(None, "-"), ([], "no version"), (["2026-01", "2026-07"], "2026-01, 2026-07")]
)
@pytest.mark.parametrize("path", ["measures", "blacklist"])
def test_the_version_of_the_agreement_is_shown_and_its_lack_is_said(
    server: Any, groupreg: Callable[..., Result], path: str, accepted: list[str] | None, shown: str
) -> None:
    server.replies["GET measures/12"] = {**WARNING, "accepted": accepted}
    (line,) = re.findall(r"agreement accepted *(.*)", groupreg("measure", "show", "12").stdout)
    assert line.strip() == shown
    server.replies[f"POST {path}"] = changed(None, {"accepted": accepted}, id=12)
    command = ["blacklist", "add"] if path == "blacklist" else ["measure", "impose", "founding-revoked"]
    done = groupreg(*command, ANNA, "--basis", "agreement 4", "--reason", "Spam")
    assert ("Synapse knows no version of it" in done.stdout) == (accepted == [])


def test_what_follows_from_measures_is_visible_in_status(server: Any, groupreg: Callable[..., Result]) -> None:
    removal = {"room_id": ROOM, "members": 2, "problem": "2 members of it could not be removed"}
    told = {"waiting": 3, "sending": 1, "sent": 9, "failed": 2}
    server.replies["GET status"] = {**STATUS, "measures": {"removals": [removal], "notices": told, "labels": 5}}
    said = groupreg("status").stdout
    for what, count in (("members to be removed", 1), ("labels are to be written", 5), ("notices that wait", 4)):
        assert re.search(rf"{what} +{count}\n", said), what
    assert re.search(r"notices that could not be sent +2\n", said)
    assert "2 members of it could not be removed" in said


def test_a_wrong_subject_is_called_so(server: Any, groupreg: Callable[..., Result]) -> None:
    fields = {"org.groupreg.fields": [{"field": "entity", "problem": "must be a group"}]}
    server.replies["POST measures"] = server.error(400, "entity: must be a group", "M_INVALID_PARAM", **fields)
    refused = groupreg("measure", "impose", "closed", ANNA, *WHY.split())
    assert (refused.exit_code, refused.stderr) == (2, "Error: SUBJECT: must be a group.\n")


def test_a_report_that_is_due_is_seen(server: Any, groupreg: Callable[..., Result]) -> None:
    due = {**WARNING, "report": "due", "report_ms": None}
    server.replies |= {"GET measures": {"measures": [due], "total": 1}, "GET measures/12": due}
    assert "in force, REPORT DUE" in groupreg("measure", "list").stdout
    assert re.search(r"report +due *\n", groupreg("measure", "show", "12").stdout)
    server.replies["GET measures/12"] = {**WARNING, "report": "handed-in", "report_ms": T}
    assert re.search(r"report noted +2030-03-17", groupreg("measure", "show", "12").stdout)


def test_a_list_is_narrowed(server: Any, groupreg: Callable[..., Result]) -> None:
    groupreg("measure", "list", "--due", "--all", "--kind", "closed", "--subject", ANNA)
    (sent,) = server.sent("GET", "measures")
    wanted = {"due": "true", "all": "true", "kind": "closed", "subject": ANNA}
    assert {name: sent.query[name] for name in wanted} == wanted
