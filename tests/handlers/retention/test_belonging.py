# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores and keys that don't belong together are refused at start, in a sentence that says what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.belonging import check, check_place
from synapse_groupreg.retention.records import Kind
from tests.database import SERVER
from tests.handlers.retention.keeper import DAY, Keeper
from tests.handlers.retention.stage import ThrowAwayKeys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.database import TestDatabase
    from tests.storage.store_places import Place


def look(keeper: Keeper, *, keys: Any = None, server: str = SERVER, renewing: bool = False) -> None:
    check(keeper.place.reader("events"), "events", server, keys or keeper.keys, renewing=renewing)


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


@pytest.mark.parametrize(
    ("store", "synapses", "fine"),
    [
        ({"dbname": "records", "host": "db"}, {"dbname": "synapse", "host": "db"}, True),
        ({"dbname": "synapse", "host": "db"}, {"database": "synapse", "host": "db", "user": "s"}, False),
        ({"dbname": "synapse"}, {"dbname": "synapse", "host": "localhost", "port": 5432}, False),
        ({"dbname": "synapse", "port": 5433}, {"dbname": "synapse"}, True),
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
