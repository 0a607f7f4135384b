# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places, case by case: what takes one, what frees it, and for how long a promise lasts (article 8.1).

The game of test_places_property finds what nobody thought of; here stands what somebody did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers import places
from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS, REMOTE_RESERVATION_MS
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import identity, quotas, rooms
from tests.storage import seed
from tests.storage.world import CONFIG, account, found_by, join_of, upgrade_of
from tests.storage.world import Place as Named

if TYPE_CHECKING:
    from synapse_groupreg.handlers.places import Outcome
    from tests.database import TestDatabase

NOW = 1_000_000
LATER = NOW + LOCAL_RESERVATION_MS
ANN, ABE, BEN, CAT, DAN = (seed.local(name) for name in ("ann", "abe", "ben", "cat", "dan"))


class Scene:
    """A database, and the shortest words for what happens in it."""

    def __init__(self, db: TestDatabase) -> None:
        self.db = db
        self.now_ms = NOW

    def taker(self) -> places.Taker:
        return places.Taker(config=CONFIG, dialect=self.db.dialect, mode="enforce", now_ms=self.now_ms, account=account)

    def room(self, creator: str = ANN, kind: RoomKind | None = RoomKind.group, **how: Any) -> str:
        how = {"join_rule": "public" if kind is RoomKind.group else "invite", **how}
        return str(self.db.do(lambda txn: seed.make_room(txn, creator, kind=kind, **how)))

    def be(self, room_id: str, user: str, membership: str, **how: Any) -> None:
        self.db.do(seed.set_membership, room_id, user, membership, **how)

    def join(self, user: str, room_id: str, *, invited: bool = False) -> Outcome:
        return self.db.do(places.join, self.taker(), join_of(user, named(room_id)), invited=invited)

    def found(self, user: str, holder: str) -> bool:
        outcome = self.db.do(places.found, self.taker(), found_by(user), holder=holder, invites=0)
        return outcome.verdict.allowed

    def upgrade(self, user: str, room_id: str) -> bool:
        return self.db.do(places.upgrade, self.taker(), upgrade_of(user, named(room_id)), room_id).verdict.allowed

    def invite(self, room_id: str, user: str) -> bool:
        return self.db.do(places.invite, self.taker(), room_id, user).verdict.allowed

    def members(self, room_id: str, *, besides: str = "") -> int:
        return self.db.do(quotas.members, room_id, self.now_ms, besides=besides, default=9).used

    def founded(self, user: str) -> int:
        subject, accounts = self.db.do(quotas.subject_of, user)
        return self.db.do(quotas.rooms_founded, subject, accounts, self.now_ms, default=9).used

    def joined(self, user: str, *, besides: str | None = None) -> int:
        subject, accounts = self.db.do(quotas.subject_of, user)
        return self.db.do(quotas.rooms_joined, subject, accounts, self.now_ms, besides=besides, default=9).used

    def link(self, *users: str) -> None:
        person = self.db.do(identity.person_by_digest, "digest", "person")
        for user in users:
            self.db.do(identity.link, user, person)


def named(room_id: str) -> Named:
    return Named(room_id=room_id, kind=RoomKind.group, founder="", token="")


@pytest.fixture
def scene(db: TestDatabase) -> Scene:
    return Scene(db)


# Limits


def test_a_limit_of_its_own_wins_until_it_is_taken_back(scene: Scene) -> None:
    for value, expected in ((7, 7), (0, 0), (None, 9)):
        scene.db.do(quotas.set_override, "account:@a:x", quotas.JOINED, value)
        assert scene.db.do(quotas.limit, "account:@a:x", quotas.JOINED, 9) == expected
    assert scene.db.do(quotas.limit, "account:@a:x", quotas.FOUNDED, 3) == 3


def test_linked_accounts_are_one_subject(scene: Scene) -> None:
    assert scene.db.do(quotas.subject_of, ANN) == (f"account:{ANN}", [ANN])
    scene.link(ANN, ABE)
    assert scene.db.do(quotas.subject_of, ANN) == scene.db.do(quotas.subject_of, ABE) == ("person:person", [ABE, ANN])


# Members


def test_a_promise_counts_until_its_holder_arrives_or_it_lapses(scene: Scene) -> None:
    room_id = scene.room()
    scene.join(BEN, room_id)
    scene.join(CAT, room_id)
    assert scene.members(room_id) == 3
    assert scene.members(room_id, besides=BEN) == 2
    scene.be(room_id, BEN, "join")
    assert scene.members(room_id) == 3
    scene.now_ms = LATER - 1
    assert scene.members(room_id) == 3
    scene.now_ms = LATER
    assert scene.members(room_id) == 2


