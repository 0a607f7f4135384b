# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's own tables say about rooms: read only, and only through these functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.entry import Entry
from synapse_groupreg.policy.groups import DIRECT_MEMBERS, FOUNDING, Shape
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import arrivals
from synapse_groupreg.storage.database import select_in
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

# No join: PostgreSQL doesn't see that it finds one row, and reads whole tables for a large room.
_CONTENT = (
    "SELECT json FROM event_json WHERE event_id ="
    " (SELECT event_id FROM current_state_events WHERE room_id = ? AND type = ? AND state_key = ?)"
)
_CREATORS_ABOVE_ALL = 12  # the first room version in which creators stand above all power levels
_MEMBERS = "FROM current_state_events WHERE room_id = ? AND type = 'm.room.member'"


@frozen(kw_only=True)
class Create:
    """What the create event of a room says."""

    creator: str
    room_version: str
    federated: bool
    space: bool
    predecessor: str | None
    founding_id: str | None
    founded_as: RoomKind | None
    additional_creators: tuple[str, ...]
    """Who else stands above all power levels, since room version 12."""
    creators_above: bool
    """Whether creators stand above all power levels."""

    @property
    def creators(self) -> tuple[str, ...]:
        """Who stands above all power levels."""
        return (self.creator, *self.additional_creators) if self.creators_above else ()


@frozen(kw_only=True)
class Tombstone:
    """The tombstone of a room, and the power levels beside it."""

    received_ms: int
    levels: dict[str, Any] | None
    levels_after: bool
    """Whether the power levels were written after it."""


def content(txn: Transaction, room_id: str, event_type: str, state_key: str = "") -> dict[str, Any] | None:
    """The content of a current state event."""
    txn.execute(_CONTENT, (room_id, event_type, state_key))
    row = txn.fetchone()
    return None if row is None else json.loads(row[0])["content"]


def name(txn: Transaction, room_id: str) -> str | None:
    """The name that people gave a room."""
    found = (content(txn, room_id, "m.room.name") or {}).get("name")
    return found if isinstance(found, str) and found else None


def create(txn: Transaction, room_id: str) -> Create | None:
    """The create event of a room that this server is in."""
    txn.execute(_CONTENT, (room_id, "m.room.create", ""))
    row = txn.fetchone()
    return None if row is None else _create(json.loads(row[0]))


def membership(txn: Transaction, room_id: str, user_id: str) -> str | None:
    """The membership of an account in a room, as Synapse committed it."""
    txn.execute(f"SELECT membership {_MEMBERS} AND state_key = ?", (room_id, user_id))
    row = txn.fetchone()
    return None if row is None else row[0]


def members(txn: Transaction, room_id: str) -> int:
    """How many are joined: counted from the current state, never from Synapse's caches or statistics, which lag."""
    txn.execute(f"SELECT count(*) {_MEMBERS} AND membership = 'join'", (room_id,))
    return int(txn.fetchone()[0])


def maybe_larger_than(txn: Transaction, members: int) -> set[str]:
    """Rooms that may have more members: from Synapse's statistics, which lag, so recount them."""
    txn.execute("SELECT room_id FROM room_stats_current WHERE joined_members > ?", (members,))
    return {str(row[0]) for row in txn.fetchall()}


def joined(txn: Transaction, room_id: str, limit: int = 100_000) -> list[str]:
    """Who is joined."""
    txn.execute(f"SELECT state_key {_MEMBERS} AND membership = 'join' LIMIT ?", (room_id, limit))
    return [str(row[0]) for row in txn.fetchall()]


def joined_among(txn: Transaction, room_id: str, user_ids: Iterable[str]) -> set[str]:
    """Those of the accounts that are joined."""
    sql = (
        "SELECT state_key FROM current_state_events WHERE state_key IN ({}) AND room_id = ? AND type = 'm.room.member'"
        " AND membership = 'join'"
    )
    return {str(row[0]) for row in select_in(txn, sql, user_ids, room_id)}


def people(txn: Transaction, room_id: str) -> list[str]:
    """Who is joined or invited, as far as it matters to the shape of a direct chat: one more than fit into it."""
    txn.execute(
        f"SELECT state_key {_MEMBERS} AND membership IN ('join', 'invite') LIMIT ?",
        (room_id, DIRECT_MEMBERS + 1),
    )
    return [str(row[0]) for row in txn.fetchall()]


