# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A room is not deleted before the recorder has read it: what Synapse purges can be recorded no more (article 13.2).

What Synapse writes into the room while it deletes it, the leaves in the name of its members, may be purged unread.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.storage import events, outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse_groupreg.storage.database import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
_LOOKS = 40
"""Ten seconds: longer than the recorder is ever behind while it works, shorter than an admin's patience."""


class Draining:
    """Holds up the deletion of rooms."""

    def __init__(self, database: Database, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._database = database
        self._sleep = sleep

    async def check_can_shutdown_room(self, _user_id: str | None, room_id: str) -> bool:
        """Wait until all events of the room are recorded. Synapse asks before, and again as it begins.

        Synapse has a refusal of its own words, and lets everything pass where a callback fails, so the reason stands in
        the log, and this function never raises.
        """
        try:
            for _ in range(_LOOKS):
                if not await self._database.run("groupreg_draining", _unread, room_id):
                    return True
                await self._sleep(_LOOK_S)
        except Exception:
            reference = secrets.token_hex(4)
            logger.exception("Whether a room was recorded could not be looked up, reference %s", reference)
        logger.error(
            "A room was not deleted, because the retention store has not recorded all of it: see to it that the store"
            " keeps up (the background process says why it does not), then delete the room again"
        )
        return False


def _unread(txn: Transaction, room_id: str) -> bool:
    return events.unread(txn, room_id, outbox.progress(txn))
