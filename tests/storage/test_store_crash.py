# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A writer that is killed: at each step of what takes several, and at any moment of what it does all day."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.storage.store import Selection
from tests.engines import on
from tests.storage.store_samples import DECEMBER, NOVEMBER, Log, digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.storage.store import Head
    from synapse_groupreg.storage.store_engine import StoreReader
    from tests.storage.store_places import Place

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def child(place: Place, what: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.storage.store_victim", json.dumps(place.settings), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def whole(reader: StoreReader) -> Head:
    """The head, with which everything else agrees."""
    head = reader.head()
    assert head is not None
    infos = reader.periods()
    assert [info.first for info in infos[1:]] == [info.end for info in infos[:-1]]
    assert (infos[-1].period, infos[-1].first, infos[-1].end) == (head.period, head.first, head.size)
    base = reader.bases().get(1, (0, ()))
    assert base == (head.base_size, head.base)
    assert infos[0].first == head.base_size
    assert reader.leaves(1, head.base_size, head.size) == [digest("leaf", n) for n in range(head.base_size, head.size)]
    assert head.cursors.get("events/master", 999) == head.size + 999
    for info in infos:
        assert reader.keys(info.period)
        rows = reader.select(info.period, Selection(), head.size + 1, newest_first=False)
        assert [row.idx for row in rows] == list(range(info.first, info.end))
        refs = {ref for row in rows for ref in (row.room, row.actor) if ref is not None}
        assert {one.ref for one in reader.names(info.period, sorted(refs))} == refs
        tallies = list(reader.tallies(info.period))
        assert sum(count for _, kind, count, _ in tallies if kind == "room") == len(rows)
    return head


OUTCOMES = {
    "first": ("none", "2026-11 0"),
    "begin": ("2026-11 0", "2026-12 0"),
    "purge": ("2026-12 0", "2026-12 300"),
}


@on("sqlite")  # in PostgreSQL each of these is one transaction
@pytest.mark.parametrize("what", OUTCOMES)
def test_a_kill_at_any_step_leaves_the_old_or_the_new(place: Place, what: str) -> None:
    """Steps are what the process asks of the system and of SQLite: it dies before the nth, for each n."""
    with child(place, what) as victim:
        steps, code = map(int, victim.communicate()[0].split())
    assert code == 0
    assert steps > 10
    outcomes = []
    for step in range(1, steps + 1):
        folder = Path(place.settings["args"]["database"]) / str(step)
        settled = type(place)({"name": "sqlite3", "args": {"database": str(folder)}})
        outcomes.append(describe(settled.reader()))
        # What was left half-made or half-removed is gone when the next owner comes, who can go on.
        store = settled.store()
        head = store.acquire()
        store.free()
        listed = {f"{shard}-{month}.db" for shard, month in (info.period for info in store.periods())}
        there = {path.name for path in (folder / "events").iterdir()}
        assert {file for file in there if not file.endswith((".db-wal", ".db-shm"))} == listed
        assert describe(store) == outcomes[-1]
        if head is None:
            Log(store).begin()
        settled.close()
    # Both occur, and once the new one stands it stays.
    assert outcomes == sorted(outcomes, key=OUTCOMES[what].index)
    assert {*outcomes} == {*OUTCOMES[what]}


def describe(reader: StoreReader) -> str:
    if reader.head() is None:
        return "none"
    head = whole(reader)
    return f"{head.period.month} {head.base_size}"


def test_a_writer_that_is_killed_again_and_again_neither_loses_nor_doubles(place: Place) -> None:
    chance = random.Random(5)
    for number in range(4):
        with child(place, "run") as victim:
            assert victim.stdout is not None
            # It says what was acknowledged, so what must be there.
            reported = int(victim.stdout.readline())
            until = time.monotonic() + chance.uniform(0.02, 0.3)
            while time.monotonic() < until:
                reported = int(victim.stdout.readline())
            victim.kill()
            rest = victim.stdout.read().split()
        head = whole(place.reader())
        # The last line may have been cut short by the kill.
        assert head.size >= max([reported, *map(int, rest[:-1])])
        assert head.epoch == number + 1


def test_rivals_fence_one_another_and_leave_one_log(place: Place) -> None:
    with contextlib.ExitStack() as running:
        rivals = [running.enter_context(child(place, "run"))]
        for _ in range(4):
            assert rivals[-1].stdout is not None
            rivals[-1].stdout.readline()
            rivals.append(running.enter_context(child(place, "run")))
        for rival in rivals[:-1]:
            assert rival.communicate()[0].endswith("fenced\n")
    assert whole(place.reader()).epoch == len(rivals)


def test_the_month_turns_while_a_reader_reads(place: Place) -> None:
    reader = place.reader()
    seen = []
    with child(place, "turn") as victim:
        while victim.poll() is None:
            head = reader.head()
            if head is not None:
                seen.append((head.period, head.size))
                assert len(reader.leaves(1, 0, head.size)) == head.size
    assert seen == sorted(seen)
    assert whole(reader).period == DECEMBER
    assert reader.periods()[0].period == NOVEMBER
