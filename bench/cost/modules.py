# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The modules that ours is compared with, and ours with a stopwatch at each of its callbacks."""

from __future__ import annotations

import functools
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse.module_api import NOT_SPAM

from synapse_groupreg import GroupRegModule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse.events import EventBase
    from synapse.module_api import ModuleApi
    from synapse.types import StateMap

logger = logging.getLogger(__name__)
CAP = 1_000_000
NOTES = "callbacks.txt"
"""Beside the configuration of the homeserver."""


class Plain:
    """A module without options."""

    @staticmethod
    def parse_config(config: dict[str, Any]) -> dict[str, Any]:
        """Nothing to read."""
        return config


class AtOnce(Plain):
    """The callbacks that ours registers, each of which returns at once: what Synapse takes for asking."""

    def __init__(self, _config: dict[str, Any], api: ModuleApi) -> None:
        api.register_spam_checker_callbacks(
            check_event_for_spam=_fine,
            user_may_join_room=_fine,
            user_may_invite=_fine,
            user_may_create_room=_may_create,
            user_may_send_state_event=_fine,
            check_login_for_spam=_fine,
        )
        api.register_third_party_rules_callbacks(on_create_room=_nothing)
        api.register_account_validity_callbacks(is_user_expired=_nothing)


class CommonWay(Plain):
    """How a cap and a log are usually written: from the state that Synapse hands over, and from what it announces."""

    def __init__(self, _config: dict[str, Any], api: ModuleApi) -> None:
        api.register_third_party_rules_callbacks(
            check_event_allowed=self.check_event_allowed, on_new_event=self.on_new_event
        )

    async def check_event_allowed(self, event: EventBase, state: StateMap[EventBase]) -> tuple[bool, None]:
        """Count the members of the room."""
        members = sum(
            one.content.get("membership") == "join" for (kind, _), one in state.items() if kind == "m.room.member"
        )
        return event.type != "m.room.member" or members < CAP, None

    async def on_new_event(self, event: EventBase, _state: StateMap[EventBase]) -> None:
        """Log the event."""
        logger.info("%s %s in %s by %s", event.event_id, event.type, event.room_id, event.sender)


class Watched(GroupRegModule):
    """Ours, which notes what each call of a callback took, by the clock of processor time of its thread."""

    def __init__(self, config: Any, api: ModuleApi) -> None:
        notes = (Path(api._hs.config.config_files[0]).parent / NOTES).open("a", buffering=1)
        super().__init__(config, _Watching(api, lambda took: notes.write(f"{took}\n")))  # type: ignore[arg-type] # it passes everything on


class _Watching:
    def __init__(self, api: ModuleApi, note: Callable[[int], object]) -> None:
        self._api = api
        self._note = note

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._api, name)
        return self._watched(found) if re.fullmatch("register_.*_callbacks", name) else found

    def _watched(self, register: Callable[..., None]) -> Callable[..., None]:
        def registered(**callbacks: Callable[..., Awaitable[Any]]) -> None:
            register(**{name: clocked(callback, self._note) for name, callback in callbacks.items()})

        return registered


def clocked(callback: Callable[..., Awaitable[Any]], note: Callable[[int], object]) -> Callable[..., Awaitable[Any]]:
    """A callback whose calls are timed, in nanoseconds; also what else its thread does while one waits for something.

    Not by Synapse's block metrics: they read getrusage(2), which some kernels bring up to date by their ticks alone.
    """

    @functools.wraps(callback)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.thread_time_ns()
        try:
            return await callback(*args, **kwargs)
        finally:
            note(time.thread_time_ns() - began)

    return timed


async def _fine(*_: object) -> Any:
    return NOT_SPAM


async def _may_create(_user_id: str, _config: dict[str, Any]) -> Any:
    return NOT_SPAM


async def _nothing(*_: object) -> None:
    return None
