# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appeals: what people concerned by a measure say to it, and what staff answer (article 11).

The answer to a warning, that something was put right, is an appeal too.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from synapse_groupreg.policy.measures import Scope
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.policy.measures import Measure

LONGEST = 4000
"""Characters of an appeal."""


class Outcome(enum.StrEnum):
    """How an appeal is decided."""

    upheld = "upheld"
    """The measure stays as it is."""
    changed = "changed"
    """It is made milder."""
    lifted = "lifted"


@frozen(kw_only=True)
class Appeal:
    """One appeal; times in milliseconds since the epoch. Its fields are the columns of its table."""

    id: int
    measure_id: int
    author: str
    """The account that appeals."""
    text: str
    made_ms: int
    outcome: Outcome | None = None
    """None while it is open."""
    answer: str | None = None
    """Why it was decided so, as its author is told."""
    decided_by: str | None = None
    decided_ms: int | None = None
    erased_ms: int | None = None
    """When what its author wrote was erased; the text is empty since."""

    @property
    def state(self) -> str:
        """What became of it: open, or its outcome."""
        return "open" if self.outcome is None else self.outcome.value


def harder(before: Measure, *, scope: Scope | None, until_ms: int | None, deadline_ms: int | None) -> list[str]:
    """Which changes would make a measure harder: nobody is worse off for having appealed."""
    found = []
    if scope is Scope.account and before.scope is not Scope.account:
        found.append("scope")
    if until_ms is not None and before.until_ms is not None and until_ms > before.until_ms:
        found.append("until_ms")
    if deadline_ms is not None and before.deadline_ms is not None and deadline_ms < before.deadline_ms:
        found.append("deadline_ms")
    return found