def shape(txn: Transaction, room_id: str, made: Create, *, at_first: bool) -> Shape:
    """What shows whether the room is a direct chat.

    An alias counts only when a room from before the module is looked at first: Synapse doesn't say for which room an
    alias is made, so one made later could not be refused, and who uses it is stopped at the door anyway.
    """
    opened = join_rule(txn, room_id) not in ("invite", "private")
    txn.execute("SELECT 1 FROM rooms WHERE room_id = ? AND is_public", (room_id,))
    opened = opened or txn.fetchone() is not None
    if at_first and made.founded_as is None:
        txn.execute("SELECT 1 FROM room_aliases WHERE room_id = ? LIMIT 1", (room_id,))
        opened = opened or txn.fetchone() is not None
    return Shape(space=made.space, people=len(people(txn, room_id)), open=opened, founded_as=made.founded_as)


def join_rule(txn: Transaction, room_id: str) -> str:
    """The join rule of a room; `invite` where none is set, as the specification has it."""
    rule = (content(txn, room_id, "m.room.join_rules") or {}).get("join_rule")
    return rule if isinstance(rule, str) else "invite"


def access(txn: Transaction, room_ids: Iterable[str]) -> dict[str, bool]:
    """Of the rooms that this server is in and that are whole: whether anybody may enter, or find them in the directory.

    One that is being made is not whole yet: who may join is written last.
    """
    wanted = list(room_ids)
    sql = (
        "SELECT c.room_id, j.json FROM current_state_events c JOIN event_json j ON j.event_id = c.event_id"
        " WHERE c.room_id IN ({}) AND c.type = 'm.room.join_rules' AND c.state_key = ''"
    )
    rules = {str(row[0]): json.loads(row[1])["content"].get("join_rule") for row in select_in(txn, sql, wanted)}
    sql = "SELECT room_id FROM rooms WHERE room_id IN ({}) AND is_public"
    listed = {str(row[0]) for row in select_in(txn, sql, wanted)}
    return {room_id: rule == "public" or room_id in listed for room_id, rule in rules.items()}


def join_rule_changes(txn: Transaction, after: int | None) -> tuple[int, set[str]]:
    """Where Synapse's stream of state changes is, and the rooms whose join rule changed since `after`."""
    last = arrivals.position(txn)
    if after is None or after >= last:
        return last, set()
    txn.execute(
        "SELECT DISTINCT room_id FROM current_state_delta_stream"
        " WHERE stream_id > ? AND stream_id <= ? AND type = 'm.room.join_rules'",
        (after, last),
    )
    return last, {str(row[0]) for row in txn.fetchall()}


def aliases(txn: Transaction, names: Iterable[str]) -> dict[str, str]:
    """The rooms that aliases of this server lead to, for those that exist."""
    sql = "SELECT room_alias, room_id FROM room_aliases WHERE room_alias IN ({})"
    return {str(row[0]): str(row[1]) for row in select_in(txn, sql, names)}


def entry(txn: Transaction, room_id: str, user_id: str, *, invited: bool) -> Entry:
    """What decides whether an account may enter a room that this server is in."""
    rules = content(txn, room_id, "m.room.join_rules") or {}
    rule = rules.get("join_rule")
    allow = rules.get("allow")
    listed = [one.get("room_id") for one in allow if isinstance(one, dict)] if isinstance(allow, list) else []
    named = [room for room in listed if isinstance(room, str)]
    sql = "SELECT 1 FROM local_current_membership WHERE room_id IN ({}) AND user_id = ? AND membership = 'join'"
    current = membership(txn, room_id, user_id)
    return Entry(
        membership="invite" if invited and current not in ("ban", "join") else current,
        join_rule=rule if isinstance(rule, str) else "invite",
        in_allowed_room=bool(named) and bool(select_in(txn, sql, named, user_id)),
    )


def complete(txn: Transaction, room_id: str) -> bool:
    """Whether this server is in a room and knows its whole state: a faster join leaves it incomplete for now."""
    txn.execute(
        "SELECT 1 FROM current_state_events WHERE room_id = ? AND type = 'm.room.create' AND state_key = ''"
        " AND NOT EXISTS (SELECT 1 FROM partial_state_rooms WHERE room_id = ?)",
        (room_id, room_id),
    )
    return txn.fetchone() is not None


def with_local_members(txn: Transaction, room_ids: Iterable[str]) -> set[str]:
    """Those of the rooms in which somebody of this server is joined."""
    sql = (
        "SELECT r.room_id FROM rooms r WHERE r.room_id IN ({}) AND EXISTS"
        " (SELECT 1 FROM local_current_membership m WHERE m.room_id = r.room_id AND m.membership = 'join')"
    )
    return {str(row[0]) for row in select_in(txn, sql, room_ids)}


def created_by(txn: Transaction, user_ids: Iterable[str]) -> list[str]:
    """The rooms that these accounts made, found through their own memberships, which leaving doesn't erase."""
    sql = (
        "SELECT m.room_id, m.user_id, e.sender FROM local_current_membership m"
        " JOIN current_state_events c ON c.room_id = m.room_id AND c.type = 'm.room.create' AND c.state_key = ''"
        " JOIN events e ON e.event_id = c.event_id WHERE m.user_id IN ({})"
    )
    # Compared here: given the sender, PostgreSQL looks for all that they ever sent.
    return [str(row[0]) for row in select_in(txn, sql, user_ids) if row[1] == row[2]]


