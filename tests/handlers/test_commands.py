# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each command is answered to who may ask, in their language, in their own room, and not without end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg import texts
from synapse_groupreg.handlers.commands import _ANSWERS, Commands
from synapse_groupreg.handlers.group_pages import GroupPages, Links
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.homeserver.keys import Box
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.commands import WORDS
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import appeals, notices, numbers, rooms
from tests.database import SERVER, result_of
from tests.handlers.stage import ALICE, BOB, CAROL, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from tests.database import TestDatabase

PUBLIC, CLOSED = number(1), number(2)


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, identity={"required": {"post": "contact", "members_over": {1: "real_name"}}})


def commanding(stage: Stage) -> Commands:
    """What answers on a stage."""
    homeserver = stage.homeserver
    pages = GroupPages(stage.config, stage.database, homeserver, Links(Box(b"k", b"p"), homeserver))  # type: ignore[arg-type]  # no more of a homeserver is needed
    words = Words(stage.database, homeserver, "en")  # type: ignore[arg-type]  # as above
    return Commands(stage.config, stage.database, homeserver, words, pages, actions=stage.actions)  # type: ignore[arg-type]  # as above


@pytest.fixture
def commands(stage: Stage) -> Commands:
    return commanding(stage)


def found(stage: Stage, given: str, rule: str) -> str:
    """A group of Alice's that Bob is in."""
    room_id: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, join_rule=rule, members=[BOB])
    stage.do(rooms.ensure, room_id)
    stage.do(numbers.give, given, room_id, NOW)
    stage.do(seed.set_state, room_id, ALICE, "m.room.name", {"name": f"Room {given}"})
    return room_id


@pytest.fixture
def public(stage: Stage) -> str:
    return found(stage, PUBLIC, "public")


@pytest.fixture
def closed(stage: Stage) -> str:
    return found(stage, CLOSED, "invite")


@pytest.fixture
def direct(stage: Stage) -> str:
    """Carol's and Bob's own room, which has no number."""
    room_id: str = stage.do(seed.make_room, CAROL, kind=RoomKind.direct, members=[BOB])
    return room_id


def said(stage: Stage, account: str) -> list[str]:
    found, _ = stage.do(notices.page, {"account": account}, 0, 100)
    return [one.facts["text"] for one in found[::-1] if one.code == notices.ANSWER]


def ask(stage: Stage, commands: Commands, user_id: str, room_id: str, body: str, *mentions: str) -> str | None:
    before = len(said(stage, user_id))
    result_of(commands.hear(user_id, room_id, body, mentions))
    after = said(stage, user_id)[before:]
    assert len(after) <= 1
    return after[0] if after else None


def test_every_command_is_answered() -> None:
    assert set(_ANSWERS) == set(WORDS)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_member_is_answered_in_their_language(
    stage: Stage, commands: Commands, closed: str, word: str, language: str
) -> None:
    settings = json.dumps({"language": language})
    stage.database.rows(
        "INSERT INTO account_data (user_id, account_data_type, stream_id, content) VALUES (?, ?, 1, ?) RETURNING 1",
        BOB,
        "org.groupreg.settings",
        settings,
    )
    answer = ask(stage, commands, BOB, closed, f"!group {word}")
    assert answer is not None
    assert "{" not in answer
    markers = {
        "info": texts.text("command.info.title", language, name=f"Room {CLOSED}", number=CLOSED),
        "help": texts.text("command.help.title", language),
        "members": texts.text("command.info.founder", language, names="alice"),
        "limits": texts.text("command.limits.post", language, assurance=texts.text("assurance.real_name", language)),
        "me": texts.text("command.me.assurance", language, assurance=texts.text("assurance.none", language)),
        "appeal": "!group appeal 12",
        "report": texts.text("page.complaint.report", language),
        "link": "https://matrix.example.org/_synapse/client/groupreg/g/",
        "mute": texts.text("hindrance.not-leading", language),
        "unmute": f"!group unmute {CLOSED} @anna:{SERVER}",
        "transfer": f"!group transfer {CLOSED} accept",
        "slow": texts.text("command.slow.off", language, name=f"Room {CLOSED}"),
        "category": texts.text("command.category.none", language, name=f"Room {CLOSED}"),
    }
    assert markers[word] in answer


