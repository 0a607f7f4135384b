# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff does: authorise, write, journal and publish in one transaction; or show what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers import (
    act_appeals,
    act_categories,
    act_emergency,
    act_exports,
    act_handovers,
    act_identity,
    act_labels,
    act_lists,
    act_measures,
    act_mutes,
    act_packets,
    act_proposals,
    act_quotas,
    act_records,
    act_slow,
    act_staff,
)
from synapse_groupreg.handlers.leading import Cut
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.policy import actions, appeal_actions, group_actions, packet_actions, record_actions
from synapse_groupreg.storage import acts, changes
from synapse_groupreg.storage.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.change import Change, Setting
    from synapse_groupreg.handlers.journal import RefusalJournal
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Database, Transaction


def _approve(txn: Transaction, setting: Setting, action: actions.Approve) -> Change:
    """What was proposed goes the same way as what is done at once."""
    return act_proposals.approve(txn, setting, action, _journalled)


def _decide_appeal(txn: Transaction, setting: Setting, action: appeal_actions.DecideAppeal) -> Change:
    """Lifting or changing a measure on appeal goes the same way as otherwise."""
    return act_appeals.decide(txn, setting, action, _journalled)


def _set_packet(txn: Transaction, setting: Setting, action: packet_actions.SetPacket) -> Change:
    """The reports of its measures go the same way as otherwise."""
    return act_packets.set_state(txn, setting, action, _journalled)


CARRY_OUT: dict[type[Action], Callable[[Transaction, Setting, Any], Change]] = {
    actions.Verify: act_identity.verify,
    actions.Unverify: act_identity.unverify,
    actions.CommitImport: act_identity.commit_import,
    actions.LimitAccount: act_quotas.limit_account,
    actions.CapRoom: act_quotas.cap_room,
    actions.LabelRoom: act_labels.label,
    group_actions.MuteMember: act_mutes.mute,
    group_actions.UnmuteMember: act_mutes.unmute,
    group_actions.OfferGroup: act_handovers.offer,
    group_actions.AcceptGroup: act_handovers.accept,
    group_actions.DeclineGroup: act_handovers.decline,
    group_actions.SetCategory: act_categories.set_category,
    group_actions.SlowDown: act_slow.slow_down,
    actions.Impose: act_measures.impose,
    actions.Lift: act_measures.lift,
    actions.SetReport: act_measures.set_report,
    appeal_actions.MakeAppeal: act_appeals.make,
    appeal_actions.DecideAppeal: _decide_appeal,
    packet_actions.MakePacket: act_packets.make,
    packet_actions.SetPacket: _set_packet,
    actions.SwitchEmergency: act_emergency.switch,
    actions.ImportRules: act_lists.import_rules,
    actions.Follow: act_lists.follow,
    actions.Unfollow: act_lists.unfollow,
    actions.Approve: _approve,
    actions.Reject: act_proposals.reject,
    actions.Grant: act_staff.grant,
    actions.SetMode: act_staff.set_mode,
    record_actions.HoldRecords: act_records.hold,
    record_actions.ExtendHold: act_records.extend,
    record_actions.LiftHold: act_records.lift,
    record_actions.PurgeDue: act_records.purge,
    record_actions.RotateKeys: act_records.rotate,
    record_actions.BeginShard: act_records.begin_shard,
    record_actions.EraseRecords: act_records.erase,
    record_actions.Export: act_exports.export,
}


class _OnlyTrying(Exception):
    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class _NeedsSecond(Exception):
    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class Actions:
    """Carries out actions."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        setting: Callable[[Staff], Setting],
        journal: RefusalJournal,
    ) -> None:
        self._database = database
        self._homeserver = homeserver
        self._setting = setting
        self._journal = journal

    async def do(self, staff: Staff, action: Action, *, dry_run: bool = False) -> Change:
        """Carry out an action. Doing it twice is the same as doing it once.

        One that bars many accounts becomes a proposal, which a second member of staff approves. What a rule refuses is
        recorded like any refusal.

        Raises NotPermitted, NotFound, Invalid or Conflict, and then nothing was changed.
        """
        require(staff, action.right)
        setting = attrs.evolve(self._setting(staff), trying=dry_run)
        try:
            change = await self._database.run("groupreg_act", _carry_out, setting, action, dry_run=dry_run)
        except _OnlyTrying as trial:
            return trial.change
        except _NeedsSecond as big:
            return await self._database.run("groupreg_act", act_proposals.propose, setting, action, big.change)
        except Cut as cut:
            if not dry_run:
                await self._journal.record([_refusal(cut, setting)])
            raise
        if change.changed:
            await self._homeserver.poke()
        return change


def _refusal(cut: Cut, setting: Setting) -> Refusal:
    return Refusal(
        ts_ms=setting.now_ms,
        account=setting.staff.user_id,
        code=cut.violation.code,
        attempt=cut.attempt,
        room_id=cut.room_id,
        dry=False,
        facts=cut.violation.facts(),
    )


def _carry_out(txn: Transaction, setting: Setting, action: Action, *, dry_run: bool) -> Change:
    change = _journalled(txn, setting, action)
    if change.changed and change.touched:
        changes.publish(txn, change.touched, setting.now_ms)
    second = act_proposals.needs_second(setting, change)
    if dry_run:
        facts = {**change.facts, "needs_second": True} if second else change.facts
        raise _OnlyTrying(attrs.evolve(change, dry_run=True, facts=facts))
    if second:
        raise _NeedsSecond(change)  # which takes everything back: what is kept is the wish
    return change


def _journalled(txn: Transaction, setting: Setting, action: Action) -> Change:
    change = CARRY_OUT[type(action)](txn, setting, action)
    if change.changed:
        approved = {} if setting.approved_by is None else {"approved_by": setting.approved_by}
        acts.append(
            txn,
            now_ms=setting.now_ms,
            author=setting.staff.user_id,
            action=action.name,
            subject=change.subject,
            reason=action.reason,
            before=change.before,
            after=None if change.after is None and not approved else {**(change.after or {}), **approved},
        )
    return change
