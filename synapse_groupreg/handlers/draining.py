# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing of a room is removed before the recorder has read it: what Synapse purges can be recorded no more (13.2)."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.errors import Unavailable
from synapse_groupreg.storage import events, outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse_groupreg.storage.database import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
_LOOKS = 40
"""Ten seconds: longer than the recorder is ever behind while it works, shorter than an admin's patience."""


class Draining:
    """Holds up the deletion of rooms, and the removal of events from them."""

    def __init__(self, database: Database, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._database = database
        self._sleep = sleep

    async def may_delete(self, room_id: str) -> bool:
        """Wait until all events of the room are recorded. Synapse asks before, and again as it begins.

        Synapse has a refusal of its own words, and lets everything pass where a callback fails, so the reason stands in
        the log, and this function never raises.
        """
        if await self._is_recorded(room_id):
            return True
        logger.error(
            "A room was not deleted, because the retention store has not recorded all of it: see to it that the store"
            " keeps up (the background process says why it does not), then delete the room again"
        )
        return False

    async def before_purge(self, room_id: str) -> None:
        """Wait again: Synapse has written the leaves of a deletion meanwhile. Raises Unavailable to stop the purge."""
        if not await self._is_recorded(room_id):
            message = (
                "Nothing was purged, because the retention store has not recorded all of the room: see to it that the"
                " store keeps up (the background process says why it does not), then purge again."
            )
            raise Unavailable(message)

    async def _is_recorded(self, room_id: str) -> bool:
        try:
            for _ in range(_LOOKS):
                if not await self._database.run("groupreg_draining", _unread, room_id):
                    return True
                await self._sleep(_LOOK_S)
        except Exception:
            reference = secrets.token_hex(4)
            logger.exception("Whether a room was recorded could not be looked up, reference %s", reference)
        return False


def _unread(txn: Transaction, room_id: str) -> bool:
    return events.unread(txn, room_id, outbox.progress(txn))
