# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever looks at somebody's identity leaves a record, before they see anything (article 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers import views
from synapse_groupreg.policy.actions import Right
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import outbox
from synapse_groupreg.storage.entries import draft, given

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.policy.actions import Staff
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
    if seal is not None and looker.user_id != user_id:
        look = draft(
            Kind.look,
            now_ms,
            type=Right.read_account.value,
            actor=looker.user_id,
            target=user_id,
            details=given(reason=reason),
            facts={"roles": looker.offices},
        )
        outbox.append(txn, [look], seal)
    return found
