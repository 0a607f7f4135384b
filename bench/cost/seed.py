# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the module knows on a large server, written by SQL: verified accounts, groups, measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.database import TestDatabase

ACCOUNTS, GROUPS, MEASURES = 100_000, 10_000, 1_000
REAL_NAME = 2
_SERVER = "localhost"
_SINCE_MS = 1_700_000_000_000
_KINDS: tuple[tuple[str, Callable[[int], str]], ...] = (
    *((("account", lambda number: f"@known{number}:{_SERVER}"),) * 7),
    ("room", lambda number: f"!barred{number}:{_SERVER}"),
    ("server", lambda number: f"s{number}.example.org"),
    ("account_glob", lambda number: f"@spam{number}_*:*"),
)
"""Of ten measures, seven are on accounts, and one each on a room, a server and a glob."""


def known(
    *, people: bool = True, accounts: int = ACCOUNTS, groups: int = GROUPS, measures: int = MEASURES
) -> Callable[[TestDatabase], None]:
    """Write all of that; with `people`, also that everybody who has an account is verified."""

    def write(txn: Any) -> None:
        txn.execute_batch(_IDENTITY, _identities(f"@known{number}:{_SERVER}" for number in range(accounts)))
        if people:
            txn.execute("SELECT name FROM users")
            txn.execute_batch(_IDENTITY, _identities(row[0] for row in txn.fetchall()))
        txn.execute_batch(
            "INSERT INTO groupreg_rooms (room_id, kind, founder, members) VALUES (?, 'group', ?, 200)",
            [(f"!group{number}:{_SERVER}", f"@known{number}:{_SERVER}") for number in range(groups)],
        )
        txn.execute_batch(_MEASURE, list(_measures(measures)))
        changes.publish(txn, {changes.EVERYTHING}, _SINCE_MS)

    return lambda database: database.do(write)


_IDENTITY = "INSERT INTO groupreg_identities (user_id, provider, assurance, since_ms) VALUES (?, 'staff', ?, ?)"
_MEASURE = (
    "INSERT INTO groupreg_measures (kind, subject_kind, subject, entity, scope, reason, basis, author, start_ms)"
    " VALUES ('blacklisted', ?, ?, ?, 'groups', 'Sold accounts.', 'article 11', '@admin:localhost', ?)"
)


def _identities(users: Iterable[str]) -> list[tuple[str, int, int]]:
    return [(user, REAL_NAME, _SINCE_MS) for user in users]


def _measures(count: int) -> Iterator[tuple[str, str, str, int]]:
    for number in range(count):
        kind, name = _KINDS[number % len(_KINDS)]
        yield kind, name(number), name(number), _SINCE_MS


def bar(txn: Any, user_ids: Iterable[str]) -> None:
    """Bar accounts from groups."""
    txn.execute_batch(_MEASURE, [("account", user_id, user_id, _SINCE_MS) for user_id in user_ids])
    changes.publish(txn, {changes.EVERYTHING}, _SINCE_MS)
