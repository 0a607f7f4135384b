# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the owner of the retention store does besides recording: removes, erases, renews keys, goes on after a loss."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from synapse_groupreg.config.retention import DAY_MS
from synapse_groupreg.handlers.retention.clock import ClockWatch
from synapse_groupreg.handlers.retention.purging import Purging, keeps, removable, standings, wish
from synapse_groupreg.handlers.retention.rotating import Rotating
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.storage import keeping, reported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synapse_groupreg.config.retention import RetentionConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.erasing import Erasing
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.handlers.retention.rotating import KeyFiles
    from synapse_groupreg.retention.records import LogName
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.keeping import Hold, Work
    from synapse_groupreg.storage.store import PeriodInfo

logger = logging.getLogger(__name__)

LOOK_EVERY_MS = 3_600_000
AGAIN_MS = DAY_MS
"""After the removal of a period the next one of the log waits for so long, so that a mistake costs one month."""


class Keeping:
    """Carries out what staff asked for, and what time brings; once, whatever crashes."""

    def __init__(
        self,
        config: RetentionConfig,
        database: Database,
        homeserver: Homeserver,
        *,
        seal: Callable[[bytes], bytes],
        keys: KeyFiles,
        clock: ClockWatch | None = None,
    ) -> None:
        self._config = config
        self._seal = seal
        self._keys = keys
        self._keeps = keeps(config)
        self._database = database
        self._homeserver = homeserver
        self._clock = clock or ClockWatch()
        self._purging = Purging(database, homeserver, seal)
        self._rotating = Rotating(database, homeserver, keys)
        self._look_ms = 0
        self._behind: str | None = None
        """The log whose end was lost."""
        self._reported: tuple[str | None, str | None] | None = None
        self.next_purge_ms: int | None = None
        """When the next period may go."""
        self.alarms: dict[str, str] = {}
        """What an operator has to know, by its code."""

    def opened(self, logs: Mapping[LogName, Log]) -> None:
        """Look at the clock before new records come, whose times say the same as it."""
        self._look_at_clock(logs)

    async def round(self, logs: Mapping[LogName, Log]) -> bool:
        """Do what waits; whether a checkpoint is to be signed at once. Raises Fenced, StoreUnavailable, SealError."""
        now_ms = self._homeserver.now_ms()
        work = await self._database.run("groupreg_keeping", keeping.waiting)
        forced = [one for one in work if one.kind == keeping.LOOK]
        asked = [one for one in work if one.kind == keeping.ERASE and "erasure" not in one.payload]
        if forced or asked or not 0 <= now_ms - self._look_ms < LOOK_EVERY_MS:
            self._look_ms = now_ms
            await self._look(logs, now_ms, forced)
            await self._database.run("groupreg_keeping", _forget, asked)
            work = await self._database.run("groupreg_keeping", keeping.waiting)
        return any([await self._step(logs, one) for one in work])

    async def reopen(self, log: Log) -> bool:
        """Whether an operator said that a log is to go on after its end was lost; then it does."""
        work = await self._database.run("groupreg_keeping", keeping.waiting, keeping.EPOCH)
        if all(one.log != log.name for one in work):
            self._behind = log.name
            return False
        await self._homeserver.in_thread(log.reopen_as_next_shard, self._homeserver.now_ms())
        logger.warning("The log %s goes on as %s", log.name, log.origin)
        return True

    async def report(self, problem: str | None) -> None:
        """Let every process know why nothing is recorded, or that all is well. Never raises."""
        if problem is None:
            self._behind = None
        if (problem, self._behind) == self._reported:
            return
        now_ms = self._homeserver.now_ms()
        try:
            if await self._database.run("groupreg_report", reported.report, problem, self._behind, now_ms):
                await self._homeserver.poke()
            self._reported = (problem, self._behind)
        except Exception:
            logger.exception("What the recorder has to say could not be written to Synapse's database")

    async def _step(self, logs: Mapping[LogName, Log], work: Work) -> bool:
        if work.kind == keeping.PURGE:
            await self._purging.step(logs, work)
        elif work.kind == keeping.ROTATE:
            return await self._rotating.step(logs, work)
        elif work.kind == keeping.ERASE and "erasure" in work.payload:
            await self._erasing.step(logs, work)
        elif work.kind == keeping.EPOCH:
            # The log is open, so it went on already, or never had to.
            await self._database.run("groupreg_keeping", keeping.done, work.id)
        return False

    async def _look(self, logs: Mapping[LogName, Log], now_ms: int, forced: Sequence[Work]) -> None:
        """Find periods that may go; staff may ask for all that are due at once, whatever the clock."""
        doubt = self._look_at_clock(logs)
        holds = await self._database.run("groupreg_keeping", keeping.holds_in_force, now_ms)
        due: list[tuple[str, PeriodInfo]] = []
        goes: list[int] = []
        for name, log in logs.items():
            infos = await self._homeserver.in_thread(log.reader.periods)
            standing = standings(log.name, infos, self._keeps[name], holds)
            goes += [one.goes_ms for one in standing[:1] if one.goes_ms]
            found = removable(standing, now_ms)
            if not forced:
                rested = now_ms - log.head.purged_ms >= AGAIN_MS
                found = found[:1] if rested and doubt is None else []
            due += [(log.name, info) for info in found]
        self.next_purge_ms = min(goes, default=None)
        await self._look_at_erasures(logs, holds, doubted=doubt is not None)
        await self._database.run("groupreg_keeping", _ask, due, forced, now_ms)

    async def _look_at_erasures(self, logs: Mapping[LogName, Log], holds: list[Hold], *, doubted: bool) -> None:
        missing: Sequence[str] = ()
        if await self._database.run("groupreg_keeping", keeping.erasures_wait):
            await self._erasing.look(logs, holds, doubted=doubted)
            missing = self._erasing.missing
        self.alarm("erasures-wait", _waiting_for(missing))

    @cached_property
    def _erasing(self) -> Erasing:
        from synapse_groupreg.handlers.retention.erasing import Erasing  # noqa: PLC0415 - most servers never erase

        return Erasing(
            self._database,
            self._homeserver,
            seal=self._seal,
            keys=self._keys,
            duty_ms=self._config.keep,
            keeps=self._keeps,
        )

    def _look_at_clock(self, logs: Mapping[LogName, Log]) -> str | None:
        newest_ms = max(log.head.newest_ms for log in logs.values())
        doubt = self._clock.look(self._homeserver.now_ms(), newest_ms)
        self.alarm("clock", doubt)
        return doubt

    def alarm(self, code: str, text: str | None) -> None:
        """Tell operators what is wrong; None once it is right again."""
        if text is None:
            self.alarms.pop(code, None)
        elif self.alarms.get(code) != text:
            self.alarms[code] = text
            logger.error("Retention store: %s", text)


def _ask(txn: Transaction, due: Sequence[tuple[str, PeriodInfo]], forced: Sequence[Work], now_ms: int) -> None:
    said = forced[0].payload if forced else {"by": SERVER, "reason": "keep"}
    for log, info in due:
        wish(txn, log, info.period, now_ms, said)
    _forget(txn, forced)


def _waiting_for(missing: Sequence[str]) -> str | None:
    if not missing:
        return None
    return (
        f"erasures wait for records of {', '.join(missing)}, which retention.store has not, or not all of: if they are"
        " elsewhere, name that place, or put the copy back; else they count as erased once their time is up"
    )


def _forget(txn: Transaction, work: Sequence[Work]) -> None:
    for one in work:
        keeping.done(txn, one.id)
