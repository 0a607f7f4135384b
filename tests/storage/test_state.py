# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's tables say about rooms is read as Synapse means it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.policy.entry import Entry
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import state
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

ANN, BEN, CAT = seed.local("ann"), seed.local("ben"), seed.local("cat")
EVE = "@eve:remote.example.org"


@pytest.fixture
def room_id(db: TestDatabase) -> str:
    return str(db.do(seed.make_room, ANN, kind=RoomKind.group, members=[BEN, EVE]))


def test_members_are_those_joined_now(db: TestDatabase, room_id: str) -> None:
    db.do(seed.set_membership, room_id, CAT, "invite", sender=ANN)
    db.do(seed.set_membership, room_id, BEN, "leave")
    assert db.do(state.members, room_id) == 2
    assert sorted(db.do(state.joined, room_id)) == [ANN, EVE]
    assert sorted(db.do(state.people, room_id)) == [ANN, CAT, EVE]
    assert db.do(state.membership, room_id, CAT) == "invite"
    assert db.do(state.membership, room_id, "@nobody:x") is None


def test_content_that_clients_wrote_is_not_trusted(db: TestDatabase, room_id: str) -> None:
    for name in (None, 7, "", {"a": "b"}):
        db.do(seed.set_state, room_id, ANN, "m.room.name", {"name": name})
        assert db.do(state.name, room_id) is None
    db.do(lambda txn: seed.set_state(txn, room_id, ANN, "m.room.join_rules", {"join_rule": ["public"], "allow": 3}))
    assert db.do(state.join_rule, room_id) == "invite"
    assert db.do(state.entry, room_id, CAT, invited=False) == Entry(
        membership=None, join_rule="invite", in_allowed_room=False
    )
    db.do(lambda txn: seed.set_state(txn, room_id, ANN, "m.room.tombstone", {"replacement_room": {"a": 1}}))
    assert db.do(state.successors, [room_id]) == {}


def test_a_create_event_of_nonsense_is_read_all_the_same(db: TestDatabase) -> None:
    content = {"predecessor": "!old:x", "room_version": 9, "org.groupreg.founding": {"id": 3, "kind": 4}, "type": []}
    made = db.do(state.create, db.do(seed.make_room, ANN, content=content))
    assert made is not None
    assert (made.predecessor, made.room_version, made.founding_id, made.founded_as) == (None, "1", None, None)
    assert not made.space


@pytest.mark.parametrize("rule", ["restricted", "knock_restricted"])
def test_members_of_an_allowed_room_may_enter_a_restricted_one(db: TestDatabase, room_id: str, rule: str) -> None:
    lobby = db.do(seed.make_room, ANN, kind=RoomKind.group, members=[CAT])
    db.do(seed.set_join_rule, room_id, ANN, rule, [lobby, "!other:x"])
    assert db.do(state.entry, room_id, CAT, invited=False).in_allowed_room
    db.do(seed.set_membership, lobby, CAT, "leave")
    assert not db.do(state.entry, room_id, CAT, invited=False).in_allowed_room


def test_an_invite_that_synapse_tells_of_counts_unless_banned(db: TestDatabase, room_id: str) -> None:
    assert db.do(state.entry, room_id, CAT, invited=True).membership == "invite"
    db.do(seed.set_membership, room_id, CAT, "ban", sender=ANN)
    assert db.do(state.entry, room_id, CAT, invited=True).membership == "ban"
    assert db.do(state.entry, room_id, BEN, invited=True).membership == "join"


def test_a_room_is_complete_while_somebody_here_is_in_it_and_its_state_is_there(db: TestDatabase, room_id: str) -> None:
    def faster_join(txn: Transaction) -> None:
        txn.execute("INSERT INTO partial_state_rooms (room_id, device_lists_stream_id) VALUES (?, 0)", (room_id,))

    assert db.do(state.complete, room_id)
    db.do(faster_join)
    assert not db.do(state.complete, room_id)
    db.do(lambda txn: txn.execute("DELETE FROM partial_state_rooms"))
    for user in (ANN, BEN):
        db.do(seed.set_membership, room_id, user, "leave")
    assert not db.do(state.complete, room_id)


def test_rooms_with_somebody_of_this_server(db: TestDatabase, room_id: str) -> None:
    other = db.do(seed.make_room, ANN, kind=RoomKind.group)
    assert db.do(state.with_local_members, [room_id, other, "!none:x"]) == {room_id, other}
    db.do(seed.set_membership, room_id, ANN, "leave")
    db.do(seed.set_membership, other, ANN, "leave")
    assert db.do(state.with_local_members, [room_id, other]) == {room_id}


def test_rooms_are_known_by_who_made_them_even_after_leaving(db: TestDatabase, room_id: str) -> None:
    db.do(seed.set_membership, room_id, ANN, "leave")
    assert db.do(state.created_by, [ANN, BEN]) == [room_id]
    assert db.do(state.joined_by, [ANN]) == []
    assert db.do(state.joined_by, [ANN, BEN]) == [room_id]
    db.do(seed.set_membership, room_id, BEN, "leave")
    assert db.do(state.created_by, [ANN]) == []
    assert [made.creator for made in db.do(state.made_ever, [ANN]).values()] == [ANN]


def test_a_successor_must_name_what_it_succeeds(db: TestDatabase, room_id: str) -> None:
    stranger = db.do(seed.make_room, ANN, kind=RoomKind.group)
    db.do(seed.bury, room_id, ANN, stranger)
    assert db.do(state.successors, [room_id]) == {}
    heir = db.do(seed.make_room, ANN, predecessor=room_id)
    db.do(seed.bury, room_id, ANN, heir)
    assert db.do(state.successors, [room_id, heir, "!none:x"]) == {room_id: heir}


def test_statistics_only_hint_at_large_rooms(db: TestDatabase, room_id: str) -> None:
    columns = "joined_members, invited_members, left_members, banned_members, current_state_events, knocked_members"

    def count(txn: Transaction) -> None:
        txn.execute(
            f"INSERT INTO room_stats_current (room_id, {columns}, local_users_in_room, completed_delta_stream_id)"
            " VALUES (?, 3, 0, 0, 0, 0, 0, 0, 0)",
            (room_id,),
        )

    db.do(count)
    assert db.do(state.maybe_larger_than, 2) == {room_id}
    assert db.do(state.maybe_larger_than, 3) == set()
