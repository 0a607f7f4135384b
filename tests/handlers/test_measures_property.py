# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures in any order: standing is the fold of those in force, and lifting them all restores what was before."""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_groupreg.errors import GroupRegError
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import MeasureKind, SubjectKind, Switch, fold
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import changes, measures, removals
from tests.database import open_sqlite
from tests.handlers.stage import ALICE, BOB, CAROL, EVE, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_groupreg.handlers.snapshot import Snapshot

WHY = {"reason": "advertising", "basis": "article 11"}
ROOM = "!group:test.example.org"


def step(random: Random, now_ms: int) -> Any:
    entity = random.choice((ALICE, BOB, ROOM))
    kind = random.choice(list(MeasureKind))
    one_room = ROOM if entity != ROOM and random.random() < 0.3 else None
    more = {"until_ms": random.choice((None, now_ms + 40)), "room": one_room}
    if kind is MeasureKind.warning:
        more = {"deadline_ms": now_ms + 30}
    act = actions.Impose(kind=kind, entity=entity, grave="g", review_ms=now_ms + 99, **more, **WHY)
    switch = actions.SwitchEmergency(
        on=random.random() < 0.7,
        switches=(random.choice(list(Switch)),),
        until_ms=now_ms + 25,
        reason="flood",
    )
    link = actions.Verify(user_id=random.choice((ALICE, BOB)), assurance=Assurance.contact, provider="p", digest="d")
    return random.choice((act, act, act, act, switch, link, actions.Lift(measure_id=random.randint(1, 8)), 15))


def standing(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    accounts = {user_id: snapshot.account_measures(user_id, now_ms) for user_id in (ALICE, BOB, EVE)}
    return {**accounts, ROOM: snapshot.room(ROOM, now_ms).measures}


def folded(stage: Stage, now_ms: int) -> dict[str, Any]:
    """The fold of all live measures, read the plain way."""
    live = stage.do(lambda txn: [measures.get(txn, number) for number in range(1, 60)])
    found = [one for one in live if one is not None]
    emergencies = [one for one in found if one.subject_kind is SubjectKind.everybody]
    linked = {row[0]: row[1] for row in stage.database.rows("SELECT user_id, person_id FROM groupreg_person_accounts")}

    def binds(one: Any, user_id: str) -> bool:
        family = {user_id, *(other for other in linked if linked[other] == linked.get(user_id, ""))}
        return one.subject in family or (one.subject_kind is SubjectKind.person and one.subject == linked.get(user_id))

    accounts = {
        user_id: fold([*(one for one in found if binds(one, user_id)), *emergencies], now_ms)
        for user_id in (ALICE, BOB, EVE)
    }
    return {**accounts, ROOM: fold([one for one in found if one.subject == ROOM], now_ms)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 4)
@given(seed_=st.integers(0, 2**32))
def test_standing_is_the_fold_of_live_measures_and_lifting_all_restores_what_was(
    seed_: int, sqlite_template: Path, tmp_path: Path
) -> None:
    for left_over in tmp_path.iterdir():
        left_over.unlink()
    shutil.copy(sqlite_template, tmp_path / "homeserver.db")
    stage, random = Stage(open_sqlite(tmp_path / "homeserver.db"), second_staff="none"), Random(seed_)
    stage.do(seed.make_room, CAROL, room_id=ROOM, kind=RoomKind.group, members=[ALICE])
    before = standing(stage.refresh(), NOW)
    rooms = stage.database.rows("SELECT * FROM current_state_events ORDER BY 1, 2, 3")
    for _ in range(15):
        taken = step(random, stage.homeserver.now)
        if isinstance(taken, int):
            stage.homeserver.now += taken
            continue
        try:
            stage.act(taken)
        except GroupRegError:
            continue  # refused: then nothing changed
        now_ms = stage.homeserver.now
        assert standing(stage.refresh(), now_ms) == folded(stage, now_ms), taken
    for one in stage.do(measures.open_ones, stage.homeserver.now):
        stage.act(actions.Lift(measure_id=one.id))
    assert standing(stage.refresh(), stage.homeserver.now) == before
    assert stage.database.rows("SELECT * FROM current_state_events ORDER BY 1, 2, 3") == rooms
    assert stage.do(removals.undone) == []
    assert stage.do(changes.current) == stage.snapshot.version
    stage.database.close()
