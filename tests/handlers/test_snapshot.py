# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process keeps in memory is what the database says, however it came to know it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_groupreg.errors import GroupRegError
from synapse_groupreg.handlers.snapshot import Snapshot, load
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.staff import StaffRole
from synapse_groupreg.policy.types import Room
from synapse_groupreg.storage import changes, database, facts, identity, imports, measures, rooms
from tests.database import TestDatabase, open_sqlite, result_of
from tests.handlers.stage import ALICE, BOB, CAROL, EVE, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from pathlib import Path

USERS = (ALICE, BOB, CAROL, EVE, seed.local("dave"))
ROOMS = ("!one:test.example.org", "!two:remote.example.org:8448", "!three")


SERVERS = ("remote.example.org", "*.example.org.evil", "other.example.com")


def about_a_person(random: Random, now_ms: int) -> Any:
    """A step about two accounts and the person that they may share, where steps get into each other's way."""
    account, level = random.choice((ALICE, BOB)), random.choice(list(Assurance))
    link = actions.Verify(user_id=account, assurance=level, provider="office", digest=random.choice("pppq"))
    bar = actions.Impose(entity=account, reason="r", basis="b", until_ms=random.choice((None, now_ms + 50)))
    return random.choice(
        (
            link,
            link,
            bar,
            actions.Unverify(user_id=account),
            actions.Lift(measure_id=random.randint(1, 5)),
            [(account, level, random.choice("pq"))],
            [(ALICE, level, random.choice("pq")), (BOB, level, random.choice("pq"))],
            random.randint(1, 30),
        )
    )


def about_anything(random: Random, now_ms: int) -> Any:
    """A step of any other kind."""
    entity = random.choice((ALICE, EVE, *ROOMS, *SERVERS))
    roles = frozenset(random.sample(list(StaffRole), random.randrange(3)))
    return random.choice(
        (
            actions.Impose(entity=entity, reason="r", basis="b", until_ms=random.choice((None, now_ms + 50))),
            actions.Lift(measure_id=random.randint(1, 5)),
            actions.Grant(user_id=CAROL, roles=roles),
            actions.SetMode(mode=random.choice(("dry", "enforce"))),
            (random.choice(("members", "successor")), random.choice(ROOMS), random.choice((None, 5, 9))),
            random.randint(1, 30),
        )
    )


def import_file(stage: Stage, rows: list[Any]) -> None:
    import_id = secrets.token_hex(8)
    staged = [
        imports.ImportRow(
            line=line, user_id=user_id, assurance=level, digest=digest, new_person_id=f"{import_id}-{line}"
        )
        for line, (user_id, level, digest) in enumerate(rows)
    ]
    stage.do(imports.begin, import_id, ALICE, None, stage.homeserver.now)
    stage.do(imports.stage, import_id, staged)
    stage.act(actions.CommitImport(import_id=import_id))


def change_room(txn: Any, what: str, room_id: str, value: int | None, now_ms: int) -> None:
    txn.execute(
        "INSERT INTO groupreg_rooms (room_id, kind, founder) VALUES (?, 'group', ?) ON CONFLICT DO NOTHING",
        (room_id, ALICE),
    )
    if what == "members":
        rooms.set_members(txn, room_id, value)
    else:
        rooms.set_successor(txn, room_id, f"!new{value}")
    changes.publish(txn, {("room", room_id)}, now_ms)


def take(stage: Stage, step: Any) -> None:
    if isinstance(step, actions.Action):
        stage.act(step)
    elif isinstance(step, int):
        stage.homeserver.now += step
    elif isinstance(step, list):
        import_file(stage, step)
    else:
        stage.do(change_room, *step, stage.homeserver.now)


def seen(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """All that the rules can see of a snapshot."""
    return {
        "mode": snapshot.mode,
        "staff": snapshot.staff,
        "assurance": {user_id: snapshot.assurance[user_id] for user_id in USERS},
        "measures": {user_id: snapshot.account_measures(user_id, now_ms) for user_id in USERS},
        "rooms": {room_id: snapshot.room(room_id, now_ms) for room_id in ROOMS},
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), something=st.sampled_from([about_a_person, about_a_person, about_anything]))
def test_following_changes_ends_where_loading_everything_does(
    seed: int, something: Any, sqlite_template: Path, tmp_path: Path
) -> None:
    for left_over in tmp_path.iterdir():
        left_over.unlink()
    shutil.copy(sqlite_template, tmp_path / "homeserver.db")
    stage, random = Stage(open_sqlite(tmp_path / "homeserver.db")), Random(seed)
    for _ in range(20):
        step = something(random, stage.homeserver.now)
        try:
            take(stage, step)
        except GroupRegError:
            continue  # refused: then nothing changed
        stage.refresh()
        fresh = Snapshot(stage.database, stage.homeserver, stage.config.mode)
        result_of(fresh.refresh())
        assert seen(stage.snapshot, stage.homeserver.now) == seen(fresh, stage.homeserver.now), step
        assert fresh.version == stage.snapshot.version
    stage.database.close()


