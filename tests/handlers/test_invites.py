# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the gate asks the database about invites, and about rooms that are opened (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers import gate
from synapse_groupreg.policy.quotas import TooManyFounded
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import rooms
from tests.database import result_of
from tests.handlers.stage import ALICE, BOB, CAROL, Process, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.policy.types import Violation
    from tests.database import TestDatabase


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, quotas={"rooms_founded": 0})


def asks(process: Process, room: str, by: str = ALICE) -> tuple[Violation | None, int]:
    """Why an invite is refused, if it is, and how many transactions that took."""
    runs = process.stage.database.runs
    runs.clear()
    answer = result_of(process.gate.invite(by, room, CAROL))
    return answer.violation, len(runs)


def make(stage: Stage, kind: RoomKind, *, among: tuple[str, ...] = ()) -> str:
    room: str = stage.do(seed.make_room, ALICE, kind=kind, space=kind is RoomKind.space)
    for user in among:
        stage.do(seed.set_membership, room, user, "join")
    return room


@pytest.mark.parametrize("kind", [RoomKind.group, RoomKind.space])
def test_a_room_that_is_no_direct_chat_is_looked_at_once_by_each_process(stage: Stage, kind: RoomKind) -> None:
    room = make(stage, kind)
    for process in (Process(stage), Process(stage)):
        assert [asks(process, room), asks(process, room, BOB)] == [(None, 1), (None, 0)]
        stage.database.runs.clear()
        assert result_of(process.gate.open_up(ALICE, room)) == gate.GO_ON
        assert stage.database.runs == []


def test_a_direct_chat_is_looked_at_each_time_until_it_is_a_group(stage: Stage) -> None:
    chat, process = make(stage, RoomKind.direct, among=(BOB,)), Process(stage)
    for _ in range(2):
        refused, runs = asks(process, chat)
        assert isinstance(refused, TooManyFounded)
        assert runs > 0
    stage.do(seed.set_membership, chat, CAROL, "join")
    stage.do(rooms.ensure, chat)
    assert [asks(process, chat), asks(process, chat)] == [(None, 1), (None, 0)]


def test_a_room_that_is_not_here_is_looked_at_each_time(stage: Stage) -> None:
    process = Process(stage)
    assert [asks(process, "!elsewhere"), asks(process, "!elsewhere")] == [(None, 1), (None, 1)]


def test_what_a_process_remembers_has_an_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_MOST_ROOMS", 2)
    found, process = [make(stage, RoomKind.group) for _ in range(3)], Process(stage)
    assert [asks(process, room)[1] for room in (*found, found[2], found[0])] == [1, 1, 1, 0, 1]
