# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process reads of the module before it serves anybody, and how that grows with accounts, groups and measures.

    .venv/bin/python bench/start.py [--runs 5] [--sizes 100000/10000/1000,1000000/10000/1000]

Each size is a number of verified accounts, of large groups and of measures, which SQL writes; no Synapse runs beside.
`all` is what the start waits for; of it, `accounts`, `groups` and `measures` are what grows with each of them.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' databases with Synapse's tables

from bench.cost.seed import known
from synapse_groupreg.handlers.snapshot import _assurance, _packed, _rooms, load
from synapse_groupreg.rig import Postgres
from synapse_groupreg.storage import facts
from synapse_groupreg.storage.rooms import every_exceptional
from tests.database import TestDatabase, open_postgres, open_sqlite, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.storage.database import Transaction

NOW_MS = 1_795_000_000_000
PARTS: dict[str, Callable[[Transaction], object]] = {
    "all": lambda txn: load(txn, None, NOW_MS),
    "accounts": lambda txn: _assurance(facts.every_assurance(txn)),
    "groups": lambda txn: _rooms((row.room_id, _packed(row)) for row in every_exceptional(txn)),
    "measures": lambda txn: facts.since(txn, None, NOW_MS),
}


def databases() -> Iterator[tuple[str, TestDatabase]]:
    """An empty one of each kind."""
    with tempfile.TemporaryDirectory(prefix="groupreg-bench-") as folder:
        with contextlib.closing(open_sqlite(Path(folder) / "start.db")) as database:
            yield "SQLite", database
        with Postgres.start() as postgres, contextlib.closing(open_postgres(postgres.create_database())) as database:
            yield "PostgreSQL", database


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", default="100000/10000/1000,1000000/10000/1000")
    given = parser.parse_args()
    for size in given.sizes.split(","):
        accounts, groups, measures = map(int, size.split("/"))
        for engine, database in databases():
            prepare(database)
            known(people=False, accounts=accounts, groups=groups, measures=measures)(database)
            if engine == "PostgreSQL":
                database.do(lambda txn: txn.execute("ANALYZE"))
            print(f"{engine}: {accounts:,} accounts, {groups:,} groups, {measures:,} measures")
            for part, work in PARTS.items():
                took, busy = zip(*(timed(database, work) for _ in range(given.runs)), strict=True)
                print(f"  {part:9} s {said(took)}   of our CPU {said(busy)}", flush=True)


def timed(database: TestDatabase, work: Callable[[Transaction], object]) -> tuple[float, float]:
    """By the clock, and by the processor time of this process."""
    began, busy = time.perf_counter(), time.process_time()
    database.do(work)
    return time.perf_counter() - began, time.process_time() - busy


def said(values: tuple[float, ...]) -> str:
    """The smallest, the median and the largest."""
    return f"{min(values):7.3f} {statistics.median(values):7.3f} {max(values):7.3f}"


if __name__ == "__main__":
    main()
