# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How rooms come to be in the property of `places`, and what must hold whenever one is founded (8.1).

Whenever something is allowed, everything that is there or may still be committed fits within the limits of that
moment. Whenever something is refused, the places are taken, or were asked for within the reservation time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
)

from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import TooManyFounded, TooManyJoined
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms
from tests.storage import seed
from tests.storage.world import (
    PEOPLE,
    Ask,
    Place,
    World,
    found_by,
    upgrade_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers.places import Outcome
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

USERS = st.sampled_from(sorted(PEOPLE))
ANY = st.integers(0, 10_000)
"""Chooses among what can be chosen at that moment."""
AT_ONCE = st.sampled_from([True, False])
"""Whether Synapse commits right away, as it mostly does, or whatever happens in between."""
LIMITS = st.sampled_from([None, None, 1, 2, 3])


def codes(outcome: Outcome) -> set[type]:
    """What a verdict objects to."""
    return {type(violation) for violation in outcome.verdict.violations}


class Rooms(RuleBasedStateMachine):
    """People found and upgrade rooms, Synapse commits at once or when it comes to it."""

    database: ClassVar[TestDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.database)

    @initialize()
    def begin(self) -> None:
        for name in ("ann", "ben"):
            self.seed_room(seed.local(name), RoomKind.group, is_open=True)
        chat = self.seed_room(seed.local("cat"), RoomKind.direct)
        self.world.database.do(self.let_in, chat, seed.local("dan"))

    def rooms(self, *kinds: RoomKind) -> list[Place]:
        """The rooms that somebody is in and that go on, the newest first."""
        alive = reversed(self.world.rooms.values())
        return [room for room in alive if room.alive and room.replaced_ms is None and room.kind in (kinds or RoomKind)]

    def finish_now(self, *, at_once: bool, asked: int) -> None:
        """Commit what was just allowed, if anything was."""
        if at_once and len(self.world.history) > asked:
            self.world.resolve(self.world.pending[-1], commits=True)

    # Rooms come.

    @rule(user=USERS, at_once=AT_ONCE)
    def found_a_group(self, user: str, at_once: bool) -> None:
        token, asked = self.world.name("founding"), len(self.world.history)
        outcome = self.world.ask(places.found, found_by(user), holder=token, invites=0)

        def commit(txn: Transaction) -> None:
            room_id = seed.make_room(txn, user, kind=RoomKind.group, founding_id=token, join_rule="public")
            self.add(Place(room_id=room_id, kind=RoomKind.group, founder=user, token=token, open=True))

        self.founding(user, token, outcome, commit)
        self.finish_now(at_once=at_once, asked=asked)

    def founding(
        self, user: str, token: str, outcome: Outcome, commit: Callable[[Transaction], None], old: Place | None = None
    ) -> None:
        world, person = self.world, PEOPLE[user]
        full = len(world.founders_places(person, world.history)) >= world.limit(person, quotas.FOUNDED)
        joined = len(world.joiners_places(person, world.history)) >= world.limit(person, quotas.JOINED)
        if not outcome.verdict.allowed:
            assert codes(outcome) <= {kind for kind, true in ((TooManyFounded, full), (TooManyJoined, joined)) if true}
            return
        ask = Ask(kind="found", user=user, token=token, room=old, asked_ms=world.now_ms, commit=commit, taken_by=person)
        world.allowed(ask)
        assert len(world.founders_places(person, world.pending)) <= world.limit(person, quotas.FOUNDED)
        assert len(world.joiners_places(person, world.pending)) <= world.limit(person, quotas.JOINED)

    @rule(user=USERS, invitee=USERS, kind=st.sampled_from([RoomKind.direct, RoomKind.direct, RoomKind.space]))
    def make_another_room(self, user: str, invitee: str, kind: RoomKind) -> None:
        room = self.seed_room(user, kind, is_open=kind is RoomKind.space)  # the gate counts no places for these
        if kind is RoomKind.direct and user != invitee:
            self.world.database.do(self.let_in, room, invitee)

    def seed_room(self, user: str, kind: RoomKind, *, is_open: bool = False) -> Place:
        def make(txn: Transaction) -> str:
            rule = "public" if is_open else "invite"
            return seed.make_room(txn, user, kind=kind, space=kind is RoomKind.space, join_rule=rule)

        room_id = self.world.database.do(make)
        token = self.world.name("old") if kind is RoomKind.group else room_id
        room = Place(room_id=room_id, kind=kind, founder=user, token=token, open=is_open)
        self.add(room)
        return room

    def let_in(self, txn: Transaction, room: Place, invitee: str) -> None:
        seed.set_membership(txn, room.room_id, invitee, "invite", sender=min(room.members & set(PEOPLE)))
        room.invited.add(invitee)

    def add(self, room: Place) -> None:
        room.members.add(room.founder)
        self.world.rooms[room.room_id] = room

    @rule(choice=ANY, half=st.booleans(), at_once=AT_ONCE)
    def upgrade(self, choice: int, half: bool, at_once: bool) -> None:
        world = self.world
        ways = [(user, room) for room in self.rooms(RoomKind.group) for user in sorted(room.members & set(PEOPLE))]
        if not ways:
            return
        user, old = ways[choice % len(ways)]
        asked, asked_ms = len(world.history), world.now_ms
        outcome = world.ask(places.upgrade, upgrade_of(user, old), old.room_id)
        token, own = world.name("upgrade"), PEOPLE[old.founder] == PEOPLE[user]
        if outcome.verdict.allowed:  # Synapse carries out one upgrade of a room at a time
            world.pending = [
                ask for ask in world.pending if ask.room is not old or ask.kind not in ("upgrade", "found")
            ]

        def commit(txn: Transaction) -> None:
            room_id = seed.make_room(txn, user, predecessor=old.room_id, join_rule="public" if old.open else "invite")
            new = Place(
                room_id=room_id,
                kind=RoomKind.group,
                founder=user,
                token=token,
                open=old.open,
                upgrade_of=old.room_id,
                admitted_under=world.cap(old),
            )
            if own and old.room_id in world.caps:
                world.caps[room_id] = world.caps[old.room_id]
            self.add(new)
            rooms.ensure(txn, room_id)  # carries the cap over, whoever looks first
            if not half and user in old.members:
                seed.bury(txn, old.room_id, user, room_id)
                if own:
                    old.successor, old.asked_ms, old.succeeded_ms = new, asked_ms, world.now_ms

        free = own and not world.upgrading(PEOPLE[user], world.pending) and not world.half_upgraded(PEOPLE[user])
        if free and (outcome.verdict.allowed or not world.upgrading(PEOPLE[user], world.history)):
            assert outcome.verdict.allowed, "the founder's own successor takes the place of the old room"
            ask = Ask(kind="upgrade", user=user, token=token, room=old, asked_ms=world.now_ms, commit=commit)
            world.allowed(ask)
        else:
            self.founding(user, token, outcome, commit, old)
        self.finish_now(at_once=at_once, asked=asked)
