# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff decide at one process holds on every other within two seconds."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import GROUPREG, MATRIX, Answer, Client, Person, Staff, refused

SOON = 2.0
"""Seconds in which a decision is in force everywhere, also on a busy machine; on an idle one it takes a fraction."""
TRIALS = 10
_transactions = itertools.count(1)
CONFIG = {"mode": "dry", "federation": "closed", "identity": {"required": {"post": "contact"}}}


@pytest.fixture(scope="module")
def server(start_workers: Callable[..., WorkerHomeserver]) -> WorkerHomeserver:
    return start_workers(module_config=CONFIG)


@pytest.fixture(scope="module")
def admin(server: WorkerHomeserver) -> Staff:
    return Staff(server, "admin")


@pytest.fixture
def person(server: WorkerHomeserver) -> Person:
    return Person(server)


@pytest.fixture
def everywhere(server: WorkerHomeserver, person: Person) -> Iterator[list[Client]]:
    """The person's session at each process, the main one first."""
    with ExitStack() as open_ones:
        yield [open_ones.enter_context(person.at(url)) for url in server.urls]


def seconds_until(true: Callable[[], bool]) -> float:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < 10 * SOON
        time.sleep(0.005)
    return time.monotonic() - start


def barred(client: Client) -> bool:
    return client.call("GET", f"{MATRIX}/account/whoami").code == "account-blacklisted"


def mode(client: Client) -> str:
    found: str = client.call("GET", f"{GROUPREG}/policy").good()["mode"]
    return found


def post(client: Client, room: str) -> Answer:
    message = {"msgtype": "m.text", "body": "hello"}
    return client.call("PUT", f"{MATRIX}/rooms/{quote(room)}/send/m.room.message/{next(_transactions)}", message)


def test_a_switch_of_the_mode_is_seen_by_all(admin: Staff, everywhere: list[Client]) -> None:
    found = {"is_direct": True, "preset": "private_chat"}
    for wanted in ("enforce", "dry", "enforce"):
        admin.mode(wanted).good()
        assert mode(everywhere[0]) == wanted
        assert all(seconds_until(partial(_is, client, wanted)) < SOON for client in everywhere)
    for client in everywhere:
        refused(client.call("POST", f"{MATRIX}/createRoom", found), "identity-required")


def _is(client: Client, wanted: str) -> bool:
    return mode(client) == wanted


def test_an_entry_of_the_blacklist_spreads_at_once(admin: Staff, person: Person, everywhere: list[Client]) -> None:
    """Made at the main process, seen at a worker; lifted at that worker, seen at the other."""
    _, first, second = everywhere
    waits = []
    with admin.at(first.url) as reviewer:
        for _ in range(TRIALS):
            entry = admin.bar(person.user_id, scope="account").good()["id"]
            waits.append(seconds_until(lambda: barred(first)))
            assert seconds_until(lambda: barred(second)) < SOON
            reviewer.call("DELETE", f"{GROUPREG}/blacklist/{entry}", {}).good()
            assert not barred(first)
            waits.append(seconds_until(lambda: not barred(second)))
    assert statistics.median(waits) < SOON / 4, sorted(waits)
    assert max(waits) < SOON, sorted(waits)


def test_assurance_and_roles_spread_too(
    server: WorkerHomeserver, admin: Staff, person: Person, everywhere: list[Client]
) -> None:
    admin.mode("enforce").good()
    host = Person(server, "host")
    admin.verify(host.user_id).good()
    room = host.found_group()
    person.join(room).good()
    _, here, there = everywhere
    with admin.at(here.url) as officer:
        identity = f"{GROUPREG}/accounts/{quote(person.user_id)}/identity"
        refused(post(here, room), "identity-required")
        officer.call("PUT", identity, {"assurance": "contact"}).good()
        # Who acts at a process sees the effect in the next request to it.
        post(here, room).good()
        assert seconds_until(lambda: post(there, room).ok) < SOON
        officer.call("DELETE", identity, {}).good()
        refused(post(here, room), "identity-required")
        assert seconds_until(lambda: not post(there, room).ok) < SOON

    admin.grant(person.user_id, ["inspector"]).good()
    assert all(seconds_until(partial(_reads_acts, client)) < SOON for client in everywhere)


def _reads_acts(client: Client) -> bool:
    return client.call("GET", f"{GROUPREG}/acts").ok
