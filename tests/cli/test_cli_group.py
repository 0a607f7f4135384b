# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg group`: a group is found by its number, however that is written, and listed with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_cli_commands import ANNA, GROUP, ROOM, STATUS, T, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

NUMBER = "123456786"
NUMBERED = {**GROUP, "number": NUMBER}
MUTE = {"room": ROOM, "until_ms": T, "reason": "Loud.", "author": "@bob:fake.test"}
OWN = {"founder": "@bob:fake.test"}
ACTS: list[tuple[list[str], str, dict[str, Any], str]] = [
    (
        ["group", "mute", NUMBER, ANNA, "--until", "2099-01-01T00:00:00Z", "--reason", "Loud."],
        f"PUT rooms/{NUMBER}/mutes/{ANNA}",
        {"until_ms": 4_070_908_800_000, "reason": "Loud."},
        f"Muted {ANNA} in {NUMBER}: until 2026-03-01 12:00 UTC.",
    ),
    (["group", "unmute", f"#g{NUMBER}:fake.test", ANNA], f"DELETE rooms/{ROOM}/mutes/{ANNA}", {}, f"Unmuted {ANNA} in"),
    (
        ["group", "transfer", NUMBER, ANNA],
        f"PUT rooms/{NUMBER}/founder",
        {"user_id": ANNA},
        f"Offered {NUMBER} to {ANNA}.",
    ),
    (
        ["group", "accept", ROOM, "--reason", "r"],
        f"POST rooms/{ROOM}/founder/accept",
        {"reason": "r"},
        f"Took over {ROOM}: founder @bob:fake.test -> {ANNA}.",
    ),
    (
        ["group", "category", NUMBER, "study"],
        f"PUT rooms/{NUMBER}/category",
        {"category": "study"},
        f"Set the category of {NUMBER}: category not set -> study.",
    ),
    (
        ["group", "slow", NUMBER, "30"],
        f"PUT rooms/{NUMBER}/slow",
        {"seconds": 30},
        f"Set the slow mode of {NUMBER}: seconds not set -> 30.",
    ),
    (["group", "decline", ROOM], f"POST rooms/{ROOM}/founder/decline", {}, f"Ended the offer of {ROOM}."),
]


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= {
        f"GET groups/{NUMBER}": NUMBERED,
        f"GET groups/g{NUMBER}": NUMBERED,
        f"GET rooms/{ROOM}": NUMBERED,
        "GET rooms": {"rooms": [NUMBERED], "total": 1},
        "GET status": {**STATUS, "numbers": {"given": 1234, "waiting": 7}},
        f"PUT rooms/{NUMBER}/mutes/{ANNA}": changed(None, MUTE),
        f"DELETE rooms/{ROOM}/mutes/{ANNA}": changed(MUTE, None),
        f"PUT rooms/{NUMBER}/founder": changed({**OWN, "offered_to": None}, {**OWN, "offered_to": ANNA}),
        f"POST rooms/{ROOM}/founder/accept": changed(
            {**OWN, "offered_to": ANNA}, {"founder": ANNA, "offered_to": None}
        ),
        f"POST rooms/{ROOM}/founder/decline": changed({**OWN, "offered_to": ANNA}, {**OWN, "offered_to": None}),
        f"PUT rooms/{NUMBER}/category": changed({"category": None}, {"category": "study"}),
        f"PUT rooms/{NUMBER}/slow": changed({"seconds": None}, {"seconds": 30}),
        f"GET /_matrix/client/v3/directory/room/#g{NUMBER}:fake.test": {"room_id": ROOM},
    }


@pytest.mark.parametrize("named", [NUMBER, f"g{NUMBER}", ROOM, f"#g{NUMBER}:fake.test"])
def test_a_group_is_shown_by_number_id_or_alias(groupreg: Callable[..., Result], named: str) -> None:
    result = groupreg("group", "show", named)
    assert result.exit_code == 0, result.output
    assert re.search(rf"number +{NUMBER}", result.output)
    assert ROOM in result.output


@pytest.mark.parametrize("named", [NUMBER, f"g{NUMBER}", ROOM, f"#g{NUMBER}:fake.test"])
def test_a_script_gets_the_number_alone(server: Any, groupreg: Callable[..., Result], named: str) -> None:
    assert groupreg("group", "number", named).stdout == f"{NUMBER}\n"
    assert json.loads(groupreg("group", "number", named, "--json").stdout) == {"number": NUMBER}
    server.replies[f"GET rooms/{ROOM}"] = {**NUMBERED, "number": None}
    result = groupreg("group", "number", ROOM)
    assert (result.exit_code, result.stdout, f"{ROOM} has no number" in result.stderr) == (1, "", True)
    nothing = groupreg("group", "number", "")
    assert (nothing.exit_code, "A room is named by its id" in nothing.stderr) == (2, True)


