# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who can't post in which group until when (article 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.policy.mutes import Mute
from synapse_groupreg.storage import identity
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

_FIELDS = tuple(field.name for field in attrs.fields(Mute))
_COLUMNS = ", ".join(_FIELDS)


def get(txn: Transaction, room_id: str, account: str, now_ms: int) -> Mute | None:
    """The mute of an account in a group, while it holds."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_mutes WHERE room_id = ? AND account = ? AND until_ms > ?",
        (room_id, account, now_ms),
    )
    row = txn.fetchone()
    return None if row is None else Mute(**dict(zip(_FIELDS, row, strict=True)))


def put(txn: Transaction, mute: Mute) -> None:
    """Write a mute; there is one for an account in a group, and this is it now."""
    txn.execute(
        f"INSERT INTO groupreg_mutes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (room_id, account) DO UPDATE"
        " SET reason = excluded.reason, author = excluded.author, start_ms = excluded.start_ms,"
        " until_ms = excluded.until_ms",
        attrs.astuple(mute),
    )


def drop(txn: Transaction, room_id: str, account: str) -> None:
    """End a mute."""
    txn.execute("DELETE FROM groupreg_mutes WHERE room_id = ? AND account = ?", (room_id, account))


def of_room(txn: Transaction, room_id: str, now_ms: int) -> list[Mute]:
    """The mutes that hold in a group, that which ends first before the others."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_mutes WHERE room_id = ? AND until_ms > ? ORDER BY until_ms, account",
        (room_id, now_ms),
    )
    return _mutes(txn.fetchall())


def by_account(txn: Transaction, accounts: set[str] | None, now_ms: int) -> dict[str, tuple[Mute, ...]]:
    """The mutes that hold for these accounts, or for all: their own, and those of whoever else is the same person."""
    if accounts is None:
        txn.execute("SELECT DISTINCT account FROM groupreg_mutes WHERE until_ms > ?", (now_ms,))
        accounts = {one for row in txn.fetchall() for one in identity.relatives(txn, str(row[0]))}
    persons = identity.persons_of(txn, accounts)
    family = {person: identity.accounts_of(txn, person) for person in set(persons.values())}
    sql = f"SELECT {_COLUMNS} FROM groupreg_mutes WHERE account IN ({{}}) AND until_ms > ?"
    held: dict[str, list[Mute]] = {}
    for mute in _mutes(select_in(txn, sql, accounts.union(*family.values()), now_ms)):
        held.setdefault(mute.account, []).append(mute)
    found: dict[str, tuple[Mute, ...]] = {}
    for account in accounts:
        own = family[persons[account]] if account in persons else [account]
        mutes = tuple(mute for one in own for mute in held.get(one, ()))
        if mutes:
            found[account] = mutes
    return found


def move(txn: Transaction, old_room: str, new_room: str, now_ms: int) -> list[str]:
    """Let the mutes of a group hold in its successor; the accounts that they are of."""
    moved = of_room(txn, old_room, now_ms)
    for mute in moved:
        put(txn, attrs.evolve(mute, room_id=new_room))
        drop(txn, old_room, mute.account)
    return [mute.account for mute in moved]


def forget_ended(txn: Transaction, now_ms: int) -> None:
    """Drop what holds no longer: the journal has it."""
    txn.execute("DELETE FROM groupreg_mutes WHERE until_ms <= ?", (now_ms,))


def _mutes(rows: Iterable[tuple[object, ...]]) -> list[Mute]:
    return [Mute(**dict(zip(_FIELDS, row, strict=True))) for row in rows]  # type: ignore[arg-type]  # as the table has them
