# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals reach the database before the client hears of them, many in one transaction (group commit)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from synapse_groupreg.handlers import metrics
from synapse_groupreg.storage import notices, refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.refusals import Refusal

logger = logging.getLogger(__name__)


class _Batch:
    """Refusals that will be committed together, and who waits for that."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.waiting: list[Deferred[None]] = []

    def joined(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.waiting.append(done)
        return done

    def finish(self) -> None:
        for done in self.waiting:
            done.callback(None)


class RefusalJournal:
    """One writer at a time; whoever comes while it writes shares the next transaction."""

    def __init__(self, database: Database, homeserver: Homeserver, notice_every_ms: int | None = None) -> None:
        self._database = database
        self._notice_every_ms = notice_every_ms
        self._homeserver = homeserver
        self._writing: _Batch | None = None
        self._next: _Batch | None = None
        self.lost = 0

    async def record(self, refused: Sequence[Refusal]) -> None:
        """Return once these are committed. A failure is logged and counted; the refusal stands all the same."""
        metrics.count_decisions(self._homeserver.server_name, refused)
        if self._next is not None:
            self._next.refusals += refused
            await self._homeserver.wait(self._next.joined())
            return
        batch = _Batch()
        batch.refusals += refused
        if self._writing is not None:
            self._next = batch
            await self._homeserver.wait(self._writing.joined())
            self._next = None
        self._writing = batch
        try:
            await self._database.run("groupreg_refusals", _write, batch.refusals, self._notice_every_ms)
        except Exception:
            self.lost += len(batch.refusals)
            metrics.LOST.labels(server_name=self._homeserver.server_name).inc(len(batch.refusals))
            logger.exception("%d refusals could not be written; they stand all the same", len(batch.refusals))
        finally:
            self._writing = None
            batch.finish()


def _write(txn: Transaction, refused: Sequence[Refusal], notice_every_ms: int | None) -> None:
    """Refusals and the notices about them in one transaction: neither is there without the other."""
    refusals.add(txn, refused)
    if notice_every_ms is not None:
        notices.queue(txn, refused, notice_every_ms)
