# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many are joined to a room, as Synapse committed it, without counting all of them for each who joins.

Synapse writes every change of a room's current state into `current_state_events` and, in the same transaction, into
`current_state_delta_stream`; the changes of one room it writes one after the other, under rising numbers. So what one
statement counted, and the number of the newest change that it saw, stay a fact for ever, and the changes after that
number lead from it to the count of now. It is exact, neither estimate nor bound, whoever joined or left by whatever
way: server admins, other servers, other workers, a Synapse without the module. It only has to be seen when the fact no
longer leads to now, and then all members are counted again:

* Synapse drops the whole state of a room without a word, as when a room is purged: its create event is then missing,
  or is among the later changes, when the server came back.
* Synapse drops old changes, which it doesn't yet: the newest that was counted is then missing.
* There are more changes than it is worth reading, or the index by which they are found is still being built.
* A commit that outlived its dead process, a Synapse that works in another way: nothing of the above shows it. So all
  are counted once a day, and before a refusal unless that was done minutes ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.database import Transaction

KEEP_MS = 86_400_000
"""How long a count of all members is built upon."""
PROOF_MS = 600_000
"""How old such a count may be for somebody to be refused by it."""
WORTH_READING = 1_000
"""How many changes; a full count costs as much as some hundreds."""
WORTH_WRITING = 20
"""After how many changes the count is written down anew, so that the next who joins reads fewer."""

_JOINED = (
    "(SELECT count(*) FROM current_state_events WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join')"
)
_INDEXED = "NOT EXISTS (SELECT 1 FROM background_updates WHERE update_name = 'current_state_delta_stream_room_index')"
_NEWEST = f"(SELECT max(stream_id) FROM current_state_delta_stream WHERE room_id = ? AND {_INDEXED})"
# Memberships are looked up one by one: joined, PostgreSQL would rather read those of the whole server once. And it is
# told the position as a number, or it would guess that a third of all changes come after it.
_SINCE = (
    "SELECT count(*), max(s.stream_id), sum(CASE WHEN s.type = 'm.room.create' THEN 1 ELSE 0 END),"
    " sum(CASE WHEN s.type <> 'm.room.member' THEN 0 ELSE"
    "  (SELECT count(*) FROM room_memberships m WHERE m.event_id = s.event_id AND m.membership = 'join')"
    "  - (SELECT count(*) FROM room_memberships m WHERE m.event_id = s.prev_event_id AND m.membership = 'join')"
    "  END),"
    " EXISTS (SELECT 1 FROM current_state_delta_stream WHERE room_id = ? AND stream_id = ?)"
    " AND EXISTS (SELECT 1 FROM current_state_events WHERE room_id = ? AND type = 'm.room.create' AND state_key = '')"
)
_CHANGES = (
    " FROM (SELECT stream_id, type, event_id, prev_event_id FROM current_state_delta_stream"
    "  WHERE room_id = ? AND stream_id > ? LIMIT ?) s"
)


@frozen
class _Known:
    """What is known without counting: the members by the last full count and the changes since."""

    members: int
    counted_ms: int
    changes: int
    newest: int | None
    plus: int


def count(
    txn: Transaction, room_id: str, *, subject: str, now_ms: int, limit: int, plus: str, values: Sequence[Any]
) -> int:
    """How many are joined, plus what the SQL `plus` with its `values` says.

    INVARIANT: both by one statement, so from one snapshot. Between two statements a member could arrive and be counted
    twice, or not at all.
    """
    known = _known(txn, room_id, subject, plus, values)
    if known is not None:
        used = known.members + known.plus
        age_ms = now_ms - known.counted_ms
        if 0 <= age_ms < (KEEP_MS if used < limit else PROOF_MS):
            if known.changes >= WORTH_WRITING:
                # Only over the count that was read: another's may be newer, and right where this one is not.
                txn.execute(
                    "UPDATE groupreg_quotas SET members = ?, position = ? WHERE subject = ? AND counted_ms = ?",
                    (known.members, known.newest, subject, known.counted_ms),
                )
            return used
    txn.execute(f"SELECT {_JOINED}, {_NEWEST}, {plus}", (room_id, room_id, *values))
    members, newest, more = txn.fetchone()
    txn.execute(
        "UPDATE groupreg_quotas SET members = ?, position = ?, counted_ms = ? WHERE subject = ?",
        (members, newest, now_ms, subject),
    )
    return int(members + more)


def newest_change(txn: Transaction, room_id: str) -> int:
    """A number that no change of a room's state that is there yet is above: that of the newest, 0 if there is none.

    While Synapse builds the index by which that is found, it is the newest of all rooms: then some later changes may
    not be above it, for other writers number theirs in between.
    """
    txn.execute(
        f"SELECT CASE WHEN {_INDEXED} THEN {_NEWEST} ELSE (SELECT max(stream_id) FROM current_state_delta_stream) END",
        (room_id,),
    )
    return int(txn.fetchone()[0] or 0)


def _known(txn: Transaction, room_id: str, subject: str, plus: str, values: Sequence[Any]) -> _Known | None:
    txn.execute("SELECT members, position, counted_ms FROM groupreg_quotas WHERE subject = ?", (subject,))
    row = txn.fetchone()
    if row is None or row[1] is None:
        return None
    members, position, counted_ms = row
    txn.execute(f"{_SINCE}, {plus}{_CHANGES}", (room_id, position, room_id, *values, room_id, position, WORTH_READING))
    changes, newest, creates, arrived, leads_to_now, more = txn.fetchone()
    if not leads_to_now or creates or changes == WORTH_READING:
        return None
    return _Known(members + int(arrived or 0), counted_ms, changes, newest, more)
