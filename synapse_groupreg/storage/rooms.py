# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our own row for each room that mattered once: its kind, founder, successor and, for large ones, its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.groups import kind_of
from synapse_groupreg.policy.numbers import read
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import identity, numbers, paging, state
from synapse_groupreg.storage.database import pages, select_in
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_groupreg.storage.database import Transaction

_COLUMNS = "room_id, kind, founder, successor, members"
_EXCEPTIONAL = "(members IS NOT NULL OR successor IS NOT NULL)"


@frozen(kw_only=True)
class RoomRow:
    """One room. `members` is the last count above the smallest tier of `members_over`, else None."""

    room_id: str
    kind: RoomKind
    founder: str
    successor: str | None = None
    members: int | None = None


def get(txn: Transaction, room_id: str) -> RoomRow | None:
    """The row as it stands."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_rooms WHERE room_id = ?", (room_id,))
    row = txn.fetchone()
    return None if row is None else _row(row)


def known(txn: Transaction, room_ids: Iterable[str]) -> dict[str, RoomRow]:
    """The rows of several rooms, for those that have one."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_rooms WHERE room_id IN ({{}})"
    return {row[0]: _row(row) for row in select_in(txn, sql, room_ids)}


def founded_by(txn: Transaction, user_ids: Iterable[str]) -> list[RoomRow]:
    """The rooms whose founder is one of these accounts."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_rooms WHERE founder IN ({{}})"
    return [_row(row) for row in select_in(txn, sql, user_ids)]


def ensure(txn: Transaction, room_id: str) -> RoomRow | None:
    """The row of a room, made if there is none; a direct chat that outgrew its shape becomes a group for ever.

    None for a room that this server is not in.
    """
    row = get(txn, room_id)
    if row is not None and row.kind is not RoomKind.direct:
        return row
    made = state.create(txn, room_id)
    if made is None:
        return row
    kind = _kind(txn, room_id, made, at_first=row is None)
    if row is None:
        row = RoomRow(room_id=room_id, kind=kind, founder=made.creator)
        txn.execute(
            "INSERT INTO groupreg_rooms (room_id, kind, founder) VALUES (?, ?, ?) ON CONFLICT (room_id) DO NOTHING",
            (room_id, kind.value, made.creator),
        )
        if kind is RoomKind.group and made.founding_id is not None:
            numbers.bind(txn, made.founding_id, room_id)
        if made.founded_as is None and made.predecessor is not None:
            _inherit_cap(txn, made.predecessor, room_id, made.creator)
    elif kind is not row.kind:
        txn.execute("UPDATE groupreg_rooms SET kind = ? WHERE room_id = ?", (kind.value, room_id))
    return attrs.evolve(row, kind=kind)


def ensure_all(txn: Transaction, room_ids: Iterable[str]) -> dict[str, RoomRow]:
    """The rows of several rooms, made where there are none; rows there are stay as they are."""
    wanted = list(dict.fromkeys(room_ids))
    rows = known(txn, wanted)
    for room_id in wanted:
        if room_id not in rows:
            row = ensure(txn, room_id)
            if row is not None:
                rows[room_id] = row
    return rows


def set_members(txn: Transaction, room_id: str, members: int | None) -> None:
    """Remember the size of a large room; None once it is no longer large."""
    txn.execute("UPDATE groupreg_rooms SET members = ? WHERE room_id = ?", (members, room_id))


def set_founder(txn: Transaction, room_id: str, founder: str) -> None:
    """Remember who a group was handed over to."""
    txn.execute("UPDATE groupreg_rooms SET founder = ? WHERE room_id = ?", (founder, room_id))


def category(txn: Transaction, room_id: str) -> str | None:
    """What a group is about."""
    txn.execute("SELECT category FROM groupreg_rooms WHERE room_id = ?", (room_id,))
    row = txn.fetchone()
    return None if row is None or row[0] is None else str(row[0])


def set_category(txn: Transaction, room_id: str, category: str | None) -> None:
    """Remember what a group is about."""
    txn.execute("UPDATE groupreg_rooms SET category = ? WHERE room_id = ?", (category, room_id))


def slow_ones(txn: Transaction, room_ids: Iterable[str] | None = None) -> dict[str, int]:
    """The groups in slow mode, all of them or those among the given: how many milliseconds lie between two posts."""
    what = "slow_ms IS NOT NULL"
    if room_ids is None:
        txn.execute(f"SELECT room_id, slow_ms FROM groupreg_rooms WHERE {what}")
        return {str(row[0]): int(row[1]) for row in txn.fetchall()}
    sql = f"SELECT room_id, slow_ms FROM groupreg_rooms WHERE room_id IN ({{}}) AND {what}"
    return {str(row[0]): int(row[1]) for row in select_in(txn, sql, room_ids)}


def set_slow(txn: Transaction, room_id: str, slow_ms: int | None) -> None:
    """Put a group into slow mode, or out of it."""
    txn.execute("UPDATE groupreg_rooms SET slow_ms = ? WHERE room_id = ?", (slow_ms, room_id))


def set_successor(txn: Transaction, room_id: str, successor: str) -> None:
    """Remember that a room was replaced."""
    txn.execute("UPDATE groupreg_rooms SET successor = ? WHERE room_id = ?", (successor, room_id))


def exceptional(txn: Transaction, room_ids: Iterable[str]) -> list[RoomRow]:
    """Those of the rooms that the hot path must know: large ones and replaced ones."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_rooms WHERE room_id IN ({{}}) AND {_EXCEPTIONAL}"
    return [_row(row) for row in select_in(txn, sql, room_ids)]


