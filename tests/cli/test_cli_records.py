# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg records` and `my-records`: what they ask for, page by page, and how they show it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from synapse_groupreg.cli import times
from synapse_groupreg.cli.options import Cli
from synapse_groupreg.cli.times import parse_past
from tests.cli.conftest import ME

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

T = 1_772_366_403_000  # 2026-03-01 12:00:03 UTC
DAY = 86_400_000
ANNA, ROOM = "@anna:fake.test", "!r:fake.test"
LOGIN = {
    "log": "events",
    "index": 31,
    "period": "2026-03",
    "shard": 1,
    "kind": "login",
    "ts_ms": T,
    "type": "m.login.password",
    "verdict": None,
    "count": 1,
    "sender": ANNA,
    "room_id": None,
    "target": None,
    "event_id": None,
    "device_id": "ABC",
    "ip": "192.0.2.7",
    "user_agent": "=cmd|' /C calc'!A0\u202e",
    "facts": {"provider": "oidc"},
    "erased": [],
}
REFUSAL = {
    **LOGIN,
    "index": 30,
    "kind": "refusal",
    "type": "join",
    "verdict": "refused:room-full",
    "count": 70_000,
    "sender": None,
    "room_id": ROOM,
    "erased": ["sender", "ip"],
    "facts": None,
}
del REFUSAL["ip"], REFUSAL["user_agent"], REFUSAL["device_id"]
LOOK = {"kind": "look", "ts_ms": T, "type": "read accounts", "roles": ["inspector"]}


def store(total: int) -> Callable[[Any], Any]:
    """So many records, in pages as they are asked for."""

    def answer(request: Any) -> Any:
        start, limit = int(request.body.get("from", "e0")[1:]), int(request.body["limit"])
        end = min(start + limit, total)
        page = {"records": [{**LOGIN, "index": total - number} for number in range(start, end)]}
        return {**page, "next_token": f"e{end}"} if end < total else page

    return answer


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_search_asks_for_what_was_said(
    server: Any, groupreg: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "now_ms", lambda: T)
    server.replies["POST records/search"] = {"records": [LOGIN, REFUSAL]}
    conditions = f"--account {ANNA} --room {ROOM} --kind login --kind logout --type m.login.password --code room-full"
    more = "--log events --from 7d --to 2026-03-01 --content --limit 7"
    result = groupreg("records", "search", *conditions.split(), *more.split(), "--reason", "case 7")
    assert result.exit_code == 0, result.output
    [request] = server.sent("POST", "records/search")
    assert request.query == {}, "what stands in an address comes into logs"
    assert request.body == {
        "account": ANNA,
        "room_id": ROOM,
        "kind": ["login", "logout"],
        "type": ["m.login.password"],
        "code": ["room-full"],
        "log": "events",
        "from_ms": T - 7 * DAY,
        "to_ms": 1_772_409_599_999,
        "content": True,
        "limit": 7,
        "reason": "case 7",
    }
    shown = [
        "2026-03-01 12:00:03",
        "events 31",
        "login m.login.password",
        ANNA,
        "join refused:room-full (70,000 times)",
    ]
    assert [one for one in [*shown, "(erased)", ROOM] if one not in result.stdout] == []
    assert "No content is kept of these records" in result.stdout
    detailed = groupreg("records", "search", "--reason", "case 7", "--details").stdout
    shown = ["events 31", "192.0.2.7", "sender, ip", "refused:room-full", "70000", "facts provider", "oidc"]
    assert [one for one in shown if one not in detailed] == []
    assert "\u202e" not in result.stdout + detailed


def test_a_table_of_records_fits_a_page_and_shows_no_json(server: Any, groupreg: Callable[..., Result]) -> None:
    name = "@" + "n" * 100 + ":example.org"
    act = {
        **LOGIN,
        "kind": "act",
        "index": 4_000_000,
        "type": "t" * 60,
        "sender": name,
        "target": name,
        "room_id": "!" + "r" * 80,
    }
    act |= {"after": '{"rooms_founded": 20, "by": {"why": "x"}}', "reason": "w" * 200}
    server.replies["POST records/search"] = {"records": [act, LOGIN, REFUSAL]}
    table = groupreg("records", "search", "--reason", "r").stdout
    assert max(map(len, table.splitlines())) <= 120
    assert "{" not in table
    details = groupreg("records", "search", "--reason", "r", "--details").stdout
    assert "{" not in details
    assert [one for one in (name, "after rooms founded", "after by why", "w" * 200) if one not in details] == []