def test_a_group_is_told_with_its_size_tier(stage: Stage, commands: Commands, closed: str) -> None:
    tier = {"tier": "1 of 4", "members": "at most 50 members"}
    assert texts.text("command.info.size_tier", "en", **tier) in (ask(stage, commands, BOB, closed, "!group") or "")


def test_a_group_is_named_by_its_number_from_anywhere(
    stage: Stage, commands: Commands, closed: str, direct: str
) -> None:
    del closed
    assert f"Room {CLOSED}" in (ask(stage, commands, BOB, direct, f"!group #g{CLOSED}:test.example.org") or "")
    assert f"Room {CLOSED}" in (ask(stage, commands, BOB, direct, f"!group members {CLOSED}") or "")


def test_without_a_number_it_lists_the_groups_of_who_asks(
    stage: Stage, commands: Commands, closed: str, public: str, direct: str
) -> None:
    del closed, public
    answer = ask(stage, commands, BOB, direct, "!group limits") or ""
    assert f"!group limits {PUBLIC}" in answer
    assert f"!group slow {PUBLIC} 30\n" in (ask(stage, commands, BOB, direct, "!group slow 30") or "")
    assert f"{PUBLIC}  Room {PUBLIC}\n{CLOSED}  Room {CLOSED}" in answer
    assert ask(stage, commands, CAROL, direct, "!group") == texts.text("command.no_groups", "en")


def test_groups_that_were_replaced_are_listed_last_and_called_so(
    stage: Stage, commands: Commands, closed: str, public: str, direct: str
) -> None:
    del closed
    new = stage.do(seed.make_room, BOB, predecessor=public)
    stage.do(seed.set_state, public, BOB, "m.room.tombstone", {"replacement_room": new})
    replaced = texts.text("command.replaced", "en", name=f"Room {PUBLIC}")
    assert (ask(stage, commands, BOB, direct, "!group") or "").endswith(
        f"{CLOSED}  Room {CLOSED}\n{PUBLIC}  {replaced}"
    )


def test_others_learn_nothing_of_a_closed_group(
    stage: Stage, commands: Commands, closed: str, public: str, direct: str
) -> None:
    del public
    missing = texts.text("command.no_such_group", "en", number=CLOSED)
    for word in ("info", "members", "limits", "link"):
        assert ask(stage, commands, CAROL, direct, f"!group {word} {CLOSED}") == missing
        stage.homeserver.now += 60_000
    assert f"Room {PUBLIC}" in (ask(stage, commands, CAROL, direct, f"!group {PUBLIC}") or "")
    assert ask(stage, commands, CAROL, closed, "!group") is None, "Synapse refused the message itself"
    assert f"Room {CLOSED}" not in (ask(stage, commands, CAROL, direct, f"!group me {CLOSED}") or "")


def test_only_a_member_gets_a_link_of_their_own(stage: Stage, commands: Commands, closed: str, public: str) -> None:
    own = ask(stage, commands, BOB, closed, "!group link") or ""
    assert "?key=" in own
    assert commands._pages.links.bearer(own.rpartition("?key=")[2], CLOSED) == BOB
    assert "?key=" not in (ask(stage, commands, BOB, public, "!group link") or "")


def test_people_see_what_stands_against_them(stage: Stage, commands: Commands, closed: str) -> None:
    stage.act(actions.Verify(user_id=BOB, assurance=Assurance.contact, provider="office"))
    stage.act(actions.Impose(entity=BOB, reason="Sold accounts.", basis="11.3", until_ms=NOW + 86_400_000))
    answer = ask(stage, commands, BOB, closed, "!group me") or ""
    assert "Member" in answer
    assert texts.text("assurance.contact", "en") in answer
    assert texts.text("command.me.joined", "en", used=1, limit=200) in answer
    assert "Sold accounts." in answer
    assert texts.moment(NOW + 86_400_000, "en") in answer
    assert "Founder" in (ask(stage, commands, ALICE, closed, "!group me") or "")


def test_a_wrong_word_gets_the_nearest_command(stage: Stage, commands: Commands, closed: str) -> None:
    assert "!group members" in (ask(stage, commands, BOB, closed, "!group memebrs") or "")
    answer = ask(stage, commands, BOB, closed, "!group qqqq")
    assert answer == texts.text("command.unknown_at_all", "en", word="qqqq", help="!group help")


