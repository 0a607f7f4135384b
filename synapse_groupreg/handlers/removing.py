# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Removes the members of a closed group when they could read it long enough (article 11.1).

What is left to do is read from the room itself each time: a crash can neither lose nor double anything.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.notices import wait_ms
from synapse_groupreg.storage import measures, removals, state

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.removals import Removal

logger = logging.getLogger(__name__)

_AT_ONCE = 50
_PAUSE_MS = 1_000


class Removing:
    """Runs on the background process."""

    def __init__(self, database: Database, homeserver: Homeserver) -> None:
        self._database = database
        self._homeserver = homeserver
        self._busy = False

    async def work(self) -> None:
        """Remove some members of the next closed group that is due."""
        if self._busy:
            return
        self._busy = True
        try:
            now_ms = self._homeserver.now_ms()
            due = await self._database.run("groupreg_removals", removals.next_due, now_ms)
            if due is not None:
                await self._remove(due)
        finally:
            self._busy = False

    async def _remove(self, removal: Removal) -> None:
        left, reason = await self._database.run("groupreg_removals", _left, removal, self._homeserver.server_name)
        failed = 0
        for member in left[:_AT_ONCE]:
            # Staff may lift it meanwhile.
            if not await self._database.run("groupreg_removals", removals.waiting, removal.measure_id):
                return
            try:
                await self._homeserver.take_out(member, removal.room_id, reason)
            except Exception:
                reference = secrets.token_hex(4)
                logger.exception("A member of a closed group could not be removed, reference %s", reference)
                failed += 1
        now_ms = self._homeserver.now_ms()
        if not left:
            await self._database.run("groupreg_removals", removals.finish, removal.measure_id, now_ms)
            return
        problem = f"{failed} could not be removed; see the log, reference {reference}" if failed else None
        next_ms = now_ms + (wait_ms(removal.tries) if failed else _PAUSE_MS)
        await self._database.run("groupreg_removals", removals.put_back, removal, next_ms=next_ms, problem=problem)


def _left(txn: Transaction, removal: Removal, server_name: str) -> tuple[list[str], str]:
    """The members of this server who are still in the group, and why they are removed."""
    measure = measures.get(txn, removal.measure_id)
    left = [one for one in state.joined(txn, removal.room_id) if server_of(one) == server_name]
    return left, "" if measure is None else f"{measure.reason} ({measure.id})"
