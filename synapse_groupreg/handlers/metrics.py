# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process counts about itself, in the registry that Synapse shows at `/_synapse/metrics`.

How long our callbacks take is not measured here: Synapse does that for each of them. A message that nobody objects to
costs no line of this file.
"""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from synapse_groupreg.policy.measures import MeasureKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.refusals import Refusal

# Synapse gives each of its metrics this label too, since one process may serve several homeservers.
_SERVER = "server_name"

DECISIONS = Counter(
    "synapse_groupreg_decisions",
    "Violations that were found: each is a refusal, or would have been one but for a dry run",
    [_SERVER, "code", "attempt", "outcome"],
)
OVERFLOW = Counter(
    "synapse_groupreg_overflow",
    "Members who came in through another server while a group was full: removed, or it failed",
    [_SERVER, "outcome"],
)
LOST = Counter(
    "synapse_groupreg_refusals_lost",
    "Refusals that stood but could not be written to the database",
    [_SERVER],
)
RECORDS_LOST = Counter(
    "synapse_groupreg_records_lost",
    "Logins, registrations and logouts that could not be written to the database",
    [_SERVER],
)
RECORDS = Counter(
    "synapse_groupreg_records",
    "Records that the retention store took",
    [_SERVER, "log", "kind"],
)
RETENTION_LAG = Gauge(
    "synapse_groupreg_retention_lag_seconds",
    "How old the oldest event, login, refusal, report or act is that the retention store doesn't have yet",
    [_SERVER],
)
RETENTION_LAG_ROWS = Gauge(
    "synapse_groupreg_retention_lag_rows",
    "Events and entries that the retention store doesn't have yet",
    [_SERVER],
)
RETENTION_PROBLEM = Gauge(
    "synapse_groupreg_retention_problem",
    "1 while nothing can be recorded; status says why",
    [_SERVER],
)
RETENTION_ALARMS = Gauge(
    "synapse_groupreg_retention_alarms",
    "What keeps the retention store from its removals, such as a clock that jumped; status says what",
    [_SERVER],
)
RETENTION_CHECKPOINT = Gauge(
    "synapse_groupreg_retention_checkpoint_age_seconds",
    "How long records of a log have waited for a checkpoint; 0 while all are covered",
    [_SERVER, "log"],
)
RETENTION_BYTES = Gauge(
    "synapse_groupreg_retention_store_bytes",
    "What a log takes on disk",
    [_SERVER, "log"],
)
RETENTION_PURGED = Gauge(
    "synapse_groupreg_retention_purge_last_run_timestamp_seconds",
    "When a period of a log was last removed; 0 for never",
    [_SERVER, "log"],
)
MEASURES = Gauge(
    "synapse_groupreg_measures",
    "Measures in force, by kind",
    [_SERVER, "kind"],
)
FAILURES = Counter(
    "synapse_groupreg_failed_checks",
    "Checks that failed unexpectedly and were answered as on_error says",
    [_SERVER, "attempt"],
)
UPKEEP = Gauge(
    "synapse_groupreg_upkeep_last_run_timestamp_seconds",
    "When the background process last finished this round of its work",
    [_SERVER, "round"],
)
_ENFORCING = Gauge(
    "synapse_groupreg_enforcing",
    "1 while the rules are enforced, 0 in a dry run",
    [_SERVER],
)
_SNAPSHOT_ACCOUNTS = Gauge(
    "synapse_groupreg_snapshot_accounts",
    "Accounts whose assurance this process holds in memory",
    [_SERVER],
)
_SNAPSHOT_EXCEPTIONS = Gauge(
    "synapse_groupreg_snapshot_exceptions",
    "Accounts, rooms and servers of which this process holds something else in memory",
    [_SERVER],
)
_SNAPSHOT_AGE = Gauge(
    "synapse_groupreg_snapshot_age_seconds",
    "How long ago this process last looked whether anything changed",
    [_SERVER],
)


def count_measures(server_name: str, counted: Mapping[str, int]) -> None:
    """Show how many measures of each kind are in force."""
    for kind in MeasureKind:
        MEASURES.labels(server_name, kind.value).set(counted.get(kind.value, 0))


def count_decisions(server_name: str, refused: Iterable[Refusal]) -> None:
    """Count what the gate found against an attempt."""
    for one in refused:
        outcome = "dry" if one.dry else "refused"
        DECISIONS.labels(server_name=server_name, code=one.code, attempt=one.attempt, outcome=outcome).inc()


def count_records(server_name: str, log: str, entries: Iterable[Entry]) -> None:
    """Count what a log took."""
    for kind, count in Tally(entry.kind.value for entry in entries).items():
        RECORDS.labels(server_name, log, kind).inc(count)


def follow_snapshot(snapshot: Snapshot, homeserver: Homeserver) -> None:
    """Let the gauges read the snapshot whenever somebody asks for them."""
    name = homeserver.server_name
    _ENFORCING.labels(name).set_function(lambda: snapshot.mode == "enforce")
    _SNAPSHOT_ACCOUNTS.labels(name).set_function(lambda: len(snapshot.assurance))
    _SNAPSHOT_EXCEPTIONS.labels(name).set_function(lambda: snapshot.exceptions)
    _SNAPSHOT_AGE.labels(name).set_function(lambda: (homeserver.now_ms() - snapshot.refreshed_ms) / 1000)
    RECORDS_LOST.labels(name)
    LOST.labels(name)  # shown from the start, so that an alert sees the first one
