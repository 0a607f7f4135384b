# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking a place: lock, count, judge and promise in one transaction (article 8.1).

Each function here runs inside a transaction and may be run again after a conflict: no side effects but SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.entry import may_enter
from synapse_groupreg.policy.groups import DIRECT_MEMBERS
from synapse_groupreg.policy.identity import smallest_tier, tier
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS, REMOTE_RESERVATION_MS
from synapse_groupreg.policy.types import ALLOWED, Account, Found, Join, RoomKind, Use, Verdict
from synapse_groupreg.storage import bounds, changes, quotas, rooms, state
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config import GroupRegConfig, Mode
    from synapse_groupreg.storage.database import Dialect, Transaction
    from synapse_groupreg.storage.rooms import RoomRow


@frozen(kw_only=True)
class Taker:
    """What every taking of a place needs: the rules, the dialect, the time, and how to look at another account."""

    config: GroupRegConfig
    dialect: Dialect
    mode: Mode
    now_ms: int
    account: Callable[[str], Account]

    def refuses(self, verdict: Verdict) -> bool:
        """Whether the act will be refused; in a dry run it takes its place and goes on."""
        return bool(verdict.refusing(self.mode, self.config.dry_run))


@frozen
class Outcome:
    """What came of it: a verdict, or that Synapse itself will refuse."""

    verdict: Verdict = ALLOWED
    not_welcome: bool = False
    published: bool = False
    """Whether processes must be told of a new version."""
    never_direct: bool = False
    """Whether the room is a group or a space, which it remains for ever: it has no shape of a direct chat to lose."""


def join(txn: Transaction, taker: Taker, attempt: Join, *, invited: bool) -> Outcome:
    """Take a member's place in a room, and one of the person's places in groups."""
    room_id, user_id = attempt.room.room_id, attempt.actor.user_id
    if stay(txn, taker, attempt):
        return Outcome()
    row = rooms.ensure(txn, room_id)
    here = row is not None and state.complete(txn, room_id)
    if here and attempt.actor.local and not may_enter(state.entry(txn, room_id, user_id, invited=invited)):
        return Outcome(not_welcome=True)
    if row is not None and row.kind is not RoomKind.group:
        return _join_other(txn, taker, attempt, row)
    return _join_group(txn, taker, attempt, row, ttl_ms=LOCAL_RESERVATION_MS if here else REMOTE_RESERVATION_MS)


def stay(txn: Transaction, taker: Taker, attempt: Join) -> bool:
    """Whether this is a member already; then their places are kept while their profile changes.

    Synapse asks about that as about a join, and joins them anew, even if by another worker they leave or are removed in
    between. Whoever came in their place would be one too many.
    """
    room_id, user_id = attempt.room.room_id, attempt.actor.user_id
    if state.membership(txn, room_id, user_id) != "join":
        return False
    subject, _ = quotas.subject_of(txn, user_id)
    quotas.lock(txn, taker.dialect, [quotas.room_subject(room_id), subject])
    if state.membership(txn, room_id, user_id) != "join":
        return False
    quotas.reserve_member(txn, room_id, user_id, now_ms=taker.now_ms, ttl_ms=LOCAL_RESERVATION_MS)
    row = rooms.ensure(txn, room_id)
    if attempt.actor.local and (row is None or row.kind is RoomKind.group):
        quotas.reserve(txn, subject, quotas.JOINED, room_id, taker.now_ms + LOCAL_RESERVATION_MS)
    return True


def _join_other(txn: Transaction, taker: Taker, attempt: Join, row: RoomRow) -> Outcome:
    """Join a space or a direct chat: no cap holds. But a chat may become a group while the join is under way."""
    verdict = judge(attrs.evolve(attempt, room=attrs.evolve(attempt.room, kind=row.kind)), taker.config)
    if row.kind is not RoomKind.direct or taker.refuses(verdict):
        return Outcome(verdict)
    user_id = attempt.actor.user_id
    if user_id not in state.people(txn, row.room_id):
        outgrown = outgrow(txn, taker, row, user_id)
        if not outgrown.verdict.allowed:
            return outgrown
    quotas.reserve_member(txn, row.room_id, user_id, now_ms=taker.now_ms, ttl_ms=LOCAL_RESERVATION_MS)
    return Outcome(verdict)


def _join_group(txn: Transaction, taker: Taker, attempt: Join, row: RoomRow | None, *, ttl_ms: int) -> Outcome:
    room_id, user_id = attempt.room.room_id, attempt.actor.user_id
    quota = taker.config.quotas
    room_subject = quotas.room_subject(room_id)
    subject, accounts = quotas.subject_of(txn, user_id)
    quotas.lock(txn, taker.dialect, [room_subject, subject])
    members = quotas.members(txn, room_id, taker.now_ms, besides=user_id, default=quota.members_per_room)
    joined = None
    if attempt.actor.local:
        joined = bounds.rooms_joined(txn, subject, accounts, taker.now_ms, besides=room_id, default=quota.rooms_joined)
    size = members.used + 1
    room = attrs.evolve(attempt.room, members=size)
    verdict = judge(attrs.evolve(attempt, room=room, members=members, joined=joined), taker.config)
    if taker.refuses(verdict):
        return Outcome(verdict)
    quotas.reserve_member(txn, room_id, user_id, now_ms=taker.now_ms, ttl_ms=ttl_ms)
    if attempt.actor.local:
        quotas.reserve(txn, subject, quotas.JOINED, room_id, taker.now_ms + ttl_ms)
    return Outcome(verdict, published=row is not None and note_size(txn, taker, row, size))


