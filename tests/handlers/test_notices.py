# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Notices: one a while, none lost, none twice, whatever fails or dies on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.handlers.journal import RefusalJournal
from synapse_groupreg.handlers.notices import Notices
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy.measures import Scope
from synapse_groupreg.policy.notices import MOST_TRIES, needs_notice, wait_ms
from synapse_groupreg.policy.quotas import RoomFull, TooManyFounded
from synapse_groupreg.policy.types import Account, Found, Join, Room
from synapse_groupreg.storage import notices
from synapse_groupreg.storage.refusals import Refusal
from tests.database import TestDatabase, result_of
from tests.handlers.stage import ALICE, BOB, NOW, FakeHomeserver, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Mapping

BOT = seed.local("groupreg")
MINUTE = 60_000


class Killed(BaseException):
    """The process died."""


@attrs.define
class TalkingHomeserver(FakeHomeserver):
    """Makes rooms and says things in a real database, and breaks when told to."""

    database: TestDatabase | None = None
    said: list[tuple[str, str]] = attrs.field(factory=list)
    invited: list[str] = attrs.field(factory=list)
    accounts: set[str] = attrs.field(factory=set)
    fail_rooms: Exception | None = None
    die_after_saying: bool = False

    async def ensure_account(self, user_id: str, _display_name: str) -> None:
        self.accounts.add(user_id)

    async def found_direct_room(self, user_id: str, invitee: str) -> str:
        if self.fail_rooms is not None:
            raise self.fail_rooms
        room_id = self._do(seed.make_room, user_id)
        self._do(seed.set_membership, room_id, invitee, "invite", sender=user_id)
        return room_id

    async def bring_in(self, _user_id: str, person: str, room_id: str) -> None:
        self._do(seed.set_membership, room_id, person, "join")

    async def invite(self, user_id: str, person: str, room_id: str) -> None:
        self.invited.append(person)
        self._do(seed.set_membership, room_id, person, "invite", sender=user_id)

    async def say(self, user_id: str, room_id: str, text: str, marks: Mapping[str, object]) -> None:
        content = {"msgtype": "m.text", "body": text, **marks}
        self._do(seed.set_state, room_id, user_id, "m.room.message", content, state_key=str(len(self.said)))
        self.said.append((room_id, text))
        if self.die_after_saying:
            raise Killed

    def _do(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        assert self.database is not None
        return self.database.do(work, *args, **kwargs)


class Scene:
    """People who are refused things, and a sender of notices."""

    def __init__(self, stage: Stage, **options: Any) -> None:
        self.stage = stage
        self.homeserver = TalkingHomeserver(database=stage.database)
        self.config = stage.config.notices.model_copy(update=options)
        self.journal = RefusalJournal(stage.database, self.homeserver, self.config.every)
        stage.do(seed.make_user, BOT)
        self.sender = self.new_sender()

    def new_sender(self) -> Notices:
        words = Words(self.stage.database, self.homeserver, "en")
        return Notices(self.config, self.stage.database, self.homeserver, words, account=BOT)

    def refuse(
        self, account: str = ALICE, room_id: str | None = "!r", code: str = "room-replaced", *, times: int = 1
    ) -> None:
        one = Refusal(
            ts_ms=self.homeserver.now,
            account=account,
            code=code,
            attempt="send",
            room_id=room_id,
            dry=False,
            notify=True,
        )
        result_of(self.journal.record([one] * times))

    def deliver(self) -> list[str]:
        """What was said since the last time."""
        before = len(self.homeserver.said)
        result_of(self.sender.deliver())
        return [text for _, text in self.homeserver.said[before:]]

    def states(self) -> dict[str, int]:
        counted: dict[str, int] = self.stage.do(notices.counts)
        return counted


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def test_a_flood_is_explained_once_and_again_after_the_while(scene: Scene) -> None:
    scene.refuse(times=50)
    scene.refuse()
    assert len(scene.deliver()) == 1
    scene.homeserver.now += scene.config.every - 1
    scene.refuse()
    assert scene.deliver() == []
    scene.homeserver.now += 1
    scene.refuse()
    assert len(scene.deliver()) == 1


def test_another_room_code_or_account_is_another_notice(scene: Scene) -> None:
    scene.refuse()
    scene.refuse(room_id="!other")
    scene.refuse(code="unavailable")
    scene.refuse(BOB)
    assert len(scene.deliver()) == 4
    assert len({room_id for room_id, _ in scene.homeserver.said}) == 2  # one room a person


def test_the_budget_of_the_server_makes_the_rest_wait_and_loses_none(stage: Stage) -> None:
    scene = Scene(stage, budget_per_minute=2)
    for number in range(5):
        scene.refuse(room_id=f"!room{number}")
    assert len(scene.deliver()) == 2
    assert scene.deliver() == []
    scene.homeserver.now += MINUTE
    assert len(scene.deliver()) == 2
    scene.homeserver.now += MINUTE
    assert len(scene.deliver()) == 1


def test_a_process_that_died_after_saying_says_nothing_twice(scene: Scene) -> None:
    scene.refuse()
    scene.homeserver.die_after_saying = True
    with pytest.raises(Killed):
        scene.deliver()
    scene.homeserver.die_after_saying = False
    scene.sender = scene.new_sender()
    assert scene.deliver() == []  # it may still be at work elsewhere
    scene.homeserver.now += MINUTE
    assert scene.deliver() == []
    assert scene.states() == {"sent": 1}


def test_a_process_that_died_before_saying_says_it_later(scene: Scene) -> None:
    scene.refuse()
    scene.stage.do(notices.claim, NOW, 10)  # and nothing more
    scene.homeserver.now += MINUTE
    assert len(scene.deliver()) == 1


def test_of_two_senders_one_takes_a_notice(scene: Scene) -> None:
    scene.refuse()
    assert scene.stage.do(notices.claim, NOW, 10) is not None
    assert scene.stage.do(notices.claim, NOW, 10) is None


def test_what_fails_is_tried_again_later_and_given_up_in_the_end(scene: Scene) -> None:
    scene.homeserver.fail_rooms = RuntimeError("no rooms today")
    scene.refuse()
    assert scene.deliver() == []
    assert scene.states() == {"waiting": 1}
    assert scene.deliver() == []  # not at once
    scene.homeserver.fail_rooms = None
    scene.homeserver.now += wait_ms(0)
    assert len(scene.deliver()) == 1
    scene.homeserver.fail_rooms = RuntimeError("never again")
    scene.refuse(BOB)
    for _ in range(MOST_TRIES):
        scene.deliver()
        scene.homeserver.now += wait_ms(MOST_TRIES)
    assert scene.states() == {"sent": 1, "failed": 1}


def test_one_that_fails_holds_no_other_up(scene: Scene) -> None:
    scene.refuse(seed.local("nobody"))
    scene.refuse(BOB)
    assert len(scene.deliver()) == 1
    assert scene.states() == {"dropped": 1, "sent": 1}


def test_who_left_is_invited_once_and_who_was_banned_gets_a_new_room(scene: Scene) -> None:
    scene.refuse()
    scene.deliver()
    room_id = scene.homeserver.said[0][0]
    scene.stage.do(seed.set_membership, room_id, ALICE, "leave")
    scene.refuse(room_id="!second")
    scene.refuse(room_id="!third")
    assert len(scene.deliver()) == 2
    assert scene.homeserver.invited == [ALICE]


def test_a_room_is_named_to_its_members_only(scene: Scene) -> None:
    room_id = scene.stage.do(seed.make_room, BOB)
    scene.stage.do(seed.set_state, room_id, BOB, "m.room.name", {"name": "Secret garden"})
    scene.stage.do(seed.set_membership, room_id, BOB, "join")
    scene.refuse(BOB, room_id)
    scene.refuse(ALICE, room_id)
    texts = scene.deliver()
    assert ["Secret garden" in text for text in texts] == [True, False]


def test_what_a_notice_was_about_is_forgotten_once_it_was_said(scene: Scene) -> None:
    scene.refuse()
    scene.deliver()
    assert scene.stage.database.rows("SELECT facts FROM groupreg_notices") == [(None,)]
    scene.homeserver.now += 8 * 86_400_000
    result_of(scene.sender.tidy())
    assert scene.states() == {}


def test_only_what_clients_hide_from_people_of_ours_who_can_read_it() -> None:
    actor, full = Account(user_id=ALICE), RoomFull(used=1, limit=1)
    founding, joining = Found(actor=actor), Join(actor=actor, room=Room(room_id="!r"))
    assert needs_notice(founding, TooManyFounded(used=1, limit=1))
    assert not needs_notice(joining, full)  # clients show why
    assert not needs_notice(attrs.evolve(founding, actor=attrs.evolve(actor, local=False)), full)
    barred = FakeBar(scope=Scope.account)
    assert not needs_notice(founding, barred)


@attrs.frozen(kw_only=True)
class FakeBar(RoomFull):
    """A violation with a scope."""

    used: int = 0
    limit: int = 0
    scope: Scope
