# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every action is the same act by REST, from the command line and in a chat: the same value, by the same person.

What checks rights and writes the journal gets nothing but these two (`tests/handlers/test_actions.py` and its like), so
what is equal here is checked and recorded alike.
"""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import requests
from click.testing import CliRunner

from synapse_groupreg.cli import main
from synapse_groupreg.errors import Conflict
from synapse_groupreg.handlers.actions import CARRY_OUT, Actions
from synapse_groupreg.handlers.commands import Commands
from synapse_groupreg.handlers.group_pages import GroupPages
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy import actions, record_actions
from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.commands import WORDS
from synapse_groupreg.policy.staff import EVERYBODY, Staff
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import numbers, rooms
from tests.database import open_sqlite, result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, NOW, Stage
from tests.storage import seed
from tests.web.server import TOKENS, Server
from tests.web.ways import FILE, NUMBER, ROOM, WHY, Way, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.database import TestDatabase

BARRED, NOT_ALLOWED = 409, 403
EXITS = {BARRED: 1, NOT_ALLOWED: 3}
WAYS = list(ways())
NEVER_TRIED = (record_actions.PurgeDue,)
"""Actions whose command says by another request what would be."""


class Spy(Actions):
    """Notes what it is asked to do, once it is on, and by whom; and does nothing of it."""

    on = False

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.database, stage.homeserver, stage.setting, stage.refusals)  # type: ignore[arg-type]  # as a stage does
        self.asked: list[tuple[Staff, Action, bool]] = []

    async def do(self, staff: Staff, action: Action, *, dry_run: bool = False) -> Any:
        if not self.on:
            return await super().do(staff, action, dry_run=dry_run)
        require(staff, action.right)
        if isinstance(action, actions.CommitImport):
            action = attrs.evolve(action, import_id="")
        self.asked.append((staff, action, dry_run))
        message = "seen"
        raise Conflict(message)


class Surfaces:
    """A server, and everything by which it is asked."""

    def __init__(self, database: TestDatabase, folder: Path) -> None:
        self.stage = Stage(database)
        self.spy = self.stage.actions = Spy(self.stage)
        self.direct = self.stage.do(seed.make_room, ALICE, kind=RoomKind.direct, members=[BOB])
        self.stage.do(seed.make_room, ALICE, room_id=ROOM, kind=RoomKind.group, members=[BOB])
        self.stage.do(rooms.ensure, ROOM)
        self.stage.do(numbers.give, NUMBER, ROOM, NOW)
        self.stage.act(actions.Impose(entity=ALICE, reason="r", basis="b"))
        nothing = SimpleNamespace(reader=SimpleNamespace(periods=list))
        self.server = Server(
            self.stage, store=SimpleNamespace(openers=SimpleNamespace(lend=lambda _log: nullcontext(nothing)))
        )
        self.folder = folder
        self.spy.on = True

    def rest(self, way: Way, who: str, *, dry_run: bool = False) -> int:
        method, path = way.rest.split()
        if way.staged is not None and who != "bob":
            number = self.server.ask("POST", "imports", WHY, token=who).json["id"]
            self.server.ask("PUT", f"imports/{number}/rows", way.staged, token=who)
            path = path.format(id=number)
        query = "?dry_run=true" if dry_run else ""
        body = way.body if way.action.reason is None or way.staged else {**way.body, **WHY}
        return self.server.ask(method, path + query, body, token=who).status

    def command(self, way: Way, who: str, *, dry_run: bool = False) -> int:
        session = self.folder / "session.json"
        session.write_text(json.dumps({"url": "http://test", "token": who, "user_id": TOKENS[who]}))
        (self.folder / FILE).write_text(way.file)
        line = ["--session", str(session), *way.command.split()]
        line += [] if way.action.reason is None else ["--reason", way.action.reason]
        line += ["--dry-run"] if dry_run else []
        return CliRunner().invoke(main, line, catch_exceptions=False).exit_code

    def chat(self, said: str) -> None:
        words = Words(self.stage.database, self.stage.homeserver, "en")  # type: ignore[arg-type]  # no more is needed
        links: Any = None
        pages = GroupPages(self.stage.config, self.stage.database, self.stage.homeserver, links)  # type: ignore[arg-type]  # as above
        commands = Commands(
            self.stage.config,
            self.stage.database,
            self.stage.homeserver,
            words,
            pages,
            actions=self.spy,
        )
        result_of(commands.hear(ALICE, self.direct, said))

    def asked(self) -> list[tuple[Staff, Action, bool]]:
        """What was asked since the last time."""
        asked, self.spy.asked = self.spy.asked, []
        return asked


@pytest.fixture(scope="module")
def shared(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surfaces]:
    folder = tmp_path_factory.mktemp("surfaces")
    database = open_sqlite(Path(shutil.copy(sqlite_template, folder)))
    yield Surfaces(database, folder)
    database.close()


@pytest.fixture
def surfaces(shared: Surfaces, monkeypatch: pytest.MonkeyPatch) -> Surfaces:
    """Nothing is changed, so all share a server; commands reach it without a socket between."""

    def send(_: object, request: requests.PreparedRequest, **_how: object) -> requests.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        content = request.body if request.body is None or isinstance(request.body, bytes) else request.body.encode()
        reply = shared.server.raw(request.method or "", request.path_url, token=token, content=content)
        response = requests.Response()
        response.status_code, response._content, response.url = reply.status, reply.content, str(request.url)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.chdir(shared.folder)
    shared.spy.asked.clear()
    return shared


def test_every_action_is_compared() -> None:
    assert {type(way.action) for way in WAYS} == set(CARRY_OUT)
    chats = [way.chat for way in WAYS if way.chat is not None]
    assert {said.split()[1] for said in chats} <= set(WORDS)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.command)
def test_it_is_the_same_act_on_every_surface(surfaces: Surfaces, way: Way) -> None:
    who = "alice" if way.chat else "admin"
    staff = Staff(user_id=ALICE) if way.chat else Staff(user_id=ADMIN, admin=True)
    for ask in (surfaces.rest, surfaces.command):
        answered = ask(way, who)
        assert surfaces.asked() == [(staff, way.action, False)]
        assert answered in (BARRED, EXITS[BARRED])
        if type(way.action) not in NEVER_TRIED:
            ask(way, who, dry_run=True)
            assert surfaces.asked() == [(staff, way.action, True)]
    if way.chat:
        surfaces.chat(way.chat)
        assert surfaces.asked() == [(staff, way.action, False)]


@pytest.mark.parametrize("way", [way for way in WAYS if way.action.right not in EVERYBODY], ids=lambda way: way.command)
def test_nobody_does_it_without_the_right_on_any_surface(surfaces: Surfaces, way: Way) -> None:
    assert surfaces.rest(way, "bob") == NOT_ALLOWED
    assert surfaces.command(way, "bob") == EXITS[NOT_ALLOWED]
    assert surfaces.asked() == []


def test_a_chat_does_nothing_else(surfaces: Surfaces) -> None:
    meant = {way.chat.split()[1] for way in WAYS if way.chat}
    for word in sorted(set(WORDS) - meant):
        surfaces.chat(f"!group {word} 12 something")
    assert surfaces.asked() == []
