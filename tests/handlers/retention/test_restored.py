# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's database is put back from a backup: what happens afterwards is recorded once, what was recorded stays."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.storage import outbox, refusals, reported
from tests.database import open_sqlite
from tests.handlers.retention.exports import exported
from tests.handlers.retention.keeper import Keeper, seal
from tests.handlers.retention.stage import GARDEN
from tests.handlers.retention.test_checking import look
from tests.storage.synapse_events import persist, reached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.handlers.retention.stage import Archive
    from tests.storage.store_places import Place


class Put:
    """A keeper whose database can be copied and put back."""

    def __init__(self, place: Place, folder: Path, empty: Path) -> None:
        self.file = folder / "synapse.db"
        shutil.copy(empty, self.file)
        self.copies = 0
        self.keeper = Keeper(place, folder / "keys", open_sqlite(self.file), start="beginning")

    def happen(self, name: str, *positions: int, writer: str = "master") -> None:
        for position in positions:
            event_id = f"${name}{position}"
            self.keeper.database.do(persist, position, writer, event_id=event_id)
        last = max(positions, key=abs)
        stream = "events" if last > 0 else "backfill"
        self.keeper.database.do(reached, last, writer, stream)

    def copy(self) -> Path:
        self.copies += 1
        copy = self.file.with_name(f"copy{self.copies}.db")
        with sqlite3.connect(self.file) as there, sqlite3.connect(copy) as here:
            there.backup(here)
        return copy

    def put_back(self, copy: Path) -> None:
        """Synapse was stopped for it, and comes up again."""
        self.stop()
        for rest in self.file.parent.glob("synapse.db*"):
            rest.unlink()
        shutil.copy(copy, self.file)
        self.keeper.database = open_sqlite(self.file)
        self.keeper.start()

    def crash_before_it_says_how_far_it_is(self) -> None:
        self.keeper.database.do(lambda txn: txn.execute("UPDATE groupreg_recorded SET position = 0"))
        self.keeper.kill()

    def stop(self) -> None:
        self.keeper.close()
        self.keeper.place.close()
        self.keeper.database.close()

    def recorded(self) -> list[tuple[str, int, str]]:
        return [
            (one.row.source, one.row.position, one.values["event_id"])
            for one in self.keeper.records()
            if one.kind is Kind.event
        ]

    def restorations(self) -> list[Any]:
        return [one for one in self.keeper.records(LogName.acts) if one.row.type == "synapse-restored"]


@pytest.fixture
def put(place: Place, tmp_path: Path, sqlite_template: Path) -> Iterator[Put]:
    made = Put(place, tmp_path, sqlite_template)
    yield made
    made.stop()


@pytest.mark.parametrize("already", [[], [4], [4, 5, 6, 7, 8]], ids=["none", "one", "more than before"])
def test_each_event_after_the_backup_is_recorded_once_however_many_came_before_it_was_noticed(
    put: Put, already: list[int]
) -> None:
    put.happen("a", 2, 3)
    put.keeper.tick()
    copy = put.copy()
    put.happen("a", 4, 5, 6)
    put.keeper.tick()
    put.put_back(copy)
    if already:
        put.happen("b", *already)
    put.keeper.work()
    put.happen("b", 9)
    put.keeper.work()
    old = [("events/master", position, f"$a{position}") for position in (2, 3, 4, 5, 6)]
    assert put.recorded() == [*old, *(("events/master@2", position, f"$b{position}") for position in [*already, 9])]
    assert len(put.restorations()) == 1
    said = put.keeper.database.do(reported.restored)
    assert said is not None
    assert said["generation"] == 2
    assert said["sources"] == {"events/master": {"goes_on_after": 3, "recorded_up_to": 6}}
    assert not put.keeper.keeping.alarms.keys() - {"clock"}


def test_it_may_be_put_back_again_also_to_a_copy_of_before_the_first_time(put: Put) -> None:
    put.happen("a", 2, 3)
    put.keeper.tick()
    oldest = put.copy()
    put.happen("a", 4)
    put.keeper.tick()
    older = put.copy()
    put.happen("a", 5, 6)
    put.keeper.tick()
    put.put_back(older)
    put.happen("b", 5)
    put.keeper.work()
    put.put_back(oldest)
    put.happen("c", 4, 5)
    put.keeper.work()
    assert put.recorded()[5:] == [
        ("events/master@2", 5, "$b5"),
        ("events/master@3", 4, "$c4"),
        ("events/master@3", 5, "$c5"),
    ]
    put.keeper.check()


