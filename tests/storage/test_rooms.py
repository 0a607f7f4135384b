# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a room is to the rules: its kind, its founder, and when that changes (articles 2 and 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

ANN, BEN, CAT = seed.local("ann"), seed.local("ben"), seed.local("cat")


def make(db: TestDatabase, **how: Any) -> str:
    room_id: str = db.do(lambda txn: seed.make_room(txn, ANN, **how))
    return room_id


def kind(db: TestDatabase, room_id: str) -> RoomKind | None:
    row = db.do(rooms.ensure, room_id)
    return None if row is None else row.kind


def invite(db: TestDatabase, room_id: str, *users: str) -> None:
    for user in users:
        db.do(seed.set_membership, room_id, user, "invite", sender=ANN)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"kind": RoomKind.direct, "members": [BEN]}, RoomKind.direct),
        ({"kind": RoomKind.direct, "members": [BEN, CAT]}, RoomKind.group),
        ({"kind": RoomKind.direct, "join_rule": "public"}, RoomKind.group),
        ({"kind": RoomKind.direct, "join_rule": "knock"}, RoomKind.group),
        ({"kind": RoomKind.direct, "join_rule": "restricted"}, RoomKind.group),
        ({"kind": RoomKind.direct, "join_rule": "private"}, RoomKind.direct),
        ({"kind": RoomKind.group, "members": [BEN]}, RoomKind.group),
        ({"kind": RoomKind.group}, RoomKind.group),
        ({"kind": RoomKind.space, "space": True, "join_rule": "public"}, RoomKind.space),
        ({"members": [BEN]}, RoomKind.direct),  # from before the module: by shape alone
        ({"members": [BEN, CAT]}, RoomKind.group),
        ({"join_rule": "public"}, RoomKind.group),
        ({"space": True}, RoomKind.space),
        ({"content": {"org.groupreg.founding": {"id": "x", "kind": "palace"}}, "members": [BEN]}, RoomKind.direct),
        ({"content": {"org.groupreg.founding": "direct"}, "members": [BEN, CAT]}, RoomKind.group),
    ],
)
def test_the_kind_of_a_room_follows_its_founding_and_its_shape(
    db: TestDatabase, how: dict[str, Any], expected: RoomKind
) -> None:
    room_id = make(db, **how)
    assert kind(db, room_id) is expected
    row = db.do(rooms.get, room_id)
    assert row == rooms.RoomRow(room_id=room_id, kind=expected, founder=ANN)


def test_a_direct_chat_that_outgrew_its_shape_is_a_group_for_ever(db: TestDatabase) -> None:
    room_id = make(db, kind=RoomKind.direct)
    invite(db, room_id, BEN)
    assert kind(db, room_id) is RoomKind.direct
    invite(db, room_id, CAT)
    assert kind(db, room_id) is RoomKind.group
    db.do(seed.set_membership, room_id, CAT, "leave")
    assert kind(db, room_id) is RoomKind.group


def test_a_listed_room_is_open(db: TestDatabase) -> None:
    room_id = make(db, kind=RoomKind.direct)
    db.do(lambda txn: txn.execute("UPDATE rooms SET is_public = ? WHERE room_id = ?", (True, room_id)))
    assert kind(db, room_id) is RoomKind.group


def test_an_alias_opens_an_older_room_only(db: TestDatabase) -> None:
    def name(txn: Transaction, room_id: str) -> None:
        txn.execute("INSERT INTO room_aliases (room_alias, room_id) VALUES (?, ?)", (f"#{room_id[1:]}", room_id))

    older, newer, seen = make(db), make(db, kind=RoomKind.direct), make(db)
    kind(db, seen)
    for room_id in (older, newer, seen):
        db.do(name, room_id)
    assert (kind(db, older), kind(db, newer), kind(db, seen)) == (RoomKind.group, RoomKind.direct, RoomKind.direct)


def test_a_room_that_this_server_is_not_in_has_no_row(db: TestDatabase) -> None:
    assert kind(db, "!elsewhere:remote.example.org") is None
    assert db.rows("SELECT * FROM groupreg_rooms") == []


