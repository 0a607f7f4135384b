# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever looks at somebody's identity, or at what they wrote in an appeal, is recorded beforehand (article 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers import act_appeals, act_packets, views
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import appeals, outbox
from synapse_groupreg.storage.entries import draft, given

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.change import Facts
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Transaction


def account(
    txn: Transaction,
    looker: Staff,
    user_id: str,
    config: GroupRegConfig,
    now_ms: int,
    *,
    reason: str | None = None,
    seal: Callable[[bytes], bytes] | None,
) -> views.View:
    """`views.account`, and the record of who looked, unless it is their own. Raises NotFound, and then records nothing.

    In one transaction: what can't be recorded is not shown.
    """
    found = views.account(txn, user_id, config, now_ms)
    _record(txn, Right.read_account, looker, user_id, now_ms, reason=reason, seal=seal)
    return found


def appeal(
    txn: Transaction,
    looker: Staff,
    appeal_id: int,
    now_ms: int,
    *,
    reason: str | None,
    seal: Callable[[bytes], bytes] | None,
) -> Facts:
    """An appeal with what its author wrote, and the record of who looked. Raises NotFound."""
    found = act_appeals.find(txn, appeal_id)
    _record(txn, Right.read_appeals, looker, found.author, now_ms, reason=reason, seal=seal)
    return act_appeals.show_in_full(found)


def appeals_of(
    txn: Transaction,
    looker: Staff,
    user_id: str,
    now_ms: int,
    *,
    start: int,
    limit: int,
    reason: str | None,
    seal: Callable[[bytes], bytes] | None,
) -> tuple[list[Facts], int]:
    """All appeals of an account with what it wrote, and the record of who looked, unless they are their own."""
    found, total = appeals.page(txn, decided=True, measure_id=None, author=user_id, start=start, limit=limit)
    if found:
        _record(txn, Right.read_appeals, looker, user_id, now_ms, reason=reason, seal=seal)
    own = looker.user_id == user_id
    return [_own(act_appeals.show_in_full(one)) if own else act_appeals.show_in_full(one) for one in found], total


def packet(
    txn: Transaction,
    looker: Staff,
    packet_id: int,
    now_ms: int,
    *,
    reason: str | None,
    seal: Callable[[bytes], bytes] | None,
) -> Facts:
    """A report packet, and a record for each account whose appeal it quotes. Raises NotFound."""
    found = act_packets.find(txn, packet_id)
    for author in act_packets.authors(found):
        _record(txn, Right.read_packets, looker, author, now_ms, reason=reason, seal=seal)
    return act_packets.show_with_facts(found)


def _own(shown: Facts) -> Facts:
    """As its author sees it: the office decided, whoever that was."""
    return {name: value for name, value in shown.items() if name != "decided_by"}


def _record(
    txn: Transaction,
    right: Right,
    looker: Staff,
    user_id: str,
    now_ms: int,
    *,
    reason: str | None,
    seal: Callable[[bytes], bytes] | None,
) -> None:
    if seal is None or looker.user_id == user_id:
        return
    look = draft(
        Kind.look,
        now_ms,
        type=right.value,
        actor=looker.user_id,
        target=user_id,
        details=given(reason=reason),
        facts={"roles": looker.offices},
    )
    outbox.append(txn, [look], seal)
