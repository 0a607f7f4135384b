# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the background process does by itself, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers import upkeep
from synapse_groupreg.handlers.contacts import contact_changed
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.handlers.upkeep import Upkeep
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms
from tests.database import result_of
from tests.handlers.stage import ALICE, BOB, CAROL, NOW, Stage
from tests.handlers.test_start import give_address
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

DONE = NOW + 10_000
"""When an upgrade that began now is surely over."""


def often(stage: Stage, now_ms: int = DONE) -> None:
    stage.homeserver.now = now_ms
    result_of(Upkeep(stage.config, stage.database, stage.homeserver).often())


def seldom(stage: Stage) -> None:
    result_of(Upkeep(stage.config, stage.database, stage.homeserver).seldom())


def upgrade(
    stage: Stage, *, by: str = ALICE, expect: bool = True, bury: bool = True, names: bool = True
) -> tuple[str, str]:
    old = stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    stage.do(rooms.ensure, old)
    stage.act(actions.CapRoom(room_id=old, members=7))
    if expect:
        stage.do(quotas.expect_successor, old, NOW)
    new = stage.do(seed.make_room, by, predecessor=old if names else "!other")
    if bury:
        stage.do(seed.bury, old, by, new)
    return old, new


def test_a_group_closes_once_its_upgrade_is_surely_over(stage: Stage) -> None:
    old, new = upgrade(stage)
    pokes = stage.homeserver.pokes
    often(stage, DONE - 1)
    assert stage.do(rooms.get, old).successor is None
    often(stage)
    assert stage.do(rooms.get, old).successor == new
    assert stage.refresh().room(old, DONE).replaced
    assert not stage.snapshot.room(new, DONE).replaced
    line = stage.journal()[-1]
    assert (line.author, line.action, line.subject, line.after) == (SERVER, "replace", old, {"successor": new})
    assert stage.do(quotas.override, quotas.room_subject(new), quotas.MEMBERS) == 7, "the cap goes over"
    assert stage.do(rooms.get, new).kind is RoomKind.group, "a small group doesn't become a direct chat by upgrading"
    assert stage.homeserver.pokes == pokes + 1
    often(stage)
    assert stage.journal()[-1] == line
    assert stage.homeserver.pokes == pokes + 1


OPEN = {"users": {ALICE: 100}, "events_default": 0, "invite": 0}
SHUT = {"users": {ALICE: 100}, "events_default": "50", "invite": 50}
MINUTE = 60_000


def bury_late(stage: Stage, levels: dict[str, Any]) -> str:
    """A large group, whose upgrade came as far as its tombstone after a minute."""
    old = stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    stage.do(rooms.ensure, old)
    stage.do(seed.set_state, old, ALICE, "m.room.power_levels", levels)
    stage.do(quotas.expect_successor, old, NOW)
    new = stage.do(seed.make_room, ALICE, predecessor=old)
    stage.do(seed.bury, old, ALICE, new, NOW + MINUTE)
    return old


def closed(stage: Stage, room_id: str, now_ms: int) -> bool:
    often(stage, now_ms)
    return stage.do(rooms.get, room_id).successor is not None


def test_a_slow_upgrade_is_not_cut_short(stage: Stage) -> None:
    """Last of all Synapse writes the power levels of the old room, which would be refused in one that is closed."""
    old = bury_late(stage, OPEN)
    assert not closed(stage, old, NOW + 5 * MINUTE)
    stage.do(seed.set_state, old, ALICE, "m.room.power_levels", SHUT)
    assert closed(stage, old, NOW + 5 * MINUTE)


def test_power_levels_that_somebody_changed_afterwards_keep_no_group_open(stage: Stage) -> None:
    old = bury_late(stage, OPEN)
    stage.do(seed.set_state, old, ALICE, "m.room.power_levels", OPEN)
    assert closed(stage, old, NOW + 2 * MINUTE)


@pytest.mark.parametrize(
    ("levels", "taken_ms"),
    [
        (SHUT, 10_000),
        ({**OPEN, "events_default": 50}, 10 * MINUTE),
        ({**SHUT, "users_default": 50}, 10 * MINUTE),
        ({**SHUT, "users_default": 50, "events_default": 51, "invite": 51}, 10_000),
        ({}, 10 * MINUTE),
    ],
    ids=["nothing to write", "invites", "everybody has the level", "as much above", "nothing said"],
)
def test_where_synapse_writes_no_power_levels_time_tells(stage: Stage, levels: dict[str, Any], taken_ms: int) -> None:
    """Because members are shut out already, or, later, because the founder may not."""
    old = bury_late(stage, levels)
    assert not closed(stage, old, NOW + MINUTE + taken_ms - 1)
    assert closed(stage, old, NOW + MINUTE + taken_ms)


@pytest.mark.parametrize(
    "how",
    [{"expect": False}, {"bury": False}, {"names": False}, {"by": BOB}],
    ids=["a tombstone alone", "no tombstone", "the successor names another room", "somebody else's successor"],
)
def test_what_is_no_upgrade_by_the_founder_closes_nothing(stage: Stage, how: dict[str, Any]) -> None:
    old, _ = upgrade(stage, **how)
    often(stage)
    assert stage.do(rooms.get, old).successor is None
    assert all(line.action != "replace" for line in stage.journal())


def test_another_account_of_the_founder_is_the_founder(stage: Stage) -> None:
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.contact, provider="office", digest="d"))
    old, new = upgrade(stage, by=BOB)
    often(stage)
    assert stage.do(rooms.get, old).successor == new


