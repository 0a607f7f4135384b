# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One PostgreSQL database for all tests of this folder, emptied before each: making one takes a second."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.database import TestDatabase, _administer, open_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.rig import Database as Place
    from synapse_groupreg.storage.database import Transaction

SYNAPSES = (
    *("users", "user_threepids", "account_data", "pushers", "rooms", "room_aliases", "room_stats_current"),
    *("room_stats_state", "events", "event_json", "current_state_events", "room_memberships"),
    *("local_current_membership", "stream_positions", "event_reports", "room_reports", "user_reports"),
    *("devices", "access_tokens"),
)


@pytest.fixture(scope="session")
def shared_pg(postgres_template: Place) -> Iterator[TestDatabase]:
    place = attrs.evolve(postgres_template, name=f"groupreg_storage_{secrets.token_hex(6)}")
    administration = attrs.evolve(place, name="postgres")
    _administer(administration, "CREATE DATABASE {} TEMPLATE {}", place.name, postgres_template.name)
    database = open_postgres(place)
    yield database
    database.close()
    _administer(administration, "DROP DATABASE {} WITH (FORCE)", place.name)


@pytest.fixture
def pg_db(shared_pg: TestDatabase) -> TestDatabase:
    """A PostgreSQL database in which nothing is."""
    shared_pg.fail = None
    shared_pg.runs.clear()
    shared_pg.do(_empty)
    return shared_pg


def _empty(txn: Transaction) -> None:
    txn.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE ?", ("groupreg_%",))
    ours = [str(row[0]) for row in txn.fetchall() if row[0] != "groupreg_schema"]
    txn.execute("ALTER TABLE groupreg_acts DISABLE TRIGGER ALL")
    for table in (*SYNAPSES, *ours):
        txn.execute(f"DELETE FROM {table}")
    txn.execute("ALTER TABLE groupreg_acts ENABLE TRIGGER ALL")
    txn.execute("INSERT INTO groupreg_version (only_row, version) VALUES (1, 0)")
