# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Processes learn what changed, and that they don't know when they slept too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from synapse_groupreg.storage import changes
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from tests.database import TestDatabase

ANN, ROOM = ("account", "@ann:x"), ("room", "!r:x")
HOUR = 3_600_000


def test_nothing_changed_at_first(db: TestDatabase) -> None:
    assert db.do(changes.since, 0) == changes.News(0, frozenset(), everything=False)


def test_changes_are_numbered_and_told_once(db: TestDatabase) -> None:
    assert db.do(changes.publish, {ANN, ROOM}, 1) == 1
    assert db.do(changes.publish, {ROOM}, 2) == 2
    assert db.do(changes.since, 0) == changes.News(2, frozenset({ANN, ROOM}), everything=False)
    assert db.do(changes.since, 1) == changes.News(2, frozenset({ROOM}), everything=False)
    assert db.do(changes.since, 2) == changes.News(2, frozenset(), everything=False)


def test_everything_is_everything(db: TestDatabase) -> None:
    db.do(changes.publish, {changes.EVERYTHING}, 1)
    assert db.do(changes.since, 0).everything


def test_who_slept_longer_than_the_memory_reads_everything(db: TestDatabase) -> None:
    for number in range(3):
        db.do(changes.publish, {ANN}, number * HOUR)
    db.do(changes.forget, 2 * HOUR + 1)
    assert db.do(changes.since, 0).everything
    assert db.do(changes.since, 1).everything
    assert db.do(changes.since, 2) == changes.News(3, frozenset({ANN}), everything=False)


def test_who_saw_the_newest_is_not_disturbed_by_forgetting(db: TestDatabase) -> None:
    db.do(changes.publish, {ANN}, 0)
    db.do(changes.forget, 10 * HOUR)
    assert db.do(changes.since, 1) == changes.News(1, frozenset(), everything=False)
    assert db.do(changes.since, 0).everything


def test_so_many_that_everything_is_cheaper(db: TestDatabase) -> None:
    db.do(changes.publish, {("account", f"@a{number}:x") for number in range(5001)}, 1)
    assert db.do(changes.since, 0).everything
    assert db.rows("SELECT count(*) FROM groupreg_changes") == [(1,)]
    for part in range(2):
        db.do(changes.publish, {("account", f"@b{part}-{number}:x") for number in range(3000)}, 1)
    assert db.do(changes.since, 1).everything
    assert not db.do(changes.since, 2).everything


def test_rivals_get_versions_of_their_own_and_no_change_is_missed(pg_db: TestDatabase) -> None:
    def publish(writer: int) -> Callable[[TestDatabase], list[int]]:
        def work(mine: TestDatabase) -> list[int]:
            return [mine.do(changes.publish, {("account", f"@a{writer}-{n}:x")}, 1) for n in range(10)]

        return work

    seen: set[changes.Subject] = set()

    def follow(mine: TestDatabase) -> list[int]:
        version = 0
        while version < 50:
            news = mine.do(changes.since, version)
            assert not news.everything
            version = news.version
            seen.update(news.subjects)
        return []

    numbers = at_once(pg_db, [*(publish(writer) for writer in range(5)), follow])
    assert sorted(number for some in numbers for number in some) == list(range(1, 51))
    assert len(seen) == 50
