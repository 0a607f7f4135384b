# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The policy rooms that the blacklist follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


@frozen(kw_only=True)
class Followed:
    """A policy room whose rules are carried out as they come and go."""

    room_id: str
    name: str
    """What it was called when staff began to follow it: what the basis of its entries names."""
    follower: str
    since_ms: int
    accounts: int
    """How many accounts of this server staff saw touched and accepted."""


def everything(txn: Transaction) -> list[Followed]:
    """All of them, the one that was followed first in front."""
    txn.execute("SELECT room_id, name, follower, since_ms, accounts FROM groupreg_followed ORDER BY since_ms, room_id")
    return [
        Followed(room_id=row[0], name=row[1], follower=row[2], since_ms=row[3], accounts=row[4])
        for row in txn.fetchall()
    ]


def get(txn: Transaction, room_id: str) -> Followed | None:
    """One of them."""
    return next((one for one in everything(txn) if one.room_id == room_id), None)


def mark(txn: Transaction, room_id: str) -> int:
    """A number that is another one after every event of a room, redactions included."""
    txn.execute("SELECT max(stream_ordering) FROM events WHERE room_id = ?", (room_id,))
    row = txn.fetchone()
    return int(row[0] or 0)


def put(txn: Transaction, followed: Followed) -> None:
    """Follow a room, or accept what it has come to touch."""
    txn.execute(
        "INSERT INTO groupreg_followed (room_id, name, follower, since_ms, accounts) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (room_id) DO UPDATE SET name = excluded.name, accounts = excluded.accounts",
        (followed.room_id, followed.name, followed.follower, followed.since_ms, followed.accounts),
    )


def drop(txn: Transaction, room_id: str) -> None:
    """Follow a room no more."""
    txn.execute("DELETE FROM groupreg_followed WHERE room_id = ?", (room_id,))
