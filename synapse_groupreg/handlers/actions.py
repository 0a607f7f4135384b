# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff does: authorise, write, journal and publish in one transaction; or show what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers import act_blacklist, act_identity, act_labels, act_quotas, act_staff
from synapse_groupreg.policy import actions
from synapse_groupreg.storage import acts, changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.change import Change, Setting
    from synapse_groupreg.policy.actions import Action, Staff
    from synapse_groupreg.storage.database import Database, Transaction

CARRY_OUT: dict[type[Action], Callable[[Transaction, Setting, Any], Change]] = {
    actions.Verify: act_identity.verify,
    actions.Unverify: act_identity.unverify,
    actions.CommitImport: act_identity.commit_import,
    actions.LimitAccount: act_quotas.limit_account,
    actions.CapRoom: act_quotas.cap_room,
    actions.LabelRoom: act_labels.label,
    actions.Blacklist: act_blacklist.blacklist,
    actions.Lift: act_blacklist.lift,
    actions.Grant: act_staff.grant,
    actions.SetMode: act_staff.set_mode,
}


class _OnlyTrying(Exception):
    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class Actions:
    """Carries out actions."""

    def __init__(self, database: Database, homeserver: Homeserver, setting: Callable[[Staff], Setting]) -> None:
        self._database = database
        self._homeserver = homeserver
        self._setting = setting

    async def do(self, staff: Staff, action: Action, *, dry_run: bool = False) -> Change:
        """Carry out an action. Doing it twice is the same as doing it once.

        Raises NotPermitted, NotFound, Invalid or Conflict, and then nothing was changed.
        """
        require(staff, action.right)
        try:
            change = await self._database.run("groupreg_act", _carry_out, self._setting(staff), action, dry_run=dry_run)
        except _OnlyTrying as trial:
            return trial.change
        if change.changed:
            await self._homeserver.poke()
        return change


def require(staff: Staff, right: actions.Right) -> None:
    """Raise NotPermitted, naming the roles that would be right."""
    if staff.may(right):
        return
    roles = " or ".join(sorted(role.value for role in actions.ROLES[right]))
    need = f"need the role {roles}; a server admin can grant it" if roles else "must be a server admin; ask one"
    message = f"To {right.value} you {need}."
    raise NotPermitted(message)


def _carry_out(txn: Transaction, setting: Setting, action: Action, *, dry_run: bool) -> Change:
    change = CARRY_OUT[type(action)](txn, setting, action)
    if change.changed:
        acts.append(
            txn,
            now_ms=setting.now_ms,
            author=setting.staff.user_id,
            action=action.name,
            subject=change.subject,
            reason=action.reason,
            before=change.before,
            after=change.after,
        )
        if change.touched:
            changes.publish(txn, change.touched, setting.now_ms)
    if dry_run:
        raise _OnlyTrying(attrs.evolve(change, dry_run=True))
    return change
