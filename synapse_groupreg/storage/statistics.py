# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Queries over the whole server, for reports: slow, read only, never on the path of an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import meta, rooms, state
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


@frozen(kw_only=True)
class Group:
    """A group as the plan shows it."""

    room_id: str
    name: str | None
    members: int
    federated: bool
    encrypted: bool
    founder_present: bool


@frozen(kw_only=True)
class LocalAccount:
    """An account that has to do with exemptions."""

    user_id: str
    admin: bool
    appservice: str | None


def groups(txn: Transaction) -> list[Group]:
    """All groups that people of this server are in and that were not replaced."""
    txn.execute("SELECT DISTINCT room_id FROM local_current_membership WHERE membership = 'join' ORDER BY room_id")
    rows = rooms.ensure_all(txn, [str(row[0]) for row in txn.fetchall()])
    creates = state.creates(txn, rows)
    return [
        Group(
            room_id=room_id,
            name=state.name(txn, room_id),
            members=state.members(txn, room_id),
            federated=creates[room_id].federated,
            encrypted=state.content(txn, room_id, "m.room.encryption") is not None,
            founder_present=state.membership(txn, room_id, row.founder) == "join",
        )
        for room_id, row in rows.items()
        if row.kind is RoomKind.group and row.successor is None and room_id in creates
    ]


def accounts(txn: Transaction, server_name: str) -> list[LocalAccount]:
    """Server admins and accounts of appservices."""
    txn.execute(
        "SELECT name, admin, appservice_id FROM users"
        " WHERE (admin = 1 OR appservice_id IS NOT NULL) AND deactivated = 0 AND name LIKE ? ORDER BY name",
        (f"@%:{server_name}",),
    )
    return [LocalAccount(user_id=row[0], admin=bool(row[1]), appservice=row[2]) for row in txn.fetchall()]


def accounts_by_assurance(txn: Transaction) -> dict[Assurance, int]:
    """How many working accounts of people there are at each assurance."""
    txn.execute(
        "SELECT coalesce(i.assurance, 0), count(*) FROM users u LEFT JOIN"
        " (SELECT user_id, max(assurance) AS assurance FROM groupreg_identities GROUP BY user_id) i"
        " ON i.user_id = u.name WHERE u.deactivated = 0 AND u.appservice_id IS NULL GROUP BY 1"
    )
    return {Assurance(int(row[0])): int(row[1]) for row in txn.fetchall()}


def people_below(txn: Transaction, needed: Assurance) -> list[str]:
    """The working accounts of people below an assurance, but for server admins and the account that sends notices."""
    txn.execute(
        "SELECT u.name FROM users u WHERE u.deactivated = 0 AND u.appservice_id IS NULL AND u.admin = 0"
        " AND NOT EXISTS (SELECT 1 FROM groupreg_identities i WHERE i.user_id = u.name AND i.assurance >= ?)"
        " AND NOT EXISTS (SELECT 1 FROM groupreg_meta m WHERE m.name = ? || u.name)",
        (needed.value, meta.OUR_ACCOUNT),
    )
    return [str(row[0]) for row in txn.fetchall()]


def busy_accounts(txn: Transaction, more_than: int) -> list[str]:
    """Accounts that may be over a limit: with that many rooms, linked to others, or with limits of their own."""
    txn.execute(
        "SELECT user_id FROM local_current_membership GROUP BY user_id HAVING count(*) > ?"
        " UNION SELECT user_id FROM groupreg_person_accounts"
        " UNION SELECT substr(subject, 9) FROM groupreg_limits WHERE subject LIKE ? ORDER BY 1",
        (more_than, "account:%"),
    )
    return [str(row[0]) for row in txn.fetchall()]
