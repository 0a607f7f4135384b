# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals, logins and the like reach the database before the client hears of them, many in one transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs
from twisted.internet.defer import Deferred

from synapse_groupreg.handlers import metrics
from synapse_groupreg.policy.types import LogIn
from synapse_groupreg.storage import notices, outbox, refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.refusals import Refusal

logger = logging.getLogger(__name__)


class _Batch:
    """What will be committed together, and who waits for that."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.entries: list[Entry] = []
        self.waiting: list[Deferred[None]] = []

    def joined(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.waiting.append(done)
        return done

    def finish(self, wake: Callable[[Deferred[None]], None]) -> None:
        for done in self.waiting:
            wake(done)


class RefusalJournal:
    """One writer at a time; whoever comes while it writes shares the next transaction."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        notice_every_ms: int | None = None,
        *,
        seal: Callable[[bytes], bytes] | None = None,
        origin: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._database = database
        self._notice_every_ms = notice_every_ms
        self._homeserver = homeserver
        self._seal = seal
        """None where no records are kept."""
        self._origin = origin
        """Where the request that is being served comes from: `ip`, `user_agent`."""
        self._writing: _Batch | None = None
        self._next: _Batch | None = None
        self.lost = 0
        """Refusals that could not be written."""

    async def record(self, refused: Sequence[Refusal]) -> None:
        """Return once these are committed. A failure is logged and counted; the refusal stands all the same."""
        metrics.count_decisions(self._homeserver.server_name, refused)
        await self._write(refused, ())

    async def record_entry(self, entry: Entry) -> None:
        """The same for something else that the retention store is to hear of; nothing where no records are kept."""
        if self._seal is not None:
            await self._write((), [entry])

    async def _write(self, refused: Sequence[Refusal], entries: Sequence[Entry]) -> None:
        located = [self._located(one) for one in refused]
        if self._next is not None:
            self._next.refusals += located
            self._next.entries += entries
            await self._homeserver.wait(self._next.joined())
            return
        batch = _Batch()
        batch.refusals += located
        batch.entries += entries
        if self._writing is not None:
            self._next = batch
            await self._homeserver.wait(self._writing.joined())
            self._next = None
        self._writing = batch
        try:
            await self._database.run(
                "groupreg_refusals", _write, batch.refusals, self._notice_every_ms, batch.entries, self._seal
            )
        except Exception:
            self._count_lost(batch)
            logger.exception(
                "%d refusals could not be written; they stand all the same. Nor could %d records of logins and logouts;"
                " they happened all the same",
                len(batch.refusals),
                len(batch.entries),
            )
        finally:
            self._writing = None
            batch.finish(self._homeserver.wake)

    def _located(self, one: Refusal) -> Refusal:
        """With where it came from, if it is a login: elsewhere that is known from the login already."""
        known = self._seal is not None and one.attempt == LogIn.name
        return attrs.evolve(one, details=self._origin()) if known else one

    def _count_lost(self, batch: _Batch) -> None:
        self.lost += len(batch.refusals)
        server_name = self._homeserver.server_name
        metrics.LOST.labels(server_name=server_name).inc(len(batch.refusals))
        metrics.RECORDS_LOST.labels(server_name=server_name).inc(len(batch.entries))


def _write(
    txn: Transaction,
    refused: Sequence[Refusal],
    notice_every_ms: int | None,
    entries: Sequence[Entry],
    seal: Callable[[bytes], bytes] | None,
) -> None:
    """Refusals, the notices about them and their records in one transaction: none is there without the others."""
    news = refusals.add(txn, refused, record=seal is not None)
    if notice_every_ms is not None:
        notices.queue(txn, refused, notice_every_ms)
    if seal is not None:
        outbox.append(txn, [*news, *entries], seal)
