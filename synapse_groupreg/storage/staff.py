# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which account has which staff role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.staff import StaffRole

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.storage.database import Transaction


def roles(txn: Transaction, user_id: str) -> frozenset[StaffRole]:
    """The roles of an account."""
    txn.execute("SELECT role FROM groupreg_staff WHERE user_id = ?", (user_id,))
    return frozenset(StaffRole(row[0]) for row in txn.fetchall())


def everybody(txn: Transaction) -> dict[str, frozenset[StaffRole]]:
    """All staff."""
    txn.execute("SELECT user_id, role FROM groupreg_staff ORDER BY user_id, role")
    found: dict[str, frozenset[StaffRole]] = {}
    for user_id, role in txn.fetchall():
        found[user_id] = found.get(user_id, frozenset()) | {StaffRole(role)}
    return found


def set_roles(txn: Transaction, user_id: str, granted: Collection[StaffRole]) -> None:
    """Replace the roles of an account."""
    txn.execute("DELETE FROM groupreg_staff WHERE user_id = ?", (user_id,))
    for role in sorted(granted):
        txn.execute("INSERT INTO groupreg_staff (user_id, role) VALUES (?, ?)", (user_id, role.value))
