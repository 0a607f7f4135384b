# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store's disk is full, and later it isn't: meanwhile that is said, and nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from synapse_groupreg.handlers.retention import recorder
from tests.database import result_of
from tests.handlers.retention.recorder_victim import a_recorder
from tests.handlers.retention.test_recorder_killed import World, check
from tests.own_postgres import OwnPostgres
from tests.storage.store_places import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.database import TestDatabase
    from tests.small_disk import SmallDisk

ROUNDS = 3000
"""More than fit into what an engine has already taken of the disk."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "RETRY_MS", 0)


def on_sqlite(disk: SmallDisk, own_postgres: Callable[[], OwnPostgres]) -> dict[str, Any]:
    del own_postgres
    return {"name": "sqlite3", "args": {"database": str(disk.folder / "store")}}


def on_postgres(disk: SmallDisk, own_postgres: Callable[[], OwnPostgres]) -> dict[str, Any]:
    """Its tables are on the small disk; see below for its log."""
    server = own_postgres()
    space = disk.folder / "space"
    space.mkdir()
    if server.cluster.user is not None:
        shutil.chown(space, server.cluster.user)
    database = server.make_database()
    server.run(
        f"CREATE TABLESPACE {disk.folder.name.replace('-', '_')} LOCATION '{space}'",
        f"ALTER DATABASE {database.name} SET TABLESPACE {disk.folder.name.replace('-', '_')}",
    )
    return dict(database.synapse_setting())


@pytest.mark.parametrize("where", [on_sqlite, on_postgres])
def test_a_full_disk_stops_the_recorder_until_there_is_space(
    where: Callable[..., dict[str, Any]],
    small_disk: Callable[[int], SmallDisk],
    sqlite_db: TestDatabase,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    disk = small_disk(32)
    place = Place(where(disk, lambda: request.getfixturevalue("own_postgres")))
    with contextlib.closing(place):
        fill_and_free(disk, place, sqlite_db, tmp_path)


@pytest.mark.prove
def test_a_server_without_space_for_its_own_log_dies_and_goes_on_when_it_is_started_again(
    small_disk: Callable[[int], SmallDisk],
    sqlite_db: TestDatabase,
    tmp_path: Path,
) -> None:
    disk = small_disk(128)
    server = OwnPostgres(disk.folder)
    server.start()

    def more() -> None:
        with contextlib.suppress(psycopg2.Error):
            server.run("SELECT pg_switch_wal()")  # sixteen megabytes at a time

    def mend() -> None:
        server.kill()
        server.start()

    place = Place(dict(server.make_database().synapse_setting()))
    try:
        fill_and_free(disk, place, sqlite_db, tmp_path, more=more, mend=mend)
    finally:
        place.close()
        server.kill()


def fill_and_free(
    disk: SmallDisk,
    place: Place,
    db: TestDatabase,
    folder: Path,
    *,
    more: Callable[[], object] = bool,
    mend: Callable[[], object] = bool,
) -> None:
    places = {"store": place.settings, "folder": str(folder)}
    world, one = World(db, 5), a_recorder(places, db)
    world.go_on()
    result_of(one.tick())
    assert one.problem is None
    disk.fill()
    for _ in range(3):  # whoever dies meanwhile, and comes again, finds it so too
        for _ in range(ROUNDS):
            world.go_on()
            more()
            result_of(one.tick())
            if one.problem is not None:
                break
        assert one.problem is not None
        assert any(said in one.problem for said in ("is full", "no space left", "can't be reached")), one.problem
        one = a_recorder(places, db)
    disk.free()
    mend()
    result_of(one.tick())
    assert one.problem is None
    world.settle()
    result_of(one.tick())
    result_of(one.shut_down())
    check(db, place, world.entries)