def test_who_asks_without_end_is_told_once_and_then_not_heard(stage: Stage, commands: Commands, closed: str) -> None:
    answers = [ask(stage, commands, BOB, closed, "!group help") for _ in range(9)]
    assert answers[6] == texts.text("command.too_many", "en", most=6)
    assert answers[7:] == [None, None]
    assert all(answers[:6])
    assert ask(stage, commands, ALICE, closed, "!group help"), "others are"
    stage.homeserver.now += 60_000
    assert ask(stage, commands, BOB, closed, "!group help")


def test_who_looks_after_a_group_acts_in_it_more_often(stage: Stage, commands: Commands, closed: str) -> None:
    stage.act(actions.Verify(user_id=ALICE, assurance=Assurance.real_name, provider="office"))
    too_many = {most: texts.text("command.too_many", "en", most=most) for most in (6, 30)}
    for _ in range(7):
        told = ask(stage, commands, ALICE, closed, "!group help")
    assert told == too_many[6]
    answers = [ask(stage, commands, ALICE, closed, f"!group mute @bob {times}h") for times in range(1, 34)]
    assert all("can't post" in (answer or "") for answer in answers[:30])
    assert answers[30:] == [too_many[30], None, None]
    assert [line.action for line in stage.journal()] == ["verify", *["mute"] * 30]
    answers = [ask(stage, commands, BOB, closed, "!group mute @alice") for _ in range(33)]
    assert answers[6:] == [too_many[6], *[None] * 26], "who leads nothing has six"
    assert ask(stage, commands, BOB, closed, "!group help") is None
    ran = len(stage.database.runs)
    assert ask(stage, commands, BOB, closed, "!group mute @alice") is None
    assert stage.database.runs[ran:] == [], "nor is the database asked"
    stage.homeserver.now += 60_000
    assert ask(stage, commands, ALICE, closed, "!group mute @bob 1h")


def test_answers_neither_wait_for_the_budget_of_notices_nor_use_it_up(
    stage: Stage, commands: Commands, closed: str
) -> None:
    ask(stage, commands, BOB, closed, "!group")
    answer = stage.do(notices.claim, NOW, 0)
    assert answer is not None
    stage.do(notices.finish, answer.id, NOW)
    stage.database.rows(
        "INSERT INTO groupreg_notices (account, code, attempt, room_id, state, created_ms, next_ms, tries)"
        " VALUES (?, 'room-full', 'join', '', 'waiting', ?, ?, 0) RETURNING 1",
        ALICE,
        NOW,
        NOW,
    )
    assert stage.do(notices.claim, NOW, 0) is None
    assert stage.do(notices.claim, NOW, 1) is not None


def test_people_appeal_in_a_chat(stage: Stage, commands: Commands, direct: str) -> None:
    case = stage.act(actions.Impose(entity=BOB, reason="Sold accounts.", basis="11.3")).id

    def answer(key: str, **facts: object) -> str:
        return texts.text(f"command.appeal.{key}", "en", case=case, **facts)

    def write(user_id: str, body: str) -> str | None:
        stage.homeserver.now += 60_000
        return ask(stage, commands, user_id, direct, body)

    assert write(CAROL, f"!group appeal {case} let him go") == answer("missing")
    how = answer("how", example="!group appeal 12", me="!group me")
    assert [write(BOB, f"!group appeal {rest}") for rest in (case, "x y", "9" * 19 + " z")] == [how] * 3
    assert write(BOB, f"!group appeal {case} {'x' * 4001}") == answer("long", most=4000)
    assert write(BOB, f"!group appeal #{case}: I didn't.\nEver.") == answer("made")
    assert write(BOB, f"!group appeal {case} Never.") == answer("open")
    stage.act(actions.Lift(measure_id=case or 0))
    assert write(BOB, f"!group appeal {case} Never.") == answer("over")
    found, total = stage.do(appeals.page, decided=True, measure_id=None, author=BOB, start=0, limit=9)
    assert ([one.text for one in found], total) == (["I didn't.\nEver."], 1)
