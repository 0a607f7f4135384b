# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels that were asked for get written, whatever fails on the way; in the name of who asked, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.config import load
from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.labelling import Labeller, carry_over
from synapse_groupreg.policy.labels import CINNY_TAGS, LABELS
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import acts, labels, rooms
from tests.database import result_of
from tests.storage.seed import local, make_room, make_user, set_state

if TYPE_CHECKING:
    from tests.database import TestDatabase

NOW = 1_800_000_000_000
DAY = 86_400_000
ALICE = local("alice")
CONFIG = load({"mode": "enforce", "federation": "closed", "labels": {"enabled": True}})


@attrs.define(slots=False)
class Room:
    """Takes what is written in a room, or fails as it is told to."""

    written: list[tuple[str, str, str]] = attrs.field(factory=list)
    fail: Exception | None = None
    now: int = NOW

    def now_ms(self) -> int:
        return self.now

    async def write_state(self, room_id: str, *, sender: str, event_type: str, content: dict[str, Any]) -> None:
        if self.fail is not None:
            raise self.fail
        assert content
        self.written.append((room_id, sender, event_type))


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def labeller(db: TestDatabase, room: Room) -> Labeller:
    return Labeller(CONFIG, db, room)  # type: ignore[arg-type]  # no more of a homeserver is needed


@pytest.fixture
def group(db: TestDatabase) -> str:
    """A group that waits for its labels."""

    def make(txn: Any) -> str:
        make_user(txn, ALICE)
        room_id = make_room(txn, ALICE, kind=RoomKind.group)
        rooms.ensure(txn, room_id)
        labels.promise(txn, room_id, ALICE, NOW)
        return room_id

    return db.do(make)


def waiting(database: TestDatabase, now: int = NOW) -> list[tuple[str, str]]:
    return database.do(labels.promised, now)


def journal(database: TestDatabase) -> list[acts.Act]:
    return database.do(acts.page, {}, 0, 10)[0]


def test_what_waits_is_written_once_in_the_name_of_who_asked(
    db: TestDatabase, labeller: Labeller, room: Room, group: str
):
    assert waiting(db) == [(group, ALICE)]
    for _ in range(2):
        result_of(labeller.write_all())
    assert room.written == [(group, ALICE, LABELS), (group, ALICE, CINNY_TAGS)]
    assert waiting(db) == []


def test_a_failure_is_tried_again_for_a_day(db: TestDatabase, labeller: Labeller, room: Room, group: str):
    room.fail = ConnectionError("the event persister is away")
    result_of(labeller.write_all())
    assert waiting(db, NOW + DAY - 1) == [(group, ALICE)]
    assert waiting(db, NOW + DAY) == []
    room.fail = None
    result_of(labeller.write_all())
    assert len(room.written) == 2


def test_a_refusal_is_final_and_journalled(db: TestDatabase, labeller: Labeller, room: Room, group: str):
    room.fail = NotPermitted("You are barred.")
    with pytest.raises(NotPermitted, match="barred"):
        result_of(labeller.finish(group, ALICE))
    assert waiting(db) == []
    (act,) = journal(db)
    assert (act.author, act.action, act.subject, act.reason) == ("server", "label", group, "refused: You are barred.")


def test_one_that_fails_keeps_nobody_waiting(db: TestDatabase, labeller: Labeller, room: Room, group: str):
    def another(txn: Any) -> str:
        other = make_room(txn, ALICE, kind=RoomKind.group)
        labels.promise(txn, other, ALICE, NOW)
        return other

    other = db.do(another)
    first = waiting(db)[0][0]
    write = room.write_state

    async def fail_first(room_id: str, **what: Any) -> None:
        if room_id == first:
            raise ConnectionError
        await write(room_id, **what)

    room.write_state = fail_first  # type: ignore[method-assign]  # for this test
    result_of(labeller.write_all())
    assert {one[0] for one in room.written} == {group, other} - {first}


@pytest.mark.parametrize("labelled", [True, False])
def test_a_successor_is_labelled_if_the_group_was(db: TestDatabase, labelled: bool):
    def upgrade(txn: Any) -> str:
        make_user(txn, ALICE)
        old = make_room(txn, ALICE, kind=RoomKind.group)
        if labelled:
            set_state(txn, old, ALICE, LABELS, {"founder": ALICE})
        rooms.ensure(txn, old)
        new = make_room(txn, ALICE, predecessor=old)
        carry_over(txn, old, rooms.ensure(txn, new), CONFIG, NOW)
        return new

    new = db.do(upgrade)
    assert waiting(db) == ([(new, ALICE)] if labelled else [])
    assert [(act.author, act.subject, act.reason) for act in journal(db)] == (
        [(ALICE, new, "upgrade")] if labelled else []
    )
