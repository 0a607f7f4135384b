# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A label goes while the management of whom it names is suspended, and comes back: in the state and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.group_pages import look_at
from synapse_groupreg.handlers.relabelling import Relabelling
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.labels import CINNY_TAGS, LABELS
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import labels, numbers, rooms, state
from tests.database import result_of
from tests.handlers.stage import ALICE, BOB, CAROL, DAY, NOW, FakeHomeserver, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from tests.database import TestDatabase

HOUR, MINUTE = DAY // 24, 60_000


@attrs.define(slots=False)
class Room(FakeHomeserver):
    """Writes state as a homeserver does, or refuses to."""

    database: TestDatabase | None = None
    written: list[tuple[str, str]] = attrs.field(factory=list)
    fail: Exception | None = None

    async def write_state(
        self, room_id: str, *, sender: str, event_type: str, content: dict[str, Any], judged: bool
    ) -> None:
        assert not judged
        if self.fail is not None:
            raise self.fail
        assert self.database is not None
        self.database.do(seed.set_state, room_id, sender, event_type, content)
        self.written.append((sender, event_type))


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Stage:
    """On SQLite, unless a test asks for both."""
    database: TestDatabase = request.getfixturevalue(getattr(request, "param", "sqlite_db"))
    return Stage(database, labels={"enabled": True, "languages": ["en"]})


@pytest.fixture
def room(stage: Stage) -> Room:
    return Room(database=stage.database)


@pytest.fixture
def work(stage: Stage, room: Room) -> Relabelling:
    return Relabelling(stage.config, stage.database, room, stage.snapshot)  # type: ignore[arg-type]  # no more of a homeserver is needed


def labelled(stage: Stage, version: str = "11", **users: int) -> str:
    """A group of Alice's that says who is what, with Bob and Carol in it."""
    made = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL], content={"room_version": version})
    founder = {} if version == "12" else {ALICE: 100}
    levels = {"users": {**founder, **{seed.local(name): level for name, level in users.items()}}}
    stage.do(seed.set_state, made, ALICE, "m.room.power_levels", levels)
    stage.do(rooms.ensure, made)
    stage.do(numbers.give, number(stage.do(numbers.counts, "")[0] + 1), made, NOW)
    stage.do(seed.set_state, made, ALICE, LABELS, {"founder": ALICE})
    return str(made)


def suspend(stage: Stage, whom: str, **how: Any) -> int:
    for kind in (MeasureKind.warning, MeasureKind.management_suspended):
        more = how if kind is MeasureKind.management_suspended else {"deadline_ms": NOW + DAY}
        change = stage.act(actions.Impose(kind=kind, entity=whom, reason="r", basis="11.2", **more))
    stage.refresh()
    assert change.id is not None
    return change.id


def lift(stage: Stage, number: int) -> None:
    stage.act(actions.Lift(measure_id=number, reason="settled"))
    stage.refresh()


def said(stage: Stage, room_id: str) -> tuple[str | None, list[str], dict[str, str]]:
    """The founder that the labels name, whom they leave out, and the word of each level."""
    ours, tags = (stage.do(state.content, room_id, kind) or {} for kind in (LABELS, CINNY_TAGS))
    return ours.get("founder"), ours.get("left_out", []), {level: tag["name"] for level, tag in tags.items()}


def shown(stage: Stage, room_id: str) -> tuple[str | None, tuple[str, ...]]:
    """The founder and the managers on the page of a group, from which chats are answered too."""
    given = stage.do(numbers.of_room, room_id)
    group = stage.do(look_at, given, stage.config, stage.homeserver.now)
    return group.founder, group.managers


@pytest.mark.parametrize("stage", ["sqlite_db", "pg_db"], indirect=True)
@pytest.mark.parametrize(("version", "ends"), [("11", "lifted"), ("12", "over")])
def test_a_label_goes_with_the_suspension_and_comes_back(
    stage: Stage, room: Room, work: Relabelling, version: str, ends: str
) -> None:
    group = labelled(stage, version, bob=50)
    of_founder = "Manager" if version == "12" else "Founder"
    cases = [suspend(stage, one, until_ms=NOW + HOUR if ends == "over" else None) for one in (BOB, ALICE)]
    result_of(work.every_second())
    without = {"12": {"100": "Manager", "150": "Manager"}, "11": {"100": "Member"}}[version]
    assert said(stage, group) == (None, [ALICE, BOB], {"0": "Member", "50": "Member", **without})
    assert shown(stage, group) == (None, ())
    if ends == "lifted":
        for case in cases:
            lift(stage, case)
    stage.homeserver.now = room.now = NOW + HOUR
    result_of(work.every_second())
    founder, left_out, words = said(stage, group)
    assert (founder, left_out, words["50"], words["100"]) == (ALICE, [], "Manager", of_founder)
    assert shown(stage, group) == ("alice", ("bob",))
    assert {sender for sender, _ in room.written} == {ALICE}
    assert stage.do(labels.leaving_out) == set()
    acts = [one for one in stage.journal() if one.action == "label"]
    assert [one.reason for one in acts] == ["management suspended", "suspension over"]
    for _ in range(2):
        stage.homeserver.now = room.now = room.now + MINUTE
        result_of(work.every_second())
    assert len(room.written) == 4