def test_who_joined_and_left_frees_the_place_at_once(scene: Scene) -> None:
    room_id = scene.room()
    scene.join(BEN, room_id)
    scene.be(room_id, BEN, "join")
    scene.be(room_id, BEN, "leave")
    assert (scene.members(room_id), scene.joined(BEN)) == (1, 0)


def test_who_asked_twice_frees_it_only_when_both_promises_lapsed(scene: Scene) -> None:
    room_id = scene.room()
    scene.join(BEN, room_id)
    scene.join(BEN, room_id)
    scene.be(room_id, BEN, "join")
    scene.be(room_id, BEN, "leave")
    assert (scene.members(room_id), scene.joined(BEN)) == (2, 1)  # the other join may still be under way
    scene.now_ms = LATER
    assert (scene.members(room_id), scene.joined(BEN)) == (1, 0)
    scene.join(BEN, room_id)
    scene.be(room_id, BEN, "join")
    scene.be(room_id, BEN, "leave")
    assert scene.members(room_id) == 1


def test_an_older_leave_frees_nothing(scene: Scene) -> None:
    room_id = scene.room()
    scene.be(room_id, BEN, "leave")
    scene.join(BEN, room_id)
    assert scene.members(room_id) == 2


def test_a_stranger_who_may_not_enter_takes_no_place(scene: Scene) -> None:
    room_id = scene.room(join_rule="invite")
    assert scene.join(BEN, room_id).not_welcome
    assert scene.join(BEN, room_id, invited=True).verdict.allowed
    assert scene.members(room_id) == 2


def test_a_room_that_everybody_here_left_is_joined_like_one_elsewhere(scene: Scene) -> None:
    room_id = scene.room(join_rule="public", members=["@eve:remote.example.org"])
    scene.join(BEN, room_id)
    scene.be(room_id, ANN, "leave")  # Synapse forgets the state, and asks a server that is still in it
    outcome = scene.join(CAT, room_id)
    assert outcome.verdict.allowed
    assert not outcome.not_welcome
    expiries = dict(scene.db.rows("SELECT holder, expires_ms FROM groupreg_reservations WHERE quota = 'members'"))
    assert expiries == {BEN: LATER, CAT: NOW + REMOTE_RESERVATION_MS}


# Joined


def test_groups_count_but_neither_spaces_nor_direct_chats(scene: Scene) -> None:
    for kind in RoomKind:
        scene.room(kind=kind, space=kind is RoomKind.space)
    assert scene.joined(ANN) == 1


def test_a_second_account_in_the_same_group_takes_no_second_place(scene: Scene) -> None:
    scene.link(ANN, ABE)
    room_id = scene.room()
    assert scene.joined(ABE) == 1
    assert scene.joined(ABE, besides=room_id) == 0
    scene.join(ABE, room_id)
    scene.be(room_id, ABE, "join")
    assert scene.joined(ANN) == 1


def test_a_group_about_to_be_founded_counts_once_before_and_after(scene: Scene) -> None:
    assert scene.found(ANN, "token")
    assert (scene.founded(ANN), scene.joined(ANN)) == (1, 1)
    scene.room(founding_id="token")
    assert (scene.founded(ANN), scene.joined(ANN)) == (1, 1)
    scene.now_ms = LATER
    assert (scene.founded(ANN), scene.joined(ANN)) == (1, 1)


def test_a_founding_that_failed_frees_its_places_when_it_lapses(scene: Scene) -> None:
    assert scene.found(ANN, "one")
    assert scene.found(ANN, "two")
    assert not scene.found(ANN, "three")
    scene.now_ms = LATER
    assert (scene.founded(ANN), scene.joined(ANN)) == (0, 0)


# Founded


def test_a_founder_who_left_still_holds_the_place_while_anybody_here_is_in_the_group(scene: Scene) -> None:
    room_id = scene.room(members=[BEN, "@eve:remote.example.org"])
    scene.be(room_id, ANN, "leave")
    assert scene.founded(ANN) == 1
    scene.be(room_id, BEN, "leave")
    assert scene.founded(ANN) == 0


def test_a_spoofed_predecessor_is_a_founding_like_any_other(scene: Scene) -> None:
    old = scene.room()
    assert scene.found(ANN, "token")
    scene.room(predecessor=old, founding_id="token")
    assert scene.founded(ANN) == 2


def test_a_tombstone_alone_frees_no_place(scene: Scene) -> None:
    old = scene.room()
    new = scene.room(kind=None, predecessor=old, join_rule="public")
    scene.db.do(seed.bury, old, ANN, new)
    assert scene.founded(ANN) == 2


# Upgrades


def test_the_founders_upgrade_takes_the_place_of_the_old_group(scene: Scene) -> None:
    old = scene.room()
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 1)
    assert scene.upgrade(ANN, old)
    new = scene.room(kind=None, predecessor=old, join_rule="public")
    scene.db.do(seed.bury, old, ANN, new)
    assert scene.founded(ANN) == 1
    assert not scene.upgrade(ANN, old)
    scene.db.do(close_replaced, NOW + 10_000)
    assert (scene.founded(ANN), scene.joined(ANN)) == (1, 1)


