# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers are given once and for ever, whatever is cut short; aliases lead to groups that anybody may enter."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.handlers import numbering
from synapse_groupreg.handlers.numbering import Founders, Numbering
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.numbers import NUMBER, alias, number
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import numbers, quotas, rooms
from tests.database import SERVER, TestDatabase, result_of
from tests.handlers.stage import ALICE, BOB, EVE, NOW, FakeHomeserver, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR, MINUTE = 3_600_000, 60_000


@attrs.define
class Directory(FakeHomeserver):
    """Aliases, and what was written into rooms."""

    aliases: dict[str, str | None] = attrs.field(factory=dict)
    written: list[tuple[str, str, dict[str, Any]]] = attrs.field(factory=list)
    fail: Exception | None = None
    database: TestDatabase | None = None

    async def point_alias(self, name: str, room_id: str | None) -> None:
        if self.fail is not None:
            raise self.fail
        assert self.database is not None
        self.aliases[name] = room_id
        self.database.rows("DELETE FROM room_aliases WHERE room_alias = ? RETURNING 1", name)
        if room_id is not None:
            self.database.rows(
                "INSERT INTO room_aliases (room_alias, room_id) VALUES (?, ?) RETURNING 1", name, room_id
            )

    async def write_state(
        self, room_id: str, *, sender: str, event_type: str, content: dict[str, Any], judged: bool, state_key: str = ""
    ) -> None:
        assert not judged
        if self.fail is not None:
            raise self.fail
        assert self.database is not None
        self.database.do(seed.set_state, room_id, sender, event_type, content, state_key=state_key)
        self.written.append((room_id, sender, {event_type: content}))


@pytest.fixture
def directory(db: TestDatabase) -> Directory:
    return Directory(database=db)


@pytest.fixture
def stage(db: TestDatabase) -> Stage:
    return Stage(db)


def upkeep(stage: Stage, directory: Directory, draws: Callable[[], str] = numbering.draw) -> Numbering:
    return Numbering(stage.config, stage.database, directory, stage.snapshot, draws)  # type: ignore[arg-type]  # no more of a homeserver is needed


def older(stage: Stage, count: int = 1, founder: str = ALICE, **how: Any) -> list[str]:
    """Groups from before the module, that it has looked at."""
    made = [stage.do(seed.make_room, founder, join_rule="public", **how) for _ in range(count)]
    stage.do(rooms.ensure_all, made)
    return made


def given(stage: Stage) -> dict[str, str]:
    return dict(stage.database.rows("SELECT room_id, number FROM groupreg_numbers WHERE room_id IS NOT NULL"))


def test_a_founding_keeps_a_number_and_its_room_gets_it(stage: Stage, directory: Directory) -> None:
    kept = result_of(Founders(stage.database, directory).reserve("f1", ALICE, inscribed=True))  # type: ignore[arg-type]  # as above
    room_id = stage.do(seed.make_room, ALICE, kind=RoomKind.group, founding_id="f1", join_rule="public")
    result_of(upkeep(stage, directory).every_second())
    assert given(stage) == {room_id: kept}
    assert directory.aliases == {alias(kept, SERVER): room_id}


def test_a_number_that_is_taken_is_drawn_again(stage: Stage, directory: Directory) -> None:
    draws = iter([number(1), number(1), number(2), *(number(n) for n in range(100, 200))])
    founders = Founders(stage.database, directory, lambda: next(draws))  # type: ignore[arg-type]  # as above
    stage.do(numbers.give, number(1), "!a", NOW)
    assert result_of(founders.reserve("f1", ALICE, inscribed=True)) == number(2)


