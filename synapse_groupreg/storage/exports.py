# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exports that were asked for, as long as they may be downloaded. Their contents are sealed outside of this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


@frozen(kw_only=True)
class ExportRow:
    """An export."""

    id: str
    made_ms: int
    outbox_id: int
    """Its record on the way to the retention store."""
    request: str
    """Who asked for what; sealed."""
    parts: str | None = None
    """The checkpoints of its bundles; sealed. None until it was recorded."""


def insert(txn: Transaction, row: ExportRow) -> None:
    """Keep an export that was asked for."""
    txn.execute(
        "INSERT INTO groupreg_exports (id, made_ms, outbox_id, request, parts) VALUES (?, ?, ?, ?, ?)",
        (row.id, row.made_ms, row.outbox_id, row.request, row.parts),
    )


def find(txn: Transaction, export_id: str) -> ExportRow | None:
    """The export with this id."""
    txn.execute("SELECT id, made_ms, outbox_id, request, parts FROM groupreg_exports WHERE id = ?", (export_id,))
    row = txn.fetchone()
    if row is None:
        return None
    found, made_ms, outbox_id, request, parts = row
    return ExportRow(id=found, made_ms=int(made_ms), outbox_id=int(outbox_id), request=request, parts=parts)


def set_parts(txn: Transaction, export_id: str, parts: str) -> None:
    """Keep the checkpoints of its bundles."""
    txn.execute("UPDATE groupreg_exports SET parts = ? WHERE id = ?", (parts, export_id))


def forget(txn: Transaction, before_ms: int) -> None:
    """Remove exports that are older."""
    txn.execute("DELETE FROM groupreg_exports WHERE made_ms < ?", (before_ms,))


def is_waiting(txn: Transaction, outbox_id: int) -> bool:
    """Whether a record is still on its way: it leaves the outbox once it is stored and, for an export, signed for."""
    txn.execute("SELECT 1 FROM groupreg_outbox WHERE id = ?", (outbox_id,))
    return txn.fetchone() is not None
