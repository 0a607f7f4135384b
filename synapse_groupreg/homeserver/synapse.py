# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`handlers.Homeserver` on Synapse's module API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from synapse_groupreg.homeserver import compat, delegated, pen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from synapse.module_api import ModuleApi
    from twisted.internet.defer import Deferred


P = ParamSpec("P")
R = TypeVar("R")


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
        return delegated.administers(user_id) or await self._api.is_user_admin(user_id)

    async def poke(self) -> None:
        """See `handlers.Homeserver`."""
        await self._poke.send()
        if self.refresh is not None:
            await self.refresh()

    async def ensure_account(self, user_id: str, display_name: str) -> None:
        """See `handlers.Homeserver`."""
        if await self._api.check_user_exists(user_id) is None:
            await compat.register_bot(self._api, user_id, display_name)

    async def found_direct_room(self, user_id: str, invitee: str) -> str:
        """See `handlers.Homeserver`."""
        body = {"is_direct": True, "preset": "private_chat", "invite": [invitee]}
        return await compat.create_unencrypted_room(self._api, user_id, body)

    async def bring_in(self, user_id: str, person: str, room_id: str) -> None:
        """See `handlers.Homeserver`."""
        await self._api.update_room_membership(person, person, room_id, "join")
        manager = self._api.account_data_manager
        direct = dict(await manager.get_global(person, "m.direct") or {})
        known = direct.get(user_id)
        direct[user_id] = [*(known if isinstance(known, list | tuple) else []), room_id]
        await manager.put_global(person, "m.direct", direct)

    async def invite(self, user_id: str, person: str, room_id: str) -> None:
        """See `handlers.Homeserver`."""
        await self._api.update_room_membership(user_id, person, room_id, "invite")

    async def take_out(self, user_id: str, room_id: str, reason: str) -> None:
        """See `handlers.Homeserver`."""
        # In their own name: nobody's power level may be needed, and the module's account joins no group.
        await self._api.update_room_membership(user_id, user_id, room_id, "leave", content={"reason": reason})

    async def remove(self, user_id: str, room_id: str, *, by: str, reason: str) -> None:
        """See `handlers.Homeserver`."""
        await pen.remove(self._api, user_id, room_id, by=by, reason=reason)

    async def enter(self, user_id: str, room_id: str) -> None:
        """See `handlers.Homeserver`."""
        await self._api.update_room_membership(user_id, user_id, room_id, "join")

    async def say(self, user_id: str, room_id: str, text: str, marks: Mapping[str, object]) -> None:
        """See `handlers.Homeserver`."""
        # m.text, for clients don't notify about m.notice, and this is to be seen.
        content = {"msgtype": "m.text", "body": text, **marks}
        await self._api.create_and_send_event_into_room(
            {"type": "m.room.message", "room_id": room_id, "sender": user_id, "content": content}
        )

    async def write_state(
        self,
        room_id: str,
        *,
        sender: str,
        event_type: str,
        content: Mapping[str, Any],
        state_key: str = "",
        judged: bool = True,
    ) -> None:
        """See `handlers.Homeserver`."""
        event = {"type": event_type, "room_id": room_id, "sender": sender, "state_key": state_key}
        await pen.write_state(self._api, {**event, "content": dict(content)}, judged=judged)

    async def point_alias(self, alias: str, room_id: str | None) -> None:
        """See `handlers.Homeserver`."""
        await compat.point_alias(self._api, alias, room_id)

    async def in_thread(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `handlers.Homeserver`."""
        return await self._api.defer_to_thread(work, *args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        """See `handlers.Homeserver`."""
        await self._api.sleep(seconds)

    async def wait(self, deferred: Deferred[None]) -> None:
        """See `handlers.Homeserver`."""
        await compat.wait(deferred)

    def wake(self, deferred: Deferred[None]) -> None:
        """See `handlers.Homeserver`."""
        with compat.unnamed():
            deferred.callback(None)
