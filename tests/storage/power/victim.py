# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that keeps a log through all that happens to one, and writes down after each thing what now must be there.

python -m tests.storage.power.victim FOLDER FAULT
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import store_sqlite_files
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.storage.store_sqlite import SqliteStore
from tests.handlers.retention.stage import MONTH_MS, NOVEMBER_MS, SERVER, ThrowAwayKeys

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from synapse_groupreg.storage.store import Period

LOG = "events"
KEYS = "server/keys"
"""The folder of keys, and of what was published."""
ACKNOWLEDGED = "acknowledged"
"""The file of what must be there: a line of JSON after each thing that was done."""
FOLDERS_UNSYNCED, NORMAL = "folders-unsynced", "synchronous-normal"
"""Faults that the test must find; they are put into this process only."""
_PAGES = 12
"""The write-ahead log goes into the file after so many pages, so that it does within the few records of a test."""
_CHANGES = {"acquire", "begin", "append", "put_checkpoint", "purge", "rewrap", "erase", "keep"}
_CONTENT_EVERY = 10


def keys_in(folder: Path) -> RetentionKeys:
    """What lies outside the store, as a server makes it on its first start."""
    server = ThrowAwayKeys()
    return RetentionKeys(str(folder / KEYS), SERVER, lambda: ("ed25519:a_test", server.sign))


class Marked:
    """A store, or what is published; tells after each change that it is done."""

    def __init__(self, of: Any, tell: Callable[[], None]) -> None:
        self._of = of
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        if name not in _CHANGES:
            return found

        def change(*args: Any) -> Any:
            result = found(*args)
            self._tell()
            return result

        return change


@attrs.frozen
class State:
    """What is there: all that can be read of a store, by its digest, and what was published."""

    epoch: int = 0
    size: int = 0
    digest: str = ""
    published: int = 0

    def stored(self) -> State:
        return attrs.evolve(self, published=0)


def state_of(store: SqliteStore, published: Published, raised: int = 0) -> State:
    """What is there; `raised` says how often its epoch was raised to find out."""
    checkpoint = published.newest(LOG)
    covers = 0 if checkpoint is None else checkpoint.size
    head = store.head()
    if head is None:
        return State(published=covers)
    shard = head.period.shard
    everything: list[Any] = [
        attrs.asdict(attrs.evolve(head, epoch=0)) | {"cursors": sorted(head.cursors.items())},
        store.bases(),
        store.checkpoints(shard, newest=1000),
        sorted(store.nodes(shard, head.base_size, head.size).items()),
    ]
    for period, first, end in store.extents():
        rows = store.select(period, Selection(), end - first + 1, newest_first=False)
        names = store.names(period, range(1, store.last_ref(period) + 1))
        contents = [store.content(period, row.idx) for row in rows if row.position % _CONTENT_EVERY == 0]
        everything += [period, first, end, rows, sorted(names), sorted(store.keys(period)), contents]
    return State(head.epoch - raised, head.size, hashlib.sha256(repr(everything).encode()).hexdigest(), covers)


def messages(start: int, count: int, now_ms: int) -> list[Entry]:
    """Entries from a position on, of a few people in a few rooms."""
    return [
        Entry(
            kind=Kind.event,
            source="events/master",
            position=position,
            ts_ms=now_ms + position,
            type="m.room.message",
            room=f"!{position % 3}:{SERVER}",
            actor=f"@{position % 7}:{SERVER}",
            details={"event_id": f"${position}"},
            content=b'{"body":"hello"}' if position % _CONTENT_EVERY == 0 else None,
        )
        for position in range(start, start + count)
    ]


class Life:
    """A process that keeps a log."""

    def __init__(self, folder: Path) -> None:
        self.keys = keys_in(folder)
        self.now_ms = NOVEMBER_MS
        self._folder = folder
        self._marks = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._position = 1

    def start(self) -> None:
        store, published = SqliteStore(self._folder / "store", LOG), Published(self._folder / KEYS)

        def tell() -> None:
            mark = json.dumps(attrs.asdict(state_of(store, published))).encode() + b"\n"
            assert os.write(self._marks, mark) == len(mark)

        self.log = Log(LOG, Marked(store, tell), SERVER, self.keys, Marked(published, tell))  # type: ignore[arg-type]  # each stands in for what it marks
        self.log.open(self.now_ms, {})

    def write(self, *counts: int) -> None:
        for count in counts:
            entries = messages(self._position, count, self.now_ms)
            self._position += count
            self.log.append(entries, {"events/master": self._position - 1}, self.now_ms)

    def erase(self, period: Period, refs: Sequence[int]) -> None:
        [first] = [first for known, first, _ in self.log.reader.extents() if known == period]
        self.log.erase(period, refs, [(first + 5, b"\x02left of it"), (first + 9, b"\x02left of this")])

    def begin(self) -> None:
        """Until the process is killed."""
        self.start()
        self.write(1, 3, 40)
        self.log.checkpoint()
        self.write(7, 120, 1, 90, 2)
        self.log.checkpoint()
        self.log.close()
        self.start()
        self.write(25, 5, 3)

    def go_on(self) -> None:
        """With what was killed, through what months bring."""
        self.start()
        november = self.log.head.period
        self._position = self.log.head.cursors["events/master"] + 1
        self.write(6)
        self.now_ms += MONTH_MS
        self.write(30, 1, 1, 60)
        self.log.tally("room", f"!1:{SERVER}", self.now_ms)
        self.log.checkpoint()
        self.erase(november, [1, 2])
        self.erase(self.log.head.period, [2, 3])
        self.write(4)
        self.keys.add_wrapping_key()
        self.log.rewrap()
        self.keys.drop_old_wrapping_keys()
        self.keys.renew_signing_key()
        self.log.note_key(self.now_ms)
        self.now_ms += MONTH_MS
        self.write(15, 50)
        self.log.checkpoint()
        [(_, _, end), *_] = self.log.reader.extents()
        self.log.purge([november], end, self.now_ms)
        self.log.free()
        self.write(9, 33)
        self.log.close()


def break_(what: str) -> None:
    """Put a fault into the engine, if one is named."""
    if what == NORMAL:
        whole = SqliteStore._open

        def careless(path: Path) -> sqlite3.Connection:
            connection = whole(path)
            connection.execute("PRAGMA synchronous = NORMAL")
            return connection

        SqliteStore._open = staticmethod(careless)
    if what == FOLDERS_UNSYNCED:
        sync = store_sqlite_files._sync
        # SQLite itself syncs the folder when it makes a write-ahead log, so it is what begins a period that suffers.
        store_sqlite_files._sync = lambda path: None if path.name == LOG else sync(path)


def main(folder: Path, fault: str) -> None:
    store_sqlite_files._CHECKPOINT_PAGES = _PAGES
    break_(fault)
    process = os.fork()
    if not process:
        Life(folder).begin()
        os._exit(0)  # as a kill does: nothing is closed, and no log is put into its file
    assert os.waitpid(process, 0)[1] == 0
    Life(folder).go_on()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
