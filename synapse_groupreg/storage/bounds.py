# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person has taken, told by a bound where that will do: most people are far from their limits (article 8.1).

To count the groups that somebody founded or joined exactly is to look at each of them. A bound is one statement: who is
below their limit by it is so in truth. Only who is not is counted, and only that count refuses anybody.

INVARIANT: a bound is never below the count of `quotas`. It is read under the lock of the subject and from one snapshot,
in which whatever takes a place is there, or promised, or both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.types import Use
from synapse_groupreg.storage import quotas

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

_MINE = "WITH mine (user_id) AS (VALUES {})"
_PROMISED = "(SELECT count(*) FROM groupreg_reservations WHERE subject = ? AND quota = ?)"
# Lapsed promises count as well: some are of chats that became groups meanwhile, and were not looked at since.
_FOUNDED = (
    f"{_MINE} SELECT {_PROMISED}"
    " + (SELECT count(*) FROM mine JOIN groupreg_rooms g ON g.founder = mine.user_id"
    "  WHERE g.kind = 'group' AND g.successor IS NULL)"
    # Of a room that nobody looked at yet it isn't known who founded it.
    " + (SELECT count(*) FROM mine JOIN local_current_membership m ON m.user_id = mine.user_id"
    "  WHERE NOT EXISTS (SELECT 1 FROM groupreg_rooms g WHERE g.room_id = m.room_id))"
)
_JOINED = (
    f"{_MINE} SELECT {_PROMISED}"
    " + (SELECT count(*) FROM mine JOIN local_current_membership m ON m.user_id = mine.user_id"
    "  WHERE m.membership = 'join')"
)


def rooms_founded(txn: Transaction, subject: str, accounts: list[str], now_ms: int, *, default: int) -> Use:
    """The groups that a person founded, or more than that while it is below the limit."""
    use = Use(founded_at_most(txn, subject, accounts), quotas.limit(txn, subject, quotas.FOUNDED, default))
    return use if not use.full else quotas.rooms_founded(txn, subject, accounts, now_ms, default=default)


def rooms_joined(
    txn: Transaction, subject: str, accounts: list[str], now_ms: int, *, besides: str | None, default: int
) -> Use:
    """The groups that a person is a member of, or more than that while it is below the limit."""
    use = Use(joined_at_most(txn, subject, accounts), quotas.limit(txn, subject, quotas.JOINED, default))
    return (
        use if not use.full else quotas.rooms_joined(txn, subject, accounts, now_ms, besides=besides, default=default)
    )


def founded_at_most(txn: Transaction, subject: str, accounts: list[str]) -> int:
    """A number that the places which a person takes as a founder are not above."""
    return _number(txn, _FOUNDED, subject, quotas.FOUNDED, accounts)


def joined_at_most(txn: Transaction, subject: str, accounts: list[str]) -> int:
    """The same of the places that they take as a member."""
    return _number(txn, _JOINED, subject, quotas.JOINED, accounts)


def _number(txn: Transaction, sql: str, subject: str, quota: str, accounts: list[str]) -> int:
    txn.execute(sql.format(", ".join(["(?)"] * len(accounts))), (*accounts, subject, quota))
    return int(txn.fetchone()[0])
