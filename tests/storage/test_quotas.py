# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places of members, case by case: what takes one, what frees it, and for how long a promise lasts (article 8.1).

The game of test_places_property finds what nobody thought of; here stands what somebody did. Those of founders are in
test_quotas_founded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import REMOTE_RESERVATION_MS
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas
from tests.storage.scene import ABE, ANN, BEN, CAT, LATER, NOW, Scene

if TYPE_CHECKING:
    from tests.database import TestDatabase


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


def test_who_leaves_while_their_profile_changes_frees_it_only_when_that_is_over(scene: Scene) -> None:
    room_id = scene.room(members=[BEN])
    assert scene.join(BEN, room_id) == places.Outcome()
    assert (scene.members(room_id), scene.joined(BEN)) == (2, 1)
    scene.be(room_id, BEN, "leave")
    assert (scene.members(room_id), scene.joined(BEN)) == (2, 1)  # Synapse may join them anew after all
    for membership in ("join", "leave"):
        scene.be(room_id, BEN, membership)
    assert (scene.members(room_id), scene.joined(BEN)) == (1, 0)


@pytest.mark.parametrize("kind", [RoomKind.direct, RoomKind.space])
def test_a_profile_that_changes_where_no_group_is_takes_no_place_among_groups(scene: Scene, kind: RoomKind) -> None:
    room_id = scene.room(kind=kind, space=kind is RoomKind.space, members=[BEN])
    assert scene.join(BEN, room_id) == places.Outcome()
    scene.be(room_id, BEN, "leave")
    assert scene.joined(BEN) == 0


@pytest.mark.parametrize("before", ["leave", "invite", "ban"])
@pytest.mark.parametrize("after", ["leave", "ban"])
def test_only_who_came_in_can_free_it_by_leaving(scene: Scene, before: str, after: str) -> None:
    room_id = scene.room()
    scene.be(room_id, CAT, "join")
    scene.be(room_id, CAT, "leave")
    for user in (BEN, CAT):
        scene.be(room_id, user, before)
        scene.be(room_id, user, "invite")
        scene.join(user, room_id)
        scene.be(room_id, user, after)  # an invite is declined, while they come in by another worker
        scene.be(room_id, user, "leave")
    assert (scene.members(room_id), scene.joined(BEN)) == (3, 1)


def test_places_are_given_back_while_synapse_builds_its_index(scene: Scene) -> None:
    room_id = scene.room()
    scene.db.do(
        lambda txn: txn.execute(
            "INSERT INTO background_updates (update_name, progress_json)"
            " VALUES ('current_state_delta_stream_room_index', '{}')"
        )
    )
    scene.join(BEN, room_id)
    scene.room(CAT)
    assert scene.members(room_id) == 2
    for membership in ("join", "leave"):
        scene.be(room_id, BEN, membership)
    assert scene.members(room_id) == 1


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