def test_groups_are_listed_with_their_numbers(server: Any, groupreg: Callable[..., Result]) -> None:
    result = groupreg("group", "list", "--search", NUMBER)
    assert (result.exit_code, NUMBER in result.output) == (0, True)
    assert server.sent("GET", "rooms")[0].query["search"] == NUMBER
    assert "replaced" not in result.output
    server.replies["GET rooms"] = {"rooms": [{**NUMBERED, "successor": "!new:fake.test"}], "total": 1}
    assert "group, replaced" in groupreg("group", "list").output
    server.replies["GET rooms"] = {"rooms": [{**NUMBERED, "deleted": True}], "total": 1}
    assert "group, deleted" in groupreg("group", "list").output


def test_a_cap_is_set_by_number(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies[f"PUT rooms/{ROOM}/quotas"] = changed({"members": None}, {"members": 5})
    assert groupreg("room", "cap", NUMBER, "5").exit_code == 0
    assert server.sent("PUT", f"rooms/{ROOM}/quotas")[0].body == {"members": 5}


def test_an_unknown_number_is_told_in_a_sentence(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["GET groups/7"] = server.error(404, "7 is no number of a group.", "M_NOT_FOUND")
    result = groupreg("group", "show", "7")
    assert (result.exit_code, "7 is no number of a group." in result.stderr) == (1, True)


def test_status_says_how_far_numbering_is(groupreg: Callable[..., Result]) -> None:
    output = groupreg("status").output
    assert "Numbers of groups" in output
    assert "1,234" in output


@pytest.mark.parametrize(("command", "request_line", "body", "text"), ACTS)
def test_acts_and_trying_them(
    server: Any, groupreg: Callable[..., Result], *, command: list[str], request_line: str, body: Any, text: str
) -> None:
    assert text in groupreg(*command).stdout
    assert groupreg(*command, "--dry-run").stdout.startswith("Dry run, nothing was changed. This would ")
    sent = server.sent(*request_line.split())
    assert [(one.body, one.query) for one in sent] == [(body, {}), (body, {"dry_run": "true"})]
    assert json.loads(groupreg(*command, "--json").stdout)["changed"]


def test_a_mute_that_refuses_nothing_yet_says_so(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies[f"PUT rooms/{NUMBER}/mutes/{ANNA}"] = changed(None, MUTE, dry=True)
    assert "refuses nothing yet" in groupreg("group", "mute", NUMBER, ANNA).stdout


def test_who_is_muted_is_shown(server: Any, groupreg: Callable[..., Result]) -> None:
    muted = {"account": ANNA, "until_ms": T, "reason": None, "author": "@bob:fake.test", "room_id": ROOM, "start_ms": T}
    server.replies[f"GET groups/{NUMBER}"] = {**NUMBERED, "mutes": [muted]}
    output = groupreg("group", "show", NUMBER).output
    assert f"({ANNA}) until 2026-03-01 12:00" in output
    server.replies[f"GET groups/{NUMBER}"]["mutes"] = [{**muted, "reason": "Too\nloud"}]
    assert "(“Too loud”)" in " ".join(groupreg("group", "show", NUMBER).output.split())


def test_a_category_is_shown_and_taken_back(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies[f"GET groups/{NUMBER}"] = {**NUMBERED, "category": "study"}
    assert re.search(r"category +study", groupreg("group", "show", NUMBER).output)
    assert groupreg("group", "category", NUMBER, "-").exit_code == 0
    assert server.sent("PUT", f"rooms/{NUMBER}/category")[0].body == {"category": None}


def test_the_size_tier_is_shown(server: Any, groupreg: Callable[..., Result]) -> None:
    for most, said in ((200, "51 to 200 members"), (None, "51 members or more")):
        tier = {"number": 2, "of": 4, "least": 51, "most": most}
        server.replies[f"GET groups/{NUMBER}"] = {**NUMBERED, "size_tier": tier}
        assert re.search(rf"size tier +2 of 4 \({said}\)", groupreg("group", "show", NUMBER).output)


def test_slow_mode_is_shown_and_ended(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies[f"GET groups/{NUMBER}"] = {**NUMBERED, "slow_ms": 30_000}
    assert re.search(r"slow mode +once in 30 s", groupreg("group", "show", NUMBER).output)
    assert groupreg("group", "slow", NUMBER, "off").exit_code == 0
    assert server.sent("PUT", f"rooms/{NUMBER}/slow")[0].body == {"seconds": None}
    for said in ("0", "OFF"):
        assert groupreg("group", "slow", NUMBER, said).exit_code == 0
    assert groupreg("group", "slow", NUMBER, "1m").exit_code == 0
    sent = [one.body["seconds"] for one in server.sent("PUT", f"rooms/{NUMBER}/slow")]
    assert sent == [None, None, None, 60]
    for said in ("3601", "fast", "30 off"):
        result = groupreg("group", "slow", NUMBER, said)
        assert (result.exit_code, "from 1 to 3600 seconds" in " ".join(result.stderr.split())) == (2, True)
