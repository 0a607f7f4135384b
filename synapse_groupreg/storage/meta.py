# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings that outlive a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

MODE = "mode"
"""The mode that staff chose; absent while the configuration's holds."""
CONFIGURED_MODE = "configured-mode"
"""The configuration's mode when it was last read: a different one there means that the operator edited it."""
CONFIGURATION = "configuration"
"""The configuration when it was last read, but for secrets, as JSON by the paths of its options."""
IDENTITY_KEY = "identity-key"
"""Fingerprint of the key that digested the references in this database."""
CONTACTS_TAKEN_OVER = "contacts-taken-over"
"""Set once the verified addresses from before the module were taken over."""

OUR_ACCOUNT = "our-account:"
"""Prefix of the names of accounts that the module registered, or is about to."""


def get(txn: Transaction, name: str) -> str | None:
    """The value of a setting."""
    txn.execute("SELECT value FROM groupreg_meta WHERE name = ?", (name,))
    row = txn.fetchone()
    return None if row is None else str(row[0])


def put(txn: Transaction, name: str, value: str) -> None:
    """Set a setting."""
    txn.execute(
        "INSERT INTO groupreg_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def drop(txn: Transaction, name: str) -> None:
    """Unset a setting."""
    txn.execute("DELETE FROM groupreg_meta WHERE name = ?", (name,))
