# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Report packets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.packets import Packet, PacketState
from synapse_groupreg.storage import paging

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.storage.database import Transaction

_FIELDS = tuple(field.name for field in attrs.fields(Packet))
_COLUMNS = ", ".join(_FIELDS)


def get(txn: Transaction, packet_id: int) -> Packet | None:
    """One packet."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_packets WHERE id = ?", (packet_id,))
    row = txn.fetchone()
    return None if row is None else _packet(row)


def insert(txn: Transaction, wanted: Packet) -> Packet:
    """Write a new packet; the one returned has its number."""
    txn.execute(
        "INSERT INTO groupreg_packets (author, made_ms, facts, state) VALUES (?, ?, ?, ?) RETURNING id",
        (wanted.author, wanted.made_ms, json.dumps(wanted.facts, ensure_ascii=False), wanted.state.value),
    )
    return attrs.evolve(wanted, id=int(txn.fetchone()[0]))


def set_state(txn: Transaction, packet: Packet) -> None:
    """Write down how far it is."""
    txn.execute(
        "UPDATE groupreg_packets SET state = ?, text = ?, state_by = ?, state_ms = ? WHERE id = ?",
        (packet.state.value, packet.text, packet.state_by, packet.state_ms, packet.id),
    )


def erase_appeals(txn: Transaction, appeal_ids: Collection[int], now_ms: int) -> None:
    """Forget what the authors of these appeals wrote, wherever a packet quotes it."""
    txn.execute("SELECT id, facts FROM groupreg_packets")
    for number, text in txn.fetchall():
        facts = json.loads(text)
        quoted = [one for reported in facts["measures"] for one in reported["appeals"] if one["id"] in appeal_ids]
        for one in quoted:
            one |= {"text": "", "erased_ms": now_ms}
        if quoted:
            sql = "UPDATE groupreg_packets SET facts = ? WHERE id = ?"
            txn.execute(sql, (json.dumps(facts, ensure_ascii=False), number))


def page(txn: Transaction, start: int, limit: int) -> tuple[list[Packet], int]:
    """Packets, the newest first, and how many there are."""
    rows, total = paging.page(txn, _COLUMNS, "groupreg_packets", start=start, limit=limit)
    return [_packet(row) for row in rows], total


def _packet(row: tuple[Any, ...]) -> Packet:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    return Packet(**values | {"facts": json.loads(values["facts"]), "state": PacketState(values["state"])})