def test_no_founding_fails_because_of_its_number(
    stage: Stage, directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    founders = Founders(stage.database, directory)  # type: ignore[arg-type]  # as above
    stage.database.fail = OSError("the disk is full")
    assert result_of(founders.reserve("f1", ALICE, inscribed=True)) is None
    assert "without a number" in caplog.text
    stage.database.fail = None
    room_id = stage.do(seed.make_room, ALICE, kind=RoomKind.group, founding_id="f1")
    stage.do(rooms.ensure, room_id)
    result_of(upkeep(stage, directory).every_second())
    assert list(given(stage)) == [room_id]


def test_a_number_of_which_no_room_came_is_free_again_and_a_given_one_never(stage: Stage, directory: Directory) -> None:
    (room_id,) = older(stage)
    work = upkeep(stage, directory)
    result_of(work.every_second())
    stage.do(numbers.reserve, number(7), "f1", ALICE, NOW, inscribed=True)
    directory.now = NOW + HOUR
    result_of(work.every_minute())
    assert stage.do(numbers.find, number(7)) is None
    assert stage.database.rows("SELECT count(*) FROM groupreg_numbers") == [(2,)]
    directory.now += 1
    result_of(work.every_minute())
    assert stage.do(numbers.reserve, number(7), "f2", ALICE, NOW, inscribed=True)
    assert not stage.do(numbers.give, given(stage)[room_id], "!another", NOW)


def test_all_groups_from_before_are_numbered_in_steps_that_may_be_cut_short(
    stage: Stage, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "_A_STEP", 5)
    made = older(stage, 13)
    drawn = itertools.count()

    def draw() -> str:
        if stage.database.runs.count("groupreg_numbers") == 2:  # after the news and one step
            raise KeyboardInterrupt
        return number(next(drawn) % 30)  # the same ones again and again

    with pytest.raises(KeyboardInterrupt):
        result_of(upkeep(stage, directory, draw).every_second())
    first = given(stage)
    assert len(first) == 5
    assert stage.do(numbers.counts, SERVER) == (len(first), len(made) - len(first))
    result_of(upkeep(stage, directory, numbering.draw).every_second())
    assert set(given(stage)) == set(made)
    assert len(set(given(stage).values())) == len(made)
    assert first.items() <= given(stage).items()
    assert stage.do(numbers.counts, SERVER) == (len(made), 0)


def test_direct_chats_spaces_replaced_rooms_and_those_of_other_servers_get_none(
    stage: Stage, directory: Directory
) -> None:
    stage.do(seed.make_room, ALICE, kind=RoomKind.direct, members=[BOB])
    stage.do(seed.make_room, ALICE, space=True)
    older(stage, founder=EVE, members=[ALICE])
    (old,) = older(stage)
    stage.do(rooms.set_successor, old, "!new")
    result_of(upkeep(stage, directory).every_second())
    assert given(stage) == {}
    assert stage.do(numbers.counts, SERVER) == (0, 0)


def test_an_alias_follows_who_may_enter(stage: Stage, directory: Directory) -> None:
    (room_id,) = older(stage)
    work = upkeep(stage, directory)
    result_of(work.every_second())
    name = alias(given(stage)[room_id], SERVER)
    assert directory.aliases == {name: room_id}
    for rule, leads in (("invite", None), ("public", room_id), ("knock", None)):
        stage.do(seed.set_join_rule, room_id, ALICE, rule)
        result_of(work.every_minute())
        result_of(work.every_second())
        assert directory.aliases == {name: leads}
    stage.database.rows("UPDATE rooms SET is_public = ? WHERE room_id = ? RETURNING 1", True, room_id)
    result_of(work.every_minute())
    result_of(work.every_second())
    assert directory.aliases == {name: room_id}


@pytest.mark.parametrize("how", ["barred", "empty", "switched off"])
def test_an_alias_is_taken_from_a_group_that_is_closed(stage: Stage, directory: Directory, how: str) -> None:
    (room_id,) = older(stage)
    result_of(upkeep(stage, directory).every_second())
    assert set(directory.aliases.values()) == {room_id}
    if how == "barred":
        stage.act(actions.Impose(entity=room_id, reason="spam", basis="11.3"))
    elif how == "empty":
        stage.do(seed.set_membership, room_id, ALICE, "leave")
    else:
        groups = stage.config.groups.model_copy(update={"aliases": False})
        stage.config = stage.config.model_copy(update={"groups": groups})
    result_of(upkeep(stage, directory).every_second())
    assert set(directory.aliases.values()) == {None}


def test_an_alias_that_cannot_be_changed_holds_nothing_up(stage: Stage, directory: Directory) -> None:
    older(stage)
    work = upkeep(stage, directory)
    directory.fail = OSError()
    result_of(work.every_second())
    directory.fail = None
    result_of(work.every_minute())
    result_of(work.every_second())
    assert len(directory.aliases) == 1


def test_a_dry_run_changes_no_alias(stage: Stage, directory: Directory) -> None:
    older(stage)
    stage.act(actions.SetMode(mode="dry"))
    stage.refresh()
    result_of(upkeep(stage, directory).every_second())
    assert len(given(stage)) == 1
    assert directory.aliases == {}


# Upgrades.


def upgraded(stage: Stage) -> tuple[str, str]:
    (old,) = older(stage)
    stage.do(numbers.give, number(5), old, NOW)
    stage.do(seed.set_state, old, ALICE, NUMBER, {"number": number(5)})
    new = stage.do(seed.make_room, ALICE, predecessor=old, join_rule="public")
    stage.do(rooms.ensure, new)
    return old, new


def test_the_successor_carries_the_number_and_says_so_in_the_founders_name(stage: Stage, directory: Directory) -> None:
    old, new = upgraded(stage)
    stage.do(numbers.give, number(6), new, NOW)  # as a round gives it that comes in between
    stage.do(rooms.set_successor, old, new)
    stage.do(numbers.move, old, new)
    assert given(stage) == {new: number(5)}
    assert not stage.do(numbers.give, number(6), "!another", NOW)
    work = upkeep(stage, directory)
    directory.fail = OSError("not now")
    result_of(work.every_second())
    directory.fail = None
    result_of(work.every_second())
    directory.now += MINUTE
    for _ in range(2):
        result_of(work.every_second())
    assert directory.written == [(new, ALICE, {NUMBER: {"number": number(5)}})]


def test_the_alias_leads_to_the_successor_at_once(stage: Stage, directory: Directory) -> None:
    old, new = upgraded(stage)
    work = upkeep(stage, directory)
    result_of(work.every_second())
    assert directory.aliases[alias(number(5), SERVER)] == old
    stage.do(rooms.set_successor, old, new)
    stage.do(numbers.move, old, new)
    result_of(work.every_second())
    assert directory.aliases[alias(number(5), SERVER)] == new, "not in the next round"


def test_a_successor_waits_for_the_number_of_the_old_room(stage: Stage, directory: Directory) -> None:
    old, new = upgraded(stage)
    stage.do(quotas.reserve, quotas.room_subject(old), quotas.SUCCESSOR, "", NOW + HOUR)
    result_of(upkeep(stage, directory).every_second())
    assert given(stage) == {old: number(5)}
    stage.do(quotas.release, quotas.room_subject(old), quotas.SUCCESSOR, "")
    again = upkeep(stage, directory)
    result_of(again.every_second())
    assert set(given(stage)) == {old, new}
