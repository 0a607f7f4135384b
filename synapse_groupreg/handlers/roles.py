# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody is in a group, asked of the database (article 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.roles import Role, power_of
from synapse_groupreg.storage import rooms, state

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.storage.database import Transaction

LEADING = (Role.founder, Role.manager)
"""Who looks after a group."""


def role_of(txn: Transaction, room_id: str, user_id: str, config: GroupRegConfig) -> Role | None:
    """What an account is in a room; None for who is not in it."""
    row, made = rooms.get(txn, room_id), state.create(txn, room_id)
    if row is None or made is None or state.membership(txn, room_id, user_id) != "join":
        return None
    if row.founder == user_id:
        return Role.founder
    level = power_of(user_id, state.content(txn, room_id, "m.room.power_levels"))
    return Role.manager if user_id in made.creators or level >= config.roles.manager_power_level else Role.member
