# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff decide at one process holds on every other: within half a second, without Redis within two."""

from __future__ import annotations

import itertools
import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Database, Postgres, Redis, WorkerHomeserver
from synapse_groupreg.rig.redis import EXTERNAL
from tests.e2e.client import GROUPREG, MATRIX, Answer, Client, Person, Staff, refused
from tests.e2e.imposed import PAUSE, SOON, Imposed, prepared

AT_ONCE = 0.5
"""Seconds that ninety-nine of a hundred decisions take at most while Redis is there."""
_transactions = itertools.count(1)
logger = logging.getLogger(__name__)
CONFIG = {"mode": "dry", "federation": "closed", "identity": {"required": {"post": "contact"}}}


@pytest.fixture(scope="module")
def own_redis() -> Iterator[Redis]:
    """A Redis that the last test may stop."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(EXTERNAL, raising=False)
        with Redis.start() as server:
            yield server


@pytest.fixture(scope="module")
def server(
    own_redis: Redis, postgres: Postgres, synapse_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerHomeserver]:
    folder, database = tmp_path_factory.mktemp("homeserver"), postgres.create_database(like=synapse_database)
    with WorkerHomeserver(
        folder, database=database, redis=own_redis, persisters=2, background=True, module_config=CONFIG
    ) as server:
        yield server


@pytest.fixture
def acts(request: pytest.FixtureRequest) -> int:
    """How many acts are timed."""
    return 200 if request.config.getoption("--prove") else 10


@pytest.fixture(scope="module")
def admin(server: WorkerHomeserver) -> Staff:
    return Staff(server, "admin")


@pytest.fixture(scope="module")
def imposed(server: WorkerHomeserver, admin: Staff) -> Iterator[Imposed]:
    """Every kind of measure, ready to be imposed."""
    with closing(prepared(server, admin)) as found:
        yield found


@pytest.fixture
def person(server: WorkerHomeserver) -> Person:
    return Person(server)


@pytest.fixture
def everywhere(server: WorkerHomeserver, person: Person) -> Iterator[list[Client]]:
    """The person's session at each process, the main one first."""
    with ExitStack() as open_ones:
        yield [open_ones.enter_context(person.at(url)) for url in server.urls]


def seconds_everywhere(true: Callable[[Client], bool], clients: list[Client]) -> float:
    """How long it takes until something is true at every process."""
    start = time.monotonic()
    while clients := [client for client in clients if not true(client)]:
        assert time.monotonic() - start < 10 * SOON
        time.sleep(PAUSE)
    return time.monotonic() - start


def seconds_until(true: Callable[[], bool]) -> float:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < 10 * SOON
        time.sleep(PAUSE)
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


def free(client: Client) -> bool:
    return not barred(client)


def times_of_entries(admin: Staff, person: Person, everywhere: list[Client], acts: int) -> list[float]:
    """How long each of so many entries and lifts took to be in force everywhere; each process serves staff in turn."""
    entry = {"entity": person.user_id, "scope": "account", "reason": "spam", "basis": "11.3"}
    waits: list[float] = []
    admin.mode("enforce").good()
    assert all(seconds_until(partial(_is, client, "enforce")) < SOON for client in everywhere)
    with ExitStack() as open_ones:
        staff = itertools.cycle([open_ones.enter_context(admin.at(client.url)) for client in everywhere])
        for _ in range(acts // 2):
            number = next(staff).call("POST", f"{GROUPREG}/blacklist", entry).good()["id"]
            waits.append(seconds_everywhere(barred, everywhere))
            next(staff).call("DELETE", f"{GROUPREG}/blacklist/{number}", {}).good()
            waits.append(seconds_everywhere(free, everywhere))
    return told(waits)


def told(waits: list[float]) -> list[float]:
    """The times, sorted, and said."""
    waits.sort()
    logger.info("p50 %.3f s, p99 %.3f s, of %d acts", statistics.median(waits), ninety_ninth(waits), len(waits))
    return waits


def ninety_ninth(waits: list[float]) -> float:
    """The 99th percentile of sorted times; the longest of less than a hundred."""
    return waits[math.ceil(len(waits) * 0.99) - 1]


def test_an_entry_of_the_blacklist_spreads_at_once(
    admin: Staff, person: Person, everywhere: list[Client], acts: int
) -> None:
    waits = times_of_entries(admin, person, everywhere, acts)
    assert statistics.median(waits) < AT_ONCE, waits
    # A busy machine may delay one of a few.
    assert ninety_ninth(waits) < (AT_ONCE if acts >= 200 else SOON), waits


def test_a_cap_holds_for_the_next_join_at_any_process(
    server: WorkerHomeserver, admin: Staff, person: Person, everywhere: list[Client], acts: int
) -> None:
    """No process has to hear of it: caps are read where places are counted."""
    admin.mode("enforce").good()
    host = Person(server, "host")
    admin.verify(host.user_id).good()
    room = host.found_group()
    path = f"{MATRIX}/join/{quote(room)}"
    assert all(seconds_until(partial(_is, client, "enforce")) < SOON for client in everywhere)
    for _, client in zip(range(acts // 2), itertools.cycle(everywhere), strict=False):
        admin.cap(room, 1).good()
        refused(client.call("POST", path, {}), "room-full")
        admin.cap(room, 2).good()
        client.call("POST", path, {}).good()
        person.leave(room).good()


def times_of_measures(imposed: Imposed, acts: int) -> list[float]:
    """How long it took until measures were in force everywhere, and over: many one by one, few in two lots."""
    imposed.waits, imposed.latest = [], 0.0
    for kinds in [[kind] for kind in imposed.kinds] * (acts // 20) if acts >= 200 else imposed.at_once:
        imposed.there_and_back(kinds)
    return told(imposed.waits)


def test_every_kind_of_measure_spreads_at_once(imposed: Imposed, acts: int) -> None:
    waits = times_of_measures(imposed, acts)
    assert imposed.latest < SOON
    if acts >= 200:
        assert len(waits) >= 200
        assert ninety_ninth(waits) < AT_ONCE, waits


@pytest.mark.parametrize(
    "name",
    [
        "generic_worker2",
        *(
            pytest.param(name, marks=pytest.mark.prove)
            for name in ("main", "generic_worker1", "event_persister1", "event_persister2", "background_worker1")
        ),
    ],
)
def test_who_dies_and_comes_back_knows_what_was_decided_meanwhile(imposed: Imposed, acts: int, name: str) -> None:
    people, emergencies = imposed.at_once
    imposed.latest = 0.0
    imposed.while_away(name, people)
    if acts >= 200:
        imposed.while_away(name, emergencies)
        for kinds in (people, emergencies):
            imposed.through_a_crash(name, kinds)
            imposed.lifted_while_away(name, kinds)
    assert imposed.latest < SOON


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


def test_without_redis_decisions_spread_too(
    own_redis: Redis, person: Person, everywhere: list[Client], imposed: Imposed, acts: int
) -> None:
    """The last test: afterwards the processes of this server no longer hear of each other."""
    assert not any(barred(client) for client in everywhere)
    own_redis.stop()
    waits = times_of_entries(imposed.admin, person, everywhere, acts if acts >= 200 else 4)
    assert waits[-1] < SOON, waits
    times_of_measures(imposed, acts)
    assert imposed.latest < SOON
