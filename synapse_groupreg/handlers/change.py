# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an action changes, and the setting in which it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.storage.changes import Subject
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Dialect

Facts = dict[str, Any]


@frozen(kw_only=True)
class Setting:
    """Who acts, when, under which rules, on which server."""

    staff: Staff
    now_ms: int
    config: GroupRegConfig
    server_name: str
    public_baseurl: str
    """Where people find the server, with a slash at the end."""
    dialect: Dialect
    """Which tells how a row is locked."""
    own_account: str | None = None
    """The account that sends notices."""
    trying: bool = False
    """Whether this is a dry run: what would be refused is shown instead."""
    approved_by: str | None = None
    """The second member of staff, where the act was proposed first."""
    seal: Callable[[bytes], bytes] | None = None
    """Encrypts what waits for the retention store; None where no records are kept."""
    new_id: Callable[[], str]
    """Makes a random identifier of 128 bits."""

    def is_mine(self, identifier: str) -> bool:
        """Whether a Matrix id belongs to this server."""
        return identifier.partition(":")[2] == self.server_name


@frozen(kw_only=True)
class Change:
    """What an action did: as journalled, and as answered to whoever did it."""

    subject: str
    before: Facts | None
    after: Facts | None
    touched: frozenset[Subject] = frozenset()
    id: int | None = None
    dry_run: bool = False
    facts: Facts = attrs.field(factory=dict)
    """Further figures for the answer."""
    accounts: tuple[str, ...] = ()
    """The accounts of this server that it bars: many ask for a second member of staff."""
    second: bool = False
    """Whether a second member of staff has to agree, whatever it touches."""
    proposed: bool = False
    """Whether it waits for a second member of staff instead of being carried out."""

    @property
    def changed(self) -> bool:
        """Whether anything is different now."""
        return self.before != self.after and not self.proposed
