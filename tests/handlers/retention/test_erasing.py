# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person is erased from the store once no duty keeps their records: nowhere in its files, and no proof is lost."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers.retention import erasing
from synapse_groupreg.handlers.retention.outlook import outlook
from synapse_groupreg.policy import record_actions
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.storage import erasures, keeping
from synapse_groupreg.storage.erasures import Erasure
from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.store_postgres import PostgresStore
from synapse_groupreg.storage.store_sqlite import SqliteStore
from tests.database import SERVER
from tests.engines import on
from tests.handlers.retention.keeper import DAY, KEEP, MONTH, Keeper, seal
from tests.handlers.retention.test_purging import hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.database import TestDatabase
    from tests.handlers.stage import Stage
    from tests.storage.store_places import Place

ALICE, BOB = f"@alice:{SERVER}", f"@bob:{SERVER}"
IP = "192.0.2.7"


@pytest.fixture
def keeper(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> Iterator[Keeper]:
    made = Keeper(place, tmp_path / "keys", sqlite_db)
    made.live(2)
    made.login(BOB, "192.0.2.8")
    made.act("hold 3", after={"accounts": [ALICE]}, reason=f"asked by {ALICE}")
    made.act("!room:x", author=ALICE)
    made.work()
    yield made
    made.close()


def ask(keeper: Keeper, *, account: str = ALICE, duty_ended: str | None = None) -> int:
    def wish(txn: Any) -> int:
        made = erasures.add(txn, account, reason="asked for", author=BOB, now_ms=keeper.homeserver.now)
        if duty_ended:
            erasures.end_duty(txn, made.id, duty_ended, keeper.homeserver.now)
        keeping.queue(txn, keeping.ERASE, "", f"look {made.id}", payload={}, now_ms=1)
        return made.id

    return keeper.database.do(wish)


def state(keeper: Keeper, number: int) -> Erasure:
    found = keeper.database.do(erasures.get, number)
    assert found is not None
    return found


def said_of(keeper: Keeper, *texts: str) -> list[str]:
    """Which of these any record still says."""
    shown = json.dumps([[one.values, one.facts] for log in LogName for one in keeper.records(log)], ensure_ascii=False)
    return [text for text in texts if text in shown]


def test_while_the_duty_runs_it_waits_and_says_until_when(keeper: Keeper) -> None:
    number = ask(keeper)
    keeper.work()
    found, first = state(keeper, number), keeper.place.reader("events").periods()[0]
    assert first.newest_ms is not None
    assert (found.done_ms, found.account) == (None, ALICE)
    assert found.next_ms is not None
    assert found.next_ms <= first.newest_ms + KEEP
    assert said_of(keeper, ALICE, IP) == [ALICE, IP]
    assert keeper.told(Kind.erase) == []


def test_acts_are_kept_longer_than_the_duty_and_lose_the_person_when_it_ends(keeper: Keeper) -> None:
    number = ask(keeper)
    keeper.work()
    for months in (*[1] * 8, 6, 1):  # a month's time runs from the record that closes it
        keeper.pass_(months * MONTH)
        keeper.login(BOB, "192.0.2.9")
        keeper.work()
    assert said_of(keeper, ALICE) == []
    found = state(keeper, number)
    assert (found.account, found.done_ms is not None) == (None, True)
    assert {one["log"] for one in keeper.told(Kind.erase)} >= {"acts"}
    keeper.check()


def test_where_the_duty_has_ended_all_goes_at_once_and_every_proof_stays(keeper: Keeper) -> None:
    before = {name: keeper.place.reader(name.value).checkpoints(1) for name in LogName}
    number = ask(keeper, duty_ended="a court said so")
    keeper.work()
    assert said_of(keeper, ALICE, IP) == []
    assert said_of(keeper, BOB, "192.0.2.8") == [BOB, "192.0.2.8"]
    assert state(keeper, number).done_ms is not None
    told = keeper.told(Kind.erase)
    assert sum(one["records"] for one in told) == state(keeper, number).records > 0
    assert before
    keeper.check()
    keeper.login(ALICE, "192.0.2.10")  # who comes again is recorded again, as somebody else
    keeper.work()
    assert said_of(keeper, ALICE, IP, "192.0.2.10") == [ALICE, "192.0.2.10"]
    keeper.check()


def test_what_an_erasure_would_take_and_what_waits_is_seen_before(keeper: Keeper) -> None:
    def seen(log: str = "events", **wish: Any) -> list[dict[str, Any]]:
        asked = Erasure(account=wish.pop("account", ALICE), asked_ms=keeper.homeserver.now, **wish)
        holds = keeper.database.do(keeping.holds_in_force, keeper.homeserver.now)
        with keeper.openers.lend(log) as opener:
            return outlook(opener, asked, duty_ms=KEEP, holds=holds)

    months = [info.period.month for info in keeper.place.reader("events").periods()]
    waiting = seen()
    assert [(one["month"], one["kept_by"]) for one in waiting] == [(month, "keep") for month in months[:2]]
    assert all(one["until_ms"] > keeper.homeserver.now for one in waiting)
    assert [(one["until_ms"], one["kept_by"]) for one in seen(duty_ended="a court said so")] == [(None, None)] * 2
    held = hold(keeper, until_ms=keeper.homeserver.now + 90 * DAY)
    assert {one["kept_by"] for one in seen(duty_ended="a court said so")} >= {f"hold {held.id}"}
    assert seen(account="@nobody:x") == []
    done = sum(one["records"] for one in waiting)
    assert done == len([one for one in keeper.records() if ALICE in (one.names.get("sender"), one.names.get("target"))])


def test_a_month_is_read_in_pieces_and_recording_goes_on_between_them(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_AT_ONCE", 5)
    monkeypatch.setattr(erasing, "_PAGES", 2)
    for number in range(40):
        keeper.login((ALICE, BOB)[number % 2], IP)
    keeper.work()
    first, second = ask(keeper, duty_ended="a court said so"), ask(keeper, account=BOB, duty_ended="another")
    seen: list[str] = []
    for _ in range(60):
        keeper.login("@carol:test.example.org", f"192.0.2.{len(seen) + 20}")
        keeper.tick()
        seen.append(keeper.records()[-1].row.source)
        if state(keeper, first).done_ms and state(keeper, second).done_ms:
            break
    assert len(seen) > 6, "it took several rounds"
    assert said_of(keeper, "192.0.2.20", f"192.0.2.{len(seen) + 18}") != [], "each round recorded what came"
    assert said_of(keeper, ALICE, BOB, IP) == []
    keeper.work()
    keeper.check()


def test_a_hold_keeps_a_person_s_records_although_the_duty_has_ended(keeper: Keeper) -> None:
    held = hold(keeper, until_ms=keeper.homeserver.now + 90 * DAY)
    number = ask(keeper, duty_ended="a court said so")
    keeper.work()
    assert IP in said_of(keeper, IP)
    assert state(keeper, number).next_ms == held.until_ms
    keeper.database.do(keeping.lift_hold, held.id, BOB, keeper.homeserver.now)
    keeper.pass_(3_600_000)
    keeper.work()
    assert said_of(keeper, ALICE, IP) == []


@on("sqlite")  # PostgreSQL's files are looked into in tests/storage/test_store_files.py
def test_nothing_of_them_is_left_in_the_files_even_for_who_has_the_keys(keeper: Keeper) -> None:
    """What was sealed is overwritten: the old bytes of each row are nowhere any more."""
    old = [
        bytes(one.row.sealed)
        for log in LogName
        for one in keeper.records(log)
        if ALICE in json.dumps([one.values], ensure_ascii=False)
    ]
    assert old
    ask(keeper, duty_ended="a court said so")
    keeper.work()
    keeper.close()
    keeper.place.close()
    folder = Path(keeper.place.settings["args"]["database"])
    for file in folder.rglob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert [one for one in old if one in held] == []


def test_what_was_replaced_goes_from_the_disk_although_that_failed_at_first(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new is committed then, and the old bytes stand in files yet."""
    engine: Any = SqliteStore if keeper.place.on_sqlite else PostgresStore
    forgotten, tried, cleaned = engine._forgotten, set[Any](), set[Any]()

    def at_the_second_time(store: Any, period: Any) -> None:
        if (store._log, period) not in tried:
            tried.add((store._log, period))
            raise StoreUnavailable("locked")
        forgotten(store, period)
        cleaned.add((store._log, period))

    monkeypatch.setattr(engine, "_forgotten", at_the_second_time)
    ask(keeper, duty_ended="a court said so")
    for _ in range(60):
        keeper.tick()
    keeper.work()
    assert len(cleaned) >= 3
    assert cleaned == tried


def test_wherever_the_process_dies_it_is_erased_and_each_month_recorded_once(keeper: Keeper, stride: int) -> None:
    step, died = 0, True
    while died:
        before = len(keeper.told(Kind.erase))
        keeper.login(ALICE, IP)
        keeper.act(ALICE)
        keeper.work()
        ask(keeper, duty_ended="a court said so")
        died = keeper.work_and_die_at(step)
        assert said_of(keeper, ALICE, IP) == []
        told = keeper.told(Kind.erase)[before:]
        assert len(told) == len({(one["log"], one["month"], one["erasure"]) for one in told}) >= 2
        keeper.check()
        step += stride
    assert step > 12


def test_the_end_of_a_duty_takes_two_members_of_staff_and_neither_journal_nor_record_names_the_person(
    stage: Stage,
) -> None:
    wish = record_actions.EraseRecords(user_id=ALICE, duty_ended="a court said so", reason="asked for")
    change = stage.act(wish)
    assert change.proposed
    assert stage.do(erasures.unfinished) == []
    assert stage.act(record_actions.EraseRecords(user_id=ALICE, reason="asked for")).changed
    assert ALICE not in str(stage.journal())
    assert seal(b"ab") == b"ba"
