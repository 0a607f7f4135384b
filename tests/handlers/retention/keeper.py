# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A recorder with its keeping, on a real store and real key files, with a clock that is told; it can be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.config import load
from synapse_groupreg.handlers.retention.clock import ClockWatch
from synapse_groupreg.handlers.retention.keeping import Keeping
from synapse_groupreg.handlers.retention.log import Log, origin_of
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Openers
from synapse_groupreg.handlers.retention.recorder import Recorder
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention import ed25519, notes, tree
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind, LogName
from synapse_groupreg.storage import acts, outbox
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.storage.store_tree import StoredTree
from tests.database import SERVER, result_of
from tests.handlers.retention.stage import NOVEMBER_MS, read
from tests.handlers.stage import FakeHomeserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from synapse_groupreg.handlers.retention.reading import OpenRecord
    from tests.database import TestDatabase
    from tests.storage.store_places import Place

DAY = 86_400_000
MONTH = 31 * DAY
KEEP = 184 * DAY


class Killed(BaseException):
    """The process is no more."""


def seal(plain: bytes) -> bytes:
    return plain[::-1]


@attrs.define
class Machine(FakeHomeserver):
    """A homeserver whose threads are at hand, and whose clock can jump while time goes by steadily."""

    now: int = NOVEMBER_MS
    elapsed: int = 0
    steps: int = 0
    """How many steps were done, or begun."""
    killed_at: int | None = None
    """At which one the process dies; even numbers before it is done, odd ones after."""

    async def in_thread(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.step()
        result = work(*args, **kwargs)
        self.step()
        return result

    def step(self) -> None:
        if self.steps == self.killed_at:
            raise Killed
        self.steps += 1


@attrs.frozen
class Mortal:
    """A database whose user may die before a transaction, and after it."""

    database: TestDatabase
    machine: Machine

    @property
    def dialect(self) -> Any:
        return self.database.dialect

    async def run(self, name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.machine.step()
        result = await self.database.run(name, work, *args, **kwargs)
        self.machine.step()
        return result


class Keeper:
    """The process that records, which can be killed and started again."""

    def __init__(self, place: Place, folder: Path, database: TestDatabase, **options: Any) -> None:
        self.place = place
        self.folder = folder
        self.database = database
        self.homeserver = Machine()
        self.config = load({"mode": "enforce", "federation": "open", "retention": options}).retention
        self.found_dead: Callable[[], object] = lambda: None
        """Called on what a process left that died."""
        self._server_seed = b"7" * 32
        self.published = Published(folder)
        self.start()

    def start(self) -> None:
        """A new process on what is there."""
        self.keys = RetentionKeys(str(self.folder), SERVER, self._server_key)
        self.openers = Openers(self.place.reader, SERVER, self.keys)
        mortal = Mortal(self.database, self.homeserver)
        self.keeping = Keeping(
            self.config,
            mortal,
            self.homeserver,
            seal=seal,
            keys=self.keys,
            clock=ClockWatch(lambda: self.homeserver.elapsed),
        )
        self.recorder = Recorder(
            self.config,
            mortal,
            self.homeserver,
            seal=seal,
            open_=seal,
            open_log=lambda name: Log(name, self.place.store(name), SERVER, self.keys, self.published),
            anchor=self._anchor,
            upkeep=self.keeping,
        )

    def tick(self, times: int = 1) -> None:
        """Let the recorder do its work."""
        for _ in range(times):
            self.homeserver.now += 1000
            self.homeserver.elapsed += 1000
            result_of(self.recorder.tick())

    def work(self) -> None:
        """Until nothing waits for it any more."""
        for ticks in range(20):
            self.tick()
            if ticks and not self.waiting():
                break
        assert self.recorder.problem is None, self.recorder.problem
        assert self.waiting() == []

    def work_and_die_at(self, step: int) -> bool:
        """Work, but die at a step; whether it came to that. Then a new process goes on, and finishes."""
        self.homeserver.steps, self.homeserver.killed_at = 0, step
        try:
            self.work()
        except Killed:
            return True
        finally:
            self.homeserver.killed_at = None
            self.kill()
            self.found_dead()
            self.work()
        return False

    def kill(self) -> None:
        """The process dies: nothing is closed in order."""
        for log in self.recorder.logs.values():
            log.release()
        self.place.close()
        self.start()

    def waiting(self) -> list[tuple[Any, ...]]:
        return self.database.rows("SELECT kind, log, subject FROM groupreg_store_work ORDER BY id")

    def pass_(self, ms: int) -> None:
        """Time goes by, and the process runs."""
        self.homeserver.now += ms
        self.homeserver.elapsed += ms

    def login(self, account: str = f"@alice:{SERVER}", ip: str = "192.0.2.7", **more: Any) -> None:
        entry = draft(Kind.login, self.homeserver.now, type="password", actor=account, details={"ip": ip}, **more)
        self.database.do(outbox.append, [entry], seal)

    def act(self, subject: str, **more: Any) -> None:
        said: dict[str, Any] = {"author": f"@staff:{SERVER}", "action": "limit", "reason": None, "before": None}
        self.database.do(
            acts.append, now_ms=self.homeserver.now, **{**said, "subject": subject, "after": {"n": 1}, **more}
        )

    def live(self, months: int) -> None:
        """Months in which people log in."""
        for _ in range(months):
            self.login()
            self.act(f"@alice:{SERVER}")
            self.tick()
            self.pass_(MONTH)

    def months(self, log: str = "events") -> list[str]:
        return [info.period.month for info in self.place.reader(log).periods()]

    def records(self, log: LogName = LogName.events, **wanted: Any) -> list[OpenRecord]:
        with self.openers.lend(log.value) as opener:
            return read(opener, **wanted)

    def told(self, kind: Kind, log: LogName = LogName.acts) -> list[Mapping[str, Any]]:
        """The facts of all records of a kind."""
        return [one.facts or {} for one in self.records(log, kinds=[KIND_NUMBERS[kind]])]

    def check(self) -> None:
        """What holds whatever happened: each leaf is its record's, roots and signatures are right, nothing is twice."""
        for name in LogName:
            with self.openers.lend(name.value) as opener:
                reader, head = opener.reader, opener.reader.head()
                assert head is not None
                rows = [one for one in read(opener) if one.period.shard == head.period.shard]
                for one in rows:
                    assert one.row.leaf == notes_leaf(one), one.row.idx
                assert [one.row.idx for one in rows] == list(range(head.base_size, head.size))
                seen = [(one.row.source, one.row.position) for one in rows]
                assert len(seen) == len(set(seen))
                stored = StoredTree(reader, head.period.shard)
                assert stored.root(head.size) == stored.frontier(head.size).root()
                [(size, note)] = reader.checkpoints(head.period.shard)
                key = notes.Key(origin_of(SERVER, name.value, head.period.shard), self.keys.public)
                checkpoint = notes.Checkpoint.parse(notes.open_note(note, [key], ed25519.verify).text)
                assert (checkpoint.size, checkpoint.root) == (size, stored.root(size))

    def close(self) -> None:
        for log in self.recorder.logs.values():
            log.release()

    def _server_key(self) -> tuple[str, Any]:
        return "ed25519:a_test", lambda message: ed25519.sign(self._server_seed, message)

    async def _anchor(self, note: str) -> None:
        pass


def notes_leaf(record: OpenRecord) -> bytes:
    return tree.leaf_hash(record.header().text().encode())
