# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server to try use cases on: the real storage on SQLite, and a homeserver that only remembers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import attrs

from synapse_groupreg.config import GroupRegConfig, load
from synapse_groupreg.handlers.actions import Actions
from synapse_groupreg.handlers.change import Setting
from synapse_groupreg.handlers.gate import Gate
from synapse_groupreg.handlers.journal import RefusalJournal
from synapse_groupreg.handlers.people import People
from synapse_groupreg.handlers.snapshot import Snapshot
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.storage import acts
from tests.database import SERVER, TestDatabase, result_of
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from synapse_groupreg.handlers.change import Change
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.policy.types import Violation
    from synapse_groupreg.storage.acts import Act

P = ParamSpec("P")
R = TypeVar("R")

NOW = 1_800_000_000_000
DAY = 86_400_000
ALICE, BOB, CAROL = (seed.local(name) for name in ("alice", "bob", "carol"))
ADMIN, BOSS = seed.local("admin"), seed.local("boss")
EVE = "@eve:remote.example.org"


@attrs.define
class FakeHomeserver:
    """`handlers.Homeserver` with a clock that stands still until it is set."""

    server_name: str = SERVER
    public_baseurl: str = "https://matrix.example.org/"
    now: int = NOW
    admins: set[str] = attrs.field(factory=lambda: {ADMIN, BOSS})
    pokes: int = 0
    slept: float = 0
    meanwhile: Callable[[], None] = lambda: None
    """What happens while somebody sleeps."""
    asked: list[str] = attrs.field(factory=list)
    """Of whom it was asked whether they are server admins."""

    def now_ms(self) -> int:
        return self.now

    def is_mine(self, identifier: str) -> bool:
        return identifier.partition(":")[2] == self.server_name

    async def is_admin(self, user_id: str) -> bool:
        self.asked.append(user_id)
        return user_id in self.admins

    async def poke(self) -> None:
        self.pokes += 1

    async def in_thread(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return work(*args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.meanwhile()

    async def wait(self, deferred: Deferred[None]) -> None:
        await deferred

    def wake(self, deferred: Deferred[None]) -> None:
        deferred.callback(None)


class Stage:
    """A database with some accounts, and the use cases on it."""

    def __init__(self, database: TestDatabase, **options: Any) -> None:
        self.database = database
        self.homeserver = FakeHomeserver()
        self.config: GroupRegConfig = load({"mode": "enforce", "federation": "closed", **options})
        self.snapshot = Snapshot(database, self.homeserver, self.config.mode)
        self.people = People(self.homeserver, self.snapshot, self.config.exempt)
        self.refusals = RefusalJournal(database, self.homeserver)  # type: ignore[arg-type]  # no more of it is needed
        self.actions = Actions(database, self.homeserver, self.setting, self.refusals)
        self._ids = itertools.count(1)
        for user_id in (ALICE, BOB, CAROL):
            self.do(seed.make_user, user_id)
        for user_id in (ADMIN, BOSS):
            self.do(seed.make_user, user_id, admin=True)
        self.refresh()

    def setting(self, staff: Staff) -> Setting:
        return Setting(
            staff=staff,
            now_ms=self.homeserver.now,
            config=self.config,
            server_name=SERVER,
            public_baseurl=self.homeserver.public_baseurl,
            dialect=self.database.dialect,
            seal=lambda plain: plain[::-1],
            new_id=lambda: f"person-{next(self._ids)}",
        )

    def do(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a function of the storage in a transaction."""
        return self.database.do(work, *args, **kwargs)

    def act(self, action: Action, *, dry_run: bool = False, staff: Staff | None = None) -> Change:
        """Carry out an action as a server admin, unless somebody else is named."""
        staff = staff or Staff(user_id=ADMIN, admin=True)
        return result_of(self.actions.do(staff, action, dry_run=dry_run))

    def journal(self) -> list[Act]:
        """The act journal, the oldest first."""
        found, _ = self.do(acts.page, {}, 0, 10_000)
        return found[::-1]

    def refresh(self) -> Snapshot:
        """Bring memory up to date."""
        result_of(self.snapshot.refresh())
        return self.snapshot

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table of ours."""
        names = self.database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'groupreg%'")
        return {name: sorted(self.database.rows(f"SELECT * FROM {name}"), key=repr) for (name,) in names}


class Process:
    """One of the processes of a server, by which people post."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gate = Gate(
            config=stage.config,
            database=stage.database,
            homeserver=stage.homeserver,  # type: ignore[arg-type]  # no more of it is needed
            snapshot=stage.refresh(),
            people=stage.people,
            journal=self,  # type: ignore[arg-type]  # as above
        )

    async def record(self, refusals: object) -> None:
        """Remembers nothing."""

    def send(self, user_id: str, room: str, **more: Any) -> Violation | None:
        """Why a message is refused, if it is."""
        return result_of(self.gate.send(user_id, room, posts=True, **more)).violation
