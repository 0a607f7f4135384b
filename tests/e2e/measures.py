# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Imposing measures on a real server, and what people see of them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from tests.e2e.client import MATRIX, Answer, Person, Staff, refused

_HOUR_MS = 3_600_000


def in_ms(wait: int) -> int:
    return int(time.time() * 1000) + wait  # noqa: TID251 - the server goes by this clock


def soon() -> int:
    return in_ms(_HOUR_MS)


def ask(reviewer: Staff, kind: str, entity: str, **more: object) -> Answer:
    body = {"kind": kind, "entity": entity, "reason": "advertising", "basis": "article 11", **more}
    return reviewer.groupreg("POST", "measures", body)


def warn(reviewer: Staff, entity: str) -> None:
    ask(reviewer, "warning", entity, deadline_ms=soon()).good()


def impose(reviewer: Staff, kind: str, entity: str, **more: object) -> int:
    """Impose what is next in the usual order."""
    warn(reviewer, entity)
    answer = ask(reviewer, kind, entity, **more).good()
    assert answer["changed"], answer
    number = answer["id"]
    assert isinstance(number, int)
    return number


def lift(reviewer: Staff, number: int) -> None:
    assert reviewer.groupreg("DELETE", f"measures/{number}", {"reason": "settled"}).good()["changed"]


def told(person: Person) -> str:
    """What the server's own account told somebody, the newest first."""
    said = []
    for room in person.joined_rooms():
        events = person.messages(room).good()["chunk"]
        said += [one["content"].get("body", "") for one in events if one["sender"].startswith("@groupreg:")]
    return "\n\n".join(said)


def state_of(person: Person, room: str) -> set[str]:
    """The events of which the state of a room is made: power levels, memberships and all else."""
    found: Any = person.call("GET", f"{MATRIX}/rooms/{quote(room)}/state").good()
    return {one["event_id"] for one in found}


def says(answer: Answer, code: str, number: int) -> dict[str, Any]:
    body = refused(answer, code)
    assert f"advertising (case {number})" in body["error"]
    return body
