# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels of groups that exist: asked for by the founder, in whose name they are written (article 8.6).

What was asked for is committed with the journal first and written to the room afterwards; after a crash, upkeep does
that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.measures import suspended_in
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.policy.labels import CINNY_TAGS, LABEL_TYPES, LABELS, Roster, labels, names_shown
from synapse_groupreg.policy.roles import managers
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import acts, rooms, state
from synapse_groupreg.storage import labels as promises

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.rooms import RoomRow

logger = logging.getLogger(__name__)

Contents = dict[str, Any]
"""The content of each label event of a room, by its type; None where there is none."""


class Labeller:
    """Writes labels that were promised."""

    def __init__(self, config: GroupRegConfig, database: Database, homeserver: Homeserver) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver

    async def finish(self, room_id: str, sender: str) -> None:
        """Write the labels of a group that `sender` asked for. Raises NotPermitted if they are refused."""
        now_ms = self._homeserver.now_ms()
        if await self._database.run("groupreg_labels", promises.is_promised, room_id, sender, now_ms):
            await self._write(room_id, sender)

    async def _write(self, room_id: str, sender: str) -> None:
        now_ms = self._homeserver.now_ms()
        contents = await self._database.run("groupreg_labels", _wanted_in, room_id, self._config, now_ms)
        try:
            for event_type, content in contents.items():
                await self._homeserver.write_state(room_id, sender=sender, event_type=event_type, content=content)
        except NotPermitted as refusal:
            await self._database.run("groupreg_labels", _give_up, room_id, sender, refusal.message, now_ms)
            raise
        await self._database.run("groupreg_labels", promises.settle, room_id, sender)

    async def write_all(self) -> None:
        """Write what upgrades asked for, and what a crash left over."""
        waiting = await self._database.run("groupreg_labels", promises.promised, self._homeserver.now_ms())
        for room_id, sender in waiting:
            try:
                await self._write(room_id, sender)
            except NotPermitted:
                logger.info("Synapse refused the labels of %s; the journal says why", room_id)
            except Exception:
                # The promise stays, so this is tried again; meanwhile it must not keep others waiting.
                logger.exception("Writing the labels of %s failed", room_id)


def wanted(txn: Transaction, row: RoomRow, config: GroupRegConfig, now_ms: int) -> Contents:
    """What the label events of a group should say now."""
    made = state.create(txn, row.room_id)
    levels = state.content(txn, row.room_id, "m.room.power_levels")
    creators = () if made is None else made.creators
    suspended = state.joined_among(txn, row.room_id, suspended_in(txn, row.room_id, now_ms))
    manager_level = config.roles.manager_power_level
    leading = managers(levels, from_level=manager_level, founder=None, members=suspended, creators=creators)
    roster = Roster(
        founder=row.founder,
        power_levels=levels,
        creators_above=row.founder in creators,
        manager_level=manager_level,
        left_out=frozenset({*leading, *(suspended & {row.founder})}),
    )
    return dict(labels(roster, config.languages_of_labels))


def current(txn: Transaction, room_id: str) -> Contents:
    """What the label events of a room say."""
    return {event_type: state.content(txn, room_id, event_type) for event_type in LABEL_TYPES}


def shown(contents: Contents) -> dict[str, str] | None:
    """The word of each level, as clients show it; None for a room without our labels."""
    return names_shown(contents[CINNY_TAGS]) if contents[LABELS] else None


def carry_over(txn: Transaction, old: str, new: RoomRow | None, config: GroupRegConfig, now_ms: int) -> None:
    """Promise labels to the successor of a labelled group, in the name of its founder, who upgraded it."""
    before = shown(current(txn, old))
    if before is None or new is None or new.kind is not RoomKind.group or not config.labels.enabled:
        return
    promises.promise(txn, new.room_id, new.founder, now_ms)
    acts.append(
        txn,
        now_ms=now_ms,
        author=new.founder,
        action="label",
        subject=new.room_id,
        reason="upgrade",
        before={"labels": None},
        after={"labels": shown(wanted(txn, new, config, now_ms))},
    )


def _wanted_in(txn: Transaction, room_id: str, config: GroupRegConfig, now_ms: int) -> Contents:
    row = rooms.ensure(txn, room_id)
    return {} if row is None else wanted(txn, row, config, now_ms)


def _give_up(txn: Transaction, room_id: str, sender: str, reason: str, now_ms: int) -> None:
    promises.settle(txn, room_id, sender)
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="label",
        subject=room_id,
        reason=f"refused: {reason}",
        before=None,
        after={"labels": shown(current(txn, room_id))},
    )
