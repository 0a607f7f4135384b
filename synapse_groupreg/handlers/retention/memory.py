# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lets Synapse's database remember the logs, so that another store, or lost keys, show before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.retention.notes import Checkpoint
from synapse_groupreg.retention.records import b64, unb64
from synapse_groupreg.storage import known_logs
from synapse_groupreg.storage.known_logs import KnownLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.storage.database import Database


class Memory:
    """Reads and writes what is remembered; writes only what is new."""

    def __init__(self, database: Database, homeserver: Homeserver) -> None:
        self._database = database
        self._homeserver = homeserver
        self._written: dict[str, KnownLog] = {}

    async def signed(self, log: str) -> Checkpoint | None:
        """The last checkpoint of a log that is remembered."""
        known = known_logs.newest(await self._database.run("groupreg_memory", known_logs.everything))
        return checkpoint_of(known.get(log))

    async def note(self, logs: Iterable[Log]) -> None:
        """Remember how these logs are, once the store and the published checkpoint say the same."""
        now = [known(log, self._homeserver.now_ms()) for log in logs]
        news = [one for one in now if self._written.get(one.log) != one]
        if news:
            await self._database.run("groupreg_memory", known_logs.remember, news)
            self._written |= {one.log: one for one in news}


def known(log: Log, now_ms: int) -> KnownLog:
    """What there is to remember of a log."""
    signed = log.signed if log.signed is not None and log.signed.origin == log.origin else None
    return KnownLog(
        log=log.name,
        shard=log.head.period.shard,
        signing_key=b64(log.keys.public),
        wrapping_key=log.keys.ring.keys[0].id,
        origin=log.origin,
        size=0 if signed is None else signed.size,
        root="" if signed is None else b64(signed.root),
        noted_ms=now_ms,
    )


def checkpoint_of(one: KnownLog | None) -> Checkpoint | None:
    """What was signed; None before the first."""
    return None if one is None or not one.size else Checkpoint(one.origin, one.size, unb64(one.root))
