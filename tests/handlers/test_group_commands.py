# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Those who look after a group do so in a chat, and are told why they can't."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg import texts
from synapse_groupreg.config import load
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import rooms
from tests.database import SERVER
from tests.handlers.stage import ALICE, BOB, CAROL, Stage
from tests.handlers.test_commands import CLOSED, ask, commanding, found
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.commands import Commands
    from tests.database import TestDatabase


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    stage = Stage(sqlite_db, identity={"required": {"post": "contact"}})
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.contact, provider="office"))
    return stage


@pytest.fixture
def commands(stage: Stage) -> Commands:
    return commanding(stage)


@pytest.fixture
def closed(stage: Stage) -> str:
    return found(stage, CLOSED, "invite")


@pytest.fixture
def direct(stage: Stage) -> str:
    """Carol's and Bob's own room, which has no number."""
    room_id: str = stage.do(seed.make_room, CAROL, kind=RoomKind.direct, members=[BOB])
    return room_id


def test_a_founder_mutes_and_unmutes_in_a_chat(stage: Stage, commands: Commands, closed: str, direct: str) -> None:
    def write(user_id: str, body: str, room_id: str = closed, *mentions: str) -> str | None:
        stage.homeserver.now += 60_000
        return ask(stage, commands, user_id, room_id, body, *mentions)

    def answer(key: str, **facts: object) -> str:
        return texts.text(f"command.{key}", "en", **{"person": BOB, "name": f"Room {CLOSED}", **facts})

    how = answer("mute.how", example=f"!group mute {CLOSED} @anna:{SERVER} 2h")
    before = stage.journal()
    assert write(ALICE, "!group mute") == f"{answer('mute.nobody')}\n{how}"
    assert write(ALICE, "!group mute bob") == how
    assert write(BOB, f"!group mute {ALICE}") == texts.text("hindrance.not-leading", "en")
    assert write(ALICE, f"!group mute {ALICE} 2h") == texts.text("hindrance.oneself", "en")
    assert write(ALICE, f"!group mute {CAROL} 2h") == texts.text("hindrance.no-member", "en", person=CAROL)
    one = answer("mute.one", example=f"!group mute {CLOSED} @anna:{SERVER} 2h")
    assert [write(ALICE, f"!group mute @bob {more}") for more in ("@carol 2h", "and @carol 2h")] == [one] * 2
    assert write(ALICE, "!group mute @bob Carol 2h", closed, BOB, CAROL) == one
    for said in ("90 Too loud", "1.5h x", "-1h bla", "2026-12-01 spam", "两小时 太吵", "100年"):
        assert write(ALICE, f"!group mute @bob {said}") == answer("mute.no_time", said=said.split()[0], days=30)
    assert write(ALICE, "!group mute @bob 0h") == texts.text("hindrance.mute-time", "en", days=30)
    assert stage.journal() == before
    said = write(ALICE, "!group mute @bob 3 天 刷屏")
    assert said == f"{answer('mute.done', until=until(stage, 3 * 86_400_000))} Reason: “刷屏”."
    assert stage.journal()[-1].reason == "刷屏"
    assert write(ALICE, "!group mute @bob 2w") == answer("mute.done", until=until(stage, 14 * 86_400_000))
    assert answer("mute.line", until=until(stage, 14 * 86_400_000)) in (write(ALICE, "!group mute") or "")
    said = write(ALICE, "!group mute @bob 2w 5")
    assert said == f"{answer('mute.done', until=until(stage, 14 * 86_400_000))} Reason: “5”."
    assert stage.journal()[-1].reason == "5"
    said = write(ALICE, "!group mute Bob 2h  Too\nloud.", closed, BOB)
    assert said == f"{answer('mute.done', until=until(stage, 7_200_000))} Reason: “Too loud.”."
    line = stage.journal()[-1]
    assert (line.author, line.action, line.subject, line.reason) == (ALICE, "mute", BOB, "Too\nloud.")
    shown = answer("mute.line_why", until=until(stage, 7_200_000), reason="Too loud.")
    assert shown in (write(ALICE, "!group mute") or "")
    ends = until(stage, 7_140_000)
    muted = answer("me.muted", until=ends, name=f"Room {CLOSED} ({CLOSED})")
    for body in ("!group me", f"!group me {CLOSED}"):
        told = write(BOB, body, direct) or ""
        assert f"{muted} Reason: “Too loud.”." in told
        assert told.endswith("No measure of the staff is in force against you.")
    assert "muted" not in (write(ALICE, "!group me") or "")
    assert write(BOB, "!group unmute @bob") == texts.text("hindrance.not-leading", "en")
    assert write(ALICE, "!group unmute @bob") == answer("unmute.done")
    assert write(ALICE, "!group unmute @bob") == answer("unmute.none")
    assert write(ALICE, "!group unmute") == answer("unmute.how", example=f"!group unmute {CLOSED} @anna:{SERVER}")
    stage.act(actions.SetMode(mode="dry"))
    assert answer("mute.dry") in (write(ALICE, "!group mute @bob Loud.") or "")
    assert stage.journal()[-1].reason == "Loud."


