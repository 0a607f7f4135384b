# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places of founders, case by case: groups founded, upgraded, and grown out of direct chats (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms
from tests.storage import seed
from tests.storage.scene import ANN, BEN, CAT, DAN, LATER, NOW, Scene

if TYPE_CHECKING:
    from tests.database import TestDatabase


@pytest.fixture
def scene(db: TestDatabase) -> Scene:
    return Scene(db)


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
