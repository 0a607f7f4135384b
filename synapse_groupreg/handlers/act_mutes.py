# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Muting somebody in a group, and letting them post again (article 9).

Nothing in the room changes, power levels least of all: so it is exact, and over by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.leading import Hindered, enforced, led
from synapse_groupreg.handlers.roles import LEADING, role_of
from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.policy.mutes import DAY_MS, DEFAULT_MS, LONGEST_MS, Mute, Muted
from synapse_groupreg.storage import mutes
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.policy.group_actions import MuteMember, UnmuteMember
    from synapse_groupreg.storage.database import Transaction


def mute(txn: Transaction, setting: Setting, action: MuteMember) -> Change:
    """Mute a member of a group, or change until when and why."""
    row = led(txn, setting, action.group)
    _not_oneself(txn, setting, action.user_id)
    role = role_of(txn, row.room_id, action.user_id, setting.config)
    if role is None:
        raise Hindered("no-member", person=action.user_id)
    if role in LEADING:
        raise Hindered("leads", person=action.user_id)
    until_ms = setting.now_ms + DEFAULT_MS if action.until_ms is None else action.until_ms
    if not 0 < until_ms - setting.now_ms <= LONGEST_MS:
        raise Hindered("mute-time", days=LONGEST_MS // DAY_MS)
    before = mutes.get(txn, row.room_id, action.user_id, setting.now_ms)
    after = Mute(
        room_id=row.room_id,
        account=action.user_id,
        reason=action.reason,
        author=setting.staff.user_id,
        start_ms=setting.now_ms if before is None else before.start_ms,
        until_ms=until_ms,
    )
    if before is not None and (before.until_ms, before.reason) == (after.until_ms, after.reason):
        after = before
    mutes.put(txn, after)
    change = _change(txn, action.user_id, before, after)
    return change if enforced(txn, setting.config, Muted.code) else attrs.evolve(change, facts={"dry": True})


def unmute(txn: Transaction, setting: Setting, action: UnmuteMember) -> Change:
    """End a mute. What the staff imposed is none, and stays."""
    row = led(txn, setting, action.group)
    _not_oneself(txn, setting, action.user_id)
    before = mutes.get(txn, row.room_id, action.user_id, setting.now_ms)
    mutes.drop(txn, row.room_id, action.user_id)
    return _change(txn, action.user_id, before, None)


def show(mute: Mute) -> Facts:
    """A mute as answers and the journal show it."""
    return {"room": mute.room_id, "until_ms": mute.until_ms, "reason": mute.reason, "author": mute.author}


def _not_oneself(txn: Transaction, setting: Setting, user_id: str) -> None:
    if user_id in relatives(txn, setting.staff.user_id):
        raise Hindered("oneself")


def _change(txn: Transaction, user_id: str, before: Mute | None, after: Mute | None) -> Change:
    return Change(
        subject=user_id,
        before=None if before is None else show(before),
        after=None if after is None else show(after),
        touched=frozenset(touched_accounts(relatives(txn, user_id))),
    )
