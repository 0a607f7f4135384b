# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slowing a group down, as one who looks after it (articles 7.3 and 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.handlers.leading import Hindered, enforced, led
from synapse_groupreg.policy.durations import OFF
from synapse_groupreg.policy.slow import LONGEST_S, SECOND_MS, SlowMode
from synapse_groupreg.storage import rooms

if TYPE_CHECKING:
    from synapse_groupreg.policy.group_actions import SlowDown
    from synapse_groupreg.storage.database import Transaction


def slow_down(txn: Transaction, setting: Setting, action: SlowDown) -> Change:
    """Set how many seconds lie between two posts of somebody in a group."""
    row = led(txn, setting, action.group)
    if action.seconds is not None and not 1 <= action.seconds <= LONGEST_S:
        raise Hindered("slow-time", most=LONGEST_S, off=OFF)
    before = rooms.slow_ones(txn, [row.room_id]).get(row.room_id)
    after = None if action.seconds is None else action.seconds * SECOND_MS
    rooms.set_slow(txn, row.room_id, after)
    change = Change(
        subject=row.room_id,
        before={"seconds": None if before is None else before // SECOND_MS},
        after={"seconds": action.seconds},
        touched=frozenset({("room", row.room_id)}),
    )
    dry = action.seconds is not None and not enforced(txn, setting.config, SlowMode.code)
    return attrs.evolve(change, facts={"dry": True}) if dry else change
