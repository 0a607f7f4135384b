# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups whose create event doesn't name their number get it written into their state (article 8.2).

Those are groups from before the module, successors, and direct chats that became groups. A few a second, for each is an
event that goes to all members. In whose name, `writers` says. What was looked at is kept with the number, so nothing is
looked for twice, and a crash loses nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.writers import writer
from synapse_groupreg.policy.numbers import NUMBER, named
from synapse_groupreg.storage import numbers, rooms, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.numbers import Candidate

logger = logging.getLogger(__name__)

A_SECOND = 5
_LATER_MS = 60_000
_MOST = 1_000


class Inscribing:
    """Runs on one process."""

    def __init__(self, database: Database, homeserver: Homeserver) -> None:
        self._database = database
        self._homeserver = homeserver
        self._later: dict[str, int] = {}
        """When groups are tried again where it failed."""

    def some(self, txn: Transaction, now_ms: int) -> list[Candidate]:
        """The next groups of which it isn't known whether their state has the number; it is noted of those that do."""
        self._later = {room_id: until_ms for room_id, until_ms in self._later.items() if now_ms < until_ms}
        found = numbers.uninscribed(txn, A_SECOND + len(self._later))
        return [one for one in found if one.room_id not in self._later and not _has_it(txn, one)]

    async def write(self, found: Sequence[Candidate]) -> None:
        """Write the numbers of these groups into their state, where they are missing."""
        for one in found:
            assert one.number is not None
            sender = await self._database.run("groupreg_inscribe", _look, one, self._homeserver.server_name)
            try:
                if sender is not None:
                    await self._write(one.room_id, sender, one.number)
            except Exception:
                # It must not keep others waiting.
                logger.exception("Writing the number of %s failed; it is tried again in a minute", one.room_id)
                self._wait(one.room_id)

    async def _write(self, room_id: str, sender: str, number: str) -> None:
        if sender == _BEING_MADE:
            self._wait(room_id)
            return
        written = True
        try:
            await self._homeserver.write_state(
                room_id, sender=sender, event_type=NUMBER, content={"number": number}, judged=False
            )
        except NotPermitted:
            logger.info("Synapse refused to write the number of %s into its state", room_id)
            written = False
        await self._database.run("groupreg_inscribe", numbers.inscribe, room_id, written=written)

    def _wait(self, room_id: str) -> None:
        if len(self._later) >= _MOST:
            self._later.clear()
        self._later[room_id] = self._homeserver.now_ms() + _LATER_MS


_BEING_MADE = ""


def _has_it(txn: Transaction, group: Candidate) -> bool:
    """Whether the state of a group has its number, which is noted then."""
    said = named(state.content(txn, group.room_id, "m.room.create"), state.content(txn, group.room_id, NUMBER))
    if said != group.number:
        return False
    numbers.inscribe(txn, group.room_id, written=True)
    return True


def _look(txn: Transaction, group: Candidate, server_name: str) -> str | None:
    """In whose name the number is to be written; None if there is nothing to write, which is noted then."""
    if _has_it(txn, group):
        return None
    room_id, row = group.room_id, rooms.get(txn, group.room_id)
    if state.create(txn, room_id) is not None and room_id not in state.access(txn, [room_id]):
        return _BEING_MADE
    sender = None if row is None else writer(txn, row, [NUMBER], server_name)
    if sender is None:
        numbers.inscribe(txn, room_id, written=False)
    return sender
