# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who somebody is to the rules: from memory alone, with a closer look only where a rule objects."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.policy.blacklist import matches
from synapse_groupreg.policy.types import Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.snapshot import Snapshot


class People:
    """Accounts as the rules see them."""

    def __init__(
        self, homeserver: Homeserver, snapshot: Snapshot, exempt: Sequence[str], *, own_account: str | None = None
    ) -> None:
        self._homeserver = homeserver
        self._own_account = own_account
        self._snapshot = snapshot
        self._globs = tuple(exempt)
        # Globs are matched once for each account, not once for each message.
        self.is_exempt = functools.lru_cache(maxsize=10_000)(self._matches_a_glob)

    def account(self, user_id: str) -> Account:
        """What memory knows about an account."""
        return Account(
            user_id=user_id,
            local=self._homeserver.is_mine(user_id),
            assurance=self._snapshot.assurance[user_id],
            measures=self._snapshot.account_measures(user_id, self._homeserver.now_ms()),
            exempt=bool(self._globs) and self.is_exempt(user_id),
            staff=user_id in self._snapshot.staff,
        )

    async def closer(self, account: Account) -> Account:
        """The same, after asking whether it is a server admin: staff, whom quotas and identity rules leave alone."""
        known = account.exempt and account.staff
        if known or not account.local or not await self._homeserver.is_admin(account.user_id):
            return account
        return attrs.evolve(account, exempt=True, staff=True)

    async def is_staff(self, user_id: str) -> bool:
        """Whether an account has a staff role, is a server admin, or is the module's own, which answers people."""
        if user_id in self._snapshot.staff or user_id == self._own_account:
            return True
        return self._homeserver.is_mine(user_id) and await self._homeserver.is_admin(user_id)

    def _matches_a_glob(self, user_id: str) -> bool:
        return any(matches(glob, user_id) for glob in self._globs)
