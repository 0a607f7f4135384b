# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Renewing keys, and going on after a loss: whole, whatever crashes, and no proof lost."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers.retention.log import last_vkey
from synapse_groupreg.retention import notes
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind, LogName
from synapse_groupreg.storage import keeping, reported
from tests.engines import on
from tests.handlers.retention.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database import TestDatabase
    from tests.storage.store_places import Place


@pytest.fixture
def keeper(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> Iterator[Keeper]:
    made = Keeper(place, tmp_path / "keys", sqlite_db)
    made.live(3)
    yield made
    made.close()


def ask(keeper: Keeper, kind: str, log: str = "", **payload: Any) -> None:
    keeper.database.do(keeping.queue, kind, log, "x", payload=payload, now_ms=keeper.homeserver.now)


def wrapped_by(keeper: Keeper) -> set[str]:
    readers = [keeper.place.reader(name.value) for name in LogName]
    return {row.wrapped_by for reader in readers for info in reader.periods() for row in reader.keys(info.period)}


def test_every_period_is_wrapped_by_the_new_key_and_the_old_one_is_gone(keeper: Keeper) -> None:
    before, shown = wrapped_by(keeper), [one.values for one in keeper.records()]
    ask(keeper, keeping.ROTATE, signing=False)
    keeper.work()
    after = wrapped_by(keeper)
    on_disk = json.loads((keeper.folder / "retention.keys").read_text())
    assert {one["id"] for one in on_disk} == after
    assert len(after) == 1
    assert after.isdisjoint(before)
    assert [one.values for one in keeper.records()] == shown
    keeper.check()


def test_a_reader_that_knows_the_old_keys_only_reads_on(keeper: Keeper) -> None:
    shown = [one.values for one in keeper.records()]
    openers = keeper.openers
    other = Keeper(keeper.place, keeper.folder, keeper.database)
    keeper.close()
    ask(other, keeping.ROTATE, signing=False)
    other.homeserver.now = keeper.homeserver.now
    other.work()
    assert openers is keeper.openers
    assert [one.values for one in keeper.records()] == shown
    other.close()


def test_a_new_signing_key_is_recorded_in_both_logs_and_signs(keeper: Keeper) -> None:
    old = keeper.keys.public
    ask(keeper, keeping.ROTATE, signing=True)
    keeper.work()
    assert keeper.keys.public != old
    for name in LogName:
        [*_, newest] = keeper.records(name, kinds=[KIND_NUMBERS[Kind.key]])
        origin = f"test.example.org/retention/{name.value}"
        assert (newest.facts or {})["vkey"] == notes.Key(origin, keeper.keys.public).vkey
        assert (newest.facts or {})["endorsement"]["vkey"] == (newest.facts or {})["vkey"]
    keeper.check()


@pytest.mark.parametrize("signing", [False, True])
def test_wherever_the_process_dies_the_keys_are_renewed_once(keeper: Keeper, stride: int, *, signing: bool) -> None:
    step, died = 0, True
    while died:
        old, keys = wrapped_by(keeper), len(keeper.records(kinds=[KIND_NUMBERS[Kind.key]]))
        ask(keeper, keeping.ROTATE, signing=signing)
        died = keeper.work_and_die_at(step)
        new = wrapped_by(keeper)
        assert len(new) == 1
        assert new.isdisjoint(old)
        assert len(json.loads((keeper.folder / "retention.keys").read_text())) == 1
        assert len(keeper.records(kinds=[KIND_NUMBERS[Kind.key]])) == keys + signing
        keeper.check()
        step += stride
    assert step > 12


# Going on after a loss.


def lose(keeper: Keeper, tmp_path: Path) -> None:
    """The store is put back to what it was before the newest records, which were signed."""
    copy, folder = tmp_path / "copy", keeper.place.settings["args"]["database"]
    keeper.kill()
    keeper.close()
    shutil.copytree(folder, copy)
    keeper.login(ip="192.0.2.99")
    keeper.act("@bob:test.example.org")
    keeper.work()
    keeper.pass_(61_000)
    keeper.tick()
    keeper.close()
    keeper.place.close()
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    keeper.start()


of_files = on("sqlite")
"""The older copy is one of files."""


@pytest.fixture
def behind(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> Iterator[Keeper]:
    made = Keeper(place, tmp_path / "keys", sqlite_db)
    made.live(2)
    lose(made, tmp_path)
    yield made
    made.close()


@of_files
def test_a_store_that_lacks_what_was_signed_waits_for_an_operator_and_says_so(behind: Keeper) -> None:
    behind.tick()
    assert "groupreg retention epoch" in (behind.recorder.problem or "")
    said = behind.database.do(reported.problem)
    assert said is not None
    assert (said["text"], said["behind"]) == (behind.recorder.problem, "events")


@of_files
def test_on_an_operators_word_both_logs_go_on_in_new_shards_that_name_the_loss(behind: Keeper) -> None:
    lost = {name: behind.published.newest(name.value) for name in LogName}
    for log in ("events", "acts"):
        ask(behind, keeping.EPOCH, log)
    behind.pass_(10_000)
    behind.work()
    for name in LogName:
        head, newest = behind.place.reader(name.value).head(), lost[name]
        assert head is not None
        assert newest is not None
        assert head.period.shard == 2
        [facts] = behind.told(Kind.epoch, name)
        assert (facts["origin"], facts["size"]) == (newest.origin, newest.size)
        assert last_vkey(behind.place.reader(name.value), 2) is not None
    behind.login(ip="192.0.2.100")
    behind.work()
    assert behind.database.do(reported.problem) is None
    assert [one.values["ip"] for one in behind.records(kinds=[KIND_NUMBERS[Kind.login]])][-1] == "192.0.2.100"
    behind.check()


@of_files
@pytest.mark.parametrize("stride", [7, pytest.param(2, marks=pytest.mark.prove)])
def test_wherever_the_process_dies_a_log_goes_on_in_one_new_shard(behind: Keeper, tmp_path: Path, stride: int) -> None:
    step, died, shard = 0, True, 1
    while died:
        for log in ("events", "acts"):
            ask(behind, keeping.EPOCH, log)
        behind.pass_(10_000)
        died = behind.work_and_die_at(step)
        shard += 1
        for name in LogName:
            head = behind.place.reader(name.value).head()
            assert head is not None
            assert head.period.shard == shard
        assert len(behind.told(Kind.epoch, LogName.events)) == shard - 1
        behind.check()
        shutil.rmtree(tmp_path / "copy")
        behind.pass_(61_000)
        behind.work()
        lose(behind, tmp_path)
        step += stride
    assert step > 8


@of_files
def test_a_store_that_was_emptied_goes_on_under_a_number_of_its_own(behind: Keeper) -> None:
    shutil.rmtree(behind.place.settings["args"]["database"])
    behind.start()
    for log in ("events", "acts"):
        ask(behind, keeping.EPOCH, log)
    behind.work()
    head = behind.place.reader("events").head()
    assert head is not None
    assert head.period.shard == 2  # what the first one signed is never contradicted
    behind.check()
