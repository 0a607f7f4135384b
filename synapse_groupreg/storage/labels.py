# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels that somebody's act asked for and that aren't written yet: a crash must not lose them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.labels import LABELS
from synapse_groupreg.storage import quotas
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

_PROMISED = "labels"
"""They stand among the promised places, and are no quota."""
_TRY_FOR_MS = 86_400_000


def promise(txn: Transaction, room_id: str, sender: str, now_ms: int) -> None:
    """Remember that labels are to be written in a room in somebody's name."""
    quotas.reserve(txn, quotas.room_subject(room_id), _PROMISED, sender, now_ms + _TRY_FOR_MS)


def is_promised(txn: Transaction, room_id: str, sender: str, now_ms: int) -> bool:
    """Whether a room waits for its labels, asked for by this account."""
    return (room_id, sender) in promised(txn, now_ms)


def promised(txn: Transaction, now_ms: int) -> list[tuple[str, str]]:
    """The rooms that wait for their labels, each with the account in whose name it is written."""
    sql = "SELECT subject, holder FROM groupreg_reservations WHERE quota = ? AND expires_ms > ?"
    txn.execute(sql, (_PROMISED, now_ms))
    return [(str(row[0]).removeprefix("room:"), str(row[1])) for row in txn.fetchall()]


def settle(txn: Transaction, room_id: str, sender: str) -> None:
    """Forget the promise: they are written, or can't be."""
    quotas.release(txn, quotas.room_subject(room_id), _PROMISED, sender)


def labelled_with(txn: Transaction, user_ids: Iterable[str]) -> set[tuple[str, str]]:
    """The groups with labels that these accounts are in: each with the account."""
    sql = (
        "SELECT m.room_id, m.state_key FROM current_state_events m JOIN current_state_events l"
        " ON l.room_id = m.room_id AND l.state_key = ''"
        " WHERE m.state_key IN ({}) AND m.type = 'm.room.member' AND m.membership = 'join' AND l.type = ?"
    )
    return {(str(row[0]), str(row[1])) for row in select_in(txn, sql, user_ids, LABELS)}


def leave_out(txn: Transaction, room_id: str) -> None:
    """Remember that the labels of a group leave somebody out."""
    txn.execute("INSERT INTO groupreg_left_out (room_id) VALUES (?) ON CONFLICT DO NOTHING", (room_id,))


def leaving_out(txn: Transaction) -> set[str]:
    """The groups whose labels leave somebody out."""
    txn.execute("SELECT room_id FROM groupreg_left_out")
    return {str(row[0]) for row in txn.fetchall()}


def leave_nobody_out(txn: Transaction, room_id: str) -> None:
    """Forget that the labels of a group left somebody out."""
    txn.execute("DELETE FROM groupreg_left_out WHERE room_id = ?", (room_id,))
