# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorders that are killed: for each line that it reads, this process forks one and says its number.

python -m tests.handlers.retention.recorder_victim PLACES [cursor|fence]

The second argument plants a bug, to see that the tests find it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.config.retention import RetentionConfig
from synapse_groupreg.handlers.retention import recorder
from synapse_groupreg.handlers.retention.keeping import Keeping
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.recorder import Recorder
from synapse_groupreg.retention import ed25519, tree
from synapse_groupreg.retention.sealing import KeyRing, WrappingKey
from synapse_groupreg.rig import Database
from synapse_groupreg.storage.stores import open_store
from tests.database import TestDatabase, open_postgres, open_sqlite, result_of
from tests.handlers.retention.stage import SERVER, ThrowAwayKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synapse_groupreg.retention.records import Entry


class SharedKeys(ThrowAwayKeys):
    """The same keys in every process."""

    def __init__(self) -> None:
        super().__init__()
        self._seed = self._server_seed = bytes(range(32))
        self.public = self.server_public = ed25519.public_key(self._seed)
        self.ring = self.in_files = KeyRing((WrappingKey("shared", bytes(range(32, 64))),))


class Inline:
    """As much of `handlers.Homeserver` as a recorder needs, in one thread."""

    server_name = SERVER

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def in_thread(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)

    async def poke(self) -> None:
        """Nobody is there."""


async def nowhere(note: str) -> None:
    """No anchor."""


def a_recorder(places: Mapping[str, Any], database: TestDatabase) -> Recorder:
    """A recorder of what is in a database, from the beginning."""
    folder = Path(places["folder"])

    def open_log(name: str) -> Log:
        return Log(name, open_store(places["store"], name), SERVER, SharedKeys(), Published(folder))

    config, homeserver = RetentionConfig(start="beginning"), Inline()
    return Recorder(
        config,
        database,
        homeserver,  # type: ignore[arg-type]  # a recorder asks for no more
        seal=bytes,
        open_=bytes,
        open_log=open_log,
        anchor=nowhere,
        upkeep=Keeping(config, database, homeserver, seal=bytes, keys=SharedKeys()),  # type: ignore[arg-type]  # as above
    )


def opened(places: Mapping[str, Any]) -> TestDatabase:
    """Synapse's database."""
    place = places["synapse"]
    return open_sqlite(Path(place)) if isinstance(place, str) else open_postgres(Database(**place))


def main(places: Mapping[str, Any], planted: str | None) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's to wait for
    # A rival comes back at once, a fault is tried again at once: the tests have seconds, not days.
    recorder.RIVAL_MS = recorder.RETRY_MS = 20
    if planted:
        Log.append = PLANTED[planted]  # type: ignore[method-assign]  # that is the bug
    for _ in sys.stdin:
        process = os.fork()
        if not process:
            sys.stdin.close()
            record(a_recorder(places, opened(places)))
        print(process, flush=True)  # noqa: T201 - to the test


def record(one: Recorder) -> None:
    while True:
        result_of(one.tick())
        time.sleep(0.003)


_append = Log.append


def cursor_before_rows(log: Log, entries: Sequence[Entry], cursors: Mapping[str, int], now_ms: int) -> None:
    """The bug of those who note how far they are before they are there."""
    _append(log, [], cursors, now_ms)
    time.sleep(0.002)
    _append(log, entries, {}, now_ms)


def no_fence(log: Log, entries: Sequence[Entry], cursors: Mapping[str, int], now_ms: int) -> None:
    """The bug of those who write after whatever is there, without asking who wrote it."""
    there = log._store.head()
    if there is not None and there.size != log.head.size:
        mine = log.head.cursors
        log._take(there)
        log._head = attrs.evolve(there, cursors=mine)
        log._frontier = tree.Frontier(there.size, there.frontier)
    elif there is not None:
        log._head = attrs.evolve(log.head, epoch=there.epoch)
    _append(log, entries, cursors, now_ms)


PLANTED = {"cursor": cursor_before_rows, "fence": no_fence}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
