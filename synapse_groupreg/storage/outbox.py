# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of the module's own records into the retention store: written with what they tell, numbered afterwards.

Whoever does something appends its entry in the same transaction, so that neither is there without the other. Only the
recorder numbers and reads. This file knows no key: `seal` and `open_` come from outside.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import acts, refusals, reports
from synapse_groupreg.storage.entries import OUTBOX, cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from synapse_groupreg.storage.database import Transaction

    Seal = Callable[[bytes], bytes]

_MANY = 1000


def append(txn: Transaction, entries: Iterable[Entry], seal: Seal) -> list[int]:
    """Put entries in, in the transaction of what they tell; their ids."""
    ids = []
    for entry in entries:
        sealed = b64encode(seal(_dump(entry))).decode()
        txn.execute("INSERT INTO groupreg_outbox (made_ms, payload) VALUES (?, ?) RETURNING id", (entry.ts_ms, sealed))
        ids.append(int(txn.fetchall()[0][0]))
    return ids


def number(txn: Transaction, seal: Seal, now_ms: int, limit: int = 1000, *, above: int = 0, taking: bool = True) -> int:
    """Take in what other tables have to tell, and number what is there; how many got a number.

    INVARIANT: a number is given once, in the order of commit of this function: whoever reads on from a number misses
    nothing. `above` is where the retention store is: should Synapse's database have been put back to an older state,
    numbers that were recorded are not given again. Call it again at once while it returns `limit`. Without `taking`
    other tables are left alone.
    """
    if not (_untaken(txn, now_ms) if taking else _unnumbered(txn)):
        return 0  # without a write, which an idle server should be spared each second
    last = max(_lock(txn), above)
    if taking:
        append(txn, [*refusals.take(txn, now_ms, limit), *acts.take(txn, limit), *reports.take(txn, limit)], seal)
    txn.execute(
        "UPDATE groupreg_outbox SET seq = ? + numbered.place FROM"
        " (SELECT id, row_number() OVER (ORDER BY id) AS place FROM groupreg_outbox WHERE seq IS NULL"
        " ORDER BY id LIMIT ?) AS numbered WHERE groupreg_outbox.id = numbered.id",
        (last, limit),
    )
    given = txn.rowcount
    if given:
        txn.execute("UPDATE groupreg_outbox_last SET seq = ?", (last + given,))
    return given


def last_number(txn: Transaction) -> int:
    """The last number that was given; below what the retention store has only in a database that was put back."""
    txn.execute("SELECT seq FROM groupreg_outbox_last")
    row = txn.fetchone()
    return 0 if row is None else int(row[0])


def settle(
    txn: Transaction, seal: Seal, open_: Seal, now_ms: int, *, above: int, is_recorded: Callable[[Entry], bool]
) -> int:
    """After this database was put back: remove what waited in the backup and was recorded since; how many.

    Takes in what other tables have to tell, since some of it may be the same. No number is given again up to `above`.
    """
    last = max(_lock(txn), above)
    while entries := [*refusals.take(txn, now_ms, _MANY), *acts.take(txn, _MANY), *reports.take(txn, _MANY)]:
        append(txn, entries, seal)
    txn.execute("SELECT id, payload FROM groupreg_outbox WHERE seq IS NULL")
    known = [row[0] for row in txn.fetchall() if is_recorded(_load(open_(b64decode(row[1])), 0))]
    for number_ in known:
        txn.execute("DELETE FROM groupreg_outbox WHERE id = ?", (number_,))
    txn.execute("UPDATE groupreg_outbox_last SET seq = ?", (last,))
    return len(known)


def read(txn: Transaction, after: int, limit: int, open_: Seal) -> list[Entry]:
    """Entries behind a number, in order. Raises what `open_` raises for what was sealed with another key."""
    txn.execute(
        "SELECT seq, payload FROM groupreg_outbox WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [_load(open_(b64decode(payload)), int(seq)) for seq, payload in txn.fetchall()]


def forget(txn: Transaction, up_to: int) -> None:
    """Remove what both logs have."""
    txn.execute("DELETE FROM groupreg_outbox WHERE seq <= ?", (up_to,))


def waiting(txn: Transaction, *, most: int) -> tuple[int, int | None]:
    """How many entries are not recorded yet, and the time of the oldest; without what `number` has yet to take in.

    No more than `most` are counted.
    """
    oldest_first = "SELECT made_ms FROM groupreg_outbox ORDER BY id LIMIT ?"
    txn.execute(f"SELECT count(*), min(made_ms) FROM ({oldest_first}) AS o", (most,))
    rows, oldest = txn.fetchone()
    return int(rows), None if oldest is None else int(oldest)


def publish_progress(txn: Transaction, cursors: Mapping[str, int]) -> None:
    """Let every process know how far the recorder is. Only after the retention store has it."""
    for source, position in sorted(cursors.items()):
        txn.execute(
            "INSERT INTO groupreg_recorded (source, position) VALUES (?, ?)"
            " ON CONFLICT (source) DO UPDATE SET position = excluded.position"
            " WHERE groupreg_recorded.position <> excluded.position",
            (source, position),
        )


def progress(txn: Transaction) -> dict[str, int]:
    """How far the recorder said that it is, by source."""
    txn.execute("SELECT source, position FROM groupreg_recorded")
    return {str(source): int(position) for source, position in txn.fetchall()}


def _unnumbered(txn: Transaction) -> bool:
    txn.execute("SELECT 1 FROM groupreg_outbox WHERE seq IS NULL LIMIT 1")
    return txn.fetchone() is not None


def _untaken(txn: Transaction, now_ms: int) -> bool:
    return _unnumbered(txn) or acts.untaken(txn) or refusals.untaken(txn, now_ms) or reports.untaken(txn, 1)


def _lock(txn: Transaction) -> int:
    """The last number, with the lock that rivals wait for; made the first time."""
    # An upsert, since it sees what a rival committed while we waited, also where a mere SELECT FOR UPDATE would not.
    txn.execute(
        "INSERT INTO groupreg_outbox_last (only_row, seq) VALUES (1, 0)"
        " ON CONFLICT (only_row) DO UPDATE SET seq = groupreg_outbox_last.seq RETURNING seq"
    )
    return int(txn.fetchall()[0][0])


def _dump(entry: Entry) -> bytes:
    shown = attrs.asdict(entry, recurse=False)
    said = {name: value for name, value in shown.items() if value is not None}
    del said["source"], said["position"]
    return json.dumps(cleaned({**said, "kind": entry.kind.value, "details": dict(entry.details)})).encode()


def _load(payload: bytes, seq: int) -> Entry:
    said: dict[str, Any] = json.loads(payload)
    return Entry(**{**said, "kind": Kind(said["kind"])}, source=OUTBOX, position=seq)
