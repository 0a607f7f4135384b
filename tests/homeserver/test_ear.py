# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Only text messages of people that begin as commands do are looked at further."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synapse_groupreg.homeserver.commands import Ear

OWN = "@groupreg:example.org"
SAID = {"msgtype": "m.text", "body": "!group"}


class Api:
    """Remembers what is to be done later."""

    def __init__(self) -> None:
        self.later: list[tuple[Any, ...]] = []

    def delayed_background_call(self, _after_ms: int, _work: object, *args: object, desc: str) -> None:
        assert desc
        self.later.append(args)


def heard(commands: object, **event: object) -> list[tuple[Any, ...]]:
    api = Api()
    whole = {"type": "m.room.message", "sender": "@a:b", "room_id": "!r", "content": SAID, **event}
    Ear(api, commands, OWN).listen(SimpleNamespace(**whole))  # type: ignore[arg-type]  # no more of either is needed
    return api.later


def test_a_command_is_heard() -> None:
    assert heard(object()) == [("@a:b", "!r", "!group", [])]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"user_ids": ["@c:d", 7]}, ["@c:d"]),
        ({"user_ids": "@c:d"}, []),
        ({"room": True}, []),
        ("@c:d", []),
    ],
)
def test_with_whom_it_links(said: object, expected: list[str]) -> None:
    assert heard(object(), content={**SAID, "m.mentions": said})[0][3] == expected


@pytest.mark.parametrize(
    "event",
    [
        {"content": {**SAID, "body": "hello"}},
        {"content": {**SAID, "body": {"!group": 1}}},
        {"content": {**SAID, "msgtype": "m.notice"}},
        {"content": {"msgtype": "m.text"}},
        {"type": "m.room.encrypted"},
        {"sender": OWN},
    ],
)
def test_nothing_else_is(event: dict[str, object]) -> None:
    assert heard(object(), **event) == []


def test_where_nobody_could_answer_nothing_is_heard() -> None:
    assert heard(None) == []
