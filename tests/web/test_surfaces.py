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
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy import actions, appeal_actions, packet_actions, record_actions
from synapse_groupreg.policy.actions import EVERYBODY, Action, Staff, StaffRole
from synapse_groupreg.policy.appeals import Outcome
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.commands import WORDS
from synapse_groupreg.policy.measures import MeasureKind, ReportState, Switch
from synapse_groupreg.policy.packets import PacketState
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleKind
from synapse_groupreg.policy.types import RoomKind
from tests.database import open_sqlite, result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, Stage
from tests.storage import seed
from tests.web.server import TOKENS, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.database import TestDatabase

ROOM = "!room:test.example.org"
END, END_MS = "2030-01-01T00:00:00Z", 1_893_456_000_000
DAY, FROM_MS, TO_MS = "2026-05-01", 1_777_593_600_000, 1_777_679_999_999
WHY: dict[str, Any] = {"reason": "why"}
BARRED, NOT_ALLOWED = 409, 403
EXITS = {BARRED: 1, NOT_ALLOWED: 3}
FILE = "file"
"""What a command line names that reads one."""


@attrs.frozen
class Way:
    """An action, and how it is asked for; `chat` only where it is meant to be had in one. Reasons are added."""

    action: Action
    rest: str
    body: dict[str, Any]
    command: str
    chat: str | None = None
    file: str = ""
    staged: dict[str, Any] | None = None
    """Rows that REST is given before, for an import."""


