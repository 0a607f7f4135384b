# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Use cases, one a file: the only code that knows both the rules and the storage.

`Homeserver` is the port to Synapse; `homeserver/compat.py` implements it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.defer import Deferred


P = ParamSpec("P")
R = TypeVar("R")


class Homeserver(Protocol):
    """What the use cases ask of Synapse."""

    server_name: str
    public_baseurl: str

    def now_ms(self) -> int:
        """The time, in milliseconds since the epoch."""

    def is_mine(self, identifier: str) -> bool:
        """Whether a Matrix id belongs to this server."""

    async def is_admin(self, user_id: str) -> bool:
        """Whether an account of this server is a server admin; from Synapse's cache."""

    async def poke(self) -> None:
        """Tell every process that there is a new version of what they keep in memory."""

    async def ensure_account(self, user_id: str, display_name: str) -> None:
        """Make an account of the module's own, a bot without a password, unless it is there."""

    async def found_direct_room(self, user_id: str, invitee: str) -> str:
        """Make an unencrypted direct room; its id."""

    async def bring_in(self, user_id: str, person: str, room_id: str) -> None:
        """Join a person to the direct room that `user_id` made for them, and list it among their direct chats."""

    async def invite(self, user_id: str, person: str, room_id: str) -> None:
        """Invite a person to a room."""

    async def take_out(self, user_id: str, room_id: str, reason: str) -> None:
        """Let a member leave a room that was closed, as Synapse itself does with rooms that it shuts down."""

    async def remove(self, user_id: str, room_id: str, *, by: str, reason: str) -> None:
        """Let a member who has the power to, remove another; whatever their own standing: it carries out a rule."""

    async def enter(self, user_id: str, room_id: str) -> None:
        """Join an account of the module's own to a room that it may join. Joining twice is the same as once."""

    async def say(self, user_id: str, room_id: str, text: str, marks: Mapping[str, object]) -> None:
        """Send a text message; `marks` are further keys of its content."""

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
        """Write state that nobody asked for at that moment. Raises NotPermitted if it is refused.

        Not `judged`, it is written whatever the sender's own standing: it carries out what others decided.
        """

    async def point_alias(self, alias: str, room_id: str | None) -> None:
        """Let an alias of this server lead to a room, or to none, whatever it led to before."""

    async def in_thread(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what blocks in a thread, and wait for it."""

    async def sleep(self, seconds: float) -> None:
        """Let some time pass."""

    async def wait(self, deferred: Deferred[None]) -> None:
        """Wait without losing Synapse's logging context."""

    def wake(self, deferred: Deferred[None]) -> None:
        """Let go on who waits, without losing it either."""
