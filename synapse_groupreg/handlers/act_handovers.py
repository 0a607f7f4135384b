# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing a group over by consent of both: its founder offers it, a manager accepts (articles 8.1, 8.6 and 9).

The role is ours, and so is what it counts for: a founder's place, labels, who may upgrade. Power levels stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from synapse_groupreg.handlers import labelling
from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.handlers.leading import Hindered, account_of, find, led, let, let_manage, not_yours, open_group
from synapse_groupreg.handlers.roles import role_of
from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.handlers.writers import writer
from synapse_groupreg.policy.handovers import OFFERED_MS, Handover
from synapse_groupreg.policy.labels import LABEL_TYPES
from synapse_groupreg.policy.roles import Role
from synapse_groupreg.policy.types import Found
from synapse_groupreg.storage import handovers, labels, mutes, notices, numbers, quotas, rooms
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.policy.group_actions import AcceptGroup, DeclineGroup, OfferGroup
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.rooms import RoomRow


def offer(txn: Transaction, setting: Setting, action: OfferGroup) -> Change:
    """Offer a group to one of its managers; again, to another one instead."""
    row = led(txn, setting, action.group, (Role.founder,))
    if action.user_id == row.founder:
        raise Hindered("oneself")
    _require_manager(txn, setting, row, action.user_id)
    before = _standing_offer(txn, setting, row)
    if before is not None and before.account == action.user_id:
        return _change(row, row, before, before)
    after = Handover(
        room_id=row.room_id, founder=row.founder, account=action.user_id, until_ms=setting.now_ms + OFFERED_MS
    )
    handovers.put(txn, after)
    if before is not None:
        _tell(txn, setting, before.account, "withdrawn", before)
    _tell(txn, setting, after.account, "offered", after)
    return _change(row, row, before, after)


def accept(txn: Transaction, setting: Setting, action: AcceptGroup) -> Change:
    """Become the founder of a group that was offered; with a founder's place of one's own, as for a new one."""
    user_id = setting.staff.user_id
    row = find(txn, action.group)
    if row is not None and row.founder == user_id and handovers.get(txn, row.room_id, setting.now_ms) is None:
        return _change(row, row, None, None)
    subject, accounts = quotas.subject_of(txn, user_id)
    if row is not None:
        quotas.lock(txn, setting.dialect, [quotas.room_subject(row.room_id), subject])
        row = rooms.get(txn, row.room_id)  # somebody else may have held the lock
    standing = None if row is None else _standing_offer(txn, setting, row)
    if row is None or standing is None or standing.account != user_id:
        raise not_yours(txn, setting, action.group, row, "no-offer")
    open_group(txn, setting, row)
    let_manage(txn, setting, row)
    _require_manager(txn, setting, row, user_id)
    _let_found(txn, setting, None if row.founder in accounts else (subject, accounts))
    rooms.set_founder(txn, row.room_id, user_id)
    handovers.drop(txn, row.room_id)
    after = attrs.evolve(row, founder=user_id)
    _promise_labels(txn, setting, after)
    _tell(txn, setting, row.founder, "accepted", standing)
    mutes.drop(txn, row.room_id, user_id)  # INVARIANT: founders aren't muted
    change = _change(row, after, standing, None)
    return attrs.evolve(change, touched=frozenset(touched_accounts(relatives(txn, user_id))))


def decline(txn: Transaction, setting: Setting, action: DeclineGroup) -> Change:
    """Turn an offer down, or take one's own back."""
    row = find(txn, action.group)
    standing = None if row is None else _standing_offer(txn, setting, row)
    user_id = setting.staff.user_id
    if row is None or standing is None or user_id not in (standing.account, standing.founder):
        raise not_yours(txn, setting, action.group, row, "no-offer")
    handovers.drop(txn, row.room_id)
    if user_id == standing.founder:
        _tell(txn, setting, standing.account, "withdrawn", standing)
    else:
        _tell(txn, setting, standing.founder, "declined", standing)
    return _change(row, row, standing, None)


def _standing_offer(txn: Transaction, setting: Setting, row: RoomRow) -> Handover | None:
    return handovers.get(txn, row.room_id, setting.now_ms)


def _require_manager(txn: Transaction, setting: Setting, row: RoomRow, user_id: str) -> None:
    if not setting.is_mine(user_id):
        raise Hindered("elsewhere", person=user_id)
    role = role_of(txn, row.room_id, user_id, setting.config)
    if role is Role.manager:
        return
    if user_id == setting.staff.user_id:
        raise Hindered("demoted")
    raise Hindered("no-member" if role is None else "no-manager", person=user_id)


def _let_found(txn: Transaction, setting: Setting, taking: tuple[str, list[str]] | None) -> None:
    """Refuse what the gate would refuse who founds a group; no place is taken from one account of a person to another.

    INVARIANT: the person's row is locked, so nobody takes the place that is counted here.
    """
    founded = None
    if taking is not None:
        subject, accounts = taking
        default = setting.config.quotas.rooms_founded
        founded = quotas.rooms_founded(txn, subject, accounts, setting.now_ms, default=default)
    let(txn, setting, Found(actor=account_of(txn, setting), founded=founded))


def _promise_labels(txn: Transaction, setting: Setting, row: RoomRow) -> None:
    """Let labels name the new founder, where there are any."""
    said = labelling.shown(labelling.current(txn, row.room_id))
    sender = writer(txn, row, LABEL_TYPES, setting.server_name)
    if said is not None and setting.config.labels.enabled and sender is not None:
        labels.promise(txn, row.room_id, sender, setting.now_ms)


def _tell(
    txn: Transaction,
    setting: Setting,
    account: str,
    news: Literal["offered", "accepted", "declined", "withdrawn"],
    offered: Handover,
) -> None:
    if setting.config.notices.enabled and setting.is_mine(account):
        facts = {
            "founder": offered.founder,
            "person": offered.account,
            "number": numbers.of_room(txn, offered.room_id),
            "until_ms": offered.until_ms,
        }
        notices.add(
            txn,
            account=account,
            code=notices.HANDOVER,
            attempt=news,
            room_id=offered.room_id,
            facts=facts,
            now_ms=setting.now_ms,
        )


def _change(before: RoomRow, after: RoomRow, offered: Handover | None, offer: Handover | None) -> Change:
    return Change(
        subject=before.room_id,
        before={"founder": before.founder, "offered_to": offered.account if offered else None},
        after={"founder": after.founder, "offered_to": offer.account if offer else None},
    )
