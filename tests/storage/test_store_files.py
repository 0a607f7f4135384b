# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an engine has on its disk: nothing that was erased; and a store goes on after its server died."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.storage.store import Period, StoreUnavailable
from tests.storage.store_places import Place
from tests.storage.store_samples import DECEMBER, JANUARY, NOVEMBER, Log, digest, name, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.own_postgres import OwnPostgres

SWITCHES = 4
"""Of PostgreSQL's log, each with a checkpoint: after so many, it has written over what it had."""


@pytest.fixture(params=["sqlite", "postgres"])
def settled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Callable[[], list[bytes]]]]:
    """A store, and what comes to its files when everything is on the disk: here the data, there the log of changes."""
    if request.param == "sqlite":
        place = Place({"name": "sqlite3", "args": {"database": str(tmp_path)}})
        read = _read_sqlite(tmp_path)
    else:
        server: OwnPostgres = request.getfixturevalue("own_postgres")
        database = server.make_database()
        place = Place(dict(database.synapse_setting()))
        read = _read_postgres(server, database.name)
    with contextlib.closing(place):
        yield place, read


def _read_sqlite(folder: Path) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        return [b"".join(path.read_bytes() for path in folder.rglob(name)) for name in ("*.db", "*-wal")]

    return read


def _read_postgres(server: OwnPostgres, database: str) -> Callable[[], list[bytes]]:
    [(number,)] = server.run(f"SELECT oid FROM pg_database WHERE datname = '{database}'")
    folders = [server.cluster.folder / "base" / str(number), server.cluster.folder / "pg_wal"]

    def read() -> list[bytes]:
        server.run("CHECKPOINT")
        return [b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file()) for folder in folders]

    return read


@pytest.mark.parametrize("period", [NOVEMBER, JANUARY])
def test_what_was_erased_is_in_no_file(
    settled: tuple[Place, Callable[[], list[bytes]]], period: Period, request: pytest.FixtureRequest
) -> None:
    """Half of a month's records, so that pages have much free space: that is where an engine leaves old bytes."""
    place, read = settled
    log = Log(place.store())
    for at, month in enumerate((NOVEMBER, DECEMBER, JANUARY)):
        log.begin(month)
        base, ref = log.fill(300).size, 500 + at
        # Of two rows, one so long that PostgreSQL puts it into a table beside.
        long = [digest("content", base + n) * (2 + 200 * n) for n in range(2)]
        log.append([row(base + n, actor=ref, content=text) for n, text in enumerate(long)], [name(ref)])
    first, ref = (0, 500) if period == NOVEMBER else (604, 502)
    erased = [*range(first, first + 302, 2), first + 301]
    one = log.names[period][ref]
    secrets = [one.lookup, one.sealed or b"", *(log.rows[idx].sealed for idx in erased[::5])]
    secrets += [digest("content", first + 300 + n) for n in range(2)]
    before = b"".join(read())
    assert all(secret in before for secret in secrets)
    log.store.erase(log.now(), period, [ref], [(idx, b"x" * (idx % 90)) for idx in erased])
    data, changes = read()
    assert [secret for secret in secrets if secret in data] == []
    assert log.rows[first + 1].sealed in data
    if not place.on_sqlite:
        server: OwnPostgres = request.getfixturevalue("own_postgres")
        server.run(*["SELECT pg_switch_wal()", "CHECKPOINT"] * SWITCHES)
        data, changes = read()
    assert [secret for secret in secrets if secret in data + changes] == []


def test_a_store_goes_on_after_its_server_restarted(own_postgres: OwnPostgres) -> None:
    place = Place(dict(own_postgres.make_database().synapse_setting()))
    with contextlib.closing(place):
        log, reader = Log(place.store()), place.reader()
        log.begin()
        head = log.fill(100)
        assert reader.head() == head
        own_postgres.kill()
        for use in (lambda: log.fill(10), reader.head, lambda: log.fill(10)):
            with pytest.raises(StoreUnavailable):
                use()
        own_postgres.start()
        assert reader.head() == head
        assert log.fill(10).size == 110
        assert len(reader.leaves(1, 0, 110)) == 110
