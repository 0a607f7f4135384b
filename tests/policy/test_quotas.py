# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The three caps, at and around their edges."""

from __future__ import annotations

import attrs
import pytest

from synapse_groupreg.policy.quotas import (
    RoomFull,
    TooManyFounded,
    TooManyJoined,
    members_per_room,
    rooms_founded,
    rooms_joined,
)
from synapse_groupreg.policy.types import Found, Join, Room, RoomKind, Use
from tests.policy.samples import ALICE, DIRECT, GROUP, SPACE, config

RULES = config()
EXEMPT = attrs.evolve(ALICE, exempt=True)


@pytest.mark.parametrize(("used", "refused"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_join_needs_a_free_place(used: int, refused: bool) -> None:
    violation = members_per_room(Join(actor=ALICE, room=GROUP, members=Use(used, 3)), RULES)
    assert violation == (RoomFull(used=used, limit=3) if refused else None)


@pytest.mark.parametrize(("used", "refused"), [(1, False), (3, False), (4, True)])
def test_a_founding_may_fill_the_group_but_not_overfill_it(used: int, refused: bool) -> None:
    """`used` counts the founder and everybody invited."""
    violation = members_per_room(Found(actor=ALICE, members=Use(used, 3)), RULES)
    assert violation == (RoomFull(used=used, limit=3) if refused else None)


@pytest.mark.parametrize(("used", "refused"), [(0, False), (1, False), (2, True), (3, True)])
def test_founding_needs_a_free_place_among_the_groups_founded(used: int, refused: bool) -> None:
    violation = rooms_founded(Found(actor=ALICE, founded=Use(used, 2)), RULES)
    assert violation == (TooManyFounded(used=used, limit=2) if refused else None)


@pytest.mark.parametrize(("used", "refused"), [(0, False), (1, False), (2, True), (3, True)])
def test_joining_and_founding_need_a_free_place_among_the_groups_joined(used: int, refused: bool) -> None:
    expected = TooManyJoined(used=used, limit=2) if refused else None
    assert rooms_joined(Join(actor=ALICE, room=GROUP, joined=Use(used, 2)), RULES) == expected
    assert rooms_joined(Found(actor=ALICE, joined=Use(used, 2)), RULES) == expected


@pytest.mark.parametrize("room", [DIRECT, SPACE])
def test_only_groups_have_caps(room: Room) -> None:
    full = Use(9, 1)
    join = Join(actor=ALICE, room=room, members=full, joined=full)
    found = Found(actor=ALICE, kind=room.kind, members=full, founded=full, joined=full)
    for attempt in (join, found):
        assert members_per_room(attempt, RULES) is None
        assert rooms_joined(attempt, RULES) is None
    assert rooms_founded(found, RULES) is None


def test_an_exempt_account_takes_no_notice_of_caps() -> None:
    full = Use(9, 1)
    join = Join(actor=EXEMPT, room=GROUP, members=full, joined=full)
    found = Found(actor=EXEMPT, members=full, founded=full, joined=full)
    assert [members_per_room(join, RULES), rooms_joined(join, RULES)] == [None, None]
    assert [rule(found, RULES) for rule in (members_per_room, rooms_founded, rooms_joined)] == [None, None, None]


def test_who_asks_for_no_place_is_not_counted() -> None:
    assert members_per_room(Join(actor=ALICE, room=GROUP), RULES) is None
    assert rooms_joined(Join(actor=ALICE, room=GROUP), RULES) is None
    assert rooms_founded(Found(actor=ALICE, kind=RoomKind.group), RULES) is None


def test_a_limit_of_zero_leaves_nobody_in() -> None:
    assert rooms_founded(Found(actor=ALICE, founded=Use(0, 0)), RULES) is not None
    assert rooms_joined(Join(actor=ALICE, room=GROUP, joined=Use(0, 0)), RULES) is not None
