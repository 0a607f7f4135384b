# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the one process that records lets every process know: its problem, and how the retention store is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage import acts, changes, event_rows, events, meta, outbox, refusals, reports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.storage.database import Transaction

PROBLEM = "retention-problem"
HEALTH = "retention-health"
COUNTED = 10_000
"""Rows of a source that wait and are counted; that there are more says enough."""
RESTORED = "retention-restored"


def problem(txn: Transaction) -> dict[str, Any] | None:
    """Why nothing is recorded: `text`, `since_ms`, and `behind`, a log whose end was lost; None while all is well."""
    found = meta.get(txn, PROBLEM)
    return None if found is None else json.loads(found)


def report(txn: Transaction, text: str | None, behind: str | None, now_ms: int) -> bool:
    """Say why nothing is recorded, or that all is well. Whether that is news; since when it is so stays."""
    before = problem(txn)
    if text is None:
        meta.drop(txn, PROBLEM)
    else:
        since_ms = now_ms if before is None else before["since_ms"]
        after = {"text": text, "behind": behind, "since_ms": since_ms}
        if after == before:
            return False
        meta.put(txn, PROBLEM, json.dumps(after))
    if before is None and text is None:
        return False
    changes.publish(txn, {changes.POLICY}, now_ms)
    return True


def health(txn: Transaction) -> dict[str, Any] | None:
    """What was last said of the store."""
    found = meta.get(txn, HEALTH)
    return None if found is None else json.loads(found)


def report_health(txn: Transaction, said: dict[str, Any]) -> None:
    """Say how the store is."""
    meta.put(txn, HEALTH, json.dumps(said, sort_keys=True))


def restored(txn: Transaction) -> dict[str, Any] | None:
    """When this database was last put back from a backup, and from where recording went on; None if it never was."""
    found = meta.get(txn, RESTORED)
    return None if found is None else json.loads(found)


def report_restored(txn: Transaction, said: Mapping[str, Any]) -> None:
    """Say that it was, and how."""
    meta.put(txn, RESTORED, json.dumps(said, sort_keys=True))


def lag(txn: Transaction, now_ms: int) -> tuple[int, int]:
    """By how many rows and milliseconds the recorder is behind what happened; rows are counted up to COUNTED a source.

    Else, while much waits, this would count all of it every ten seconds.
    """
    # While the recorder stands still, what it takes into the outbox itself is still where it came from.
    sources = [
        outbox.waiting(txn, most=COUNTED),
        acts.waiting(txn, most=COUNTED),
        refusals.waiting(txn, now_ms, most=COUNTED),
        reports.waiting(txn, most=COUNTED),
    ]
    done, ends = outbox.progress(txn), events.writers(txn)
    for source, end in ends.items():
        after = done.get(source)
        if after is None or after >= end:
            continue
        count = events.count_between(txn, source, after, end, most=COUNTED)
        first = events.rows(txn, source, after, end, 1)
        sources.append((count, event_rows.received_ms(first[0]) if first else None))
    oldest = min((since for count, since in sources if count and since is not None), default=now_ms)
    return sum(count for count, _ in sources), max(now_ms - oldest, 0)


def far_behind(txn: Transaction) -> list[dict[str, Any]]:
    """Sources of which more waits than `lag` counts: where the recorder is, and where it will have all.

    These are positions: about as many events.
    """
    done = outbox.progress(txn)
    return [
        {"source": source, "at": done[source], "end": end}
        for source, end in sorted(events.writers(txn).items())
        if end - done.get(source, end) > COUNTED
    ]
