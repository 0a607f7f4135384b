# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hears commands among the messages that were let through, and has them answered once Synapse is done with them.

For all other messages it looks at a few characters.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from synapse_groupreg.policy.commands import is_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse.events import EventBase
    from synapse.module_api import ModuleApi

    from synapse_groupreg.handlers.commands import Commands

logger = logging.getLogger(__name__)

_AFTER_MS = 100
"""By then Synapse has written the message, or refused it."""


class Ear:
    """Listens in one process; to nothing where nobody could answer. `commands` are made as the first one is heard."""

    def __init__(self, api: ModuleApi, commands: Callable[[], Commands] | None, own_account: str | None) -> None:
        self._api = api
        self._commands = commands
        self._own_account = own_account

    def listen(self, event: EventBase) -> None:
        """Look at an event that was let through."""
        if self._commands is None or event.type != "m.room.message" or event.sender == self._own_account:
            return
        body = event.content.get("body")
        # Other bots speak in notices; answering these could go on for ever.
        if isinstance(body, str) and is_command(body) and event.content.get("msgtype") == "m.text":
            self._api.delayed_background_call(
                _AFTER_MS,
                self._answer,
                event.sender,
                event.room_id,
                body,
                _mentioned(event.content.get("m.mentions")),
                desc="groupreg_command",
            )

    async def _answer(self, user_id: str, room_id: str, body: str, mentions: list[str]) -> None:
        assert self._commands is not None
        try:
            await self._commands().hear(user_id, room_id, body, mentions)
        except Exception:
            logger.exception("A command was not answered")


def _mentioned(said: object) -> list[str]:
    """Whom a message links, as its client says."""
    named = said.get("user_ids") if isinstance(said, Mapping) else None
    return [one for one in named if isinstance(one, str)] if isinstance(named, list | tuple) else []