def note_size(txn: Transaction, taker: Taker, row: RoomRow, size: int) -> bool:
    """Remember a room's size when it passes a tier of `members_over`; whether it did."""
    smallest = smallest_tier(taker.config)
    if smallest is None or tier(taker.config, size) == tier(taker.config, row.members or 0):
        return False
    rooms.set_members(txn, row.room_id, size if size > smallest else None)
    changes.publish(txn, {("room", row.room_id)}, taker.now_ms)
    return True


def outgrow(txn: Transaction, taker: Taker, row: RoomRow, arrival: str | None) -> Outcome:
    """Let a direct chat lose its shape, by a third person or (None) by being opened: its founder needs a place.

    The place is promised; when it is next counted, the room has become a group, or the act failed and the promise
    lapses.
    """
    founder = taker.account(row.founder)
    if not founder.local or (arrival is not None and _fits(txn, taker, row.room_id, arrival)):
        return Outcome()
    subject, accounts = quotas.subject_of(txn, row.founder)
    quotas.lock(txn, taker.dialect, [subject])
    holder, default = quotas.CONVERSION + row.room_id, taker.config.quotas.rooms_founded
    founded = quotas.rooms_founded(txn, subject, accounts, taker.now_ms, default=default, besides=holder)
    verdict = judge(Found(actor=founder, founded=founded), taker.config)
    if not taker.refuses(verdict):
        quotas.reserve(txn, subject, quotas.FOUNDED, holder, taker.now_ms + LOCAL_RESERVATION_MS)
    return Outcome(verdict)


def _fits(txn: Transaction, taker: Taker, room_id: str, arrival: str) -> bool:
    """Whether a direct chat stays one with this person. Two who are invited at once must not both seem the second."""
    subject = quotas.room_subject(room_id)
    quotas.lock(txn, taker.dialect, [subject])
    expected = quotas.promised(txn, subject, quotas.PEOPLE, taker.now_ms)
    if len({arrival}.union(expected, state.people(txn, room_id))) > DIRECT_MEMBERS:
        return False
    quotas.reserve(txn, subject, quotas.PEOPLE, arrival, taker.now_ms + LOCAL_RESERVATION_MS)
    return True


def open_up(txn: Transaction, taker: Taker, room_id: str) -> Outcome:
    """Give a room an alias, a place in the directory, or a join rule that lets others in."""
    return _reshape(txn, taker, room_id, None)


def invite(txn: Transaction, taker: Taker, room_id: str, invitee: str) -> Outcome:
    """Bring somebody into a room; only a direct chat counts invites. An invitee without an account (yet) is ''."""
    return _reshape(txn, taker, room_id, invitee or None)


def _reshape(txn: Transaction, taker: Taker, room_id: str, arrival: str | None) -> Outcome:
    row = rooms.ensure(txn, room_id)
    if row is None or row.kind is not RoomKind.direct:
        return Outcome(never_direct=row is not None)
    return outgrow(txn, taker, row, arrival)


def found(txn: Transaction, taker: Taker, attempt: Found, *, holder: str, invites: int) -> Outcome:
    """Take a founder's place, and a member's place in the group to be."""
    quota = taker.config.quotas
    subject, accounts = quotas.subject_of(txn, attempt.actor.user_id)
    quotas.lock(txn, taker.dialect, [subject])
    verdict = judge(
        attrs.evolve(
            attempt,
            members=Use(invites + 1, quota.members_per_room),
            founded=bounds.rooms_founded(txn, subject, accounts, taker.now_ms, default=quota.rooms_founded),
            joined=bounds.rooms_joined(txn, subject, accounts, taker.now_ms, besides=None, default=quota.rooms_joined),
        ),
        taker.config,
    )
    if not taker.refuses(verdict):
        for name in (quotas.FOUNDED, quotas.JOINED):
            quotas.reserve(txn, subject, name, holder, taker.now_ms + LOCAL_RESERVATION_MS)
    return Outcome(verdict)


def upgrade(txn: Transaction, taker: Taker, attempt: Found, old_room: str) -> Outcome:
    """Replace a room. The founder's own successor takes the place of the old room; anybody else's is a founding.

    So is the founder's while an earlier upgrade of theirs is not finished.
    """
    subject, accounts = quotas.subject_of(txn, attempt.actor.user_id)
    quotas.lock(txn, taker.dialect, [subject])
    row = rooms.ensure(txn, old_room)
    assert attempt.replaces is not None
    replaced = row is not None and quotas.is_replaced(txn, row, taker.now_ms)
    attempt = attrs.evolve(
        attempt,
        kind=row.kind if row is not None else RoomKind.group,
        replaces=attrs.evolve(attempt.replaces, replaced=replaced),
    )
    theirs = row is not None and row.founder in accounts
    holder = quotas.upgrade_holder(txn, accounts, old_room)
    group = row is not None and row.kind is RoomKind.group
    free = theirs and not quotas.upgrade_unfinished(txn, subject, accounts, taker.now_ms, besides=holder)
    if group and not free:
        outcome = found(txn, taker, attempt, holder=holder, invites=0)
    else:
        outcome = Outcome(judge(attempt, taker.config))
        if group and not taker.refuses(outcome.verdict):
            quotas.reserve(txn, subject, quotas.FOUNDED, holder, taker.now_ms + LOCAL_RESERVATION_MS)
    if theirs and not taker.refuses(outcome.verdict):
        quotas.expect_successor(txn, old_room, taker.now_ms)
    return outcome


def is_replaced(txn: Transaction, room_id: str, now_ms: int) -> bool:
    """Whether a room was upgraded, be it that it closes only in a moment."""
    row = rooms.get(txn, room_id)
    return row is not None and quotas.is_replaced(txn, row, now_ms)
