# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels for a group from before, at the request of its founder (article 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import Conflict, NotPermitted
from synapse_groupreg.handlers import labelling
from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.policy.founding import may_write
from synapse_groupreg.policy.labels import LABEL_TYPES
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import labels, rooms, state

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import LabelRoom
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.rooms import RoomRow


def label(txn: Transaction, setting: Setting, action: LabelRoom) -> Change:
    """Promise labels to a group. They are written in the founder's name, so nobody else can ask for them."""
    row, founder = rooms.ensure(txn, action.room_id), setting.staff.user_id
    if row is None or row.founder != founder:  # the same answer for both: who is no member learns nothing
        message = (
            "Labels are written in the name of a group's founder, so only its founder can ask for them, and no server"
            " admin."
        )
        raise NotPermitted(message)
    _require(txn, setting, row)
    now = labelling.current(txn, row.room_id)
    wanted = labelling.wanted(txn, row, setting.config, setting.now_ms)
    before, after = labelling.shown(now), labelling.shown(wanted)
    if now == wanted or labels.is_promised(txn, row.room_id, founder, setting.now_ms):
        before = after
    else:
        labels.promise(txn, row.room_id, founder, setting.now_ms)
        # Where the words stay and only what programs read differs, the journal has to show a change all the same.
        before = None if before == after else before
    return Change(subject=row.room_id, before={"labels": before}, after={"labels": after})


def _require(txn: Transaction, setting: Setting, row: RoomRow) -> None:
    if not setting.config.labels.enabled:
        message = "This server doesn't label groups: its operator can set labels.enabled in the configuration."
        raise Conflict(message)
    if row.kind is not RoomKind.group:
        message = f"{row.room_id} is a {row.kind.value} room: only groups have roles to label."
        raise Conflict(message)
    if row.successor is not None:
        message = f"This group was replaced by {row.successor}: label that one."
        raise Conflict(message)
    if state.membership(txn, row.room_id, row.founder) != "join":
        message = "You left this group: its labels can only be written by a member."
        raise Conflict(message)
    made = state.create(txn, row.room_id)
    levels = state.content(txn, row.room_id, "m.room.power_levels") or {}
    above = made is not None and row.founder in made.creators
    if not above and not all(may_write(row.founder, kind, levels) for kind in LABEL_TYPES):
        message = "Your power level in this group is too low to label it: ask one of its managers to raise it."
        raise Conflict(message)
