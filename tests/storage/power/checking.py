# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs the victim under the tracer, lets the power fail at points of what it did, and says what its log is then."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Behind, Published
from synapse_groupreg.retention import ed25519, notes, tree
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind
from synapse_groupreg.retention.sealing import SealError
from synapse_groupreg.storage.store import Selection, StoreUnavailable
from synapse_groupreg.storage.store_sqlite import SqliteStore
from synapse_groupreg.storage.store_tree import StoredTree
from tests.handlers.retention.stage import MONTH_MS, NOVEMBER_MS, SERVER
from tests.storage.power.disk import Disk, Luck, Step, steps
from tests.storage.power.victim import ACKNOWLEDGED, KEYS, LOG, State, keys_in, messages, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
EVENT = KIND_NUMBERS[Kind.event]
LAST_MS = NOVEMBER_MS + 2 * MONTH_MS
LUCKS = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.9, 0.5), (0.1, 0.9)]
"""How likely an unsynced change is kept, and torn if it isn't."""

HERE, NEXT, LOST, OTHER = "as acknowledged", "with what was under way", "acknowledged is lost", "neither old nor new"
BEHIND, DAMAGED, UNPUBLISHED = "behind what was published", "damaged", "published is lost"


@attrs.frozen
class Run:
    """What a victim did."""

    place: Path
    steps: Sequence[Step]
    states: Sequence[State]
    """What was there at first, and after each thing that was done."""
    done: Sequence[int]
    """Per number of steps: how many things were done by then."""

    def ends(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """All files that it left, and what they are by the trace; without those that SQLite makes anew."""
        disk = Disk(self.place)
        for step in self.steps:
            disk.follow(step)
        left = {
            str(path.relative_to(self.place)): path.read_bytes() for path in self.place.rglob("*") if path.is_file()
        }
        traced = {path: content for path, content in disk.live().items() if not path.endswith("-shm")}
        return left, traced

    def after_each(self) -> list[int]:
        """The points at which something was just done."""
        return [point for point in range(1, len(self.done)) if self.done[point] > self.done[point - 1]]

    def after_names(self) -> list[int]:
        """The points at which a file just got another name or went."""
        return [point for point, step in enumerate(self.steps, 1) if step.operation in "ru"]


def run(library: Path, folder: Path, broken: str = "") -> Run:
    """Let a victim run from beginning to end."""
    trace, place = folder / "trace", folder / "place"
    place.mkdir(parents=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "POWER_TRACE": str(trace), "POWER_FOLDER": str(place)}
    subprocess.run(
        [sys.executable, "-m", "tests.storage.power.victim", str(place), broken], check=True, cwd=ROOT, env=environment
    )
    told, done, opened = steps(trace), [0], {}
    for step in told:
        if step.operation == "o":
            opened[step.fd] = Path(os.fsdecode(step.data)).name
        done.append(done[-1] + (step.operation == "w" and opened[step.fd] == ACKNOWLEDGED))
    states = [State(**json.loads(line)) for line in (place / ACKNOWLEDGED).read_text().splitlines()]
    assert len(states) == done[-1]
    return Run(place, told, [State(), *states], done)


def lose_power(
    one: Run, folder: Path, points: Sequence[int], seed: int, luck: Luck | None = None
) -> dict[str, list[int]]:
    """Let the power fail after so many steps, each time anew; the points by what came of it."""
    found, disk, at = defaultdict(list), Disk(one.place), 0
    for number, point in enumerate(sorted(points)):
        while at < point:
            disk.follow(one.steps[at])
            at += 1
        chance = random.Random(f"{seed} {number}")
        kept, torn = chance.choice(LUCKS)
        left = disk.after_power_loss(luck or Luck(chance, kept, torn, in_order=chance.random() < 0.5))
        found[outcome(one, one.done[point], lay_out(left, folder))].append(point)
        shutil.rmtree(folder)
    return dict(found)


def lay_out(files: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for path, content in files.items():
        if not path.endswith("-shm") and path != ACKNOWLEDGED:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return folder


def outcome(one: Run, done: int, folder: Path) -> str:
    """What a server finds that starts there, and whether it can go on."""
    try:
        with contextlib.closing(SqliteStore(folder / "store", LOG)) as store:
            raised = store.acquire() is not None
            state = state_of(store, Published(folder / KEYS), int(raised))
            store.free()
            check_files(store, folder / "store" / LOG)
        said = compared(state, one.states, done)
        go_on(folder)
    except Behind:
        return BEHIND
    except (StoreUnavailable, sqlite3.DatabaseError, notes.NoteError, SealError, CannotStart) as error:
        return f"{DAMAGED}: {error}"
    except (AssertionError, KeyError) as error:
        return f"{OTHER}: {error!r}"
    return said


def compared(state: State, states: Sequence[State], done: int) -> str:
    """Old or new, and nothing else; each file by itself."""
    stored, known = state.stored(), [one.stored() for one in states]
    if state.published < states[done].published:
        return UNPUBLISHED
    if stored == known[done]:
        return HERE
    if stored in known[done + 1 : done + 2]:
        return NEXT
    return LOST if stored in known[:done] else OTHER


def check_files(store: SqliteStore, folder: Path) -> None:
    """Each is sound, and none is there that isn't listed."""
    listed = {f"{shard}-{month}.db" for (shard, month), _, _ in store.extents()}
    there = {path.name for path in folder.iterdir()}
    assert {name for name in there if not name.endswith((".db-wal", ".db-shm"))} == listed, there
    for name in listed:
        with contextlib.closing(sqlite3.connect(folder / name)) as connection:
            [(said,)] = connection.execute("PRAGMA integrity_check")
            if said != "ok":
                raise sqlite3.DatabaseError(said)


def go_on(folder: Path) -> None:
    """Start the log as a server does, add to it, and sign that; all of the tree must bear the signature."""
    keys = keys_in(folder)
    store = SqliteStore(folder / "store", LOG)
    log = Log(LOG, store, SERVER, keys, Published(folder / KEYS))
    try:
        log.open(LAST_MS, {})
        before = log.head.size
        first = log.head.cursors.get("events/master", 0) + 1
        log.append(messages(first, 9, LAST_MS), {"events/master": first + 8}, LAST_MS)
        note = log.checkpoint()
        assert note is not None
        key = notes.Key(log.origin, keys.public)
        signed = notes.Checkpoint.parse(notes.open_note(note, [key], ed25519.verify).text)
        assert signed.size == log.head.size >= before + 9
        # Not from the blocks, which are asked for otherwise.
        leaves = store.leaves(1, log.head.base_size, log.head.size)
        grown = tree.Frontier(log.head.base_size, log.head.base)
        grown.extend(leaves)
        assert signed.root == grown.root() == StoredTree(store, 1).root(log.head.size)
        assert sources(store) == list(range(first - len(sources(store)) + 9, first + 9))
    finally:
        log.release()


def sources(store: SqliteStore) -> list[int]:
    """Positions of all messages that are there."""
    return [
        row.position
        for period, _, _ in store.extents()
        for row in store.select(period, Selection(kinds=[EVENT]), 10_000, newest_first=False)
    ]