def test_an_upgrade_left_half_done_is_no_way_to_more_groups(scene: Scene) -> None:
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 1)
    old = scene.room()
    assert scene.upgrade(ANN, old)
    half = scene.room(kind=None, predecessor=old, join_rule="public")
    scene.now_ms = LATER
    assert not scene.upgrade(ANN, old)
    assert not scene.upgrade(ANN, half)
    scene.be(half, ANN, "leave")
    assert scene.upgrade(ANN, old)


def test_the_upgrade_of_a_manager_is_a_founding_and_frees_nothing(scene: Scene) -> None:
    old = scene.room(members=[BEN])
    scene.db.do(quotas.set_override, f"account:{BEN}", quotas.FOUNDED, 1)
    assert scene.upgrade(BEN, old)
    assert scene.founded(BEN) == 1
    assert not scene.upgrade(BEN, scene.room(members=[BEN]))
    new = scene.room(BEN, kind=None, predecessor=old, join_rule="public")
    scene.db.do(seed.bury, old, BEN, new)
    assert (scene.founded(ANN), scene.founded(BEN)) == (2, 1)


def test_a_second_successor_needs_a_place_while_it_is_made(scene: Scene) -> None:
    old = scene.room(BEN, members=[ANN])
    assert scene.upgrade(ANN, old)
    scene.room(kind=None, predecessor=old, join_rule="public")
    assert scene.upgrade(ANN, old)
    assert scene.founded(ANN) == 2


def test_a_managers_successor_does_not_free_the_place_of_a_founder_whose_own_upgrade_failed(scene: Scene) -> None:
    old = scene.room(members=[BEN])
    assert scene.upgrade(ANN, old)  # fails: nothing is made
    scene.now_ms = LATER
    assert scene.upgrade(BEN, old)
    new = scene.room(BEN, kind=None, predecessor=old, join_rule="public")
    scene.db.do(seed.bury, old, BEN, new)
    assert scene.founded(ANN) == 1


# Direct chats


def test_a_third_person_takes_a_founders_place_or_is_refused(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct)
    scene.be(chat, BEN, "invite", sender=ANN)
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 0)
    assert not scene.invite(chat, CAT)
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 1)
    assert scene.invite(chat, CAT)
    assert scene.founded(ANN) == 1
    assert scene.invite(chat, DAN)  # for the same place
    scene.be(chat, CAT, "invite", sender=ANN)
    scene.now_ms = LATER
    assert scene.founded(ANN) == 1
    assert scene.db.do(rooms.get, chat) == rooms.RoomRow(room_id=chat, kind=RoomKind.group, founder=ANN)


def test_a_conversion_that_failed_frees_its_place(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct, members=[BEN])
    assert scene.invite(chat, CAT)
    scene.now_ms = LATER
    assert scene.founded(ANN) == 0
    assert scene.db.do(rooms.ensure, chat) == rooms.RoomRow(room_id=chat, kind=RoomKind.direct, founder=ANN)


def test_a_conversion_comes_to_light_though_nobody_counts(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct, members=[BEN])
    assert scene.invite(chat, CAT)
    scene.be(chat, CAT, "invite", sender=ANN)
    scene.db.do(quotas.forget_expired, LATER)
    assert scene.db.do(rooms.get, chat) == rooms.RoomRow(room_id=chat, kind=RoomKind.group, founder=ANN)
    assert scene.db.rows("SELECT * FROM groupreg_reservations WHERE quota = ?", quotas.FOUNDED) == []


def test_two_who_are_invited_at_once_are_not_both_the_second(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct)
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 0)
    assert scene.invite(chat, BEN)
    assert not scene.invite(chat, CAT)
    assert scene.invite(chat, BEN)
    scene.now_ms = LATER
    assert scene.invite(chat, CAT)


def test_who_has_no_account_yet_is_always_a_third(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct)
    scene.db.do(quotas.set_override, f"account:{ANN}", quotas.FOUNDED, 0)
    assert not scene.invite(chat, "")


def test_who_joins_a_chat_keeps_their_place_should_it_become_a_group(scene: Scene) -> None:
    chat = scene.room(kind=RoomKind.direct)
    scene.be(chat, BEN, "invite", sender=ANN)
    assert scene.join(BEN, chat, invited=True).verdict.allowed
    assert scene.members(chat) == 2


def test_groups_and_spaces_take_invites_freely(scene: Scene) -> None:
    for room_id in (scene.room(), scene.room(kind=RoomKind.space, space=True)):
        assert all(scene.invite(room_id, user) for user in (BEN, CAT, DAN))
