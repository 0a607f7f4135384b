# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`handlers.Homeserver` on Synapse's module API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.homeserver import compat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse.module_api import ModuleApi
    from twisted.internet.defer import Deferred


class SynapseHomeserver:
    """What the use cases ask of Synapse."""

    def __init__(self, api: ModuleApi, poke: compat.Poke) -> None:
        self._api = api
        self._poke = poke
        self._clock_ms = compat.clock_ms(api)
        self.server_name = api.server_name
        self.public_baseurl = api.public_baseurl.rstrip("/") + "/"
        self.refresh: Callable[[], Awaitable[None]] | None = None
        """Brings this process up to date at once, so that whoever acted sees the effect in the next request."""

    def now_ms(self) -> int:
        """See `handlers.Homeserver`."""
        return self._clock_ms()

    def is_mine(self, identifier: str) -> bool:
        """See `handlers.Homeserver`."""
        return identifier.partition(":")[2] == self.server_name

    async def is_admin(self, user_id: str) -> bool:
        """See `handlers.Homeserver`."""
        return await self._api.is_user_admin(user_id)

    async def poke(self) -> None:
        """See `handlers.Homeserver`."""
        await self._poke.send()
        if self.refresh is not None:
            await self.refresh()

    async def wait(self, deferred: Deferred[None]) -> None:
        """See `handlers.Homeserver`."""
        await compat.wait(deferred)
