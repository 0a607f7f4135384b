# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers of groups. A number that a group ever had stays in its row, so that it is never given again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage.database import select_in
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction


@frozen(kw_only=True)
class Candidate:
    """A group that was not replaced, and its number, if it has one."""

    room_id: str
    founder: str
    number: str | None
    widget: bool | None = None
    """Whether the module put its page into its state; None: not, or not yet; False: nobody here can."""


def reserve(txn: Transaction, number: str, founding_id: str, founder: str, now_ms: int, *, inscribed: bool) -> bool:
    """Keep a number for a room that is about to be founded; False if it is taken.

    `inscribed`: whether the create event of the room will name it.
    """
    txn.execute(
        "INSERT INTO groupreg_numbers (number, founding_id, founder, given_ms, inscribed) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (number, founding_id, founder, now_ms, 1 if inscribed else None),
    )
    return txn.rowcount == 1


def bind(txn: Transaction, founding_id: str, room_id: str) -> None:
    """Give the number that was kept for a founding to the room that came of it."""
    txn.execute(
        "UPDATE groupreg_numbers SET room_id = ? WHERE founding_id = ? AND room_id IS NULL", (room_id, founding_id)
    )


def give(txn: Transaction, number: str, room_id: str, now_ms: int) -> bool:
    """Give a number to a group that has none; False if the number is taken, or the group has one."""
    txn.execute(
        "INSERT INTO groupreg_numbers (number, room_id, given_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (number, room_id, now_ms),
    )
    return txn.rowcount == 1


def move(txn: Transaction, old: str, new: str) -> None:
    """Let the successor of a group carry its number on. One that the successor was given meanwhile is used up."""
    carried = of_room(txn, old)
    if carried is None:
        return
    txn.execute("UPDATE groupreg_numbers SET room_id = NULL, founding_id = NULL WHERE room_id = ?", (new,))
    txn.execute(
        "UPDATE groupreg_numbers SET room_id = ?, inscribed = NULL, widget = NULL WHERE number = ?", (new, carried)
    )


def find(txn: Transaction, number: str) -> str | None:
    """The group that carries a number."""
    txn.execute("SELECT room_id FROM groupreg_numbers WHERE number = ?", (number,))
    row = txn.fetchone()
    return None if row is None or row[0] is None else str(row[0])


def of_room(txn: Transaction, room_id: str) -> str | None:
    """The number of a group."""
    return of_rooms(txn, [room_id]).get(room_id)


def of_rooms(txn: Transaction, room_ids: Iterable[str]) -> dict[str, str]:
    """The numbers of several groups, for those that have one."""
    sql = "SELECT room_id, number FROM groupreg_numbers WHERE room_id IN ({})"
    return {str(row[0]): str(row[1]) for row in select_in(txn, sql, room_ids)}


def unborn(txn: Transaction) -> list[str]:
    """Rooms without a row of ours that were made by somebody whose founding got a number that nobody carries yet."""
    txn.execute("SELECT DISTINCT founder FROM groupreg_numbers WHERE room_id IS NULL AND founding_id IS NOT NULL")
    founders = [str(row[0]) for row in txn.fetchall()]
    sql = (
        "SELECT m.room_id FROM local_current_membership m LEFT JOIN groupreg_rooms g ON g.room_id = m.room_id"
        " WHERE m.user_id IN ({}) AND g.room_id IS NULL"
    )
    return [str(row[0]) for row in select_in(txn, sql, founders)]


def forget_unused(txn: Transaction, before_ms: int) -> None:
    """Drop numbers that were kept for a founding of which no room came: nobody ever had them."""
    txn.execute(
        "DELETE FROM groupreg_numbers WHERE room_id IS NULL AND founding_id IS NOT NULL AND given_ms < ?", (before_ms,)
    )


def candidates(txn: Transaction, after: str, limit: int) -> list[Candidate]:
    """The next groups by id that were not replaced."""
    txn.execute(
        "SELECT g.room_id, g.founder, n.number, n.widget FROM groupreg_rooms g"
        " LEFT JOIN groupreg_numbers n ON n.room_id = g.room_id"
        " WHERE g.room_id > ? AND g.kind = 'group' AND g.successor IS NULL ORDER BY g.room_id LIMIT ?",
        (after, limit),
    )
    return [_candidate(row) for row in txn.fetchall()]


def those(txn: Transaction, room_ids: Iterable[str]) -> list[Candidate]:
    """Those of the rooms that are groups and were not replaced."""
    sql = (
        "SELECT g.room_id, g.founder, n.number, n.widget FROM groupreg_rooms g"
        " LEFT JOIN groupreg_numbers n ON n.room_id = g.room_id"
        " WHERE g.room_id IN ({}) AND g.kind = 'group' AND g.successor IS NULL"
    )
    return [_candidate(row) for row in select_in(txn, sql, room_ids)]


def uninscribed(txn: Transaction, limit: int) -> list[Candidate]:
    """Some groups with a number of which nobody knows whether their state has it."""
    txn.execute(
        "SELECT n.room_id, g.founder, n.number, n.widget FROM groupreg_numbers n"
        " JOIN groupreg_rooms g ON g.room_id = n.room_id"
        " WHERE n.inscribed IS NULL AND n.room_id IS NOT NULL AND g.kind = 'group' AND g.successor IS NULL LIMIT ?",
        (limit,),
    )
    return [_candidate(row) for row in txn.fetchall()]


def inscribe(txn: Transaction, room_id: str, *, written: bool) -> None:
    """Note that the state of a group has its number, or that nobody here can write it."""
    txn.execute("UPDATE groupreg_numbers SET inscribed = ? WHERE room_id = ?", (int(written), room_id))


def set_widget(txn: Transaction, room_id: str, *, there: bool | None) -> None:
    """Note whether the page of a group is a widget of it, as `Candidate` has it."""
    value = None if there is None else int(there)
    txn.execute("UPDATE groupreg_numbers SET widget = ? WHERE room_id = ?", (value, room_id))


def look_again(txn: Transaction) -> None:
    """Forget that nobody could write the number or the widget of a group: somebody may have the power since."""
    txn.execute("UPDATE groupreg_numbers SET widget = NULL WHERE widget = 0")
    txn.execute("UPDATE groupreg_numbers SET inscribed = NULL WHERE inscribed = 0 AND room_id IS NOT NULL")


def inscribed(txn: Transaction) -> dict[str, int]:
    """Of how many groups the state has the number, or may not have it, and of how many nobody can write it."""
    txn.execute("SELECT inscribed, count(*) FROM groupreg_numbers WHERE room_id IS NOT NULL GROUP BY inscribed")
    found = dict(txn.fetchall())
    return {"in_state": found.get(1, 0), "to_write": found.get(None, 0), "left_out": found.get(0, 0)}


def counts(txn: Transaction, server_name: str) -> tuple[int, int]:
    """How many groups have a number, and how many of those founded here wait for theirs."""
    txn.execute("SELECT count(*) FROM groupreg_numbers WHERE room_id IS NOT NULL")
    given = int(txn.fetchone()[0])
    txn.execute(
        "SELECT g.founder FROM groupreg_rooms g LEFT JOIN groupreg_numbers n ON n.room_id = g.room_id"
        " WHERE g.kind = 'group' AND g.successor IS NULL AND n.room_id IS NULL"
    )
    waiting = sum(str(row[0]).partition(":")[2] == server_name for row in txn.fetchall())
    return given, waiting


def _candidate(row: tuple[Any, ...]) -> Candidate:
    room_id, founder, number, widget = row
    return Candidate(room_id=room_id, founder=founder, number=number, widget=None if widget is None else bool(widget))