def test_a_suspension_in_one_group_leaves_the_others_labelled(stage: Stage, work: Relabelling) -> None:
    here, there = labelled(stage, bob=50, carol=50), labelled(stage, bob=50)
    suspend(stage, BOB, room=here)
    result_of(work.every_second())
    assert said(stage, here)[:2] == (ALICE, [BOB])
    assert said(stage, here)[2]["50"] == "Manager", "Carol has this level too, and keeps the word"
    assert said(stage, there) == (ALICE, [], {})
    assert (shown(stage, here), shown(stage, there)) == (("alice", ("carol",)), ("alice", ("bob",)))


@pytest.mark.parametrize("linked_first", [True, False])
def test_it_goes_from_every_account_of_the_person(stage: Stage, work: Relabelling, linked_first: bool) -> None:
    group = labelled(stage, bob=50, carol=60)

    def link() -> None:
        for one in (BOB, CAROL):
            stage.act(actions.Verify(user_id=one, assurance=Assurance.contact, provider="desk", digest="d"))
        stage.refresh()

    if linked_first:
        link()
    suspend(stage, BOB)
    if not linked_first:
        link()
    result_of(work.every_second())
    assert said(stage, group)[:2] == (ALICE, [BOB, CAROL])
    assert shown(stage, group) == ("alice", ())


def test_who_is_no_manager_yet_is_left_out_once_they_are(stage: Stage, room: Room, work: Relabelling) -> None:
    """Members aren't named: what nobody would see is not told."""
    group = labelled(stage)
    suspend(stage, BOB)
    result_of(work.every_second())
    assert room.written == []
    stage.do(seed.set_state, group, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    room.now += MINUTE
    result_of(work.every_second())
    assert said(stage, group)[:2] == (ALICE, [BOB])


def test_what_cannot_be_written_is_tried_again_and_a_refusal_is_not(
    stage: Stage, room: Room, work: Relabelling
) -> None:
    group = labelled(stage, bob=50)
    suspend(stage, BOB)
    room.fail = ConnectionError("the event persister is away")
    result_of(work.every_second())
    room.now += MINUTE
    room.fail = NotPermitted("no")
    result_of(work.every_second())
    room.fail = None
    room.now += MINUTE
    result_of(work.every_second())
    assert room.written == []
    again = Relabelling(stage.config, stage.database, room, stage.snapshot)  # type: ignore[arg-type]  # as above
    result_of(again.every_second())
    assert said(stage, group)[1] == [BOB]


def test_the_founder_writes_or_else_who_has_the_most_power(stage: Stage, room: Room, work: Relabelling) -> None:
    group = labelled(stage, alice=60, bob=50, carol=100)
    case = suspend(stage, BOB)
    result_of(work.every_second())
    stage.do(seed.set_membership, group, ALICE, "leave")
    lift(stage, case)
    result_of(work.every_second())
    assert [sender for sender, _ in room.written] == [ALICE, ALICE, CAROL, CAROL]


def test_a_dry_run_changes_no_label_and_groups_without_labels_get_none(
    stage: Stage, room: Room, work: Relabelling
) -> None:
    stage.do(seed.make_room, BOB, kind=RoomKind.group)
    labelled(stage, bob=50)
    stage.act(actions.SetMode(mode="dry"))
    suspend(stage, BOB)
    result_of(work.every_second())
    assert room.written == []
    stage.act(actions.SetMode(mode="enforce"))
    stage.refresh()
    result_of(work.every_second())
    assert len(room.written) == 2


def test_nothing_is_read_while_nothing_is_new(stage: Stage, work: Relabelling) -> None:
    result_of(work.every_second())
    stage.database.runs.clear()
    result_of(work.every_second())
    assert stage.database.runs == []
