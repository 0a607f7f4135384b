# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places: counted from what Synapse committed plus what is promised, under a lock (article 8.1).

Nothing here is a counter: a crash can't make it drift; how members are counted, `census` says. Locks are taken in the
order room, then account or person by name. The transaction runs at READ COMMITTED, see `database`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from synapse_groupreg.policy.groups import shut
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.types import RoomKind, Use
from synapse_groupreg.storage import census, identity, measures, rooms, state
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Dialect, Transaction

MEMBERS = "members"
PEOPLE = "people"
"""No cap: who is about to be invited to a direct chat, which tells whether it stays one."""
FOUNDED = "rooms_founded"
JOINED = "rooms_joined"
UPGRADE = "upgrade:"
"""Prefix of the holder of a place that an upgrade will take; see `upgrade_holder`."""
CONVERSION = "conversion:"
"""Prefix of the holder of a place that a direct chat takes when it becomes a group."""

SUCCESSOR = "successor"
"""Not a quota of places: an upgrade under way."""
SUCCESSOR_MS = 30 * 86_400_000  # a server that was down meanwhile must still close the old room
_UPGRADE_TAKES_MS = 10_000
_UPGRADE_GIVEN_UP_MS = 600_000
# Whether a join became state since the place was promised.
_ARRIVED = (
    "EXISTS (SELECT 1 FROM current_state_delta_stream s JOIN room_memberships j ON j.event_id = s.event_id"
    " WHERE s.room_id = {room_id} AND s.stream_id > {promise}.position AND s.type = 'm.room.member'"
    " AND s.state_key = {promise}.holder AND j.membership = 'join')"
)
_UNDER_WAY = (
    "(SELECT count(*) FROM groupreg_reservations r"
    " WHERE r.subject = ? AND r.quota = ? AND r.expires_ms > ? AND r.holder <> ?"
    " AND NOT EXISTS (SELECT 1 FROM current_state_events c WHERE c.room_id = ?"
    "  AND c.type = 'm.room.member' AND c.state_key = r.holder"
    f"  AND (c.membership = 'join' OR {_ARRIVED.format(room_id='c.room_id', promise='r')})))"
)


def room_subject(room_id: str) -> str:
    """The subject whose places are the members of a room."""
    return f"room:{room_id}"


def subject_of(txn: Transaction, user_id: str) -> tuple[str, list[str]]:
    """Who shares places with this account: its person and all their accounts, or the account alone."""
    person = identity.person_of(txn, user_id)
    if person is None:
        return f"account:{user_id}", [user_id]
    return f"person:{person}", identity.accounts_of(txn, person)


def lock(txn: Transaction, dialect: Dialect, subjects: Iterable[str]) -> None:
    """Wait until no other transaction counts places of these subjects, in the order given."""
    for subject in subjects:
        if not _locked(txn, dialect, subject):
            txn.execute("INSERT INTO groupreg_quotas (subject) VALUES (?) ON CONFLICT (subject) DO NOTHING", (subject,))
            _locked(txn, dialect, subject)


def _locked(txn: Transaction, dialect: Dialect, subject: str) -> bool:
    """Lock the row of a subject, if it has one; SQLite has one writer at a time anyway."""
    how = " FOR UPDATE" if dialect == "postgres" else ""
    txn.execute(f"SELECT subject FROM groupreg_quotas WHERE subject = ?{how}", (subject,))
    return txn.fetchone() is not None


def limit(txn: Transaction, subject: str, quota: str, default: int) -> int:
    """The limit of a subject: its own, or the default."""
    own = override(txn, subject, quota)
    return default if own is None else own


def override(txn: Transaction, subject: str, quota: str) -> int | None:
    """A limit of its own."""
    txn.execute("SELECT value FROM groupreg_limits WHERE subject = ? AND quota = ?", (subject, quota))
    row = txn.fetchone()
    return None if row is None else int(row[0])


def set_override(txn: Transaction, subject: str, quota: str, value: int | None) -> None:
    """Give a subject a limit of its own, or take it back."""
    txn.execute("DELETE FROM groupreg_limits WHERE subject = ? AND quota = ?", (subject, quota))
    if value is not None:
        txn.execute("INSERT INTO groupreg_limits (subject, quota, value) VALUES (?, ?, ?)", (subject, quota, value))


