# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the retention store is: measured where it is written, told to every process, shown by status and metrics."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers import metrics
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage import keeping, reported
from synapse_groupreg.storage.store import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config.retention import RetentionConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.keeping import Keeping
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.handlers.retention.recorder import Recorder
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.store_engine import StoreReader

logger = logging.getLogger(__name__)

SILENT_MS = 120_000
"""After so long without a word the background process counts as gone."""
_SIZES_EVERY_MS = 60_000


class Health:
    """Measures, on the process that records."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        recorder: Recorder,
        upkeep: Keeping,
        open_reader: Callable[[str], StoreReader],
    ) -> None:
        self._database = database
        self._homeserver = homeserver
        self._recorder = recorder
        self._upkeep = upkeep
        self._open_reader = open_reader
        self._logs: dict[str, dict[str, Any]] = {}
        self._uncovered_ms: dict[str, int] = {}
        """Since when a log has records that no checkpoint covers."""
        self._sizes_ms = 0

    async def measure(self) -> None:
        """Measure, and tell. Never raises."""
        try:
            await self._measure()
        except Exception:
            logger.exception("How the retention store is could not be measured")

    async def _measure(self) -> None:
        now_ms = self._homeserver.now_ms()
        for name, log in list(self._recorder.logs.items()):
            self._logs[name.value] = {**self._logs.get(name.value, {}), **self._of_log(log, now_ms)}
        if not 0 <= now_ms - self._sizes_ms < _SIZES_EVERY_MS:
            self._sizes_ms = now_ms
            await self._homeserver.in_thread(self._read_sizes)
        said = {
            "said_ms": now_ms,
            "logs": self._logs,
            "next_purge_ms": self._upkeep.next_purge_ms,
            "alarms": self._upkeep.alarms,
        }
        rows, lag_ms = await self._database.run("groupreg_health", _tell, said, now_ms)
        self._show(rows, lag_ms)

    def _of_log(self, log: Log, now_ms: int) -> dict[str, Any]:
        head = log.head
        covered = log.signed_size == head.size
        since_ms = now_ms if covered else self._uncovered_ms.get(log.name, now_ms)
        self._uncovered_ms[log.name] = since_ms
        return {
            "size": head.size,
            "signed_size": log.signed_size,
            "period": head.period.month,
            "shard": head.period.shard,
            "checkpoint_age_ms": now_ms - since_ms,
            "purged_ms": head.purged_ms or None,
        }

    def _read_sizes(self) -> None:
        for name in LogName:
            with contextlib.closing(self._open_reader(name.value)) as reader, contextlib.suppress(StoreUnavailable):
                infos = reader.periods()
                oldest = [info.oldest_ms for info in infos if info.oldest_ms is not None]
                sizes = {"bytes": sum(info.bytes for info in infos), "oldest_ms": min(oldest, default=None)}
                self._logs[name.value] = {**self._logs.get(name.value, {}), **sizes}

    def _show(self, rows: int, lag_ms: int) -> None:
        server = self._homeserver.server_name
        metrics.RETENTION_LAG_ROWS.labels(server).set(rows)
        metrics.RETENTION_LAG.labels(server).set(lag_ms / 1000)
        metrics.RETENTION_PROBLEM.labels(server).set(self._recorder.problem is not None)
        metrics.RETENTION_ALARMS.labels(server).set(len(self._upkeep.alarms))
        for name, log in self._logs.items():
            metrics.RETENTION_CHECKPOINT.labels(server, name).set(log.get("checkpoint_age_ms", 0) / 1000)
            metrics.RETENTION_BYTES.labels(server, name).set(log.get("bytes", 0))
            metrics.RETENTION_PURGED.labels(server, name).set((log.get("purged_ms") or 0) / 1000)


def status(txn: Transaction, config: RetentionConfig, now_ms: int) -> dict[str, Any]:
    """What `status` says of the retention store, in any process."""
    said, problem = reported.health(txn) or {}, reported.problem(txn) if config.enabled else None
    rows, lag_ms = reported.lag(txn, now_ms) if config.enabled else (0, 0)
    alarms = dict(said.get("alarms") or {}) if config.enabled else {}
    if config.enabled and now_ms - said.get("said_ms", 0) > SILENT_MS:
        alarms["silent"] = (
            "the process that records has said nothing for two minutes: see to it that Synapse's background tasks run"
        )
    return {
        "enabled": config.enabled,
        "store": _place(config),
        "problem": None if problem is None else problem["text"],
        "problem_since_ms": None if problem is None else problem["since_ms"],
        "lag_ms": lag_ms,
        "lag_rows": rows,
        "far_behind": reported.far_behind(txn) if config.enabled else [],
        "logs": said.get("logs", {}),
        "holds": len(keeping.holds_in_force(txn, now_ms)),
        "waiting": [one.kind for one in keeping.waiting(txn)],
        "next_purge_ms": said.get("next_purge_ms"),
        "anchors": len(config.anchors),
        "restored": reported.restored(txn),
        "alarms": [{"code": code, "text": text} for code, text in sorted(alarms.items())],
    }


def _place(config: RetentionConfig) -> str:
    """Where the store is, without what opens it."""
    given = config.store.args or {}
    if config.store.name == "sqlite3":
        return f"sqlite3: {given.get('database', 'retention, beside the keys')}"
    return f"psycopg2: {given['dbname']} on {given.get('host', 'this machine')}"


def _tell(txn: Transaction, said: dict[str, Any], now_ms: int) -> tuple[int, int]:
    reported.report_health(txn, said)
    return reported.lag(txn, now_ms)
