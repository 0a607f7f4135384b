# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Removing periods that were kept long enough: which, and how, in steps that a crash may come between (article 13.2).

First the record of the removal and the wish for it are written in one transaction; when the log of acts has that
record and it is signed, the period goes; then the wish. Each step looks first whether it was done.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.records import Kind, LogName, b64
from synapse_groupreg.storage import acts, keeping, outbox
from synapse_groupreg.storage.entries import OUTBOX, draft
from synapse_groupreg.storage.store import Period
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synapse_groupreg.config.retention import RetentionConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.keeping import Hold, Work
    from synapse_groupreg.storage.store import PeriodInfo

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Standing:
    """How far a period is from its removal."""

    log: str
    info: PeriodInfo
    goes_ms: int | None
    """From when on it may go; None while it has no records and is the newest."""
    held_by: tuple[int, ...]
    """Legal holds that keep it."""

    def due(self, now_ms: int) -> bool:
        """Whether nothing but an older period keeps it."""
        return self.goes_ms is not None and self.goes_ms < now_ms and not self.held_by

    def shown(self, now_ms: int) -> dict[str, Any]:
        """As answers have it."""
        info = self.info
        return {
            "log": self.log,
            "shard": info.period.shard,
            "month": info.period.month,
            "records": info.end - info.first,
            "oldest_ms": info.oldest_ms,
            "newest_ms": info.newest_ms,
            "bytes": info.bytes,
            "goes_ms": self.goes_ms,
            "held_by": list(self.held_by),
            "due": self.due(now_ms),
        }


def keeps(config: RetentionConfig) -> dict[LogName, int]:
    """How long each log's records are kept; longer while recording is switched off."""
    if config.enabled:
        return {LogName.events: config.keep, LogName.acts: config.keep_acts}
    return {LogName.events: config.keep_at_most, LogName.acts: max(config.keep_acts, config.keep_at_most)}


def standings(log: str, infos: Sequence[PeriodInfo], keep_ms: int, holds: Sequence[Hold]) -> list[Standing]:
    """All periods of a log, the oldest first."""
    found = []
    for at, info in enumerate(infos):
        # A period without records goes with those before it; the newest is written to yet.
        empty = None if at == len(infos) - 1 else 0
        held = (one.id for one in holds if one.log == log and one.touches(info.oldest_ms, info.newest_ms))
        goes_ms = empty if info.newest_ms is None else info.newest_ms + keep_ms
        found.append(Standing(log=log, info=info, goes_ms=goes_ms, held_by=tuple(held)))
    return found


def removable(standing: Sequence[Standing], now_ms: int) -> list[PeriodInfo]:
    """The oldest periods that are due, up to the first that is not: only a beginning can go."""
    found = []
    for one in standing:
        if not one.due(now_ms):
            break
        found.append(one.info)
    return found


def wish(txn: Transaction, log: str, period: Period, now_ms: int, said: Mapping[str, Any]) -> None:
    """Ask for a period to be removed; `said`: `by` whom and for what `reason`."""
    payload = {"shard": period.shard, "month": period.month, "by": said["by"], "reason": said["reason"]}
    keeping.queue(txn, keeping.PURGE, log, f"{period.shard}-{period.month}", payload=payload, now_ms=now_ms)


class Purging:
    """Removes one period after the other."""

    def __init__(self, database: Database, homeserver: Homeserver, seal: Callable[[bytes], bytes]) -> None:
        self._database = database
        self._homeserver = homeserver
        self._seal = seal

    async def step(self, logs: Mapping[LogName, Log], work: Work) -> None:
        """Do what can be done now. Raises Fenced, StoreUnavailable."""
        log, now_ms = logs[LogName(work.log)], self._homeserver.now_ms()
        period = Period(work.payload["shard"], work.payload["month"])
        infos = await self._homeserver.in_thread(log.reader.periods)
        if all(info.period != period for info in infos):
            await self._database.run("groupreg_purge", keeping.done, work.id)  # a crash came after the removal
            return
        info = infos[0]
        if info.period != period:
            return  # the older one goes first
        holds = await self._database.run("groupreg_purge", keeping.holds_in_force, now_ms)
        if any(one.log == work.log and one.touches(info.oldest_ms, info.newest_ms) for one in holds):
            await self._held(work)
        elif period == log.head.period:
            # So old that nothing came since: it is closed as if a record came now, and goes then.
            await self._homeserver.in_thread(log.roll, now_ms)
        elif work.outbox_id is None:
            await self._tell(log, work, info)
        elif await self._is_told(logs[LogName.acts], work.outbox_id):
            await self._homeserver.in_thread(log.purge, [period], info.end, now_ms)
            await self._database.run("groupreg_purge", keeping.done, work.id)
            logger.info("Records %d to %d of the log %s were removed", info.first, info.end - 1, log.name)

    async def _held(self, work: Work) -> None:
        """A hold came in between: without a record nothing is wished for any more; with one it goes after the hold."""
        if work.outbox_id is None:
            await self._database.run("groupreg_purge", keeping.done, work.id)

    async def _tell(self, log: Log, work: Work, info: PeriodInfo) -> None:
        root = await self._homeserver.in_thread(log.root, info.period.shard, info.end)
        facts = {
            "log": log.name,
            "shard": info.period.shard,
            "from": info.first,
            "to": info.end,
            "root": b64(root),
            "months": [info.period.month],
        }
        await self._database.run("groupreg_purge", _tell, work, facts, self._seal, self._homeserver.now_ms())

    async def _is_told(self, acts_log: Log, outbox_id: int) -> bool:
        """Whether the log of acts has the record of the removal, and a checkpoint covers it."""
        if acts_log.signed_size != acts_log.head.size:
            return False
        taken = acts_log.head.cursors.get(OUTBOX, 0)
        return await self._database.run("groupreg_purge", keeping.is_recorded, outbox_id, taken)


def _tell(txn: Transaction, work: Work, facts: dict[str, Any], seal: Callable[[bytes], bytes], now_ms: int) -> None:
    if not keeping.claim(txn, work.id):
        return
    by, reason = work.payload["by"], work.payload["reason"]
    number = acts.append(
        txn,
        now_ms=now_ms,
        author=by,
        action="purge",
        subject=f"log {work.log}",
        reason=reason,
        before=None,
        after=facts,
    )
    acts.recorded_otherwise(txn, number)
    entry = draft(
        Kind.purge,
        now_ms,
        type="purge",
        actor=by if by.startswith("@") else None,
        details={"reason": reason},
        facts={"act": number, **facts},
    )
    [outbox_id] = outbox.append(txn, [entry], seal)
    keeping.told(txn, work.id, outbox_id)
