# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proposals: acts that are carried out once a second member of staff approved them (article 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Conflict, NotFound, NotPermitted
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.handlers.touching import SHOWN
from synapse_groupreg.policy.proposals import LASTS_MS, may_be_carried_out, payload, restored
from synapse_groupreg.policy.staff import MANY_ACCOUNTS, Staff
from synapse_groupreg.storage import acts, proposals
from synapse_groupreg.storage.identity import relatives
from synapse_groupreg.storage.proposals import Proposal

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.policy.actions import Action, Approve, Reject
    from synapse_groupreg.storage.database import Transaction


def needs_second(setting: Setting, change: Change) -> bool:
    """Whether an act bars so many accounts, or takes back so little, that a second member of staff has to agree."""
    required = setting.config.second_staff == "required" and setting.approved_by is None
    return required and change.changed and (change.second or len(change.accounts) > MANY_ACCOUNTS)


def propose(txn: Transaction, setting: Setting, action: Action, change: Change) -> Change:
    """Keep an act for a second member of staff; the same one again is the same proposal."""
    wanted = Proposal(
        id=0,
        action=action.name,
        payload=payload(action),
        subject=change.subject,
        author=setting.staff.user_id,
        accounts=len(change.accounts),
        sample=list(change.accounts[:SHOWN]),
        created_ms=setting.now_ms,
        expires_ms=setting.now_ms + LASTS_MS,
    )
    made = proposals.same(txn, wanted, setting.now_ms)
    if made is None:
        made = proposals.insert(txn, wanted)
        _journal(txn, setting, "propose", made, action.reason)
    return attrs.evolve(change, proposed=True, id=None, facts={**change.facts, "proposal": show(made, setting.now_ms)})


def approve(
    txn: Transaction,
    setting: Setting,
    action: Approve,
    carry_out: Callable[[Transaction, Setting, Action], Change],
) -> Change:
    """Carry a proposal out in its author's name, and journal who agreed."""
    proposal = find(txn, action.proposal_id)
    wanted = restored(proposal.action, proposal.payload)
    require(setting.staff, wanted.right)
    if setting.staff.user_id in relatives(txn, proposal.author):
        raise NotPermitted("You proposed this yourself: another member of staff has to agree.")
    if not _decide(txn, setting, proposal, approved=True):
        return _change(setting, proposal, proposal)
    author = attrs.evolve(setting, staff=Staff(user_id=proposal.author), approved_by=setting.staff.user_id)
    change = carry_out(txn, author, wanted)
    if not may_be_carried_out(proposal.accounts, len(change.accounts)):
        message = (
            f"It would bar {len(change.accounts)} accounts now, and {proposal.accounts} when it was proposed: let it be"
            " proposed again."
        )
        raise Conflict(message)
    # Two agreed: nobody else is asked.
    return attrs.evolve(_change(setting, proposal, find(txn, proposal.id)), touched=change.touched, facts=change.facts)


def reject(txn: Transaction, setting: Setting, action: Reject) -> Change:
    """Turn a proposal down, or take one's own back."""
    proposal = find(txn, action.proposal_id)
    if proposal.author != setting.staff.user_id:
        require(setting.staff, restored(proposal.action, proposal.payload).right)
    _decide(txn, setting, proposal, approved=False)
    return _change(setting, proposal, find(txn, proposal.id))


def find(txn: Transaction, proposal_id: int) -> Proposal:
    """A proposal. Raises NotFound."""
    found = proposals.get(txn, proposal_id)
    if found is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    return found


def show(proposal: Proposal, now_ms: int) -> Facts:
    """A proposal as answers show it, without the fields of its action."""
    shown = attrs.asdict(proposal)
    del shown["payload"], shown["approved"]
    return {**shown, "reason": proposal.payload.get("reason"), "state": proposal.state(now_ms)}


def _decide(txn: Transaction, setting: Setting, proposal: Proposal, *, approved: bool) -> bool:
    """Whether this decides it. Raises Conflict if it was decided otherwise, or not in time."""
    state = proposal.state(setting.now_ms)
    if state == ("approved" if approved else "rejected"):
        return False
    by = setting.staff.user_id
    if state != "open" or not proposals.decide(txn, proposal.id, approved=approved, by=by, now_ms=setting.now_ms):
        raise Conflict(f"Proposal {proposal.id} is decided already, or expired; see groupreg proposal list --all.")
    return True


def _change(setting: Setting, before: Proposal, after: Proposal) -> Change:
    return Change(
        subject=f"proposal {after.id}",
        before=_brief(before, setting.now_ms),
        after=_brief(after, setting.now_ms),
        id=after.id,
    )


def _brief(proposal: Proposal, now_ms: int) -> Facts:
    return {
        "state": proposal.state(now_ms),
        "action": proposal.action,
        "subject": proposal.subject,
        "author": proposal.author,
        "decided_by": proposal.decided_by,
    }


def _journal(txn: Transaction, setting: Setting, action: str, proposal: Proposal, reason: str | None) -> None:
    acts.append(
        txn,
        now_ms=setting.now_ms,
        author=setting.staff.user_id,
        action=action,
        subject=f"proposal {proposal.id}",
        reason=reason,
        before=None,
        after={**_brief(proposal, setting.now_ms), "accounts": proposal.accounts},
    )