def test_who_may_manage_nothing_is_told_so_in_a_chat(stage: Stage, commands: Commands, closed: str) -> None:
    stage.act(actions.Impose(entity=ALICE, reason="Sold accounts.", basis="11.3"))
    answer = ask(stage, commands, ALICE, closed, "!group mute @bob") or ""
    assert "barred from groups" in answer
    assert "Sold accounts." in answer
    assert "https://matrix.example.org/_synapse/client/groupreg/rules#account-blacklisted" in answer


def until(stage: Stage, after_ms: int) -> str:
    return texts.moment(stage.homeserver.now + after_ms, "en")


def test_a_group_is_handed_over_in_a_chat(stage: Stage, commands: Commands, closed: str, direct: str) -> None:
    def write(user_id: str, body: str, room_id: str = closed) -> str | None:
        stage.homeserver.now += 60_000
        return ask(stage, commands, user_id, room_id, body)

    def answer(key: str, **facts: object) -> str:
        return texts.text(f"command.transfer.{key}", "en", **{"name": f"Room {CLOSED}", **facts})

    replies = {"accept": f"!group transfer {CLOSED} accept", "decline": f"!group transfer {CLOSED} decline"}
    how = answer("how", example=f"!group transfer {CLOSED} @anna:{SERVER}")
    assert write(BOB, "!group transfer @alice") == texts.text("hindrance.not-founder", "en")
    assert write(BOB, "!group transfer") == answer("not_offered", **replies)
    assert write(BOB, "!group transfer yes") == f"{answer('no_answer', said='yes')}\n{answer('not_offered', **replies)}"
    assert write(ALICE, "!group transfer Bob") == how
    assert [write(ALICE, f"!group transfer {said}") for said in ("accept", "accept please")] == [answer("already")] * 2
    assert write(ALICE, "!group transfer @bob") == texts.text("hindrance.no-manager", "en", person=BOB)
    assert write(ALICE, "!group transfer @ghost") == texts.text("hindrance.no-member", "en", person=f"@ghost:{SERVER}")
    stage.do(seed.set_state, closed, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    for word in ("accept", "接受", "수락", "decline"):
        assert write(BOB, f"!group transfer {word}") == texts.text("hindrance.no-offer", "en")
    assert write(ALICE, "!group transfer @bob") == answer("done", person=BOB, days=7)
    ends = until(stage, 7 * 86_400_000)
    opened = f"{answer('open', person=BOB, until=ends, **replies)}\n{how}"
    for said in ("", " Bob", " accept", " 拒绝 please"):
        assert write(ALICE, f"!group transfer {CLOSED}{said}") == opened
    offered = answer("offered", until=ends, **replies)
    assert write(BOB, "!group transfer") == offered
    for said in ("yes", "Accept please", "同意"):
        assert write(BOB, f"!group transfer {said}") == f"{answer('no_answer', said=said)}\n{offered}"
    assert write(BOB, f"!group transfer decline {CLOSED}", direct) == answer("decline")
    assert write(ALICE, "!group transfer @bob") == answer("done", person=BOB, days=7)
    assert write(BOB, "!group transfer 拒绝。") == answer("decline")
    assert write(ALICE, "!group transfer @bob") == answer("done", person=BOB, days=7)
    stage.act(actions.LimitAccount(user_id=BOB, limits={"rooms_founded": 0}))
    assert "limit for founding groups (0 founded, 0 allowed)" in (write(BOB, "!group transfer accept") or "")
    stage.act(actions.LimitAccount(user_id=BOB, limits={"rooms_founded": 1}))
    stage.do(seed.set_state, closed, ALICE, "m.room.power_levels", {"users": {ALICE: 100}})
    assert write(BOB, "!group transfer accept") == texts.text("hindrance.demoted", "en")
    stage.do(seed.set_state, closed, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    assert write(BOB, f"!group transfer {CLOSED} Accept", direct) == answer("accept")
    assert write(BOB, "!group transfer accept") == answer("already")
    assert "Founder" in (write(BOB, "!group me") or "")
    assert "Manager" in (write(ALICE, "!group me") or "")


def test_a_founder_says_in_a_chat_what_a_group_is_about(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db, groups={"categories": ["Study", "学习 小组"]})
    commands, room = commanding(stage), found(stage, CLOSED, "invite")

    def write(user_id: str, body: str) -> str | None:
        stage.homeserver.now += 60_000
        return ask(stage, commands, user_id, room, f"!group category{body}")

    def answer(key: str, **facts: object) -> str:
        return texts.text(f"command.category.{key}", "en", **{"name": f"Room {CLOSED}", **facts})

    how = answer("how", categories="Study, 学习 小组", example=f"!group category {CLOSED} …")
    assert write(BOB, "") == f"{answer('none')}\n{how}"
    assert write(BOB, " study") == texts.text("hindrance.not-founder", "en")
    assert write(ALICE, " sport") == texts.text("hindrance.no-category", "en", categories="Study, 学习 小组")
    assert write(ALICE, " ＳＴＵＤＹ") == answer("is", category="Study")
    assert write(ALICE, f" {CLOSED} 学习　小组") == answer("is", category="学习 小组")
    assert write(BOB, "") == f"{answer('is', category='学习 小组')}\n{how}"
    assert texts.text("command.info.category", "en", category="学习 小组") in (
        ask(stage, commands, BOB, room, "!group") or ""
    )
    line = stage.journal()[-1]
    assert (line.author, line.action, line.before, line.after) == (
        ALICE,
        "category",
        {"category": "Study"},
        {"category": "学习 小组"},
    )
    assert write(ALICE, " -") == answer("none")
    assert stage.do(rooms.category, room) is None
    stage.config = load({"mode": "enforce", "federation": "closed"})
    assert write(ALICE, " study") == texts.text("hindrance.no-categories", "en")


def test_a_manager_slows_a_group_down_in_a_chat(stage: Stage, commands: Commands, closed: str) -> None:
    def write(user_id: str, body: str) -> str | None:
        stage.homeserver.now += 60_000
        return ask(stage, commands, user_id, closed, f"!group slow{body}")

    def answer(key: str, seconds: int = 0) -> str:
        return texts.text(f"command.slow.{key}", "en", name=f"Room {CLOSED}", seconds=seconds)

    how = texts.text(
        "command.slow.how", "en", example=f"!group slow {CLOSED} 30", off=f"!group slow {CLOSED} off", most=3600
    )
    assert write(BOB, "") == f"{answer('off')}\n{how}"
    assert write(BOB, " 30") == texts.text("hindrance.not-leading", "en")
    stage.do(seed.set_state, closed, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    assert write(BOB, " 30") == answer("is", 30)
    assert write(BOB, "") == f"{answer('is', 30)}\n{how}"
    assert [write(ALICE, said) for said in (" 5m", " 90s", " ２小时")] == [
        answer("is", 300),
        answer("is", 90),
        texts.text("hindrance.slow-time", "en", most=3600, off="off"),
    ]
    for said in ("fast", "30 off", "-5", "off please", "1.5m"):
        wrong = texts.text("command.slow.wrong", "en", said=said, most=3600, off="off")
        assert write(ALICE, f" {CLOSED} {said}") == wrong
    assert [write(ALICE, said) for said in (" Off", " 0")] == [answer("off")] * 2
    stage.act(actions.SetMode(mode="dry"))
    assert write(ALICE, " 30") == f"{answer('is', 30)}\n{texts.text('command.mute.dry', 'en')}"
