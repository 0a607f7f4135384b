# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What there is of measures, for staff: how many, what waits for them, what is still to be carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.act_emergency import standing
from synapse_groupreg.handlers.measures import show_to_staff
from synapse_groupreg.policy.measures import next_step
from synapse_groupreg.storage import appeals, labels, measures, notices, proposals, removals, state

if TYPE_CHECKING:
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.storage.database import Transaction

_SHOWN = 100


def status(txn: Transaction, now_ms: int) -> dict[str, Any]:
    """The part of `status` about measures."""
    return {
        "in_force": measures.counts(txn, now_ms),
        "emergency": [
            one.subject if one.room is None else f"{one.subject} in {one.room}" for one in standing(txn, now_ms)
        ],
        "due": [_brief(_with_next_step(one, now_ms)) for one in measures.due(txn, now_ms, _SHOWN)],
        "reports_due": measures.reports_due(txn),
        "appeals": appeals.waiting(txn),
        "proposals": proposals.page(txn, decided=False, now_ms=now_ms, start=0, limit=1)[1],
        "notices": notices.counts(txn),
        "labels": len(labels.promised(txn, now_ms)),
        "removals": [{**attrs.asdict(one), "members": state.members(txn, one.room_id)} for one in removals.undone(txn)],
    }


def waiting(txn: Transaction, now_ms: int, start: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Measures that wait for staff, for a report too, and how many there are. Nothing follows by itself."""
    found, total = measures.waiting(txn, now_ms, start, limit)
    return [_with_next_step(one, now_ms) for one in found], total


def _with_next_step(measure: Measure, now_ms: int) -> dict[str, Any]:
    """A measure with the step that its passed deadline proposes."""
    proposed = next_step(measure, now_ms)
    return {**show_to_staff(measure), "next_step": None if proposed is None else proposed.value}


def _brief(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in ("id", "kind", "subject", "deadline_ms", "review_ms", "next_step")}
