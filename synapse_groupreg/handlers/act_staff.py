# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Staff roles and the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.storage import changes, meta, people, staff

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Grant, SetMode
    from synapse_groupreg.storage.database import Transaction


def require_account(txn: Transaction, user_id: str) -> None:
    """Raise NotFound unless the account exists here."""
    if not people.existing(txn, [user_id]):
        message = f"There is no account {user_id} on this server."
        raise NotFound(message)


def grant(txn: Transaction, _setting: Setting, action: Grant) -> Change:
    """Set the staff roles of an account."""
    require_account(txn, action.user_id)
    before = staff.roles(txn, action.user_id)
    staff.set_roles(txn, action.user_id, action.roles)
    return Change(
        subject=action.user_id,
        before={"roles": sorted(before)},
        after={"roles": sorted(action.roles)},
        touched=frozenset({changes.POLICY}),
    )


def set_mode(txn: Transaction, setting: Setting, action: SetMode) -> Change:
    """Switch between journalling and enforcing, on every process."""
    before = meta.get(txn, meta.MODE) or setting.config.mode
    meta.put(txn, meta.MODE, action.mode)
    return Change(
        subject="mode",
        before={"mode": before},
        after={"mode": action.mode},
        touched=frozenset({changes.POLICY}),
    )
