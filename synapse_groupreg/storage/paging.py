# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists that staff leaf through: some rows of a table, and how many there are in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from synapse_groupreg.storage.database import Transaction

EVERYTHING = "1 = 1"


def page(
    txn: Transaction,
    columns: str,
    table: str,
    where: str = EVERYTHING,
    values: Sequence[Any] = (),
    *,
    order: str = "id DESC",
    start: int,
    limit: int,
) -> tuple[list[Any], int]:
    """At most `limit` rows after the first `start` of those that meet a condition, and how many meet it."""
    txn.execute(f"SELECT count(*) FROM {table} WHERE {where}", values)
    total = int(txn.fetchone()[0])
    txn.execute(
        f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?", (*values, limit, start)
    )
    return txn.fetchall(), total


def equal(filters: Mapping[str, str], columns: Iterable[str]) -> tuple[str, list[str]]:
    """The condition that those of the columns for which there is a filter are equal to it, and its values."""
    chosen = [column for column in columns if column in filters]
    return " AND ".join(f"{column} = ?" for column in chosen) or EVERYTHING, [filters[column] for column in chosen]
