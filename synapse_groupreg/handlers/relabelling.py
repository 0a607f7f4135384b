# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels are taken from managers whose management is suspended, and given back afterwards (articles 8.6 and 11.2).

What labels should say is compared with what they say, whenever memory learns of something new, when a suspension ends,
and once a minute, since power levels change too. So nothing is lost by a crash, and nothing is written twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers import labelling
from synapse_groupreg.handlers.measures import bound
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.handlers.writers import writer
from synapse_groupreg.policy.labels import LABEL_TYPES, LABELS
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.suspensions import ManagementSuspended
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import acts, labels, measures, rooms
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.storage.database import Database, Transaction

logger = logging.getLogger(__name__)

_AT_LEAST_MS = 60_000


@frozen(kw_only=True)
class Change:
    """Labels of a group that say something else than they should."""

    room_id: str
    sender: str
    """In whose name they are written."""
    now: labelling.Contents
    wanted: labelling.Contents


class Relabelling:
    """Runs on one process. A dry run changes no labels."""

    def __init__(self, config: GroupRegConfig, database: Database, homeserver: Homeserver, snapshot: Snapshot) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._snapshot = snapshot
        self._seen: int | None = None
        """The version of memory at the last look."""
        self._next_ms = 0
        self._refused: dict[str, labelling.Contents] = {}
        """What Synapse wouldn't write, by group: not tried again until something else is to be written."""

    async def every_second(self) -> None:
        """Look if there may be something to do, and do it."""
        now_ms, version = self._homeserver.now_ms(), self._snapshot.version
        enforced = self._snapshot.mode == "enforce" and ManagementSuspended.code not in self._config.dry_run
        if not (self._config.labels.enabled and enforced) or (version == self._seen and now_ms < self._next_ms):
            return
        changes, self._next_ms = await self._database.run(
            "groupreg_relabel", out_of_step, self._config, self._homeserver.server_name, now_ms
        )
        self._refused = {one.room_id: one.wanted for one in changes if self._refused.get(one.room_id) == one.wanted}
        for change in changes:
            if change.room_id not in self._refused:
                await self._write(change)
        self._seen = version

    async def _write(self, change: Change) -> None:
        try:
            for event_type, content in change.wanted.items():
                await self._homeserver.write_state(
                    change.room_id, sender=change.sender, event_type=event_type, content=content, judged=False
                )
        except NotPermitted as refusal:
            self._refused[change.room_id] = change.wanted
            logger.info("Synapse refused the labels of %s: %s", change.room_id, refusal.message)
            return
        except Exception:
            # Found again in a minute; meanwhile it must not keep others waiting.
            logger.exception("Writing the labels of %s failed", change.room_id)
            return
        await self._database.run("groupreg_relabel", _note, change, self._homeserver.now_ms())


def out_of_step(txn: Transaction, config: GroupRegConfig, server_name: str, now_ms: int) -> tuple[list[Change], int]:
    """The groups whose labels name somebody whom they should leave out, or the reverse; and when to look again."""
    suspensions = measures.in_force(txn, MeasureKind.management_suspended, now_ms)
    changes = []
    before = labels.leaving_out(txn)
    for room_id in sorted(before | _where_they_are(txn, suspensions)):
        row = rooms.ensure(txn, room_id)
        if row is None or row.kind is not RoomKind.group or row.successor is not None:
            labels.leave_nobody_out(txn, room_id)
            continue
        now, wanted = labelling.current(txn, room_id), labelling.wanted(txn, row, config, now_ms)
        if _left_out(wanted):
            labels.leave_out(txn, room_id)
        elif room_id not in before:
            continue
        if now != wanted:
            sender = writer(txn, row, LABEL_TYPES, server_name)
            changes += [] if sender is None else [Change(room_id=room_id, sender=sender, now=now, wanted=wanted)]
        elif not _left_out(wanted):
            labels.leave_nobody_out(txn, room_id)
    ends = [one.until_ms for one in suspensions if one.until_ms is not None]
    return changes, min([now_ms + _AT_LEAST_MS, *ends])


def _where_they_are(txn: Transaction, suspensions: list[Measure]) -> set[str]:
    """The labelled groups in which somebody is whose management is suspended there."""
    binds = bound(txn, suspensions)
    found = labels.labelled_with(txn, [account for account, _ in binds])
    in_rooms: dict[str, list[str]] = {}
    for room_id, account in found:
        in_rooms.setdefault(account, []).append(room_id)
    return {room_id for account, one in binds for room_id in in_rooms.get(account, ()) if one.holds_in(room_id)}


def _left_out(contents: labelling.Contents) -> list[Any]:
    """Whom labels leave out."""
    return list((contents[LABELS] or {}).get("left_out", ()))


def _note(txn: Transaction, change: Change, now_ms: int) -> None:
    before, after = _left_out(change.now), _left_out(change.wanted)
    if not after:
        labels.leave_nobody_out(txn, change.room_id)
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="label",
        subject=change.room_id,
        reason="management suspended" if set(after) - set(before) else "suspension over",
        before={"labels": labelling.shown(change.now), "left_out": before},
        after={"labels": labelling.shown(change.wanted), "left_out": after},
    )
