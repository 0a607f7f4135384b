# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's own tables say about policy rooms, and about whom a rule would touch: read only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.policy_lists import ALL_TYPES, RuleEvent
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


def resolve(txn: Transaction, alias: str) -> str | None:
    """The room of an alias that was made on this server."""
    txn.execute("SELECT room_id FROM room_aliases WHERE room_alias = ?", (alias,))
    row = txn.fetchone()
    return None if row is None else str(row[0])


def events(txn: Transaction, room_id: str) -> list[RuleEvent]:
    """The rules in the current state of a room, of all types, those that were redacted with empty content."""
    sql = (
        "SELECT j.json, c.event_id, c.type, c.state_key FROM current_state_events c"
        " JOIN event_json j ON j.event_id = c.event_id WHERE c.type IN ({}) AND c.room_id = ?"
    )
    found = {row[1]: (json.loads(row[0]), row[2], row[3]) for row in select_in(txn, sql, ALL_TYPES, room_id)}
    redacted = _redacted(txn, {event_id: event for event_id, (event, _, _) in found.items()})
    return [
        RuleEvent(
            type=event_type,
            state_key=state_key,
            content={} if event_id in redacted else event["content"],
            event_id=event_id,
        )
        for event_id, (event, event_type, state_key) in found.items()
    ]


def _redacted(txn: Transaction, originals: dict[str, Any]) -> set[str]:
    """Those of the events that were redacted: Synapse empties them only when it shows them.

    It takes down every redaction that it hears of, and marks those that count only if they come from the server of
    the original.
    """
    sql = (
        "SELECT r.redacts, j.json, j.internal_metadata FROM redactions r JOIN event_json j ON j.event_id = r.event_id"
        " WHERE r.redacts IN ({}) AND NOT EXISTS (SELECT 1 FROM rejections x WHERE x.event_id = r.event_id)"
    )
    redacted = set()
    for event_id, text, metadata in select_in(txn, sql, originals):
        original, redaction = originals[event_id], json.loads(text)
        same_server = server_of(redaction["sender"]) == server_of(original["sender"])
        if redaction["room_id"] == original["room_id"] and (
            same_server or not json.loads(metadata).get("recheck_redaction")
        ):
            redacted.add(str(event_id))
    return redacted


def rooms_here(txn: Transaction) -> set[str]:
    """The rooms that this server is in."""
    txn.execute("SELECT room_id FROM current_state_events WHERE type = 'm.room.create' AND state_key = ''")
    return {str(row[0]) for row in txn.fetchall()}


def remote_members(txn: Transaction, server_name: str) -> set[str]:
    """Accounts of other servers that are in rooms here: a hundred thousand of them at most."""
    txn.execute(
        "SELECT DISTINCT state_key FROM current_state_events WHERE type = 'm.room.member' AND membership = 'join'"
        " AND state_key NOT LIKE ? LIMIT 100000",
        (f"%:{server_name}",),
    )
    return {str(row[0]) for row in txn.fetchall()}
