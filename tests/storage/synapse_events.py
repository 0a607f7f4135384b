# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Events as Synapse writes them, and a reader that follows them as the recorder does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

NOW = 1_800_000_000_000
ROOM = "!r:x"


def persist(txn: Transaction, ordering: int, writer: str | None = "master", **said: Any) -> None:
    """Write an event as Synapse does."""
    event_id = said.pop("event_id", f"$e{ordering}")
    internal, rejected = said.pop("internal", {}), said.pop("rejected", None)
    outlier, received_ms = said.pop("outlier", False), said.pop("received_ms", NOW + ordering)
    event = {"type": "m.room.message", "sender": "@a:x", "room_id": ROOM, "content": {"body": "x"}, **said}
    txn.execute(
        "INSERT INTO events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, depth,"
        " origin_server_ts, received_ts, sender, contains_url, instance_name, state_key, rejection_reason)"
        " VALUES (?, 1, ?, ?, ?, ?, ?, 1, 5, ?, ?, ?, ?, ?, ?)",
        (
            *(ordering, event_id, event["type"], event["room_id"], True, outlier, received_ms, event["sender"]),
            *(False, writer, event.get("state_key"), rejected),
        ),
    )
    txn.execute(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version) VALUES (?, ?, ?, ?, 3)",
        (event_id, event["room_id"], json.dumps(internal), json.dumps(event)),
    )


def reached(txn: Transaction, position: int, writer: str = "master", stream: str = "events") -> None:
    """Note a writer's position as Synapse does."""
    txn.execute(
        "INSERT INTO stream_positions (stream_name, instance_name, stream_id) VALUES (?, ?, ?)"
        " ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id",
        (stream, writer, position),
    )


def read_on(db: TestDatabase, cursors: dict[str, int], *, limit: int = 3, more: Mapping[str, int] | None = None) -> Any:
    """Read all that can be read, as the recorder does, and move the cursors."""
    found: list[Entry] = []
    for source, upto in {**db.do(events.writers), **(more or {})}.items():
        at = cursors.get(source)
        if at is None:
            at = db.do(events.first, source)
        while True:
            some = db.do(events.read, source, at, upto, limit)
            found += some
            at = some[-1].position if len(some) == limit else upto
            if len(some) < limit:
                break
        cursors[source] = at
    return [one.details["event_id"] for one in found]
