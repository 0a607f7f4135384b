# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes rooms and memberships into Synapse's tables as Synapse does when it persists events."""

from __future__ import annotations

import itertools
import json
import secrets
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.groups import FOUNDING
from tests.database import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.policy.types import RoomKind
    from synapse_groupreg.storage.database import Transaction

_positions = itertools.count(1)  # stream orderings, for all threads of the test run


def local(name: str) -> str:
    """An account of this server."""
    return f"@{name}:{SERVER}"


def new_room_id() -> str:
    """The id of a room to be."""
    return f"!{secrets.token_hex(6)}:{SERVER}"


def make_user(txn: Transaction, user_id: str, *, admin: bool = False, appservice: str | None = None) -> None:
    """Register an account."""
    txn.execute(
        "INSERT INTO users (name, creation_ts, admin, deactivated, appservice_id) VALUES (?, 0, ?, 0, ?)",
        (user_id, int(admin), appservice),
    )


def make_room(
    txn: Transaction,
    creator: str,
    *,
    room_id: str | None = None,
    kind: RoomKind | None = None,
    founding_id: str | None = None,
    predecessor: str | None = None,
    space: bool = False,
    join_rule: str = "invite",
    members: Iterable[str] = (),
    content: dict[str, Any] | None = None,
) -> str:
    """Make a room with its creator in it; `kind` is that of the founding mark, None for none (older or upgraded)."""
    room_id = room_id or new_room_id()
    made: dict[str, Any] = {"room_version": "11", "m.federate": False, **(content or {})}
    if kind is not None:
        made[FOUNDING] = {"id": founding_id or secrets.token_hex(16), "kind": kind.value}
    if predecessor is not None:
        made["predecessor"] = {"room_id": predecessor, "event_id": "$tombstone"}
    if space:
        made["type"] = "m.space"
    txn.execute(
        "INSERT INTO rooms (room_id, is_public, creator, room_version, has_auth_chain_index) VALUES (?, ?, ?, ?, ?)",
        (room_id, False, creator, made["room_version"], True),
    )
    set_state(txn, room_id, creator, "m.room.create", made)
    set_membership(txn, room_id, creator, "join")
    set_state(txn, room_id, creator, "m.room.join_rules", {"join_rule": join_rule})
    for member in members:
        set_membership(txn, room_id, member, "join")
    return room_id


def set_state(
    txn: Transaction,
    room_id: str,
    sender: str,
    event_type: str,
    content: dict[str, Any],
    *,
    state_key: str = "",
    received_ms: int = 0,
) -> str:
    """Persist a state event and make it the current one; its id."""
    event_id, position = f"${secrets.token_urlsafe(16)}", next(_positions)
    depth = 1 if event_type == "m.room.create" else position
    event = {"type": event_type, "sender": sender, "state_key": state_key, "room_id": room_id, "content": content}
    txn.execute(
        "INSERT INTO events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, depth,"
        " origin_server_ts, received_ts, sender, contains_url, instance_name, state_key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 'master', ?)",
        (position, depth, event_id, event_type, room_id, True, False, depth, received_ms, sender, False, state_key),
    )
    txn.execute(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version) VALUES (?, ?, '{}', ?, 3)",
        (event_id, room_id, json.dumps(event)),
    )
    make_current(txn, (room_id, event_type, state_key), event_id, content.get("membership"), position=position)
    return event_id


def make_current(
    txn: Transaction,
    place: tuple[str, str, str],
    event_id: str | None,
    membership: object,
    *,
    position: int | None = None,
) -> None:
    """Put an event in its place in the current state (None: out of it) and note the change, as Synapse does.

    The place is told by room, type and state key.
    """
    txn.execute(
        "INSERT INTO current_state_delta_stream"
        " (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)"
        " VALUES (?, 'master', ?, ?, ?, ?,"
        " (SELECT event_id FROM current_state_events WHERE room_id = ? AND type = ? AND state_key = ?))",
        (position or next(_positions), *place, event_id, *place),
    )
    if event_id is None:
        txn.execute("DELETE FROM current_state_events WHERE room_id = ? AND type = ? AND state_key = ?", place)
        return
    txn.execute(
        "INSERT INTO current_state_events (event_id, room_id, type, state_key, membership) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (room_id, type, state_key) DO UPDATE SET event_id = excluded.event_id,"
        " membership = excluded.membership",
        (event_id, *place, membership),
    )