def ways() -> Iterator[Way]:
    """All of them."""
    a, records = actions, record_actions
    who, room = f"accounts/{ALICE}", f"rooms/{ROOM}"
    verified: dict[str, Any] = {"assurance": Assurance.contact, "provider": "desk"}
    yield Way(
        a.Verify(user_id=ALICE, digest="digest of 4 characters", **verified, **WHY),
        f"PUT {who}/identity",
        {"assurance": "contact", "provider": "desk", "reference": "2024"},
        f"account verify {ALICE} contact --provider desk --reference 2024",
    )
    yield Way(a.Unverify(user_id=ALICE, **WHY), f"DELETE {who}/identity", {}, f"account unverify {ALICE}")
    yield Way(
        a.CommitImport(import_id="", **WHY),
        "POST imports/{id}/commit",
        {},
        f"account import {FILE}",
        file=f"user_id,assurance\n{ALICE},contact\n",
        staged={"rows": [{"line": 2, "user_id": ALICE, "assurance": "contact"}]},
    )
    limits: dict[str, int | None] = {"rooms_founded": 3}
    yield Way(
        a.LimitAccount(user_id=ALICE, limits=limits, **WHY),
        f"PUT {who}/quotas",
        limits,
        f"account limit {ALICE} --founded 3",
    )
    yield Way(a.CapRoom(room_id=ROOM, members=7, **WHY), f"PUT {room}/quotas", {"members": 7}, f"room cap {ROOM} 7")
    yield Way(a.LabelRoom(room_id=ROOM, **WHY), f"PUT {room}/labels", {}, f"room label {ROOM}")
    entry: dict[str, Any] = {"entity": ALICE, "basis": "11", "until_ms": END_MS}
    more: dict[str, Any] = {"room": ROOM, "note": "n", "grave": "g", "key": "k", "review_ms": END_MS}
    yield Way(
        a.Impose(kind=MeasureKind.posting_suspended, **entry, **more, **WHY),
        "POST measures",
        {"kind": "posting-suspended", **entry, **more},
        f"measure impose posting-suspended {ALICE} --in {ROOM} --note n --grave g --key k --basis 11 --until {END}"
        f" --review {END}",
    )
    yield Way(a.Impose(**entry, **WHY), "POST blacklist", entry, f"blacklist add {ALICE} --basis 11 --until {END}")
    for name, word in (("measures", "measure"), ("blacklist", "blacklist")):
        yield Way(a.Lift(measure_id=1, **WHY), f"DELETE {name}/1", {}, f"{word} lift 1")
    report: dict[str, Any] = {"state": ReportState.handed_in, "text": "t"}
    yield Way(
        a.SetReport(measure_id=1, **report, **WHY),
        "PUT measures/1/report",
        report,
        "measure report 1 handed-in --text t",
    )
    switched: dict[str, Any] = {"room": ROOM, "until_ms": END_MS}
    yield Way(
        a.SwitchEmergency(on=True, switches=(Switch.posting,), **switched, **WHY),
        "PUT emergency",
        {"on": True, "switches": ["posting"], **switched},
        f"emergency on posting --room {ROOM} --until {END}",
    )
    yield Way(
        a.SwitchEmergency(on=False, switches=(Switch.posting,), **WHY),
        "PUT emergency",
        {"on": False, "switches": ["posting"]},
        "emergency off posting",
    )
    yield Way(
        a.ImportRules(rules=(PolicyRule(kind=RuleKind.user, entity=ALICE),), source=FILE, basis="11", **WHY),
        "POST blacklist/import",
        {"basis": "11", "source": FILE, "rules": [{"entity": ALICE}]},
        f"blacklist import {FILE} --basis 11",
        file=f"{ALICE}\n",
    )
    yield Way(a.Follow(room=ROOM, **WHY), f"PUT followed/{ROOM}", {}, f"blacklist follow {ROOM}")
    yield Way(a.Unfollow(room=ROOM, **WHY), f"DELETE followed/{ROOM}", {}, f"blacklist unfollow {ROOM}")
    yield Way(a.Approve(proposal_id=1, **WHY), "POST proposals/1/approve", {}, "proposal approve 1")
    yield Way(a.Reject(proposal_id=1, **WHY), "POST proposals/1/reject", {}, "proposal reject 1")
    roles = frozenset({StaffRole.reviewer})
    yield Way(
        a.Grant(user_id=ALICE, roles=roles, **WHY),
        f"PUT staff/{ALICE}",
        {"roles": [*roles]},
        f"staff set {ALICE} reviewer",
    )
    yield Way(a.SetMode(mode="dry", **WHY), "PUT mode", {"mode": "dry"}, "mode dry")
    yield Way(
        appeal_actions.MakeAppeal(measure_id=1, text="Me."),
        "POST appeals",
        {"measure_id": 1, "text": "Me."},
        "appeal make 1 --text Me.",
        chat="!group appeal 1 Me.",
    )
    decision: dict[str, Any] = {"outcome": Outcome.changed, "until_ms": END_MS}
    yield Way(
        appeal_actions.DecideAppeal(appeal_id=1, **decision, **WHY),
        "POST appeals/1/decision",
        decision,
        f"appeal decide 1 changed --until {END}",
    )
    yield Way(packet_actions.MakePacket(measure_ids=(1,), **WHY), "POST packets", {"measures": [1]}, "packet make 1")
    packed: dict[str, Any] = {"state": PacketState.receipt, "text": "t"}
    yield Way(
        packet_actions.SetPacket(packet_id=1, **packed, **WHY),
        "PUT packets/1/state",
        packed,
        "packet state 1 receipt --text t",
    )
    hold: dict[str, Any] = {"log": "acts", "from_ms": FROM_MS, "to_ms": TO_MS, "until_ms": END_MS, "basis": "13"}
    yield Way(
        records.HoldRecords(**hold, **WHY),
        "POST retention/holds",
        hold,
        f"retention hold add --log acts --from {DAY} --to {DAY} --until {END} --basis 13",
    )
    yield Way(
        records.ExtendHold(hold_id=1, until_ms=END_MS, **WHY),
        "PUT retention/holds/1",
        {"until_ms": END_MS},
        f"retention hold extend 1 --until {END}",
    )
    yield Way(records.LiftHold(hold_id=1, **WHY), "DELETE retention/holds/1", {}, "retention hold lift 1")
    yield Way(records.PurgeDue(due=(), **WHY), "POST retention/purge", {}, "retention purge --now")
    keys: dict[str, Any] = {"signing": True}
    yield Way(records.RotateKeys(**keys, **WHY), "POST retention/keys", keys, "retention rotate-keys --signing")
    yield Way(
        records.BeginShard(log="acts", **WHY), "POST retention/epoch", {"log": "acts"}, "retention epoch --log acts"
    )
    erased = {"user_id": ALICE, "duty_ended": "d"}
    yield Way(
        records.EraseRecords(**erased, **WHY),
        "POST retention/erasures",
        erased,
        f"retention erase {ALICE} --duty-ended d",
    )
    taken: dict[str, Any] = {"log": "acts", "mode": "range", "case": "1", "basis": "13", "identities": True}
    yield Way(
        records.Export(first=0, end=5, **taken, **WHY),
        "POST exports",
        {"from": 0, "to": 5, **taken},
        "export range --log acts --case 1 --basis 13 --first 0 --end 5 --identities",
    )


WAYS = list(ways())
NEVER_TRIED = (record_actions.PurgeDue,)
"""Actions whose command says by another request what would be."""


class Spy(Actions):
    """Notes what it is asked to do, once it is on, and by whom; and does nothing of it."""

    on = False

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.database, stage.homeserver, stage.setting)  # type: ignore[arg-type]  # as a stage does
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
        pages: Any = None
        commands = Commands(
            self.stage.config,
            self.stage.database,
            self.stage.homeserver,
            words,
            pages,
            actions=self.spy,  # type: ignore[arg-type]
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
