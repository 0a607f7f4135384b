# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups that are closed to other servers, where a cap can be exact (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.types import Found, RoomKind, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig


@frozen(kw_only=True)
class FederationClosed(Violation):
    """The new group would be closed to other servers, and somebody from another server was invited."""

    code: ClassVar[str] = "federation-closed"


def guests_are_local(attempt: Found, config: GroupRegConfig) -> Violation | None:
    """Refuse to found a group with invitees who could not enter it: Synapse would leave half a room behind."""
    if config.federation == "open" or attempt.kind is RoomKind.direct or all(one.local for one in attempt.invitees):
        return None
    return FederationClosed()
