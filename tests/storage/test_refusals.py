# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals are summed up, and not one is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_groupreg.storage import refusals
from synapse_groupreg.storage.refusals import Refusal
from tests.database import TestDatabase
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

ONE = Refusal(ts_ms=60_500, account="@a:x", code="room-full", attempt="join", room_id="!r:x", dry=False)
MINUTE = 60_000


def add(db: TestDatabase, *found: Refusal) -> None:
    db.do(refusals.add, found)


def test_a_flood_makes_one_row_with_the_exact_count(db: TestDatabase) -> None:
    add(db, *(attrs.evolve(ONE, ts_ms=60_000 + number, room_id=f"!r{number}:x") for number in range(1000)))
    add(db, attrs.evolve(ONE, ts_ms=119_999))
    (summary,), total = db.do(refusals.page, {}, 0, 10)
    assert total == 1
    assert (summary.minute_ms, summary.count, summary.first_ms, summary.last_ms) == (60_000, 1001, 60_000, 119_999)
    assert summary.room_id == "!r:x"


def test_what_differs_is_counted_apart(db: TestDatabase) -> None:
    others = [
        attrs.evolve(ONE, ts_ms=120_000),
        attrs.evolve(ONE, account="@b:x"),
        attrs.evolve(ONE, code="too-many-joined"),
        attrs.evolve(ONE, attempt="invite"),
        attrs.evolve(ONE, dry=True),
    ]
    add(db, ONE, *others, ONE)
    found, total = db.do(refusals.page, {}, 0, 10)
    assert total == 6
    assert sorted(summary.count for summary in found) == [1, 1, 1, 1, 1, 2]
    assert db.do(refusals.counts) == {
        ("room-full", False): 5,
        ("room-full", True): 1,
        ("too-many-joined", False): 1,
    }


def test_who_comes_late_does_not_turn_back_the_times(db: TestDatabase) -> None:
    add(db, attrs.evolve(ONE, ts_ms=60_900, room_id="!late:x"))
    add(db, attrs.evolve(ONE, ts_ms=60_100, room_id="!early:x"))
    (summary,), _ = db.do(refusals.page, {}, 0, 10)
    assert (summary.first_ms, summary.last_ms, summary.count) == (60_100, 60_900, 2)


def test_pages_are_filtered_and_the_newest_first(db: TestDatabase) -> None:
    for minute in range(4):
        add(db, attrs.evolve(ONE, ts_ms=minute * MINUTE, account=f"@a{minute % 2}:x"))
    found, total = db.do(refusals.page, {"account": "@a1:x", "code": "room-full", "room_id": "!r:x"}, 0, 1)
    assert ([summary.minute_ms for summary in found], total) == ([3 * MINUTE], 2)
    assert db.do(refusals.page, {"account": "@nobody:x"}, 0, 10) == ([], 0)


def test_rival_processes_lose_no_refusal(pg_db: TestDatabase) -> None:
    writers, batches, size = 6, 10, 20

    def write(writer: int) -> Callable[[TestDatabase], None]:
        def work(mine: TestDatabase) -> None:
            for batch in range(batches):
                # The same keys for all, each in an order of its own: rows locked crosswise would be a deadlock.
                keys = range(size) if (writer + batch) % 2 else reversed(range(size))
                found = [attrs.evolve(ONE, account=f"@a{key % 4}:x", ts_ms=key * 20_000) for key in keys]
                once(mine, found)

        return work

    at_once(pg_db, [write(writer) for writer in range(writers)])
    _, total = pg_db.do(refusals.page, {}, 0, 1)
    assert pg_db.do(refusals.counts) == {("room-full", False): writers * batches * size}
    assert total == len({(key % 4, key * 20_000 // MINUTE) for key in range(size)})


def once(database: TestDatabase, found: list[Refusal]) -> None:
    """Without the retry that would hide a deadlock."""

    def work(txn: Transaction) -> None:
        refusals.add(txn, found)

    database.do(work)


@given(
    batches=st.lists(
        st.lists(
            st.builds(
                Refusal,
                ts_ms=st.integers(0, 3 * MINUTE),
                account=st.sampled_from(["@a:x", "@b:x"]),
                code=st.sampled_from(["room-full", "too-many-founded"]),
                attempt=st.sampled_from(["join", "found"]),
                room_id=st.sampled_from([None, "!r:x"]),
                dry=st.booleans(),
            ),
            max_size=10,
        ),
        max_size=5,
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_are_those_of_the_refusals(sqlite_db: TestDatabase, batches: list[list[Refusal]]) -> None:
    sqlite_db.do(lambda txn: txn.execute("DELETE FROM groupreg_refusals"))
    for batch in batches:
        add(sqlite_db, *batch)
    expected: dict[Any, list[int]] = {}
    for one in (one for batch in batches for one in batch):
        key = (one.ts_ms // MINUTE * MINUTE, one.account, one.code, one.attempt, one.dry)
        expected.setdefault(key, []).append(one.ts_ms)
    found, total = sqlite_db.do(refusals.page, {}, 0, 1000)
    assert total == len(expected)
    assert {
        (one.minute_ms, one.account, one.code, one.attempt, one.dry): (one.count, one.first_ms, one.last_ms)
        for one in found
    } == {key: (len(times), min(times), max(times)) for key, times in expected.items()}
