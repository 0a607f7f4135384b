# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members are known without counting them all, and counted where that knowledge could be wrong (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import census, quotas
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

NOW = 1_000_000
ANN, BEN, CAT = (seed.local(name) for name in ("ann", "ben", "cat"))


class Watched:
    """A transaction that notes whether all members were counted."""

    def __init__(self, txn: Transaction) -> None:
        self._txn = txn
        self.counted_all = False

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> object:
        self.counted_all = self.counted_all or census._JOINED in sql
        return self._txn.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._txn, name)


class Hall:
    """A group, and how many are in it as we know it."""

    def __init__(self, db: TestDatabase, *, cap: int = 100) -> None:
        self.db = db
        self.cap = cap
        self.room = str(db.do(seed.make_room, ANN, kind=RoomKind.group, join_rule="public", members=[BEN]))
        db.do(quotas.lock, db.dialect, [quotas.room_subject(self.room)])

    def look(self, now_ms: int = NOW) -> tuple[int, bool]:
        """How many, and whether all were counted for it."""

        def work(txn: Transaction) -> tuple[int, bool]:
            watched = Watched(txn)
            used = quotas.members(watched, self.room, now_ms, besides="", default=self.cap).used
            return used, watched.counted_all

        return self.db.do(work)

    def be(self, user: str, membership: str = "join") -> None:
        self.db.do(seed.set_membership, self.room, user, membership)

    def misremember(self) -> None:
        """As if Synapse had changed the state without noting it."""
        self.db.do(lambda txn: txn.execute("UPDATE groupreg_quotas SET members = members + 7"))


def test_all_are_counted_once_however_many_come_and_go(db: TestDatabase) -> None:
    hall = Hall(db)
    assert hall.look() == (2, True)
    for number in range(3 * census.WORTH_WRITING):
        hall.be(seed.local(f"one{number}"))
        if number % 3 == 0:
            hall.be(seed.local(f"one{number}"), "leave")
            hall.be(BEN, "join")  # a profile change
        assert hall.look() == (2 + number - number // 3, False)


def test_a_full_group_refuses_without_counting(db: TestDatabase) -> None:
    hall = Hall(db, cap=3)
    hall.look()
    hall.be(CAT)
    assert hall.look(NOW + census.PROOF_MS - 1) == (3, False)


def test_nobody_is_refused_by_a_count_that_is_not_proved_anew(db: TestDatabase) -> None:
    hall = Hall(db, cap=5)
    hall.look()
    hall.misremember()
    assert hall.look(NOW + census.PROOF_MS) == (2, True)
    assert hall.look(NOW + census.PROOF_MS) == (2, False)


def test_a_wrong_count_lasts_no_longer_than_a_day(db: TestDatabase) -> None:
    hall = Hall(db)
    hall.look()
    hall.misremember()
    assert hall.look(NOW + census.KEEP_MS - 1) == (9, False)
    assert hall.look(NOW + census.KEEP_MS) == (2, True)
    hall.misremember()
    assert hall.look(NOW) == (2, True)  # a clock that went back


def test_all_are_counted_where_there_are_more_changes_than_worth_reading(
    db: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "WORTH_READING", 4)
    hall = Hall(db)
    hall.look()
    for number in range(3):
        hall.be(seed.local(f"one{number}"))
    assert hall.look() == (5, False)
    hall.be(CAT)
    assert hall.look() == (6, True)


def test_all_are_counted_while_synapse_still_builds_its_index(db: TestDatabase) -> None:
    name = "current_state_delta_stream_room_index"
    db.do(lambda txn: txn.execute("INSERT INTO background_updates VALUES (?, '{}', NULL, 1)", (name,)))
    hall = Hall(db)
    assert [hall.look(), hall.look()] == [(2, True), (2, True)]


@pytest.mark.parametrize("lost", ["the state", "the changes"])
def test_all_are_counted_where_synapse_dropped_what_leads_to_now(db: TestDatabase, lost: str) -> None:
    hall = Hall(db)
    hall.look()
    if lost == "the state":
        db.do(seed.purge_and_return, hall.room)
    else:
        hall.be(CAT)
        db.do(seed.prune_changes, 1)
    assert hall.look() == (2 if lost == "the state" else 3, True)