def every_exceptional(txn: Transaction) -> Iterator[RoomRow]:
    """All of them, a page at a time."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_rooms WHERE room_id > ? AND {_EXCEPTIONAL} ORDER BY room_id LIMIT ?"
    return map(_row, pages(txn, sql))


def unseen(txn: Transaction, after: str, limit: int) -> list[str]:
    """The next rooms of this server that have no row yet, by id."""
    txn.execute(
        "SELECT r.room_id FROM rooms r LEFT JOIN groupreg_rooms g ON g.room_id = r.room_id"
        " WHERE g.room_id IS NULL AND r.room_id > ? ORDER BY r.room_id LIMIT ?",
        (after, limit),
    )
    return [str(row[0]) for row in txn.fetchall()]


def page(txn: Transaction, search: str | None, start: int, limit: int) -> tuple[list[RoomRow], int]:
    """Groups, by id, and how many there are; `search` is a part of the name or the id, or the number."""
    where, values = "kind = 'group'", []
    if search:
        where += (
            " AND (room_id LIKE ? ESCAPE '!' OR room_id IN"
            " (SELECT room_id FROM room_stats_state WHERE lower(name) LIKE ? ESCAPE '!')"
            " OR room_id IN (SELECT room_id FROM groupreg_numbers WHERE number = ?))"
        )
        escaped = search.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values = [f"%{escaped}%", f"%{escaped.lower()}%", read(search) or ""]
    rows, total = paging.page(txn, _COLUMNS, "groupreg_rooms", where, values, order="room_id", start=start, limit=limit)
    return [_row(row) for row in rows], total


def here(txn: Transaction, room_ids: Iterable[str]) -> set[str]:
    """Those of the rooms that Synapse still has: a room that an admin deletes leaves its row and number with us."""
    return {str(row[0]) for row in select_in(txn, "SELECT room_id FROM rooms WHERE room_id IN ({})", room_ids)}


def _kind(txn: Transaction, room_id: str, made: state.Create, *, at_first: bool) -> RoomKind:
    before = made.predecessor
    if made.founded_as is None and before is not None and server_of(made.creator):
        # Upgrades carry no founding mark: a small group must not turn into a direct chat, and free a place, by one.
        row = ensure(txn, before) if before != room_id else None
        if row is not None and row.kind is RoomKind.group:
            return RoomKind.group
    return kind_of(state.shape(txn, room_id, made, at_first=at_first))


def _inherit_cap(txn: Transaction, old: str, new: str, creator: str) -> None:
    """Carry the cap of an upgraded group over to the successor that its founder made."""
    row = get(txn, old)
    if row is not None and creator in identity.relatives(txn, row.founder):
        txn.execute(
            "INSERT INTO groupreg_limits (subject, quota, value)"
            " SELECT ?, quota, value FROM groupreg_limits WHERE subject = ?"
            " ON CONFLICT (subject, quota) DO NOTHING",
            (f"room:{new}", f"room:{old}"),
        )


def _row(row: tuple[Any, ...]) -> RoomRow:
    room_id, kind, founder, successor, members = row
    return RoomRow(room_id=room_id, kind=RoomKind(kind), founder=founder, successor=successor, members=members)
