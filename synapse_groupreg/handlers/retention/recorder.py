# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The recorder: on the background process, once a second, it takes what happened into the retention store (13.2).

Sources are Synapse's events, writer by writer, and the outbox. How far each was taken is stored in the transaction of
the records themselves, so a crash anywhere makes the recorder read again what was not stored, and nothing else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers import metrics
from synapse_groupreg.handlers.retention.memory import Memory
from synapse_groupreg.handlers.retention.published import Behind
from synapse_groupreg.handlers.retention.restored import Restored
from synapse_groupreg.retention.notes import NoteError
from synapse_groupreg.retention.records import Kind, LogName, log_of
from synapse_groupreg.retention.sealing import SealError
from synapse_groupreg.storage import event_rows, events, generations, outbox
from synapse_groupreg.storage.entries import OUTBOX
from synapse_groupreg.storage.store import Fenced, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from synapse_groupreg.config.retention import Content, RetentionConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.keeping import Keeping
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.database import Database, Transaction

    Seal = Callable[[bytes], bytes]

logger = logging.getLogger(__name__)

BATCH = 1000
"""Records of the outbox in one transaction of the store."""
EVENTS_AT_ONCE = 4000
"""The same of Synapse's events, of which many wait at the first start: a fifth more records a second than with 1000."""
CHECKPOINT_EVERY_MS = 60_000
RIVAL_MS = 60_000
"""How long to stand back from another owner, who may be alive; if not, this process takes over again."""
RETRY_MS = 5_000
LEFT_OVER_EVERY_MS = 3_600_000
"""Between two looks for writers that are no more, each of which goes through all of Synapse's events."""
_SIGNED_AT_ONCE = {Kind.export, Kind.purge, Kind.erase}
_STEPS = 5
"""Of a removal: wished for, closed, recorded, removed, forgotten."""
_PROGRESS_EVERY = 25
"""Full batches between two lines of progress in the log: 100,000 events, several seconds."""