@pytest.mark.parametrize("seed", range(12))
def test_reading_everything_in_pages_while_others_write_ends_there_too(
    pg_db: TestDatabase, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Before each statement of the reading, somebody else commits something, on either side of where it is."""
    monkeypatch.setattr(database, "_PAGE", 3)
    random, names = Random(seed), [f"{number:02}" for number in range(20)]
    stage = Stage(pg_db)
    with contextlib.closing(pg_db.another()) as rival:

        def write(txn: Any) -> None:
            user_id, room_id = f"@{random.choice(names)}:x", f"!{random.choice(names)}:x"
            if random.random() < 0.3:
                identity.drop(txn, user_id, "staff")
            else:
                identity.put(txn, user_id, "staff", random.choice(list(Assurance)), NOW)
            change_room(txn, random.choice(("members", "successor")), room_id, random.choice((None, 5, 9)), NOW)
            changes.publish(txn, {("account", user_id), ("room", room_id)}, NOW)

        class Overtaken:
            def __init__(self, txn: Any) -> None:
                self.fetchone, self.fetchall, self._txn = txn.fetchone, txn.fetchall, txn

            def execute(self, *sql: Any) -> None:
                rival.do(write)
                self._txn.execute(*sql)

        for _ in range(30):
            rival.do(write)
        reading = pg_db.do(lambda txn: load(Overtaken(txn), None, NOW))  # type: ignore[arg-type]  # a transaction in all but name
        assert reading is not None
        stage.snapshot.apply(reading)
        snapshot = stage.refresh()
        fresh = Snapshot(pg_db, stage.homeserver, stage.config.mode)
        result_of(fresh.refresh())
        for name in names:
            assert snapshot.assurance[f"@{name}:x"] is fresh.assurance[f"@{name}:x"]
            assert snapshot.room(f"!{name}:x", NOW) == fresh.room(f"!{name}:x", NOW)
        assert len(snapshot.assurance) == len(fresh.assurance) > 3
        assert snapshot.exceptions == fresh.exceptions
        assert dict(pg_db.do(lambda txn: list(facts.every_assurance(txn)))) == dict(
            pg_db.rows("SELECT user_id, max(assurance) FROM groupreg_identities GROUP BY user_id")
        )


def test_what_nobody_said_anything_about_is_not_in_memory(stage: Stage) -> None:
    snapshot = stage.refresh()
    assert snapshot.exceptions == 0
    assert len(snapshot.assurance) == 0
    assert snapshot.room("!any", NOW) == Room(room_id="!any")
    assert snapshot.account_measures(ALICE, NOW) == ()


def test_a_measure_on_one_account_binds_all_of_its_person(stage: Stage) -> None:
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.real_name, provider="office", digest="d"))
    stage.act(actions.Impose(entity=ALICE, reason="r", basis="b"))
    stage.act(actions.Verify(user_id=CAROL, assurance=Assurance.real_name, provider="office", digest="d"))
    snapshot = stage.refresh()
    assert [len(snapshot.account_measures(user_id, NOW)) for user_id in (ALICE, BOB, CAROL)] == [1, 1, 1]


def test_what_is_read_at_start_takes_no_look_for_each_measure(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.real_name, provider="office", digest="d"))
    for entity in (ALICE, EVE):
        stage.act(actions.Impose(entity=entity, reason="r", basis="b"))
    for one in ("person_of", "accounts_of"):
        monkeypatch.delattr(identity, one)
    news = stage.do(load, None, NOW)
    assert news is not None
    assert set(news.facts.account_measures) == {ALICE, BOB, EVE}


def test_whoever_is_linked_to_a_barred_account_is_barred_at_once(stage: Stage) -> None:
    link: Any = {"assurance": Assurance.real_name, "provider": "office", "digest": "d"}
    stage.act(actions.Verify(user_id=BOB, **link))
    stage.act(actions.Impose(entity=ALICE, reason="r", basis="b"))
    stage.refresh()
    stage.act(actions.Verify(user_id=ALICE, **link))
    assert len(stage.refresh().account_measures(BOB, NOW)) == 1


def test_a_measure_ends_in_memory_without_any_news(stage: Stage) -> None:
    stage.act(actions.Impose(entity=ALICE, reason="r", basis="b", until_ms=NOW + 10))
    snapshot = stage.refresh()
    assert len(snapshot.account_measures(ALICE, NOW + 9)) == 1
    assert snapshot.account_measures(ALICE, NOW + 10) == ()


def test_a_barred_server_is_found_in_ids_of_accounts_and_rooms(stage: Stage) -> None:
    stage.act(actions.Impose(entity="REMOTE.example.org", reason="r", basis="b"))
    snapshot = stage.refresh()
    assert len(snapshot.account_measures(EVE, NOW)) == 1
    assert len(snapshot.room("!two:remote.example.org:8448", NOW).measures) == 1
    assert snapshot.room("!three", NOW).measures == ()
    stage.act(actions.Lift(measure_id=1))
    assert stage.refresh().account_measures(EVE, NOW) == ()


def test_the_configured_mode_holds_until_staff_choose_another(stage: Stage) -> None:
    assert stage.refresh().mode == "enforce"
    stage.act(actions.SetMode(mode="dry"))
    assert stage.snapshot.mode == "enforce"
    assert stage.refresh().mode == "dry"


def test_who_slept_through_forgotten_changes_reads_everything(stage: Stage) -> None:
    stage.act(actions.Impose(entity=ALICE, reason="r", basis="b"))
    stage.do(changes.forget, NOW + 10**9)
    stage.act(actions.Impose(entity=BOB, reason="r", basis="b"))
    snapshot = stage.refresh()
    assert len(snapshot.account_measures(ALICE, NOW)) == 1
    assert len(snapshot.account_measures(BOB, NOW)) == 1


def test_a_look_at_nothing_new_reads_the_version_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(measures, "open_ones", forbidden)
    stage.refresh()


def test_a_failed_look_leaves_what_was_known_and_the_next_one_goes_on(stage: Stage) -> None:
    stage.act(actions.SetMode(mode="dry"))
    stage.database.fail = OSError("gone")
    with pytest.raises(OSError, match="gone"):
        stage.refresh()
    assert stage.snapshot.mode == "enforce"
    stage.database.fail = None
    assert stage.refresh().mode == "dry"