def test_an_upgrade_that_never_ends_is_not_expected_for_ever(stage: Stage) -> None:
    old, _ = upgrade(stage)
    often(stage, NOW + quotas.SUCCESSOR_MS)
    assert stage.do(rooms.get, old).successor is None


def test_rooms_from_before_the_module_get_their_rows_a_few_at_a_time(stage: Stage) -> None:
    made = [stage.do(seed.make_room, ALICE, members=[BOB, CAROL]) for _ in range(103)]
    upkeep = Upkeep(stage.config, stage.database, stage.homeserver)
    result_of(upkeep.often())
    assert len(stage.do(rooms.known, made)) == 100
    result_of(upkeep.often())
    assert set(stage.do(rooms.known, made)) == set(made)
    result_of(upkeep.often())
    stage.database.runs.clear()
    result_of(upkeep.often())
    assert "groupreg_survey" not in stage.database.runs


# Sizes.


@pytest.fixture
def sized(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, identity={"required": {"members_over": {2: "contact", 4: "real_name"}}})


def count_in_statistics(txn: Transaction, room_id: str, members: int) -> None:
    txn.execute("DELETE FROM room_stats_current WHERE room_id = ?", (room_id,))
    txn.execute(
        "INSERT INTO room_stats_current (room_id, current_state_events, joined_members, invited_members, left_members,"
        " banned_members, local_users_in_room, completed_delta_stream_id) VALUES (?, 0, ?, 0, 0, 0, ?, 0)",
        (room_id, members, members),
    )


def test_sizes_are_followed_across_tiers_and_recounted(sized: Stage) -> None:
    people = [seed.local(f"u{number}") for number in range(5)]
    room_id = sized.do(seed.make_room, ALICE, kind=RoomKind.group, members=people[:1])
    sized.do(count_in_statistics, room_id, 99)  # the statistics lag: it is counted, not believed
    seldom(sized)
    assert sized.do(rooms.get, room_id).members is None
    for number, expected in ((1, 3), (2, 3), (3, 5), (4, 5)):
        sized.do(seed.set_membership, room_id, people[number], "join")
        seldom(sized)
        assert sized.do(rooms.get, room_id).members == expected, "written down when a tier is passed"
    assert sized.refresh().room(room_id, NOW).members == 5
    for number in (1, 2, 3, 4):
        sized.do(seed.set_membership, room_id, people[number], "leave")
    pokes = sized.homeserver.pokes
    seldom(sized)
    assert sized.homeserver.pokes == pokes + 1
    assert sized.refresh().room(room_id, NOW).members == 0
    seldom(sized)
    assert sized.homeserver.pokes == pokes + 1


def test_many_large_rooms_are_counted_a_few_at_a_time(sized: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has one connection: one long transaction would hold up the whole server."""
    monkeypatch.setattr(upkeep, "_ROOMS_A_STEP", 2)
    made = [sized.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL]) for _ in range(5)]
    for room_id in made:
        sized.do(count_in_statistics, room_id, 99)
    pokes = sized.homeserver.pokes
    seldom(sized)
    assert [row.members for row in sized.do(rooms.known, made).values()] == [3] * 5
    assert sized.database.runs.count("groupreg_sizes") == 3
    assert sized.homeserver.pokes == pokes + 1
    assert sized.refresh().exceptions == 5


def test_where_size_does_not_matter_nothing_is_counted(stage: Stage) -> None:
    room_id = stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    stage.do(count_in_statistics, room_id, 10_000)
    seldom(stage)
    assert stage.do(rooms.get, room_id) is None


def test_promises_that_lapsed_are_dropped(stage: Stage) -> None:
    stage.do(quotas.reserve, "room:!r", quotas.MEMBERS, ALICE, NOW)
    stage.do(quotas.reserve, "room:!r", quotas.MEMBERS, BOB, NOW + 1)
    seldom(stage)
    assert [row[0] for row in stage.database.rows("SELECT holder FROM groupreg_reservations")] == [BOB]


# Addresses.


def contact(stage: Stage) -> Assurance:
    result_of(contact_changed(stage.database, stage.homeserver, ALICE))
    return stage.refresh().assurance[ALICE]


def test_a_verified_address_gives_contact_until_the_last_one_is_removed(stage: Stage) -> None:
    assert contact(stage) is Assurance.none
    assert stage.journal() == []
    for address in ("a@example.org", "b@example.org"):
        stage.do(give_address, ALICE, address)
        assert contact(stage) is Assurance.contact
    assert [(line.author, line.before, line.after) for line in stage.journal()] == [
        (SERVER, {"assurance": "none"}, {"assurance": "contact"})
    ]
    stage.database.rows("DELETE FROM user_threepids WHERE address = 'a@example.org' RETURNING address")
    assert contact(stage) is Assurance.contact
    stage.database.rows("DELETE FROM user_threepids RETURNING address")
    assert contact(stage) is Assurance.none
    assert stage.journal()[-1].after == {"assurance": "none"}
    assert stage.homeserver.pokes == 2


def test_an_address_changes_nothing_for_who_is_verified_better(stage: Stage) -> None:
    stage.act(actions.Verify(user_id=ALICE, assurance=Assurance.real_name, provider="office"))
    lines = stage.journal()
    stage.do(give_address, ALICE, "a@example.org")
    assert contact(stage) is Assurance.real_name
    assert stage.journal() == lines
    stage.act(actions.Unverify(user_id=ALICE))
    assert stage.refresh().assurance[ALICE] is Assurance.contact