def carry_limits(txn: Transaction, user_id: str, person_id: str) -> None:
    """Keep the limits that an account was given when it is linked to a person who has none of their own."""
    txn.execute(
        "INSERT INTO groupreg_limits (subject, quota, value)"
        " SELECT ?, quota, value FROM groupreg_limits WHERE subject = ? ON CONFLICT (subject, quota) DO NOTHING",
        (f"person:{person_id}", f"account:{user_id}"),
    )


def reserve(txn: Transaction, subject: str, quota: str, holder: str, expires_ms: int) -> None:
    """Promise a place."""
    txn.execute(
        "INSERT INTO groupreg_reservations (subject, quota, holder, expires_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (subject, quota, holder) DO UPDATE SET expires_ms = excluded.expires_ms",
        (subject, quota, holder, expires_ms),
    )


def reserve_member(txn: Transaction, room_id: str, user_id: str, *, now_ms: int, ttl_ms: int) -> None:
    """Promise a member's place, at this position: who arrives after it and then leaves gives the place back at once.

    But not where they ask twice before they arrive: when they leave, the other join may still be under way. Such a
    promise has no position and is kept until it lapses.
    """
    arrived = _ARRIVED.format(room_id="?", promise="groupreg_reservations")
    position = census.newest_change(txn, room_id)
    txn.execute(
        "INSERT INTO groupreg_reservations (subject, quota, holder, expires_ms, position) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (subject, quota, holder) DO UPDATE SET expires_ms = excluded.expires_ms, position = CASE"
        f" WHEN groupreg_reservations.expires_ms > ? AND NOT {arrived} THEN NULL ELSE excluded.position END",
        (room_subject(room_id), MEMBERS, user_id, now_ms + ttl_ms, position, now_ms, room_id),
    )


def release(txn: Transaction, subject: str, quota: str, holder: str) -> None:
    """Take a promise back."""
    txn.execute(
        "DELETE FROM groupreg_reservations WHERE subject = ? AND quota = ? AND holder = ?", (subject, quota, holder)
    )


def expect_successor(txn: Transaction, old_room: str, now_ms: int) -> None:
    """Remember that an upgrade by its founder began, so that upkeep closes the old room once it is done."""
    reserve(txn, room_subject(old_room), SUCCESSOR, "", now_ms + SUCCESSOR_MS)


def expected_successors(txn: Transaction, now_ms: int) -> list[str]:
    """The rooms whose upgrade is done: meanwhile Synapse writes to the old one, and would fail half-way if refused."""
    txn.execute(
        "SELECT subject FROM groupreg_reservations WHERE quota = ? AND expires_ms > ? AND expires_ms <= ?",
        (SUCCESSOR, now_ms, now_ms + SUCCESSOR_MS - _UPGRADE_TAKES_MS),
    )
    begun = [str(row[0]).removeprefix("room:") for row in txn.fetchall()]
    return [room_id for room_id, stone in state.tombstones(txn, begun).items() if _is_done(stone, now_ms)]


def _is_done(stone: state.Tombstone, now_ms: int) -> bool:
    """Whether Synapse is done with an old room: last it writes its power levels, unless they shut members out already.

    Between them and the tombstone it copies what each member set for the room, which takes a minute in large ones. It
    writes none where there are none, and goes on without where it isn't allowed to: then nothing tells, but time.
    """
    stands_ms = now_ms - stone.received_ms
    written = stone.levels is None or stone.levels_after or shut(stone.levels)
    return stands_ms >= (_UPGRADE_TAKES_MS if written else _UPGRADE_GIVEN_UP_MS)


def is_replaced(txn: Transaction, row: rooms.RoomRow, now_ms: int) -> bool:
    """Whether a room was upgraded, or will be closed in a moment because its successor is there.

    A tombstone alone proves nothing: anybody with the power to send one could free a place and keep using the room.
    """
    if row.successor is not None:
        return True
    if not _being_replaced(txn, [row.room_id], now_ms):
        return False
    successor = state.successors(txn, [row.room_id]).get(row.room_id)
    made = None if successor is None else state.create(txn, successor)
    return made is not None and made.creator in subject_of(txn, row.founder)[1]


