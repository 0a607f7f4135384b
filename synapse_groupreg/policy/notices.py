# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which refusals need a second channel, because clients hide the reason (article 11: measures are told)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.measures import Scope
from synapse_groupreg.policy.types import Account, Found, Invite, Send

if TYPE_CHECKING:
    from synapse_groupreg.policy.types import Attempt, Violation

HIDDEN = (Send, Found, Invite)
"""No client shows why a message was refused; Element hides it for foundings and invites too."""
MOST_TRIES = 10
_FIRST_WAIT_MS = 5_000
_LONGEST_WAIT_MS = 600_000


def needs_notice(attempt: Attempt, violation: Violation) -> bool:
    """Whether the person should be told by a message as well."""
    barred = violation.facts().get("scope") is Scope.account  # who can't use their sessions can't read it either
    return isinstance(attempt, HIDDEN) and _can_read(attempt.actor) and not barred


def wait_ms(tries: int) -> int:
    """How long to wait before the next try after so many."""
    return min(_FIRST_WAIT_MS << min(tries, MOST_TRIES), _LONGEST_WAIT_MS)


def _can_read(actor: Account) -> bool:
    return actor.local and not actor.exempt
