# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores and keys that don't belong together are refused at start, in a sentence that says what helps."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.belonging import check, check_missing, check_place
from synapse_groupreg.retention.records import Kind, LogName, b64
from synapse_groupreg.storage import erasures, keeping, known_logs
from synapse_groupreg.storage.known_logs import KnownLog
from tests.database import SERVER
from tests.handlers.retention.keeper import DAY, Keeper
from tests.handlers.retention.stage import ThrowAwayKeys
from tests.storage.store_places import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.database import TestDatabase

ALICE = f"@alice:{SERVER}"


def look(
    keeper: Keeper,
    *,
    keys: Any = None,
    server: str = SERVER,
    renewing: bool = False,
    remembered: KnownLog | None = None,
) -> None:
    reader = keeper.place.reader("events")
    check(reader, "events", server, keys or keeper.keys, renewing=renewing, known=remembered)


def test_what_belongs_together_starts_and_nothing_else_does(
    place: Place, tmp_path: Path, sqlite_db: TestDatabase
) -> None:
    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    look(keeper)  # nothing is there yet
    keeper.live(1)
    keeper.work()
    look(keeper)
    with pytest.raises(CannotStart, match=r"that of another server: its checkpoints are of test\.example\.org"):
        look(keeper, server="other.example.org")
    with pytest.raises(CannotStart, match="is not the key file of this store"):
        look(keeper, keys=ThrowAwayKeys())
    other = ThrowAwayKeys()
    other.ring = keeper.keys.ring
    with pytest.raises(CannotStart, match="is not the key that signed the log events"):
        look(keeper, keys=other)
    look(keeper, keys=other, renewing=True)
    keeper.close()


def known(keeper: Keeper) -> KnownLog:
    """What Synapse's database remembers of the log of events."""
    found = known_logs.newest(keeper.database.do(known_logs.everything))
    assert set(found) == {"acts", "events"}
    return found["events"]