def test_only_the_writers_that_wrote_since_begin_anew(put: Put) -> None:
    put.happen("a", 2, 4, writer="one")
    put.happen("a", 3, writer="two")
    put.happen("old", -2, -3, writer="one")
    put.keeper.tick()
    copy = put.copy()
    put.happen("a", 5, writer="one")
    put.keeper.tick()
    put.put_back(copy)
    put.happen("b", 5, writer="two")
    put.happen("b", 6, writer="one")
    put.happen("old", -4, writer="one")
    put.keeper.work()
    assert sorted(put.recorded()) == [
        ("backfill/one", 2, "$old-2"),
        ("backfill/one", 3, "$old-3"),
        ("backfill/one", 4, "$old-4"),
        ("events/one", 2, "$a2"),
        ("events/one", 4, "$a4"),
        ("events/one", 5, "$a5"),
        ("events/one@2", 6, "$b6"),
        ("events/two", 3, "$a3"),
        ("events/two", 5, "$b5"),
    ]


def test_after_a_crash_nothing_is_taken_for_a_backup(put: Put) -> None:
    put.happen("a", 2, 3, 4)
    put.keeper.login()
    put.keeper.work()
    for more in (5, 6):
        put.crash_before_it_says_how_far_it_is()
        put.keeper.database.do(lambda txn: txn.execute("DELETE FROM events WHERE stream_ordering = 3"))
        put.happen("a", more)
        put.keeper.work()
    assert put.recorded() == [("events/master", position, f"$a{position}") for position in (2, 3, 4, 5, 6)]
    assert put.restorations() == []
    assert put.keeper.database.do(reported.restored) is None


def test_what_waited_in_the_backup_and_was_recorded_since_is_recorded_once(put: Put) -> None:
    put.keeper.work()
    put.keeper.login(ip="192.0.2.1")
    put.keeper.act("@before:x")
    refused = refusals.Refusal(
        ts_ms=put.keeper.homeserver.now, account="@r:x", code="c", attempt="join", room_id="!r:x", dry=False
    )
    put.keeper.database.do(lambda txn: outbox.append(txn, refusals.add(txn, [refused], record=True), seal))
    put.keeper.database.do(lambda txn: refusals.add(txn, [refused, refused], record=True))
    copy = put.copy()
    put.keeper.login(ip="192.0.2.2")
    put.keeper.act("@lost:x")
    put.keeper.pass_(120_000)
    put.keeper.work()
    put.put_back(copy)
    put.keeper.login(ip="192.0.2.3")
    put.keeper.act("@after:x")
    put.keeper.pass_(120_000)
    put.keeper.work()
    told = [one.values["ip"] for one in put.keeper.records() if one.kind is Kind.login]
    assert told == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert sum(one.row.times for one in put.keeper.records() if one.kind is Kind.refusal) == 3
    acts = [one.values["subject"] for one in put.keeper.records(LogName.acts) if one.row.type == "limit"]
    assert sorted(acts) == ["@after:x", "@before:x", "@lost:x"]
    put.keeper.check()


def test_whatever_crashes_meanwhile_it_is_said_once_and_nothing_is_lost_or_doubled(put: Put) -> None:
    put.happen("a", 2, 3)
    put.keeper.tick()
    copy = put.copy()
    put.happen("a", 4, 5)
    put.keeper.login()
    put.keeper.tick()
    for times, step in enumerate((8, 20, 22, 24, 26, 28, 36), start=1):
        put.put_back(copy)
        put.happen(f"s{step}-", 4)
        put.keeper.login(ip="192.0.2.9")
        put.keeper.work_and_die_at(step)
        assert put.recorded()[-1] == (f"events/master@{times + 1}", 4, f"$s{step}-4")
        assert len(put.recorded()) == 4 + times
        assert len(put.restorations()) == times
        assert len([one for one in put.keeper.records() if one.kind is Kind.login]) == 1 + times
    put.keeper.check()


def test_bundles_and_fsck_know_generations(archive: Archive) -> None:
    for source, positions in (("events/master", (2, 5)), ("events/master@2", (3, 4)), ("events/master@3", (3,))):
        for position in positions:
            archive.put(archive.message(source=source, position=position))
    assert len(exported(archive).records) == 6
    assert len(exported(archive, mode="subject", room_id=GARDEN).records) >= 5
    assert look(archive).faults == ()
    archive.put(archive.message(source="events/master@2", position=4))
    [fault] = look(archive).faults
    assert "of events/master@2, after one at 4: it was taken twice" in fault.text
