# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Limits of their own for accounts, persons and rooms (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import CapRoom, LimitAccount
    from synapse_groupreg.storage.database import Transaction


def limit_account(txn: Transaction, _setting: Setting, action: LimitAccount) -> Change:
    """Set or take back limits of a person, or of an account that is linked to none."""
    require_account(txn, action.user_id)
    subject, _ = quotas.subject_of(txn, action.user_id)
    before = {quota: quotas.override(txn, subject, quota) for quota in action.limits}
    for quota, value in action.limits.items():
        quotas.set_override(txn, subject, quota, value)
    return Change(subject=action.user_id, before=before, after=dict(action.limits))


def cap_room(txn: Transaction, _setting: Setting, action: CapRoom) -> Change:
    """Set or take back the cap of a group. Nobody is removed: a group above it admits nobody until it is below."""
    row = rooms.ensure(txn, action.room_id)
    if row is None:
        message = f"This server is in no room {action.room_id}."
        raise NotFound(message)
    if row.kind is not RoomKind.group:
        message = f"{action.room_id} is a {row.kind.value} room: only groups have a cap."
        raise Conflict(message)
    subject = quotas.room_subject(action.room_id)
    before = quotas.override(txn, subject, quotas.MEMBERS)
    quotas.set_override(txn, subject, quotas.MEMBERS, action.members)
    return Change(subject=action.room_id, before={"members": before}, after={"members": action.members})