def test_another_store_or_new_keys_are_not_gone_on_with(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> None:
    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    keeper.live(1)
    keeper.work()
    before = known(keeper)
    with keeper.openers.lend("events") as opener:
        [(size, note)] = opener.reader.checkpoints(1)
        assert (before.size, f"\n{size}\n" in note, before.shard) == (size, True, 1)
    keeper.close()
    lost = Keeper(a_new_place(tmp_path), tmp_path / "keys", sqlite_db)
    (tmp_path / "keys" / "retention-events.checkpoint").unlink()
    (tmp_path / "keys" / "retention-acts.checkpoint").unlink()
    look(lost, remembered=before)  # the keys are right; what lacks, the recorder says
    with pytest.raises(CannotStart, match=r"retention\.keys .* is not the one by which the log events was kept"):
        look(lost, keys=ThrowAwayKeys(), remembered=before)
    look(lost, keys=ThrowAwayKeys(), remembered=before, renewing=True)
    number = ask(lost)
    lost.tick()
    assert "has 0 records and a checkpoint of" in str(lost.recorder.problem)
    assert lost.recorder.upkeep.alarms == {}
    assert known(lost) == before
    lost.close()
    # The right one again.
    keeper.start()
    keeper.work()
    assert known(keeper).size >= before.size
    assert keeper.database.do(erasures.get, number).done_ms is None
    keeper.check()
    keeper.close()


def test_an_erasure_waits_for_a_shard_that_was_lost_until_its_time_is_up(
    place: Place, tmp_path: Path, sqlite_db: TestDatabase
) -> None:
    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    keeper.live(1)
    keeper.work()
    number = ask(keeper)
    keeper.close()
    keeper.place = a_new_place(tmp_path)
    for log in ("events", "acts"):
        keeper.database.do(keeping.queue, keeping.EPOCH, log, "epoch", payload={}, now_ms=1)
    keeper.start()
    keeper.work()
    found = keeper.database.do(erasures.get, number)
    assert (found.done_ms, found.account, found.missing) == (None, ALICE, ("acts/1", "events/1"))
    assert "records of acts/1, events/1, which retention.store has not" in keeper.keeping.alarms["erasures-wait"]
    assert keeper.told(Kind.epoch, LogName.events)[0]["origin"] == f"{SERVER}/retention/events"
    assert known(keeper).shard == 2
    keeper.pass_(4 * 365 * DAY)
    keeper.work()
    assert keeper.database.do(erasures.get, number).done_ms is not None
    keeper.close()


def ask(keeper: Keeper) -> int:
    def wish(txn: Any) -> int:
        made = erasures.add(txn, ALICE, reason="asked for", author="@staff:x", now_ms=keeper.homeserver.now)
        keeping.queue(txn, keeping.ERASE, "", f"look {made.id}", payload={}, now_ms=1)
        return made.id

    return keeper.database.do(wish)


def a_new_place(folder: Path) -> Place:
    """A disk on which nothing is yet."""
    return Place({"name": "sqlite3", "args": {"database": str(folder / "new")}})


def test_a_store_that_has_more_than_is_remembered_is_a_healthy_one(
    place: Place, tmp_path: Path, sqlite_db: TestDatabase
) -> None:
    """Crashes come between, Synapse's database is put back, and a shard began meanwhile."""
    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    keeper.live(1)
    keeper.work()
    older = known(keeper)
    keeper.live(1)
    keeper.work()
    keeper.kill()
    keeper.database.do(known_logs.remember, [attrs.evolve(older, signing_key="old", wrapping_key="old")])
    look(keeper, remembered=known(keeper))
    keeper.work()
    assert known(keeper) != older
    (tmp_path / "keys" / "retention-events.checkpoint").unlink()
    keeper.kill()
    keeper.work()
    ahead = attrs.evolve(known(keeper), size=known(keeper).size + 1)
    keeper.database.do(known_logs.remember, [ahead])
    keeper.kill()
    keeper.tick()
    assert f"a checkpoint of {ahead.size} was published" in str(keeper.recorder.problem)
    other = attrs.evolve(ahead, size=1, root=b64(bytes(32)))
    keeper.database.do(known_logs.remember, [other])
    keeper.kill()
    keeper.pass_(60_000)
    keeper.tick()
    assert "is not the one whose first 1 records were signed" in str(keeper.recorder.problem)
    keeper.close()


def test_keys_are_made_only_where_no_log_was_begun(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> None:
    file = tmp_path / "keys" / "retention.keys"
    with contextlib.closing(place.reader("events")) as reader:
        check_missing(reader, "events", file, known=False, published=False)
        with pytest.raises(CannotStart, match="Synapse's database remembers that the log events was begun"):
            check_missing(reader, "events", file, known=True, published=False)
        with pytest.raises(CannotStart, match="a published checkpoint says that the log events was begun"):
            check_missing(reader, "events", file, known=False, published=True)
    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    keeper.work()
    keeper.close()
    with (
        contextlib.closing(place.reader("events")) as reader,
        pytest.raises(CannotStart, match=r"retention\.store says that the log events was begun"),
    ):
        check_missing(reader, "events", file, known=False, published=False)


@pytest.mark.parametrize(
    ("store", "synapses", "fine"),
    [
        ({"dbname": "records", "host": "db"}, {"dbname": "synapse", "host": "db"}, True),
        ({"dbname": "synapse", "host": "db"}, {"database": "synapse", "host": "db", "user": "s"}, False),
        ({"dbname": "synapse"}, {"dbname": "synapse", "host": "localhost", "port": 5432}, False),
        ({"dbname": "synapse", "port": 5433}, {"dbname": "synapse"}, True),
        ({"dbname": "synapse", "host": "127.0.0.1"}, {"dbname": "synapse", "host": "localhost", "port": "5432"}, False),
        ({"dbname": "synapse", "host": "::1"}, {"dbname": "synapse"}, False),
        ({"dbname": "synapse", "host": "/run/postgresql"}, {"database": "synapse", "host": "localhost"}, False),
        ({"dbname": "synapse", "host": "DB.example.org"}, {"dbname": "synapse", "host": "db.example.org."}, False),
        ({"dsn": "postgresql://s@127.0.0.1/synapse"}, {"dbname": "synapse", "host": ""}, False),
        ({"user": "synapse"}, {"dbname": "synapse", "host": "localhost"}, False),
        (
            {"dbname": "synapse", "host": "a,db", "port": "5432,5433"},
            {"dbname": "synapse", "host": "db", "port": 5433},
            False,
        ),
        ({"dbname": "synapse", "host": "a,db", "port": "5432,5433"}, {"dbname": "synapse", "host": "db"}, True),
        ({"dbname": "synapse", "host": "db2"}, {"dbname": "synapse", "host": "db"}, True),
    ],
)
def test_the_store_is_never_in_synapse_s_database(store: Any, synapses: Any, *, fine: bool) -> None:
    ours, theirs = ({"name": "psycopg2", "args": args} for args in (store, synapses))
    if fine:
        check_place(ours, theirs)
    else:
        with pytest.raises(CannotStart, match="one of its own"):
            check_place(ours, theirs)


def test_while_recording_is_off_the_store_is_emptied_as_its_time_comes_and_nothing_is_recorded(
    place: Place, tmp_path: Path, sqlite_db: TestDatabase
) -> None:
    from tests.database import result_of  # noqa: PLC0415 - for the one call that is no tick

    keeper = Keeper(place, tmp_path / "keys", sqlite_db)
    keeper.live(2)
    keeper.close()
    keeper.config = keeper.config.model_copy(update={"enabled": False})
    keeper.start()
    before = keeper.months()
    for hours in (1, 300 * 24, 420 * 24, *range(30)):
        keeper.act("@late:x")
        keeper.pass_(hours * 3_600_000 if hours > 30 else 3_600_000)
        result_of(keeper.recorder.remove())
        if hours == 300 * 24:
            assert keeper.months()[: len(before)] == before
    keeper.pass_(DAY)
    result_of(keeper.recorder.remove())
    assert not set(keeper.months()) & set(before)
    assert [one["months"] for one in keeper.told(Kind.purge) if one["log"] == "events"] == [[one] for one in before]
    assert keeper.told(Kind.act) == [{"act": 1}, {"act": 2}]
    keeper.check()
