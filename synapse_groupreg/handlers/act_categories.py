# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Saying what a group is about, as its founder (article 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.handlers.leading import Hindered, led
from synapse_groupreg.policy.categories import choose
from synapse_groupreg.policy.roles import Role
from synapse_groupreg.storage import rooms

if TYPE_CHECKING:
    from synapse_groupreg.policy.group_actions import SetCategory
    from synapse_groupreg.storage.database import Transaction


def set_category(txn: Transaction, setting: Setting, action: SetCategory) -> Change:
    """Give a group a category of the configuration, or take it back."""
    row = led(txn, setting, action.group, (Role.founder,))
    possible = setting.config.groups.categories
    chosen = None if action.category is None else choose(action.category, possible)
    if chosen is None and action.category is not None:
        raise Hindered("no-category", categories=", ".join(possible)) if possible else Hindered("no-categories")
    before = rooms.category(txn, row.room_id)
    rooms.set_category(txn, row.room_id, chosen)
    return Change(subject=row.room_id, before={"category": before}, after={"category": chosen})
