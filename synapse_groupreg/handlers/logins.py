# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Registrations, logins and logouts, with address and client, for the network log (articles 5.1, 13.2).

Whatever fails here is logged and counted, and lets the login be.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import people
from synapse_groupreg.storage.entries import draft, given
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.journal import RefusalJournal
    from synapse_groupreg.storage.database import Database

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Origin:
    """Where a request came from."""

    ip: str | None = None
    user_agent: str | None = None
    author: str | None = None
    """Whose request it was, if somebody else's than that of the account concerned."""


class Logins:
    """Writes them down, and returns once they are committed."""

    def __init__(self, database: Database, homeserver: Homeserver, journal: RefusalJournal) -> None:
        self._database = database
        self._homeserver = homeserver
        self._journal = journal

    async def registered(self, user_id: str, way: str, origin: Origin) -> None:
        """An account was made; `way` is how, for example `register`, `sso`, `admin`."""
        await self._record(Kind.registration, user_id, way, origin)

    async def logged_in(
        self,
        user_id: str,
        way: str,
        origin: Origin,
        *,
        device_id: str | None,
        provider: str | None,
        since_ms: int | None,
    ) -> None:
        """A session began: `way` is the type of the login. A device that Synapse named is looked up from `since_ms`."""
        if device_id is None and since_ms is not None:
            device_id = await self._new_device(user_id, since_ms)
        await self._record(Kind.login, user_id, way, origin, device_id=device_id, provider=provider)

    async def logged_out(self, user_id: str, way: str, origin: Origin, *, device_id: str | None) -> None:
        """A session ended: `way` is by what, for example `logout`, `password`, `admin`."""
        await self._record(Kind.logout, user_id, way, origin, device_id=device_id)

    async def _record(
        self,
        kind: Kind,
        user_id: str,
        way: str,
        origin: Origin,
        *,
        device_id: str | None = None,
        provider: str | None = None,
    ) -> None:
        details = given(ip=origin.ip, user_agent=origin.user_agent, author=origin.author, device_id=device_id)
        facts = None if provider is None else {"provider": provider}
        now_ms = self._homeserver.now_ms()
        await self._journal.record_entry(draft(kind, now_ms, type=way, actor=user_id, details=details, facts=facts))

    async def _new_device(self, user_id: str, since_ms: int) -> str | None:
        try:
            return await self._database.run("groupreg_device", people.new_device, user_id, since_ms)
        except Exception:
            logger.exception("The device of a login could not be looked up")
            return None
