# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people, Synapse, time and staff do in the property of `places`, and what must hold whenever they do (8.1).

Whenever something is allowed, everything that is there or may still be committed fits within the limits of that
moment. Whenever something is refused, the places are taken, or were asked for within the reservation time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
)

from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS, RoomFull, TooManyFounded, TooManyJoined
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import bounds, quotas, rooms
from tests.storage import seed
from tests.storage.game_rooms import ANY, AT_ONCE, LIMITS, USERS, Rooms, codes
from tests.storage.world import (
    PEOPLE,
    STRANGER,
    Ask,
    Place,
    join_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers.places import Outcome
    from synapse_groupreg.storage.database import Transaction


class Places(Rooms):
    """Members come and go, chats become groups, Synapse commits or crashes, staff change caps and limits."""

    looks = 0

    # Members come and go.

    @rule(user=st.one_of(USERS, st.just(STRANGER)), choice=ANY)
    def try_to_join(self, user: str, choice: int) -> None:
        found = self.rooms(RoomKind.group) if user == STRANGER else self.rooms()
        if found:
            self.join(user, found[choice % len(found)])

    @rule(choice=ANY, at_once=AT_ONCE)
    def join_where_one_may(self, choice: int, at_once: bool) -> None:
        ways = [
            (user, room)
            for room in self.rooms()
            for user in PEOPLE
            if user not in room.members and self.may_enter(user, room)
        ]
        if ways:
            asked = len(self.world.history)
            self.join(*ways[choice % len(ways)])
            self.finish_now(at_once=at_once, asked=asked)

    @rule(choice=ANY)
    def rush_into_a_group(self, choice: int) -> None:
        found = self.rooms(RoomKind.group)
        for user in (*PEOPLE, STRANGER) if found else ():
            self.join(user, found[choice % len(found)])

    def join(self, user: str, room: Place) -> None:
        world = self.world
        outcome = world.ask(places.join, join_of(user, room), invited=user in room.invited)
        if user not in room.members and not self.may_enter(user, room):
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
        if user in room.members:
            assert outcome == places.Outcome(), "a member changes their profile, nothing else"
            world.allowed(ask)  # Synapse joins them anew, even if they leave before
        elif room.kind is RoomKind.group:
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

    @rule(choice=ANY, how=st.sampled_from(["leave", "leave", "ban", "unban"]))
    def leave(self, choice: int, how: str) -> None:
        ways = [
            (user, room)
            for room in self.rooms()
            for user in sorted(room.banned if how == "unban" else room.members | room.invited)
        ]
        if not ways:
            return
        user, room = ways[choice % len(ways)]
        sender = user if how == "leave" else min(room.members & set(PEOPLE))
        if room.kind is RoomKind.group:  # one that grew and shrank before anybody looked would still be a direct chat
            self.world.database.do(rooms.ensure, room.room_id)
        membership = "ban" if how == "ban" else "leave"
        self.world.database.do(seed.set_membership, room.room_id, user, membership, sender=sender)
        room.members.discard(user)
        room.invited.discard(user)
        room.banned = room.banned | {user} if how == "ban" else room.banned - {user}

    @rule(user=st.one_of(USERS, st.just(STRANGER)), choice=ANY)
    def come_in_without_asking(self, user: str, choice: int) -> None:
        """As a server admin does, somebody of another server, or anybody while the module was not there."""
        found = self.rooms(RoomKind.group)
        if not found:
            return
        room = found[choice % len(found)]
        self.world.database.do(seed.set_membership, room.room_id, user, "join")
        room.members.add(user)
        room.invited.discard(user)
        room.banned -= {user}
        self.world.arrived(user, room)
        # Whoever was allowed before may still arrive.
        room.admitted_under = max(room.admitted_under, len(self.world.members_places(room, self.world.pending)))

    @rule(choice=ANY)
    def lose_a_membership(self, choice: int) -> None:
        """State resolution sets the state back to before somebody came: they never were a member."""
        ways = [(user, room) for room in self.rooms(RoomKind.group) for user in sorted(room.members - {room.founder})]
        if ways:
            user, room = ways[choice % len(ways)]
            self.world.database.do(rooms.ensure, room.room_id)  # as when they leave
            self.world.database.do(seed.forget_membership, room.room_id, user)
            room.members.discard(user)

    @rule(choice=ANY)
    def lose_the_state_and_get_it_back(self, choice: int) -> None:
        """The room is purged without a word, with what was under way there, and joined again through another server."""
        found = self.rooms(RoomKind.group)
        if found:
            room = found[choice % len(found)]
            self.world.pending = [ask for ask in self.world.pending if ask.room is not room]
            self.world.database.do(seed.purge_and_return, room.room_id)

    @rule(kept=st.sampled_from([0, 1, 5]))
    def prune_the_stream(self, kept: int) -> None:
        """Synapse may remove old changes one day."""
        self.world.database.do(seed.prune_changes, kept)

    @rule(choice=ANY, at_once=AT_ONCE)
    def invite(self, choice: int, at_once: bool) -> None:
        world = self.world
        chats = self.rooms(RoomKind.direct) or self.rooms()
        ways = [(user, room) for room in chats for user in PEOPLE if user not in room.members | room.banned]
        if not ways:
            return
        invitee, room = ways[choice % len(ways)]
        asked = len(world.history)
        outcome = world.ask(places.invite, room.room_id, invitee)

        def commit(txn: Transaction) -> None:
            if room.alive and invitee not in room.members | room.banned:
                self.let_in(txn, room, invitee)

        outgrows = len(world.people(room, world.history) | {invitee}) > 2
        self.reshaping("invite", invitee, room, outcome, commit, outgrows=outgrows)
        self.finish_now(at_once=at_once, asked=asked)

    @rule(choice=ANY, at_once=AT_ONCE)
    def open_up(self, choice: int, at_once: bool) -> None:
        world = self.world
        found = self.rooms(RoomKind.direct) or self.rooms()
        if not found:
            return
        room, asked = found[choice % len(found)], len(world.history)
        member = min(room.members & set(PEOPLE))
        outcome = world.ask(places.open_up, room.room_id)

        def commit(txn: Transaction) -> None:
            if room.alive:
                seed.set_join_rule(txn, room.room_id, member, "public")
                room.open = True

        self.reshaping("open", member, room, outcome, commit, outgrows=True)
        self.finish_now(at_once=at_once, asked=asked)

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
    @rule(choice=ANY, commits=st.sampled_from([True, True, True, False]))
    def finish(self, choice: int, commits: bool) -> None:
        self.world.resolve(self.world.pending[choice % len(self.world.pending)], commits=commits)

    @rule()
    def finish_all(self) -> None:
        for ask in list(self.world.pending):
            if ask in self.world.pending:
                self.world.resolve(ask, commits=True)

    @rule(milliseconds=st.sampled_from([1, 11_000, 29_999, 30_000]))
    def wait(self, milliseconds: int) -> None:
        self.world.pass_time(milliseconds)

    @rule()
    def tidy(self) -> None:
        self.world.database.do(quotas.forget_expired, self.world.now_ms)

    @rule(choice=ANY, value=LIMITS)
    def cap(self, choice: int, value: int | None) -> None:
        found = self.rooms(RoomKind.group)
        if found:
            room = found[choice % len(found)]
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
    def members_are_known_without_counting_them(self) -> None:
        world = self.world
        groups = [room for room in world.rooms.values() if room.kind is RoomKind.group]
        self.looks += 1
        room = groups[self.looks % len(groups)]  # one after the other: to look at all each time takes too long
        later_ms = world.now_ms + LOCAL_RESERVATION_MS
        use = world.database.do(quotas.members, room.room_id, later_ms, besides="", default=9)
        assert use.used == (len(room.members) if room.alive else 0)  # of a room that all here left nothing is known

    @invariant()
    def no_bound_is_below_what_somebody_took(self) -> None:
        world = self.world
        user = sorted(PEOPLE)[self.looks % len(PEOPLE)]
        subject, accounts = world.database.do(quotas.subject_of, user)
        founded = world.founders_places(PEOPLE[user], world.pending)
        assert world.database.do(bounds.founded_at_most, subject, accounts) >= len(founded)
        joined = world.joiners_places(PEOPLE[user], world.pending)
        assert world.database.do(bounds.joined_at_most, subject, accounts) >= len(joined)

    @invariant()
    def never_more_members_than_when_the_last_was_admitted(self) -> None:
        for room in self.world.rooms.values():
            if room.kind is RoomKind.group and room.token != room.room_id and not room.replaced_ms:
                assert len(room.members) <= max(room.admitted_under, 1)


def set_or_drop(values: dict[Any, int], key: Any, value: int | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