def set_membership(txn: Transaction, room_id: str, user_id: str, membership: str, *, sender: str | None = None) -> None:
    """Persist a membership. Once nobody of this server is in it, Synapse forgets the state of a room."""
    content = {"membership": membership}
    event_id = set_state(txn, room_id, sender or user_id, "m.room.member", content, state_key=user_id)
    txn.execute(
        "INSERT INTO room_memberships (event_id, user_id, sender, room_id, membership) VALUES (?, ?, ?, ?, ?)",
        (event_id, user_id, sender or user_id, room_id, membership),
    )
    if user_id.endswith(f":{SERVER}"):
        txn.execute(
            "INSERT INTO local_current_membership (room_id, user_id, event_id, membership) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (user_id, room_id) DO UPDATE SET event_id = excluded.event_id,"
            " membership = excluded.membership",
            (room_id, user_id, event_id, membership),
        )
    if membership in ("leave", "ban"):
        _leave_the_room_if_nobody_is_left(txn, room_id)


def forget_membership(txn: Transaction, room_id: str, user_id: str) -> None:
    """Take somebody out of the current state as if they had never been in it."""
    make_current(txn, (room_id, "m.room.member", user_id), None, None)
    txn.execute("DELETE FROM local_current_membership WHERE room_id = ? AND user_id = ?", (room_id, user_id))
    _leave_the_room_if_nobody_is_left(txn, room_id)


def purge_and_return(txn: Transaction, room_id: str) -> None:
    """Drop a room's state without noting it, as Synapse purges a room, and get the same state anew."""
    txn.execute("SELECT event_id, type, state_key, membership FROM current_state_events WHERE room_id = ?", (room_id,))
    state = txn.fetchall()
    txn.execute("DELETE FROM current_state_events WHERE room_id = ?", (room_id,))
    for event_id, event_type, state_key, membership in state:
        make_current(txn, (room_id, event_type, state_key), event_id, membership)


def prune_changes(txn: Transaction, kept: int) -> None:
    """Keep only the newest changes of all rooms."""
    txn.execute(
        "DELETE FROM current_state_delta_stream WHERE stream_id NOT IN"
        " (SELECT stream_id FROM current_state_delta_stream ORDER BY stream_id DESC LIMIT ?)",
        (kept,),
    )


def bury(txn: Transaction, old: str, sender: str, new: str, received_ms: int = 0) -> None:
    """Write the tombstone of a room that was replaced."""
    content = {"body": "replaced", "replacement_room": new}
    set_state(txn, old, sender, "m.room.tombstone", content, received_ms=received_ms)


def set_join_rule(txn: Transaction, room_id: str, sender: str, join_rule: str, allow: Iterable[str] = ()) -> None:
    """Change who may join."""
    listed = [{"type": "m.room_membership", "room_id": one} for one in allow]
    set_state(txn, room_id, sender, "m.room.join_rules", {"join_rule": join_rule, "allow": listed})


def _leave_the_room_if_nobody_is_left(txn: Transaction, room_id: str) -> None:
    txn.execute("SELECT 1 FROM local_current_membership WHERE room_id = ? AND membership = 'join' LIMIT 1", (room_id,))
    if txn.fetchone() is None:
        txn.execute(
            "INSERT INTO current_state_delta_stream"
            " (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)"
            " SELECT ?, 'master', room_id, type, state_key, NULL, event_id FROM current_state_events WHERE room_id = ?",
            (next(_positions), room_id),
        )
        txn.execute("DELETE FROM current_state_events WHERE room_id = ?", (room_id,))
