# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg appeal`: what is asked for, and what is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_cli_commands import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

ANNA, T = "@anna:fake.test", 1_900_000_000_000
APPEAL = {
    "id": 3,
    "measure_id": 12,
    "author": ANNA,
    "made_ms": T,
    "state": "open",
    "answer": None,
    "decided_by": None,
    "decided_ms": None,
}
ACTS: list[tuple[list[str], str, dict[str, Any], str]] = [
    (
        ["appeal", "make", "12", "--text", "It was [not] me."],
        "POST appeals",
        {"measure_id": 12, "text": "It was [not] me."},
        "Appealed against measure 12 (appeal 3).",
    ),
    (
        ["appeal", "decide", "3", "changed", "--scope", "groups", "--reason", "First time"],
        "POST appeals/3/decision",
        {"outcome": "changed", "scope": "groups", "reason": "First time"},
        "Decided appeal 3: changed.\nTold in a direct room: @anna:fake.test",
    ),
]


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= {
        "GET appeals": {"appeals": [APPEAL], "total": 1},
        "GET appeals/3": {**APPEAL, "text": "It was [not] me."},
        f"GET accounts/{ANNA}/appeals": {"appeals": [APPEAL], "total": 1},
        "POST appeals": changed(None, APPEAL, id=3),
        "POST appeals/3/decision": changed(
            APPEAL, {**APPEAL, "state": "changed"}, id=3, effects=[{"effect": "notice", "accounts": [ANNA]}]
        ),
    }


@pytest.mark.parametrize(("command", "request_line", "body", "text"), ACTS)
def test_acts_and_trying_them(
    server: Any, groupreg: Callable[..., Result], *, command: list[str], request_line: str, body: Any, text: str
) -> None:
    assert text in groupreg(*command).stdout
    tried = groupreg(*command, "--dry-run")
    assert tried.stdout.startswith("Dry run, nothing was changed. This would ")
    sent = server.sent(*request_line.split())
    assert [(one.body, one.query) for one in sent] == [(body, {}), (body, {"dry_run": "true"})]
    assert json.loads(groupreg(*command, "--json").stdout)["changed"]


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        ("appeal list", [ANNA, "12", "open", "2030-03-17"]),
        (f"appeal list --account {ANNA}", [ANNA, "open"]),
        ("appeal show 3 --reason mine", ["It was [not] me.", "2030-03-17"]),
    ],
)
def test_looks(groupreg: Callable[..., Result], command: str, texts: list[str]) -> None:
    said = groupreg(*command.split())
    assert said.exit_code == 0, said.output
    assert [text for text in texts if text not in said.stdout] == []
    assert isinstance(json.loads(groupreg(*command.split(), "--json").stdout), dict)


def test_a_list_is_narrowed_and_a_look_says_why(server: Any, groupreg: Callable[..., Result]) -> None:
    groupreg("appeal", "list", "--all", "--measure", "12")
    groupreg("appeal", "show", "3", "--reason", "my turn")
    (listed,), (shown,) = server.sent("GET", "appeals"), server.sent("GET", "appeals/3")
    assert (listed.query["all"], listed.query["measure"]) == ("true", "12")
    assert shown.query == {"reason": "my turn"}


def test_a_decision_needs_a_reason(groupreg: Callable[..., Result]) -> None:
    assert groupreg("appeal", "decide", "3", "upheld").exit_code == 2
    assert groupreg("appeal", "decide", "3", "perhaps", "--reason", "r").exit_code == 2
