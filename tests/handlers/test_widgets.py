# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups carry their page as a widget for as long as everybody may see it and the operator wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg import texts
from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.widgets import A_SECOND
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.numbers import NUMBER, number
from synapse_groupreg.policy.widgets import WIDGET, WIDGETS
from synapse_groupreg.storage import numbers, rooms, state
from tests.database import TestDatabase, result_of
from tests.handlers.stage import ALICE, BOB, NOW, Stage
from tests.handlers.test_numbering import HOUR, Directory, given, older, upkeep
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.numbering import Numbering

PAGE = "https://matrix.example.org/_synapse/client/groupreg/g/"


@pytest.fixture
def directory(sqlite_db: TestDatabase) -> Directory:
    return Directory(database=sqlite_db)


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, groups={"widgets": True})


def wish(stage: Stage, **options: Any) -> None:
    """Have the operator change options of groups, as by a restart."""
    stage.config = stage.config.model_copy(update={"groups": stage.config.groups.model_copy(update=options)})


def rounds(work: Numbering, count: int = 1) -> None:
    for _ in range(count):
        result_of(work.every_minute())
        result_of(work.every_second())


def shown(stage: Stage, room_id: str) -> Any:
    return stage.do(state.content, room_id, WIDGETS, WIDGET)


def writers(directory: Directory) -> list[tuple[str, str]]:
    return [(room, sender) for room, sender, written in directory.written if WIDGETS in written]


def test_public_groups_from_before_get_theirs_a_few_a_second(stage: Stage, directory: Directory) -> None:
    made = older(stage, A_SECOND + 2)
    private = stage.do(seed.make_room, ALICE)
    stage.do(rooms.ensure, private)
    work = upkeep(stage, directory)
    result_of(work.every_second())
    assert len(writers(directory)) == A_SECOND
    result_of(work.every_second())
    assert sorted(writers(directory)) == sorted((room, ALICE) for room in made)
    url, name = f"{PAGE}{given(stage)[made[0]]}", texts.text("group.widget", "en")
    assert shown(stage, made[0]) == {"type": "m.custom", "url": url, "name": name, "data": {}}
    assert shown(stage, private) is None
    stage.database.runs.clear()
    rounds(work)
    assert "groupreg_widget" not in stage.database.runs


def test_it_follows_who_may_see_the_page_and_what_the_operator_wants(stage: Stage, directory: Directory) -> None:
    (room,) = older(stage)
    rounds(upkeep(stage, directory))
    there = shown(stage, room)
    assert there["url"].startswith(PAGE)
    for rule, wanted in (("invite", {}), ("public", there)):
        stage.do(seed.set_join_rule, room, ALICE, rule)
        rounds(upkeep(stage, directory))
        assert shown(stage, room) == wanted
    wish(stage, widgets=False)
    rounds(upkeep(stage, directory), 2)
    assert shown(stage, room) == {}
    stage.do(seed.set_join_rule, room, ALICE, "invite")
    wish(stage, widgets=True, pages="everybody")
    rounds(upkeep(stage, directory))
    assert shown(stage, room) == there
    assert len(writers(directory)) == 5, "and not once more"


def test_what_a_member_took_away_stays_away_and_what_is_there_is_not_written_again(
    stage: Stage, directory: Directory
) -> None:
    removed, founded = older(stage, 2)
    stage.do(numbers.give, number(7), founded, NOW)
    stage.do(seed.set_state, founded, ALICE, WIDGETS, {"url": f"{PAGE}{number(7)}"}, state_key=WIDGET)
    work = upkeep(stage, directory)
    rounds(work)
    assert writers(directory) == [(removed, ALICE)]
    stage.do(seed.set_state, removed, ALICE, WIDGETS, {}, state_key=WIDGET)
    rounds(work, 2)
    assert writers(directory) == [(removed, ALICE)]


def test_whoever_has_the_power_writes_it_and_others_are_asked_again_later(stage: Stage, directory: Directory) -> None:
    (room,) = older(stage, members=[BOB])
    stage.do(numbers.give, number(7), room, NOW)
    stage.do(seed.set_state, room, ALICE, NUMBER, {"number": number(7)})
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {ALICE: 49}})
    work = upkeep(stage, directory)
    rounds(work)
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {BOB: 50}})
    stage.database.runs.clear()
    rounds(work)
    assert "groupreg_widget" not in stage.database.runs
    directory.now += HOUR
    rounds(work)
    assert writers(directory) == [(room, BOB)]


@pytest.mark.parametrize(("fail", "wait"), [(NotPermitted("no"), HOUR), (OSError("not now"), 0)])
def test_what_fails_is_tried_again(stage: Stage, directory: Directory, fail: Exception, wait: int) -> None:
    (room,) = older(stage)
    work = upkeep(stage, directory)
    result_of(work.every_second())  # the number is there
    stage.do(seed.set_state, room, ALICE, WIDGETS, {}, state_key=WIDGET)
    stage.do(numbers.set_widget, room, there=None)
    stage.do(seed.set_state, room, ALICE, NUMBER, {"number": given(stage)[room]})
    stage.do(numbers.inscribe, room, written=True)
    directory.fail = fail
    rounds(work)
    directory.fail = None
    directory.now += wait
    rounds(work)
    assert shown(stage, room)["url"].startswith(PAGE)


def test_a_dry_run_and_the_default_write_none(stage: Stage, directory: Directory) -> None:
    (room,) = older(stage)
    stage.act(actions.SetMode(mode="dry"))
    stage.refresh()
    work = upkeep(stage, directory)
    rounds(work)
    stage.act(actions.SetMode(mode="enforce"))
    stage.refresh()
    wish(stage, widgets=False)
    rounds(upkeep(stage, directory))
    assert shown(stage, room) is None


def test_the_successor_gets_its_own(stage: Stage, directory: Directory) -> None:
    (old,) = older(stage)
    work = upkeep(stage, directory)
    rounds(work)
    new = stage.do(seed.make_room, ALICE, predecessor=old, join_rule="public")
    stage.do(rooms.ensure, new)
    stage.do(rooms.set_successor, old, new)
    stage.do(numbers.move, old, new)
    rounds(work)
    assert shown(stage, new)["url"] == shown(stage, old)["url"] == f"{PAGE}{given(stage)[new]}"
