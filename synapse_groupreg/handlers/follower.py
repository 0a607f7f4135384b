# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks whether anything happened in the policy rooms that are followed: `following.py` has what is done then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.storage import followed, measures

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.storage.database import Database, Transaction

    KeepInStep = Callable[[Transaction, Setting], tuple[bool, bool]]


class Follower:
    """Runs on one process; a rival would do no harm, since each step looks before it writes."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        setting: Callable[[Staff], Setting],
        keep_in_step: KeepInStep,
    ) -> None:
        """`keep_in_step` does one step."""
        self._database = database
        self._homeserver = homeserver
        self._setting = setting
        self._keep_in_step = keep_in_step
        self._marks: dict[str, int] = {}

    async def every_second(self) -> None:
        """Look whether anything happened in a followed room, and only then at its rules."""
        marks = await self._database.run("groupreg_lists_look", _marks)
        if marks != self._marks:
            await self._catch_up()
            self._marks = marks

    async def every_minute(self) -> None:
        """Bring in step what no event tells of."""
        if await self._database.run("groupreg_lists_look", _any, self._homeserver.now_ms()):
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Bring the entries in step, step by step."""
        more = True
        while more:
            setting = self._setting(Staff(user_id=SERVER))
            changed, more = await self._database.run("groupreg_lists", self._keep_in_step, setting)
            if changed:
                await self._homeserver.poke()


def _marks(txn: Transaction) -> dict[str, int]:
    """Each followed room with a number that changes with every event in it."""
    return {one.room_id: followed.mark(txn, one.room_id) for one in followed.everything(txn)}


def _any(txn: Transaction, now_ms: int) -> bool:
    """Whether a room is followed, or an entry left of one that was."""
    return bool(followed.everything(txn) or measures.of_lists(txn, now_ms))