def _being_replaced(txn: Transaction, room_ids: Iterable[str], now_ms: int) -> set[str]:
    """Those of the rooms that their founder began to upgrade."""
    sql = "SELECT subject FROM groupreg_reservations WHERE subject IN ({}) AND quota = ? AND expires_ms > ?"
    found = select_in(txn, sql, map(room_subject, room_ids), SUCCESSOR, now_ms)
    return {str(row[0]).removeprefix("room:") for row in found}


def forget_expired(txn: Transaction, now_ms: int) -> None:
    """Drop promises that lapsed, after a look at the direct chats that were to become groups."""
    txn.execute(
        "SELECT holder FROM groupreg_reservations WHERE expires_ms <= ? AND holder LIKE ? ORDER BY holder",
        (now_ms, f"{CONVERSION}%"),
    )
    for row in txn.fetchall():
        rooms.ensure(txn, str(row[0]).removeprefix(CONVERSION))
    txn.execute("DELETE FROM groupreg_reservations WHERE expires_ms <= ?", (now_ms,))


def members(txn: Transaction, room_id: str, now_ms: int, *, besides: str, default: int) -> Use:
    """The places of a room: joined, plus promised to others who neither arrived nor, having arrived, left again."""
    subject = room_subject(room_id)
    most = limit(txn, subject, MEMBERS, default)
    promised_to_others = (subject, MEMBERS, now_ms, besides, room_id)
    used = census.count(
        txn, room_id, subject=subject, now_ms=now_ms, limit=most, plus=_UNDER_WAY, values=promised_to_others
    )
    return Use(used, most)


def rooms_founded(
    txn: Transaction, subject: str, accounts: list[str], now_ms: int, *, default: int, besides: str | None = None
) -> Use:
    """The groups that a person founded and that still take a place, plus what is promised to others than `besides`."""
    _settle_conversions(txn, subject, now_ms)
    waiting = promised(txn, subject, FOUNDED, now_ms) - {besides}
    waiting -= _arrived(txn, accounts).keys() if waiting else set()
    held = _held(txn, accounts, now_ms)
    waiting = _still_waiting(txn, waiting, accounts, held)
    return Use(
        len(held) + len(waiting - {CONVERSION + room_id for room_id in held}), limit(txn, subject, FOUNDED, default)
    )


def upgrade_holder(txn: Transaction, accounts: list[str], old_room: str) -> str:
    """Who takes the place of an upgrade by this person: the room upgraded, and which of its successors this will be.

    Without the number, the promise for a second successor would seem kept because the first is there.
    """
    ever = state.made_ever(txn, accounts).values()
    return _upgrade_holder(old_room, sum(one.founding_id is None and one.predecessor == old_room for one in ever))


def upgrade_unfinished(txn: Transaction, subject: str, accounts: list[str], now_ms: int, *, besides: str) -> bool:
    """Whether an upgrade by this person is under way, or left both rooms open; `besides` is the holder for this one.

    Synapse makes the new room first, and an upgrade can be made to fail after that. Without this, each failure would
    be a room that took no place.
    """
    holders = {holder for holder in promised(txn, subject, FOUNDED, now_ms) if holder.startswith(UPGRADE)}
    if holders - {besides} - _arrived(txn, accounts).keys():
        return True
    held = _held(txn, accounts, now_ms)
    upgrades = {
        room_id: made.predecessor
        for room_id, made in state.creates(txn, held).items()
        if made.founding_id is None and made.predecessor in held
    }
    finished = state.successors(txn, {old for old in upgrades.values() if old is not None})
    return any(finished.get(old) != new for new, old in upgrades.items() if old is not None)


