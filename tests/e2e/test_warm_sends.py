# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A message on a warm server costs no SQL of ours and loads no room state: counted by Synapse's own metrics."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.process import free_port
from tests.e2e.client import Person, Staff, exported, refused

SENDS = 50
STATE_EVENTS = 200
BACKGROUND = {
    "groupreg_health",
    "groupreg_inscribe",
    "groupreg_keeping",
    "groupreg_labels",
    "groupreg_large",
    "groupreg_lists",
    "groupreg_lists_look",
    "groupreg_memory",
    "groupreg_aliases",
    "groupreg_numbers",
    "groupreg_notices",
    "groupreg_notices_tidy",
    "groupreg_outbox_number",
    "groupreg_outbox_read",
    "groupreg_counts",
    "groupreg_ends",
    "groupreg_overflow",
    "groupreg_recorded",
    "groupreg_removals",
    "groupreg_recorder",
    "groupreg_relabel",
    "groupreg_report",
    "groupreg_restored",
    "groupreg_sizes",
    "groupreg_snapshot",
    "groupreg_successors",
    "groupreg_survey",
    "groupreg_tidy",
}
"""What runs by the clock, whether anybody sends or not."""
TRANSACTIONS = "synapse_storage_transaction_time_count_total"
LOOKUPS = "synapse_util_caches_cache"
CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "identity": {"required": {"post": "contact", "members_over": {100: "real_name"}}},
}


class Metrics:
    """What a homeserver counts, by what it is counted for."""

    def __init__(self, port: int) -> None:
        self.port = port

    def read(self, metric: str, label: str) -> dict[str, float]:
        sample = rf'^{metric}{{(?:[^}}]*,)?{label}="([^"]*)"[^}}]*}} (\S+)$'
        found = re.findall(sample, exported(self.port), re.MULTILINE)
        return {name: float(count) for name, count in found}

    def grown(self, metric: str, label: str, act: Callable[[], None]) -> dict[str, float]:
        before = self.read(metric, label)
        act()
        after = self.read(metric, label)
        return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}

    def our_transactions(self, act: Callable[[], None]) -> dict[str, float]:
        grown = self.grown(TRANSACTIONS, "desc", act)
        return {name: count for name, count in grown.items() if name.startswith("groupreg_") and name not in BACKGROUND}


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics(free_port())


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver], metrics: Metrics) -> Homeserver:
    listener = {"port": metrics.port, "type": "metrics", "bind_addresses": ["127.0.0.1"]}
    return start_homeserver(module_config=CONFIG, settings={"enable_metrics": True}, further_listeners=[listener])


@pytest.fixture(scope="module")
def admin(server: Homeserver) -> Staff:
    admin = Staff(server, "admin")
    # Memory is full of exceptions: others are barred, rooms, servers and persons too.
    admin.bar("*.evil.example").good()
    admin.bar("!room:localhost").good()
    admin.bar(Person(server).user_id).good()
    return admin


@pytest.fixture(scope="module")
def author(server: Homeserver, admin: Staff) -> Person:
    person = Person(server)
    admin.verify(person.user_id, reference="a person").good()
    return person


@pytest.fixture(scope="module")
def room(author: Person) -> str:
    states = [{"type": "org.example.a", "state_key": str(key), "content": {}} for key in range(STATE_EVENTS)]
    room = author.found_group(initial_state=states)
    for _ in range(3):
        author.send(room).good()
    return room


def test_a_warm_send_makes_no_transaction_of_ours(metrics: Metrics, author: Person, room: str) -> None:
    def send() -> None:
        for _ in range(SENDS):
            author.send(room).good()

    assert metrics.our_transactions(send) == {}


def test_a_refused_send_is_counted_by_the_same_measure(metrics: Metrics, server: Homeserver, room: str) -> None:
    """So the test above would see a transaction if there were one."""
    unverified = Person(server)
    unverified.join(room).good()

    def send() -> None:
        for _ in range(5):
            refused(unverified.send(room), "identity-required")

    expected = {"groupreg_room": 5, "groupreg_refusals": 5, "groupreg_language": 1}
    assert metrics.our_transactions(send) == expected


def test_a_warm_send_loads_no_state(metrics: Metrics, author: Person, room: str) -> None:
    """Loading the state of this room would look 200 events up for each message; Synapse itself takes about 11."""

    def send() -> None:
        for _ in range(SENDS):
            author.send(room).good()

    looked_up = metrics.grown(LOOKUPS, "name", send)["*getEvent*"]
    assert looked_up < SENDS * STATE_EVENTS / 10, looked_up


def test_the_guard_on_every_request_makes_no_transaction(metrics: Metrics, author: Person, room: str) -> None:
    def look() -> None:
        for _ in range(SENDS):
            author.state(room, "m.room.create").good()

    assert metrics.our_transactions(look) == {}