def test_the_row_stays_when_everybody_left(db: TestDatabase) -> None:
    room_id = make(db, kind=RoomKind.group)
    kind(db, room_id)
    db.do(seed.set_membership, room_id, ANN, "leave")
    assert kind(db, room_id) is RoomKind.group


def test_a_small_group_stays_one_when_it_is_upgraded(db: TestDatabase) -> None:
    group, chat = make(db, kind=RoomKind.group), make(db, kind=RoomKind.direct)
    assert kind(db, make(db, predecessor=group)) is RoomKind.group
    assert kind(db, make(db, predecessor=chat)) is RoomKind.direct
    assert kind(db, make(db, predecessor="!unknown:x")) is RoomKind.direct


def test_a_room_that_names_itself_as_its_predecessor_harms_nobody(db: TestDatabase) -> None:
    assert kind(db, make(db, room_id="!own:x", predecessor="!own:x")) is RoomKind.direct


def test_the_cap_of_a_group_goes_over_to_the_successor_of_its_founder_alone(db: TestDatabase) -> None:
    old = make(db, kind=RoomKind.group)
    kind(db, old)
    db.do(quotas.set_override, quotas.room_subject(old), quotas.MEMBERS, 7)
    own = make(db, predecessor=old)
    foreign = db.do(lambda txn: seed.make_room(txn, BEN, predecessor=old))
    named = make(db, predecessor=old, kind=RoomKind.group)  # the founder's createRoom is no upgrade
    for room_id, cap in ((own, 7), (foreign, None), (named, None)):
        kind(db, room_id)
        assert db.do(quotas.override, quotas.room_subject(room_id), quotas.MEMBERS) == cap


def test_several_rooms_at_once_are_made_where_missing_and_left_where_not(db: TestDatabase) -> None:
    known, new = make(db, kind=RoomKind.direct), make(db, kind=RoomKind.group)
    kind(db, known)
    invite(db, known, BEN, CAT)
    found = db.do(rooms.ensure_all, [known, new, "!elsewhere:x", known])
    assert {room_id: row.kind for room_id, row in found.items()} == {known: RoomKind.direct, new: RoomKind.group}


def test_large_and_replaced_rooms_are_exceptional(db: TestDatabase) -> None:
    def all_of(txn: Transaction) -> list[rooms.RoomRow]:
        return list(rooms.every_exceptional(txn))

    large, replaced, plain = (make(db, kind=RoomKind.group) for _ in range(3))
    db.do(rooms.ensure_all, [large, replaced, plain])
    db.do(rooms.set_members, large, 101)
    db.do(rooms.set_successor, replaced, plain)
    assert {row.room_id for row in db.do(all_of)} == {large, replaced}
    assert [row.room_id for row in db.do(rooms.exceptional, [plain, large])] == [large]
    db.do(rooms.set_members, large, None)
    assert [row.room_id for row in db.do(all_of)] == [replaced]


def test_rooms_without_a_row_are_found_bit_by_bit(db: TestDatabase) -> None:
    made = sorted(make(db, kind=RoomKind.group) for _ in range(5))
    kind(db, made[1])
    assert db.do(rooms.unseen, "", 2) == [made[0], made[2]]
    assert db.do(rooms.unseen, made[2], 10) == made[3:]


def test_a_search_takes_its_words_as_they_are(db: TestDatabase) -> None:
    def name(txn: Transaction, room_id: str, text: str) -> None:
        txn.execute("INSERT INTO room_stats_state (room_id, name) VALUES (?, ?)", (room_id, text))

    percent, plain = make(db, kind=RoomKind.group), make(db, kind=RoomKind.group)
    db.do(rooms.ensure_all, [percent, plain])
    db.do(name, percent, "100% Reading_Club!")
    db.do(name, plain, "1000 readers")
    for search, expected in (
        ("100%", [percent]),
        ("reading_", [percent]),
        ("club!", [percent]),
        ("READ", sorted([percent, plain])),
        (plain[1:8], [plain]),
        (None, sorted([percent, plain])),
    ):
        found, total = db.do(rooms.page, search, 0, 10)
        assert [row.room_id for row in found] == expected
        assert total == len(expected)
