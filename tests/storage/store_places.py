# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A place of the test's own for retention stores, on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.storage.stores import open_reader, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_groupreg.rig import Postgres
    from synapse_groupreg.storage.store import Store, StoreReader


class Place:
    """Opens stores and closes them all."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._opened: list[StoreReader] = []

    @property
    def on_sqlite(self) -> bool:
        return bool(self.settings["name"] == "sqlite3")

    def store(self, log: str = "events") -> Store:
        store = open_store(self.settings, log)
        self._opened.append(store)
        return store

    def reader(self, log: str = "events") -> StoreReader:
        reader = open_reader(self.settings, log)
        self._opened.append(reader)
        return reader

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        settings: dict[str, Any] = {"name": "sqlite3", "args": {"database": str(tmp_path / "store")}}
    else:
        server: Postgres = request.getfixturevalue("postgres")
        settings = dict(server.create_database().synapse_setting())
    place = Place(settings)
    yield place
    place.close()
