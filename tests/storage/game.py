# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people, Synapse, time and staff do in the property of `places`, and what must hold whenever they do (8.1).

Whenever something is allowed, everything that is there or may still be committed fits within the limits of that
moment. Whenever something is refused, the places are taken, or were asked for within the reservation time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import RoomFull, TooManyFounded, TooManyJoined
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas
from tests.storage import seed
from tests.storage.world import (
    PEOPLE,
    STRANGER,
    Ask,
    Place,
    World,
    found_by,
    join_of,
    upgrade_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers.places import Outcome
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

USERS = st.sampled_from(sorted(PEOPLE))
ROOMS = st.integers(0, 5)
LIMITS = st.sampled_from([None, 0, 1, 2, 4])


def codes(outcome: Outcome) -> set[type]:
    """What a verdict objects to."""
    return {type(violation) for violation in outcome.verdict.violations}


class Places(RuleBasedStateMachine):
    """People do what they like, Synapse commits or crashes, staff change caps and limits."""

    database: ClassVar[TestDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.database)

    def pick(self, number: int, kind: RoomKind | None = None) -> Place | None:
        alive = [room for room in self.world.rooms.values() if room.alive and kind in (None, room.kind)]
        return alive[-1 - number % len(alive)] if alive else None

    # Rooms come.

    @rule(user=USERS, is_open=st.booleans())
    def found_a_group(self, user: str, is_open: bool) -> None:
        token = self.world.name("founding")
        attempt = found_by(user)
        outcome = self.world.ask(places.found, attempt, holder=token, invites=0)

        def commit(txn: Transaction) -> None:
            rule = "public" if is_open else "invite"
            room_id = seed.make_room(txn, user, kind=RoomKind.group, founding_id=token, join_rule=rule)
            self.add(Place(room_id=room_id, kind=RoomKind.group, founder=user, token=token, open=is_open))

        self.founding(user, token, outcome, commit)

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

    @rule(user=USERS, invitee=USERS)
    def begin_a_direct_chat(self, user: str, invitee: str) -> None:
        if user == invitee:
            return

        def commit(txn: Transaction) -> None:
            room_id = seed.make_room(txn, user, kind=RoomKind.direct)
            seed.set_membership(txn, room_id, invitee, "invite", sender=user)
            chat = Place(room_id=room_id, kind=RoomKind.direct, founder=user, token=room_id, invited={invitee})
            self.add(chat)

        self.world.database.do(commit)  # Synapse asks, and the gate answers without counting

    @rule(user=USERS)
    def make_a_space(self, user: str) -> None:
        def commit(txn: Transaction) -> None:
            room_id = seed.make_room(txn, user, kind=RoomKind.space, space=True, join_rule="public")
            self.add(Place(room_id=room_id, kind=RoomKind.space, founder=user, token=room_id, open=True))

        self.world.database.do(commit)

    def add(self, room: Place) -> None:
        room.members.add(room.founder)
        self.world.rooms[room.room_id] = room

    @rule(user=USERS, number=ROOMS, half=st.booleans())
    def upgrade(self, user: str, number: int, half: bool) -> None:
        world, old = self.world, self.pick(number, RoomKind.group)
        if old is None or user not in old.members:
            return
        outcome = world.ask(places.upgrade, upgrade_of(user, old), old.room_id)
        if old.replaced_ms is not None:
            assert not outcome.verdict.allowed
            return
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
            if not half and user in old.members:
                seed.bury(txn, old.room_id, user, room_id)
                old.replaced_ms = world.now_ms if own else old.replaced_ms

        busy = any(ask.kind == "upgrade" and PEOPLE[ask.user] == PEOPLE[user] for ask in world.history)
        under_way = any(ask.kind == "upgrade" and PEOPLE[ask.user] == PEOPLE[user] for ask in world.pending)
        if own and not under_way and not world.half_upgraded(PEOPLE[user]) and (outcome.verdict.allowed or not busy):
            assert outcome.verdict.allowed, "the founder's own successor takes the place of the old room"
            ask = Ask(kind="upgrade", user=user, token=token, room=old, asked_ms=world.now_ms, commit=commit)
            world.allowed(ask)
        else:
            self.founding(user, token, outcome, commit, old)

    # Members come and go.

    @rule(user=st.one_of(USERS, st.just(STRANGER)), number=ROOMS)
    def join(self, user: str, number: int) -> None:
        world, room = self.world, self.pick(number)
        if room is None or room.replaced_ms is not None or (user == STRANGER and room.kind is not RoomKind.group):
            return
        before = world.ours()
        outcome = world.ask(places.join, join_of(user, room), invited=user in room.invited)
        if user in room.members:
            assert outcome == places.Outcome(), "a member changes their profile, nothing else"
            assert world.ours() == before
            return
        if not self.may_enter(user, room):
            assert outcome.not_welcome
            return
        ask = Ask(
            kind="join" if room.kind is RoomKind.group else "enter",
            user=user,
            token=room.token,
            room=room,
            asked_ms=world.now_ms,
            commit=lambda txn: self.come_in(txn, user, room),
        )
        if room.kind is RoomKind.group:
            self.joining(ask, room, outcome)
        else:
            assert outcome.verdict.allowed, "only groups have places"
            world.allowed(ask)

    def may_enter(self, user: str, room: Place) -> bool:
        return user == STRANGER or (user not in room.banned and (room.open or user in room.invited))

    def come_in(self, txn: Transaction, user: str, room: Place) -> None:
        if room.alive and self.may_enter(user, room):  # else Synapse refuses by itself
            seed.set_membership(txn, room.room_id, user, "join")
            room.members.add(user)
            room.invited.discard(user)

    def joining(self, ask: Ask, room: Place, outcome: Outcome) -> None:
        world, person = self.world, PEOPLE.get(ask.user)
        full = len(world.members_places(room, world.history) - {ask.user}) >= world.cap(room)
        busy = person is not None and len(world.joiners_places(person, world.history) - {room.token}) >= world.limit(
            person, quotas.JOINED
        )
        if not outcome.verdict.allowed:
            assert codes(outcome) <= {kind for kind, true in ((RoomFull, full), (TooManyJoined, busy)) if true}
            return
        world.allowed(ask)
        room.admitted_under = world.cap(room)
        assert len(world.members_places(room, world.pending)) <= world.cap(room)
        if person is not None:
            assert len(world.joiners_places(person, world.pending)) <= world.limit(person, quotas.JOINED)

    @rule(user=st.one_of(USERS, st.just(STRANGER)), number=ROOMS, how=st.sampled_from(["leave", "ban", "unban"]))
    def leave(self, user: str, number: int, how: str) -> None:
        room = self.pick(number)
        if room is None or (how == "leave" and user not in room.members | room.invited):
            return
        if how != "leave" and (how == "unban") != (user in room.banned):
            return
        sender = next(iter(sorted(room.members & set(PEOPLE)))) if how != "leave" else user
        membership = "ban" if how == "ban" else "leave"
        self.world.database.do(seed.set_membership, room.room_id, user, membership, sender=sender)
        room.members.discard(user)
        room.invited.discard(user)
        room.banned = room.banned | {user} if how == "ban" else room.banned - {user}
        if how == "ban":  # Synapse checks a join against the state that it is made from
            joins = ("join", "enter")
            self.world.pending = [
                ask for ask in self.world.pending if not (ask.kind in joins and ask.user == user and ask.room is room)
            ]

    @rule(number=ROOMS, invitee=USERS)
    def invite(self, number: int, invitee: str) -> None:
        world, room = self.world, self.pick(number)
        if room is None or invitee in room.members | room.banned:
            return
        inviter = min(room.members & set(PEOPLE))
        outcome = world.ask(places.invite, room.room_id, invitee)

        def commit(txn: Transaction) -> None:
            if room.alive and invitee not in room.members | room.banned:
                seed.set_membership(txn, room.room_id, invitee, "invite", sender=inviter)
                room.invited.add(invitee)

        outgrows = len(world.people(room, world.history) | {invitee}) > 2
        self.reshaping("invite", invitee, room, outcome, commit, outgrows=outgrows)

    @rule(number=ROOMS)
    def open_up(self, number: int) -> None:
        world, room = self.world, self.pick(number)
        if room is None or room.replaced_ms is not None:
            return
        member = min(room.members & set(PEOPLE))
        outcome = world.ask(places.open_up, room.room_id)

        def commit(txn: Transaction) -> None:
            if room.alive:
                seed.set_join_rule(txn, room.room_id, member, "public")
                room.open = True

        self.reshaping("open", member, room, outcome, commit, outgrows=True)

    def reshaping(
        self, kind: str, user: str, room: Place, outcome: Outcome, commit: Callable[..., None], *, outgrows: bool
    ) -> None:
        """An act that may make a group of a direct chat, for which its founder needs a place."""
        world, person = self.world, PEOPLE[room.founder]
        outgrows = outgrows and room.kind is RoomKind.direct
        taken = world.founders_places(person, world.history) - {room.token}
        if not outcome.verdict.allowed:
            assert outgrows
            assert codes(outcome) == {TooManyFounded}
            assert len(taken) >= world.limit(person, quotas.FOUNDED)
            return
        ask = Ask(
            kind=kind,
            user=user,
            token=room.token,
            room=room,
            asked_ms=world.now_ms,
            commit=commit,
            taken_by=person if outgrows else "",
        )
        world.allowed(ask)
        if outgrows:
            assert len(world.founders_places(person, world.pending)) <= world.limit(person, quotas.FOUNDED)

    # Synapse, time and staff.

    @precondition(lambda self: self.world.pending)
    @rule(number=st.integers(0, 9), commits=st.sampled_from([True, True, True, False]))
    def finish(self, number: int, commits: bool) -> None:
        self.world.resolve(self.world.pending[number % len(self.world.pending)], commits=commits)

    @rule(milliseconds=st.sampled_from([1, 900, 11_000, 29_999, 30_000, 100_000]))
    def wait(self, milliseconds: int) -> None:
        self.world.pass_time(milliseconds)

    @rule(number=ROOMS, value=LIMITS)
    def cap(self, number: int, value: int | None) -> None:
        room = self.pick(number, RoomKind.group)
        if room is not None and value != 0:
            self.set_limit(quotas.room_subject(room.room_id), quotas.MEMBERS, value)
            set_or_drop(self.world.caps, room.room_id, value)

    @rule(user=USERS, quota=st.sampled_from([quotas.FOUNDED, quotas.JOINED]), value=LIMITS)
    def limit(self, user: str, quota: str, value: int | None) -> None:
        subject, _ = self.world.database.do(quotas.subject_of, user)
        self.set_limit(subject, quota, value)
        set_or_drop(self.world.limits, (PEOPLE[user], quota), value)

    def set_limit(self, subject: str, quota: str, value: int | None) -> None:
        self.world.database.do(quotas.set_override, subject, quota, value)

    @invariant()
    def no_group_has_more_members_than_when_the_last_was_admitted(self) -> None:
        for room in self.world.rooms.values():
            if room.kind is RoomKind.group and room.token != room.room_id and not room.replaced_ms:
                assert len(room.members) <= max(room.admitted_under, 1)


def set_or_drop(values: dict[Any, int], key: Any, value: int | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
