# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Offers to hand a group over: one for a group at a time (articles 8.6 and 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.policy.handovers import Handover

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

_FIELDS = tuple(field.name for field in attrs.fields(Handover))
_COLUMNS = ", ".join(_FIELDS)


def get(txn: Transaction, room_id: str, now_ms: int) -> Handover | None:
    """The offer of a group's founder that stands."""
    txn.execute(
        f"SELECT {', '.join(f'h.{name}' for name in _FIELDS)} FROM groupreg_handovers h"
        " JOIN groupreg_rooms r ON r.room_id = h.room_id AND r.founder = h.founder"
        " WHERE h.room_id = ? AND h.until_ms > ?",
        (room_id, now_ms),
    )
    row = txn.fetchone()
    return None if row is None else Handover(**dict(zip(_FIELDS, row, strict=True)))


def put(txn: Transaction, offer: Handover) -> None:
    """Write an offer; it takes the place of an earlier one."""
    txn.execute(
        f"INSERT INTO groupreg_handovers ({_COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT (room_id) DO UPDATE"
        " SET founder = excluded.founder, account = excluded.account, until_ms = excluded.until_ms",
        attrs.astuple(offer),
    )


def drop(txn: Transaction, room_id: str) -> None:
    """Forget the offer of a group."""
    txn.execute("DELETE FROM groupreg_handovers WHERE room_id = ?", (room_id,))


def forget_ended(txn: Transaction, now_ms: int) -> None:
    """Forget offers that nobody accepted in time."""
    txn.execute("DELETE FROM groupreg_handovers WHERE until_ms <= ?", (now_ms,))