def test_what_was_changed_in_the_store_is_told(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = {"records": [LOGIN, {**REFUSAL, "changed": True}]}
    result = groupreg("records", "search", "--reason", "r").stdout
    assert "CHANGED join refused" in result
    assert "WARNING  1 record changed in the store: groupreg fsck says which, and what helps." in result
    assert "changed in the store" in groupreg("records", "search", "--reason", "r", "--details").stdout
    intact, changed = read_csv(groupreg("records", "search", "--reason", "r", "--csv").stdout)
    assert (intact["changed"], changed["changed"]) == ("", "yes")


def test_without_a_reason_nothing_is_asked(server: Any, groupreg: Callable[..., Result]) -> None:
    for command in (["records", "search"], ["records", "about", ANNA]):
        result = groupreg(*command)
        assert (result.exit_code, "--reason" in result.stderr) == (2, True)
    assert server.requests == []


@pytest.mark.parametrize(
    "options",
    [
        "--account anna",
        "--kind king",
        "--from yesterday",
        "--from 2026-13-01",
        "--to 2026-03-01T12:00",
        "--limit 0",
        "--json --csv",
        "--room garden",
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    server: Any, groupreg: Callable[..., Result], options: str
) -> None:
    result = groupreg("records", "search", "--reason", "r", *options.split())
    assert result.exit_code == 2, result.output
    assert server.requests == []


@pytest.mark.parametrize(("limit", "sizes"), [("100", [100]), ("1000", [1000]), ("1700", [1000, 700])])
def test_a_limit_is_asked_for_in_pages(
    server: Any, groupreg: Callable[..., Result], limit: str, sizes: list[int]
) -> None:
    server.replies["POST records/search"] = store(3500)
    result = groupreg("records", "search", "--reason", "r", "--limit", limit, "--json")
    answer = json.loads(result.stdout)
    assert [one["index"] for one in answer["records"]] == list(range(3500, 3500 - int(limit), -1))
    assert answer["next_token"] == f"e{limit}"
    assert [one.body["limit"] for one in server.sent("POST", "records/search")] == sizes


def test_all_follows_the_pages_to_the_end(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = store(2500)
    answer = json.loads(groupreg("records", "search", "--reason", "r", "--all", "--json").stdout)
    assert [one["index"] for one in answer["records"]] == list(range(2500, 0, -1))
    assert "next_token" not in answer
    assert [one.body.get("from") for one in server.sent("POST", "records/search")] == [None, "e1000", "e2000"]


def test_that_there_are_more_is_said(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = store(5)
    assert "There are more" in groupreg("records", "search", "--reason", "r", "--limit", "3").stdout
    assert "There are more" not in groupreg("records", "search", "--reason", "r").stdout
    server.replies["POST records/search"] = store(0)
    assert "None that match." in groupreg("records", "search", "--reason", "r").stdout


def test_csv_is_csv_and_carries_nothing_out(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = {"records": [{**LOGIN, "content": {"body": "+1"}}, REFUSAL]}
    result = groupreg("records", "search", "--reason", "r", "--csv")
    login, refusal = read_csv(result.stdout)
    assert (login["log"], login["index"], login["time"], login["ts_ms"]) == (
        "events",
        "31",
        "2026-03-01 12:00:03",
        str(T),
    )
    assert (login["sender"], login["ip"], login["facts"]) == (ANNA, "192.0.2.7", '{"provider": "oidc"}')
    assert login["user_agent"].startswith("'=cmd")
    assert "\u202e" not in result.stdout
    assert login["content"] == '{"body": "+1"}'
    assert (refusal["verdict"], refusal["count"], refusal["erased"]) == ("refused:room-full", "70000", "sender ip")
    assert refusal["sender"] == refusal["ip"] == ""


def test_csv_of_all_pages_has_one_heading(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = store(2100)
    rows = read_csv(groupreg("records", "search", "--reason", "r", "--all", "--csv").stdout)
    assert [int(row["index"]) for row in rows] == list(range(2100, 0, -1))


def test_progress_is_shown_on_a_terminal_only(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST records/search"] = store(2500)
    assert groupreg("records", "search", "--reason", "r", "--all", "--csv").stderr == ""


def test_people_read_what_is_kept_about_them(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies[f"GET accounts/{ME}/records"] = {"user_id": ME, "records": [LOGIN], "looks": [LOOK]}
    result = groupreg("my-records")
    assert result.exit_code == 0, result.output
    assert "look read accounts" in result.stdout
    assert "inspector" in result.stdout
    assert "m.login.password" in result.stdout
    [request] = server.sent("GET", f"accounts/{ME}/records")
    assert request.query == {"limit": "100"}
    assert json.loads(groupreg("my-records", "--json").stdout)["looks"] == [LOOK]


def test_who_is_logged_in_by_a_token_alone_is_asked_of_the_server(
    server: Any, logged_out: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUPREG_URL", server.url)
    monkeypatch.setenv("GROUPREG_TOKEN", "the-token")
    server.replies["GET /_matrix/client/v3/account/whoami"] = {"user_id": ANNA}
    server.replies[f"GET accounts/{ANNA}/records"] = {"user_id": ANNA, "records": [], "looks": []}
    result = logged_out("my-records")
    assert "Nobody." in result.stdout
    assert f"What {ANNA} did" in result.stdout
    assert "Nothing." in result.stdout


def test_the_pages_of_both_lists_are_joined(server: Any, groupreg: Callable[..., Result]) -> None:
    def answer(request: Any) -> Any:
        first = "from" not in request.body
        page = {"user_id": ANNA, "records": [LOGIN] * 2 if first else [], "looks": [LOOK] * (3 if first else 1)}
        return {**page, "next_token": "e"} if first else page

    server.replies["POST records/about"] = answer
    found = json.loads(groupreg("records", "about", ANNA, "--reason", "case 7", "--all", "--json").stdout)
    assert (len(found["records"]), len(found["looks"]), found["user_id"]) == (2, 4, ANNA)
    sent = server.sent("POST", "records/about")
    assert {(one.body["user_id"], one.body["reason"], *one.query) for one in sent} == {(ANNA, "case 7")}


def test_a_server_that_keeps_no_records_says_so(server: Any, groupreg: Callable[..., Result]) -> None:
    told = "This server keeps no records: retention.enabled is false in its configuration."
    server.replies["POST records/search"] = server.error(409, told, "ORG_GROUPREG_CONFLICT")
    result = groupreg("records", "search", "--reason", "r")
    assert (result.exit_code, told in result.stderr) == (1, True)


def test_what_the_server_finds_wrong_is_told_in_options(server: Any, groupreg: Callable[..., Result]) -> None:
    def wrong(fields: dict[str, str]) -> Any:
        said = [{"field": field, "problem": problem} for field, problem in fields.items()]
        error = "; ".join(f"{field}: {problem}" for field, problem in fields.items())
        return server.error(400, error, "M_INVALID_PARAM", **{"org.groupreg.fields": said})

    server.replies["POST records/search"] = wrong({
        "from_ms": "must be a moment",
        "room_id": "must be a room",
        "kind.0": "is no kind",
        "account": "must be an account",
        "body": "must not have from_ms after to_ms",
    })  # fmt: skip
    said = groupreg("records", "search", "--reason", "r").stderr
    assert said == (
        "Error: --from: must be a moment; --room: must be a room; --kind: is no kind; --account: must be an account;"
        " must not have --from after --to.\n"
    )
    server.replies["POST exports"] = wrong({"verdicts.0": "is no code", "verdicts.1": "is no code"})
    said = groupreg("export", "search", "--code", "x", "--case", "c", "--basis", "b").stderr
    assert said == "Error: --code: is no code.\n"
    server.replies["POST retention/erasures"] = wrong({"user_id": "must be an account", "duty_ended": "is too long"})
    said = groupreg("retention", "erase", ANNA, "--reason", "r").stderr
    assert said == "Error: USER_ID: must be an account; --duty-ended: is too long.\n"


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("7d", False, T - 7 * DAY),
        ("2h", True, T - 7_200_000),
        ("10m", False, T - 600_000),
        ("2026-03-01", False, 1_772_323_200_000),
        ("2026-03-01", True, 1_772_323_200_000 + DAY - 1),
        ("2026-03-01T12:00:03Z", True, T),
        ("2026-03-01T21:00:03+09:00", False, T),
    ],
)
def test_moments_of_the_past(text: str, expected: int, *, end: bool) -> None:
    assert parse_past(text, T, end=end) == expected


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with click.Context(click.Command("x")), Cli().out.counting("Records") as count:
        count(1234)
    assert "Records: 1,234" in terminal.getvalue()
