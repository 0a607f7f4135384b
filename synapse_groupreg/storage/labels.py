# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels that somebody asked for and that aren't written yet: a crash must not lose them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.storage import quotas

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

PROMISE = "labels"
"""Stands among the promises, and is no quota of places."""
_TRY_FOR_MS = 86_400_000


def promise(txn: Transaction, room_id: str, sender: str, now_ms: int) -> None:
    """Remember that labels are to be written in a room in somebody's name."""
    quotas.reserve(txn, quotas.room_subject(room_id), PROMISE, sender, now_ms + _TRY_FOR_MS)


def is_promised(txn: Transaction, room_id: str, sender: str, now_ms: int) -> bool:
    """Whether a room waits for its labels, asked for by this account."""
    return (room_id, sender) in promised(txn, now_ms)


def promised(txn: Transaction, now_ms: int) -> list[tuple[str, str]]:
    """The rooms that wait for their labels, each with the account in whose name they are written."""
    txn.execute(
        "SELECT subject, holder FROM groupreg_reservations WHERE quota = ? AND expires_ms > ?", (PROMISE, now_ms)
    )
    return [(str(row[0]).removeprefix("room:"), str(row[1])) for row in txn.fetchall()]


def settle(txn: Transaction, room_id: str, sender: str) -> None:
    """Forget the promise: they are written, or can't be."""
    quotas.release(txn, quotas.room_subject(room_id), PROMISE, sender)