class Recorder:
    """Records on one process. A rival does no harm: each write asks whether its owner still is the owner."""

    def __init__(
        self,
        config: RetentionConfig,
        database: Database,
        homeserver: Homeserver,
        *,
        seal: Seal,
        open_: Seal,
        open_log: Callable[[str], Log],
        anchor: Callable[[str], Awaitable[None]],
        upkeep: Keeping,
    ) -> None:
        """`open_log` makes the writer of a log; `anchor` publishes a note and never fails."""
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._seal = seal
        self._open = open_
        self._open_log = open_log
        self._anchor = anchor
        self.upkeep = upkeep
        """What it does besides recording."""
        self._memory = Memory(database, homeserver)
        self._restored = Restored(database, homeserver, seal=seal, open_=open_)
        self._logs: dict[LogName, Log] = {}
        self._rest_until_ms = 0
        self._free_again_ms = 0
        self._signed_ms = 0
        self._sign_now = False
        self._look_ms = 0
        self._told: tuple[Mapping[str, int], int] | None = None
        self._batches = 0
        self.problem: str | None = None
        """Why nothing is recorded at the moment."""

    @property
    def logs(self) -> Mapping[LogName, Log]:
        """The logs while this process owns them; else none."""
        return self._logs

    async def tick(self) -> None:
        """Record all that there is. Never raises: what is wrong is said and tried again."""
        if self._homeserver.now_ms() >= self._rest_until_ms:
            await self._guarded(self._record)

    async def remove(self) -> None:
        """While recording is off: remove what was kept too long, with the record of that, and let go. Never raises."""
        await self._guarded(self._remove)
        await self.free()
        await self.shut_down()

    async def free(self) -> None:
        """Give back what removed periods took on the disk, while records are taken. Never raises."""
        now_ms = self._homeserver.now_ms()
        # Nearly always there is nothing to do, for which no thread is asked.
        for log in [one for one in self._logs.values() if one.takes_space and now_ms >= self._free_again_ms]:
            try:
                await self._homeserver.in_thread(log.free)
            except Exception:
                self._free_again_ms = now_ms + RETRY_MS
                logger.exception("What was removed of the log %s still takes space; it is tried again", log.name)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Fenced:
            await self._stop("another process records: only one is to run Synapse's background tasks", RIVAL_MS)
        except NoteError as error:
            await self._stop(f"a checkpoint can't be read ({error}): groupreg fsck says which", RETRY_MS)
        except (Behind, SealError) as error:
            await self._stop(str(error), RETRY_MS)
        except StoreUnavailable as error:
            await self._stop(f"the retention store can't be used: {error}", RETRY_MS)
        except Exception:
            logger.exception("The recorder failed; it goes on where it was")
            await self._stop("an unexpected error, which Synapse's log has", RETRY_MS)
        else:
            await self._recovered()

    async def shut_down(self) -> None:
        """Sign where the logs stand, and let go of them."""
        logs, self._logs = self._logs, {}
        for log in logs.values():
            await self._homeserver.in_thread(log.close)

    async def _record(self) -> None:
        await self._open_logs()
        await self._restored.look(self._logs)
        await self._take_outbox()
        await self._take_events()
        await self._sign()
        self._sign_now |= await self.upkeep.round(self._logs)
        await self._tell()

    async def _tell(self) -> None:
        """Let every process know how far the store is, when it got further; and forget what both logs have."""
        done, taken = self._done(), self._taken()
        if (done, taken) != self._told:
            await self._database.run("groupreg_recorded", _publish, done, taken)
            self._told = (done, taken)

    async def _remove(self) -> None:
        await self._open_logs()
        for _ in range(_STEPS):
            self._sign_now |= await self.upkeep.round(self._logs)
            await self._take_outbox(taking=False)
            await self._sign()

    async def _open_logs(self) -> None:
        if len(self._logs) == len(LogName):
            return
        for name in LogName:
            log = self._logs[name] = self._open_log(name.value)
            cursors: Mapping[str, int] = {}
            # `beginning` goes through all of Synapse's events: not at each opening.
            if name is LogName.events and await self._homeserver.in_thread(log.is_empty):
                cursors = await self._database.run("groupreg_recorder", _start_positions, self._config.start)
            signed = await self._memory.signed(log.name)
            try:
                await self._homeserver.in_thread(log.open, self._homeserver.now_ms(), cursors, signed)
            except Behind:
                if not await self.upkeep.reopen(log):
                    raise
        await self._memory.note(self._logs.values())
        self.upkeep.opened(self._logs)

    async def _take_outbox(self, *, taking: bool = True) -> None:
        above = max(log.head.cursors.get(OUTBOX, 0) for log in self._logs.values())
        now_ms = self._homeserver.now_ms()
        given = BATCH
        while given >= BATCH:
            given = await self._database.run(
                "groupreg_outbox_number", outbox.number, self._seal, now_ms, BATCH, above=above, taking=taking
            )
        while True:
            after = self._taken()
            entries = await self._database.run("groupreg_outbox_read", outbox.read, after, BATCH, self._open)
            if entries:
                await self._put_outbox(entries)
            if len(entries) < BATCH:
                return

    async def _put_outbox(self, entries: Sequence[Entry]) -> None:
        """Each log takes its own. The tallies that an export needs come before it: a crash between makes one more."""
        cursors = {OUTBOX: entries[-1].position}
        for name, log in self._logs.items():
            after = log.head.cursors.get(OUTBOX, 0)
            mine = [entry for entry in entries if log_of(entry.kind) is name and entry.position > after]
            for entry in mine:
                await self._tally(entry)
            await self._append(log, mine, cursors)
        self._sign_now |= any(entry.kind in _SIGNED_AT_ONCE for entry in entries)

    async def _tally(self, entry: Entry) -> None:
        if entry.kind is not Kind.export:
            return
        for kind, name in (("room", entry.room), ("account", entry.target)):
            if name is not None:
                for log in self._logs.values():
                    await self._homeserver.in_thread(log.tally, kind, name, self._homeserver.now_ms())

    async def _take_events(self) -> None:
        log = self._logs[LogName.events]
        now_ms = self._homeserver.now_ms()
        look = now_ms >= self._look_ms
        names = generations.current(log.head.cursors)
        at = generations.positions(log.head.cursors)
        ends = await self._database.run("groupreg_recorder", _ends, at, now_ms if look else None)
        if look:
            self._look_ms = now_ms + LEFT_OVER_EVERY_MS
        for source, (first, end) in sorted(ends.items()):
            await self._take_source(log, source, names.get(source, generations.named(source)), (first, end))

    async def _take_source(self, log: Log, source: str, name: str, span: tuple[int, int]) -> None:
        """Take what is new of a source, under the name that it has in records."""
        after, end = log.head.cursors.get(name, span[0]), span[1]
        while after < end:
            rows = await self._database.run("groupreg_recorder", events.rows, source, after, end, EVENTS_AT_ONCE)
            entries = await self._homeserver.in_thread(event_rows.entries, name, rows, content=self._content())
            full = len(entries) >= EVENTS_AT_ONCE
            after = entries[-1].position if full else end
            await self._append(log, entries, {name: after})
            if full:
                await self._tell()  # so that little has to be looked at after a crash: see `restored.py`
            self._say_progress(source, after, end, full=full)

    def _content(self) -> Content:
        """What is kept of contents: in full only as long as the configuration says."""
        until_ms = self._config.full_until_ms
        over = until_ms is not None and self._homeserver.now_ms() >= until_ms
        return "hash" if self._config.content == "full" and over else self._config.content

    def _say_progress(self, source: str, at: int, end: int, *, full: bool) -> None:
        self._batches = self._batches + 1 if full else 0
        if self._batches and self._batches % _PROGRESS_EVERY == 0:
            logger.info("The recorder is at %d of %d of %s", at, end, source)

    async def _append(self, log: Log, entries: Sequence[Entry], cursors: Mapping[str, int]) -> None:
        await self._homeserver.in_thread(log.append, entries, cursors, self._homeserver.now_ms())
        metrics.count_records(self._homeserver.server_name, log.name, entries)

    async def _sign(self) -> None:
        now_ms = self._homeserver.now_ms()
        if not self._sign_now and now_ms - self._signed_ms < CHECKPOINT_EVERY_MS:
            return
        for log in self._logs.values():
            note = await self._homeserver.in_thread(log.checkpoint)
            if note is not None:
                await self._anchor(note)
        await self._memory.note(self._logs.values())
        self._signed_ms, self._sign_now = now_ms, False

    def _taken(self) -> int:
        """Up to where both logs have the outbox."""
        return min(log.head.cursors.get(OUTBOX, 0) for log in self._logs.values())

    def _done(self) -> dict[str, int]:
        return {**generations.positions(self._logs[LogName.events].head.cursors), OUTBOX: self._taken()}

    async def _stop(self, problem: str, rest_ms: int) -> None:
        """Let go: what was not stored is read again from its source."""
        if problem != self.problem:
            logger.error("Nothing is recorded for now: %s", problem)
        self.problem = problem
        self._told = None
        self._rest_until_ms = self._homeserver.now_ms() + rest_ms
        logs, self._logs = self._logs, {}
        for log in logs.values():
            await self._homeserver.in_thread(log.release)
        await self.upkeep.report(problem)

    async def _recovered(self) -> None:
        if self.problem is not None:
            logger.info("The recorder goes on; nothing was lost")
        self.problem = None
        await self.upkeep.report(None)


def _start_positions(txn: Transaction, start: Any) -> dict[str, int]:
    return {generations.named(source): at for source, at in events.start_positions(txn, start).items()}


def _ends(txn: Transaction, cursors: Mapping[str, int], look_ms: int | None) -> dict[str, tuple[int, int]]:
    """For each source, behind which position it begins if it is new, and up to which it can be read now."""
    ends = events.writers(txn)
    if look_ms is not None:
        ends |= events.left_over(txn, cursors, look_ms)
    return {source: (0 if source in cursors else events.first(txn, source), end) for source, end in ends.items()}


def _publish(txn: Transaction, done: Mapping[str, int], taken: int) -> None:
    outbox.publish_progress(txn, done)
    outbox.forget(txn, taken)
