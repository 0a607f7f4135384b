# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people do against a measure, and how staff decide on it (article 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.policy.appeals import Outcome
    from synapse_groupreg.policy.measures import Scope


@frozen(kw_only=True)
class MakeAppeal(Action):
    """Appeal against a measure, as somebody whom it concerns; or answer a warning."""

    name: ClassVar[str] = "appeal"
    right: ClassVar[Right] = Right.appeal
    measure_id: int
    text: str = attrs.field(repr=False)
    """It stands in no journal."""


@frozen(kw_only=True)
class DecideAppeal(Action):
    """Decide an appeal; the reason is told to who made it. What follows for the measure is carried out with it."""

    name: ClassVar[str] = "decide-appeal"
    right: ClassVar[Right] = Right.decide_appeals
    reason: str
    appeal_id: int
    outcome: Outcome
    scope: Scope | None = None
    """For `changed`, as is what follows: each that is absent stays."""
    until_ms: int | None = None
    deadline_ms: int | None = None
