# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The modules that ours is compared with, and ours with a stopwatch at the callback that Synapse doesn't time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from synapse.module_api import NOT_SPAM
from synapse.util.metrics import Measure

from synapse_groupreg import GroupRegModule

if TYPE_CHECKING:
    from synapse.events import EventBase
    from synapse.module_api import ModuleApi
    from synapse.types import StateMap

logger = logging.getLogger(__name__)
CAP = 1_000_000


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
    """Ours, with the guard of requests timed as Synapse itself times the other callbacks."""

    def __init__(self, config: Any, api: ModuleApi) -> None:
        super().__init__(config, _Watching(api))  # type: ignore[arg-type] # it passes everything on


class _Watching:
    def __init__(self, api: ModuleApi) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def register_account_validity_callbacks(self, **callbacks: Any) -> None:
        """Register them, the one that is asked at each request with a stopwatch around it."""
        hs = self._api._hs
        guard = callbacks.pop("is_user_expired", None)

        async def timed(user_id: str) -> bool | None:
            with Measure(hs.get_clock(), name="synapse_groupreg.is_user_expired", server_name=hs.hostname):
                answer: bool | None = await guard(user_id)
                return answer

        if guard is not None:
            callbacks["is_user_expired"] = timed
        self._api.register_account_validity_callbacks(**callbacks)


async def _fine(*_: object) -> Any:
    return NOT_SPAM


async def _may_create(_user_id: str, _config: dict[str, Any]) -> Any:
    return NOT_SPAM


async def _nothing(*_: object) -> None:
    return None
