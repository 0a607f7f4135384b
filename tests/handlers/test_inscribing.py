# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The state of a group has its number, once, also that of a group from before (article 8.2)."""

from __future__ import annotations

import pytest

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.inscribing import A_SECOND
from synapse_groupreg.handlers.numbering import Founders
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.numbers import NUMBER, number
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import numbers
from tests.database import TestDatabase, result_of
from tests.handlers.stage import ALICE, BOB, EVE, NOW, Stage
from tests.handlers.test_numbering import HOUR, Directory, given, older, upkeep
from tests.storage import seed


@pytest.fixture
def directory(db: TestDatabase) -> Directory:
    return Directory(database=db)


@pytest.fixture
def stage(db: TestDatabase) -> Stage:
    return Stage(db)


def progress(stage: Stage) -> dict[str, int]:
    found: dict[str, int] = stage.do(numbers.inscribed)
    return found


def test_groups_from_before_get_theirs_into_the_state_a_few_a_second(stage: Stage, directory: Directory) -> None:
    made = older(stage, A_SECOND + 2)
    work = upkeep(stage, directory)
    result_of(work.every_second())  # gives them
    result_of(work.every_second())
    assert progress(stage) == {"in_state": A_SECOND, "to_write": 2, "left_out": 0}
    result_of(upkeep(stage, directory).every_second())  # another process goes on
    assert progress(stage) == {"in_state": len(made), "to_write": 0, "left_out": 0}
    assert sorted(directory.written) == sorted((room, ALICE, {NUMBER: {"number": given(stage)[room]}}) for room in made)
    stage.database.runs.clear()
    result_of(work.every_second())
    assert "groupreg_inscribe" not in stage.database.runs
    assert len(directory.written) == len(made)


@pytest.mark.parametrize("named", [True, False])
def test_what_a_founding_named_is_not_looked_for(stage: Stage, directory: Directory, named: bool) -> None:
    founders = Founders(stage.database, directory)  # type: ignore[arg-type]  # no more of a homeserver is needed
    kept = result_of(founders.reserve("f1", ALICE, inscribed=named))
    room = stage.do(seed.make_room, ALICE, kind=RoomKind.group, founding_id="f1")
    work = upkeep(stage, directory)
    for _ in range(2):
        result_of(work.every_second())
    assert progress(stage) == {"in_state": 1, "to_write": 0, "left_out": 0}
    assert directory.written == ([] if named else [(room, ALICE, {NUMBER: {"number": kept}})])


def test_a_create_event_that_names_another_number_is_set_right(stage: Stage, directory: Directory) -> None:
    (right, wrong) = older(stage, 2)
    for room, n in ((right, 5), (wrong, 6)):
        stage.do(numbers.give, number(n), room, NOW)
        stage.do(seed.set_state, room, ALICE, "m.room.create", {NUMBER: number(5)})
    work = upkeep(stage, directory)
    result_of(work.every_second())
    assert directory.written == [(wrong, ALICE, {NUMBER: {"number": number(6)}})]
    assert progress(stage) == {"in_state": 2, "to_write": 0, "left_out": 0}


def test_whoever_has_the_power_writes_it_and_where_nobody_here_has_it_is_left_out(
    stage: Stage, directory: Directory
) -> None:
    left, powerless, foreign = (older(stage, members=[BOB, EVE])[0] for _ in range(3))
    levels = {left: {ALICE: 100, BOB: 50}, powerless: {ALICE: 49, BOB: 0}, foreign: {EVE: 100}}
    for room, users in levels.items():
        stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": users})
    stage.do(seed.set_membership, left, ALICE, "leave")
    work = upkeep(stage, directory)
    result_of(work.every_minute())
    for _ in range(2):
        result_of(work.every_second())
    assert [(room, sender) for room, sender, _ in directory.written] == [(left, BOB)]
    assert progress(stage) == {"in_state": 1, "to_write": 0, "left_out": 2}
    stage.do(seed.set_state, powerless, ALICE, "m.room.power_levels", {"users": {BOB: 50}})
    directory.now += HOUR
    result_of(work.every_minute())
    result_of(work.every_second())
    assert [(room, sender) for room, sender, _ in directory.written[1:]] == [(powerless, BOB)]
    assert progress(stage) == {"in_state": 2, "to_write": 0, "left_out": 1}


@pytest.mark.parametrize("fail", [NotPermitted("You don't have permission."), OSError()])
def test_what_fails_is_tried_again_later_and_keeps_nobody_waiting(
    stage: Stage, directory: Directory, fail: Exception
) -> None:
    (room,) = older(stage)
    work = upkeep(stage, directory)
    directory.fail = fail
    for _ in range(2):
        result_of(work.every_second())
    directory.fail = None
    result_of(work.every_second())
    assert directory.written == []
    directory.now += HOUR
    result_of(work.every_minute())
    result_of(work.every_second())
    assert [one[0] for one in directory.written] == [room]


def test_what_is_there_is_not_written_again_and_a_dry_run_writes_nothing(stage: Stage, directory: Directory) -> None:
    has, wrong = older(stage, 2)
    for room, n in ((has, 5), (wrong, 6)):
        stage.do(numbers.give, number(n), room, NOW)
        stage.do(seed.set_state, room, ALICE, NUMBER, {"number": number(5)})
    work = upkeep(stage, directory)
    stage.act(actions.SetMode(mode="dry"))
    stage.refresh()
    result_of(work.every_second())
    assert directory.written == []
    stage.act(actions.SetMode(mode="enforce"))
    stage.refresh()
    result_of(work.every_second())
    assert directory.written == [(wrong, ALICE, {NUMBER: {"number": number(6)}})]
    assert progress(stage)["in_state"] == 2
