# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who came into groups lately, by whatever way, as Synapse committed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


def position(txn: Transaction) -> int:
    """Where Synapse's stream of state changes is. Several writers fill it, so something may still come before."""
    txn.execute("SELECT max(stream_id) FROM current_state_delta_stream")
    return int(txn.fetchone()[0] or 0)


def since(txn: Transaction, after: int) -> dict[str, list[str]]:
    """By group, the accounts that became members after a position and are so now; the newest last."""
    txn.execute(
        "SELECT s.room_id, s.state_key FROM current_state_delta_stream s"
        " JOIN groupreg_rooms g ON g.room_id = s.room_id AND g.kind = 'group'"
        " JOIN room_memberships j ON j.event_id = s.event_id AND j.membership = 'join'"
        " JOIN current_state_events c ON c.room_id = s.room_id AND c.type = s.type AND c.state_key = s.state_key"
        " WHERE s.stream_id > ? AND s.type = 'm.room.member' AND c.membership = 'join'"
        " AND NOT EXISTS"
        "  (SELECT 1 FROM room_memberships b WHERE b.event_id = s.prev_event_id AND b.membership = 'join')"
        " ORDER BY s.stream_id",
        (after,),
    )
    found: dict[str, dict[str, None]] = {}
    for room_id, user_id in txn.fetchall():
        people = found.setdefault(str(room_id), {})
        people.pop(user_id, None)
        people[user_id] = None
    return {room_id: [*people] for room_id, people in found.items()}
