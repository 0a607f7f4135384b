# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is too many in a group because another server let them in, and who is not (article 8.1)."""

from __future__ import annotations

from types import SimpleNamespace

from synapse_groupreg.handlers.overflow import Overflow, Surplus, too_many
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import arrivals, quotas, rooms
from tests.database import SERVER, result_of
from tests.handlers.stage import ALICE, BOB, CAROL, NOW, Stage
from tests.storage import seed

EVE, FAY, GUS = (f"@{name}:elsewhere.example.org" for name in ("eve", "fay", "gus"))


class Scene:
    """A group of Alice's with a cap, and the position before anybody came in."""

    def __init__(self, stage: Stage, *, cap: int, members: list[str], creator: str = ALICE) -> None:
        self.stage = stage
        self.room_id = stage.do(seed.make_room, creator, kind=RoomKind.group, members=members)
        self.empower({ALICE: 100})
        stage.do(rooms.ensure, self.room_id)
        stage.do(quotas.set_override, quotas.room_subject(self.room_id), quotas.MEMBERS, cap)
        self.before = stage.do(arrivals.position)

    def be(self, user: str, membership: str) -> None:
        self.stage.do(seed.set_membership, self.room_id, user, membership)

    def empower(self, users: dict[str, int], **more: str) -> None:
        self.stage.do(seed.set_state, self.room_id, ALICE, "m.room.power_levels", {"users": users, **more})

    def too_many(self) -> list[Surplus]:
        return self.stage.do(too_many, self.stage.config, SERVER, self.before, NOW)

    def surplus(self) -> list[str]:
        return [user for one in self.too_many() for user in one.people]


def test_the_newest_from_elsewhere_are_too_many(stage: Stage) -> None:
    scene = Scene(stage, cap=2, members=[])
    for user in (EVE, FAY, GUS):
        scene.be(user, "join")
    assert scene.too_many() == [Surplus(room_id=scene.room_id, by=ALICE, people=[GUS, FAY], members=4, cap=2)]
    scene.be(FAY, "leave")
    assert scene.surplus() == [GUS]
    scene.be(EVE, "leave")
    assert scene.surplus() == []


def test_whoever_was_in_before_stays_whatever_the_cap_is_now(stage: Stage) -> None:
    scene = Scene(stage, cap=1, members=[BOB, EVE])
    assert scene.surplus() == []
    scene.be(EVE, "join")  # a change of profile
    assert scene.surplus() == []
    scene.be(FAY, "join")
    assert scene.surplus() == [FAY]


def test_who_was_let_in_here_stays(stage: Stage) -> None:
    scene = Scene(stage, cap=2, members=[])
    for user in (FAY, GUS):
        scene.be(user, "join")
    stage.do(quotas.reserve_member, scene.room_id, GUS, now_ms=NOW, ttl_ms=LOCAL_RESERVATION_MS)
    assert scene.surplus() == [FAY]
    for user in (BOB, CAROL):
        scene.be(user, "join")
    assert scene.surplus() == [FAY]


class Watch:
    """The loop, and whom it removed."""

    def __init__(self, scene: Scene, federation: str = "open") -> None:
        self.stage = scene.stage
        self.removed: list[str] = []
        self.snapshot = SimpleNamespace(mode="enforce")
        config = scene.stage.config.model_copy(update={"federation": federation})
        self.server = SimpleNamespace(
            server_name=SERVER, public_baseurl="/", now_ms=self.stage.homeserver.now_ms, remove=self.remove
        )
        words = Words(self.stage.database, self.stage.homeserver, "en")
        self.loop = Overflow(config, self.stage.database, self.server, self.snapshot, words)  # type: ignore[arg-type]  # as much of them as it asks for

    async def remove(self, user_id: str, room_id: str, *, by: str, reason: str) -> None:
        assert by == ALICE
        assert "This group is full" in reason
        self.stage.do(seed.set_membership, room_id, user_id, "leave", sender=by)
        self.removed.append(user_id)

    def after(self, milliseconds: int) -> list[str]:
        self.stage.homeserver.now += milliseconds
        result_of(self.loop.work())
        return self.removed


def test_who_came_in_while_nobody_looked_stays(stage: Stage) -> None:
    scene = Scene(stage, cap=2, members=[BOB])
    scene.be(EVE, "join")
    watch = Watch(scene)
    assert watch.after(0) == []  # it was down
    watch.snapshot.mode = "dry"
    watch.after(2_000)
    scene.be(FAY, "join")
    assert watch.after(2_000) == []
    watch.snapshot.mode = "enforce"
    assert watch.after(2_000) == []
    scene.be(GUS, "join")
    assert watch.after(2_000) == [GUS]
    scene.be(GUS, "join")
    assert watch.after(LOCAL_RESERVATION_MS) == [GUS]  # it stood still, and may have been let in here meanwhile
    assert watch.after(2_000) == [GUS]
    [act] = [one for one in stage.journal() if one.action == "remove"]
    assert act.subject == GUS


def test_nobody_is_removed_from_groups_that_federate_from_before_it_was_closed(stage: Stage) -> None:
    """`groupreg plan` and `status` say so of them."""
    scene = Scene(stage, cap=2, members=[BOB])
    watch = Watch(scene, federation="closed")
    watch.after(0)
    scene.be(EVE, "join")
    assert watch.after(2_000) == []


def test_only_groups_that_were_founded_here_are_looked_at(stage: Stage) -> None:
    elsewhere = Scene(stage, cap=1, members=[ALICE], creator=EVE)
    elsewhere.be(FAY, "join")
    assert elsewhere.surplus() == []


def test_where_nobody_here_has_the_power_nobody_is_removed(stage: Stage) -> None:
    scene = Scene(stage, cap=2, members=[BOB])
    scene.be(EVE, "join")
    assert [one.by for one in scene.too_many()] == [ALICE]
    scene.be(ALICE, "leave")
    scene.be(FAY, "join")
    assert scene.too_many() == []
    scene.empower({BOB: 50, EVE: 100})
    assert [(one.by, one.people) for one in scene.too_many()] == [(BOB, [FAY])]
    scene.empower({BOB: 50, EVE: 100}, kick="75")
    assert scene.too_many() == []