def made_ever(txn: Transaction, user_ids: Iterable[str]) -> dict[str, Create]:
    """The create events of all rooms that these accounts made, also of those that nobody of this server is in now.

    Synapse forgets the current state of such a room, so the create event is found as the first of its events. The
    oldest room comes first.
    """
    sql = (
        "SELECT e.stream_ordering, m.room_id, j.json FROM local_current_membership m"
        " JOIN events e ON e.room_id = m.room_id AND e.topological_ordering = 1 AND e.type = 'm.room.create'"
        " JOIN event_json j ON j.event_id = e.event_id WHERE m.user_id IN ({}) AND e.sender = m.user_id"
    )
    return {str(row[1]): _create(json.loads(row[2])) for row in sorted(select_in(txn, sql, user_ids))}


def joined_by(txn: Transaction, user_ids: Iterable[str]) -> list[str]:
    """The rooms that these accounts are joined to."""
    sql = "SELECT DISTINCT room_id FROM local_current_membership WHERE user_id IN ({}) AND membership = 'join'"
    return [str(row[0]) for row in select_in(txn, sql, user_ids)]


def successors(txn: Transaction, room_ids: Iterable[str]) -> dict[str, str]:
    """For rooms with a tombstone: the room that it names, if that one's create event names the old room in turn."""
    sql = (
        "SELECT c.room_id, j.json FROM current_state_events c JOIN event_json j ON j.event_id = c.event_id"
        " WHERE c.room_id IN ({}) AND c.type = 'm.room.tombstone' AND c.state_key = ''"
    )
    found = {}
    for old, text in select_in(txn, sql, room_ids):
        new = json.loads(text)["content"].get("replacement_room")
        made = create(txn, new) if isinstance(new, str) else None
        if made is not None and made.predecessor == old:
            found[str(old)] = new
    return found


def tombstones(txn: Transaction, room_ids: Iterable[str]) -> dict[str, Tombstone]:
    """The tombstones of those of the rooms that have one."""
    sql = (
        "SELECT c.room_id, c.type, e.stream_ordering, e.received_ts, j.json FROM current_state_events c"
        " JOIN events e ON e.event_id = c.event_id JOIN event_json j ON j.event_id = c.event_id"
        " WHERE c.room_id IN ({}) AND c.type IN ('m.room.tombstone', 'm.room.power_levels') AND c.state_key = ''"
    )
    rows = {(row[0], row[1]): row[2:] for row in select_in(txn, sql, room_ids)}
    found = {}
    for (room_id, event_type), (position, received_ms, _) in rows.items():
        if event_type == "m.room.tombstone":
            levels = rows.get((room_id, "m.room.power_levels"))
            found[str(room_id)] = Tombstone(
                received_ms=received_ms or 0,
                levels=None if levels is None else json.loads(levels[2])["content"],
                levels_after=levels is not None and levels[0] > position,
            )
    return found


def creates(txn: Transaction, room_ids: Iterable[str]) -> dict[str, Create]:
    """The create events of several rooms."""
    sql = (
        "SELECT c.room_id, j.json FROM current_state_events c JOIN event_json j ON j.event_id = c.event_id"
        " WHERE c.room_id IN ({}) AND c.type = 'm.room.create' AND c.state_key = ''"
    )
    return {str(row[0]): _create(json.loads(row[1])) for row in select_in(txn, sql, room_ids)}


def _create(event: dict[str, Any]) -> Create:
    said = event["content"]
    predecessor = said.get("predecessor")
    before = predecessor.get("room_id") if isinstance(predecessor, dict) else None
    version = said.get("room_version")
    marked = said.get(FOUNDING)
    founding = marked if isinstance(marked, dict) else {}
    kind = founding.get("kind")
    founding_id = founding.get("id")
    above = isinstance(version, str) and version.isdigit() and int(version) >= _CREATORS_ABOVE_ALL
    return Create(
        creator=event["sender"],
        room_version=version if isinstance(version, str) else "1",
        federated=said.get("m.federate") is not False,
        space=said.get("type") == "m.space",
        predecessor=before if isinstance(before, str) else None,
        founding_id=founding_id if isinstance(founding_id, str) else None,
        founded_as=RoomKind(kind) if kind in list(RoomKind) else None,
        additional_creators=_additional_creators(said) if above else (),
        creators_above=above,
    )


def _additional_creators(said: dict[str, Any]) -> tuple[str, ...]:
    named = said.get("additional_creators")
    return tuple(one for one in named if isinstance(one, str)) if isinstance(named, list) else ()