def rooms_joined(
    txn: Transaction, subject: str, accounts: list[str], now_ms: int, *, besides: str | None, default: int
) -> Use:
    """The groups that a person is a member of, plus what is promised; `besides` is the room asked for."""
    waiting = promised(txn, subject, JOINED, now_ms)
    if any(not holder.startswith("!") for holder in waiting):
        waiting -= _arrived(txn, accounts).keys()
    joined = set(state.joined_by(txn, accounts))
    rows = rooms.ensure_all(txn, joined)
    held = {room_id for room_id, row in rows.items() if row.kind is RoomKind.group and row.successor is None}
    left = {holder for holder in waiting - joined if _left_again(txn, holder, accounts, now_ms)}
    if left:  # but for a room that they entered after `joined` was read, and did not leave
        left -= set(state.joined_by(txn, accounts))
    waiting = _still_waiting(txn, waiting - joined - left, accounts, joined)
    return Use(len((held | waiting) - {besides}), limit(txn, subject, JOINED, default))


def _held(txn: Transaction, accounts: list[str], now_ms: int) -> set[str]:
    """The groups that take a founder's place of these accounts."""
    made = state.created_by(txn, accounts)
    rows = rooms.ensure_all(txn, made) | {row.room_id: row for row in rooms.founded_by(txn, accounts)}
    groups = {room_id for room_id, row in rows.items() if row.kind is RoomKind.group and row.founder in accounts}
    groups = {room_id for room_id in groups if rows[room_id].successor is None}
    groups -= measures.of_groups(txn, groups, MeasureKind.closed, now_ms)  # 11.1: it has no founder any more
    held = state.with_local_members(txn, groups)
    begun = _being_replaced(txn, held, now_ms)
    return {room_id for room_id in held if room_id not in begun or not is_replaced(txn, rows[room_id], now_ms)}


def promised(txn: Transaction, subject: str, quota: str, now_ms: int) -> set[str]:
    """The holders of promises that have not lapsed."""
    txn.execute(
        "SELECT holder FROM groupreg_reservations WHERE subject = ? AND quota = ? AND expires_ms > ?",
        (subject, quota, now_ms),
    )
    return {str(row[0]) for row in txn.fetchall()}


def _left_again(txn: Transaction, holder: str, accounts: list[str], now_ms: int) -> bool:
    """Whether the holder is a room in which all who were promised a place arrived, and which they left since."""
    if not holder.startswith("!"):
        return False
    sql = (
        "SELECT 1 FROM groupreg_reservations r WHERE r.holder IN ({}) AND r.subject = ? AND r.quota = ?"
        f" AND r.expires_ms > ? AND NOT {_ARRIVED.format(room_id='?', promise='r')}"
    )
    return not select_in(txn, sql, accounts, room_subject(holder), MEMBERS, now_ms, holder)


def _still_waiting(txn: Transaction, waiting: set[str], accounts: list[str], counted: set[str]) -> set[str]:
    """Those of the promised whose room is not among the counted ones.

    INVARIANT: what is promised is read first, then what arrived, then what is there, then this. A room that arrives
    between two of these statements is then counted once: as promised until it was there when all were counted.
    """
    if all(holder.startswith("!") for holder in waiting):
        return waiting
    arrived = _arrived(txn, accounts)
    return {holder for holder in waiting if arrived.get(holder) not in counted}


def _arrived(txn: Transaction, accounts: list[str]) -> dict[str, str]:
    """The holders whose room was made by now, and that room: it counts by itself, or no longer."""
    arrived: dict[str, str] = {}
    successors: Counter[str] = Counter()
    for room_id, made in state.made_ever(txn, accounts).items():
        if made.founding_id is not None:
            arrived[made.founding_id] = room_id
        elif made.predecessor is not None:
            arrived[_upgrade_holder(made.predecessor, successors[made.predecessor])] = room_id
            successors[made.predecessor] += 1
    return arrived


def _upgrade_holder(old_room: str, number: int) -> str:
    return f"{UPGRADE}{old_room}#{number}"


def _settle_conversions(txn: Transaction, subject: str, now_ms: int) -> None:
    txn.execute(
        "SELECT holder, expires_ms FROM groupreg_reservations WHERE subject = ? AND quota = ? AND holder LIKE ?",
        (subject, FOUNDED, f"{CONVERSION}%"),
    )
    for holder, expires_ms in txn.fetchall():
        row = rooms.ensure(txn, holder.removeprefix(CONVERSION))  # a broken shape makes it a group here
        if expires_ms <= now_ms or (row is not None and row.kind is RoomKind.group):
            release(txn, subject, FOUNDED, holder)
