# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a check of ours fails, `on_error` answers; the log says so and names nobody."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Person, Staff, refused
from tests.e2e.logs import named_in, our_lines

CONFIG = {"mode": "enforce", "federation": "closed", "identity": {"required": {"post": "contact"}}}


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


@pytest.fixture(scope="module")
def host(server: Homeserver, admin: Staff) -> Person:
    person = Person(server, "host")
    admin.verify(person.user_id).good()
    return person


@contextmanager
def missing(server: Homeserver, table: str) -> Iterator[None]:
    """Take a table of ours out of the running server's database."""

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(server.files.folder / "homeserver.db", timeout=30)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(table, "hidden")
    try:
        yield
    finally:
        rename("hidden", table)


def test_joins_are_refused_and_sends_allowed(server: Homeserver, host: Person) -> None:
    room = host.found_group()
    unverified, late = Person(server), Person(server)
    unverified.join(room).good()
    with missing(server, "groupreg_rooms"):
        refused(late.join(room), "unavailable")
        refused(host.found(), "unavailable")
        refused(host.invite(room, late.user_id), "unavailable")
        refused(unverified.kick(room, host.user_id), "unavailable")
        unverified.send(room).good()
    late.join(room).good()
    refused(unverified.send(room), "identity-required")


def test_a_dry_run_refuses_nothing_though_checks_fail(server: Homeserver, admin: Staff, host: Person) -> None:
    room, late = host.found_group(), Person(server)
    admin.mode("dry").good()
    try:
        with missing(server, "groupreg_rooms"):
            late.join(room).good()
            host.found().good()
    finally:
        admin.mode("enforce").good()


def test_a_refusal_stands_though_it_can_not_be_written(server: Homeserver, admin: Staff, host: Person) -> None:
    room, unverified = host.found_group(), Person(server)
    unverified.join(room).good()
    lost = admin.status()["counters"]["refusals_lost"]
    with missing(server, "groupreg_refusals"):
        refused(unverified.send(room), "identity-required")
    assert admin.status()["counters"]["refusals_lost"] == lost + 1
    refused(unverified.send(room), "identity-required")
    assert admin.refusals(account=unverified.user_id)


def test_an_act_that_can_not_be_journalled_does_not_happen(server: Homeserver, admin: Staff, host: Person) -> None:
    """And whoever asked gets a reference, no traceback."""
    with missing(server, "groupreg_acts"):
        answer = admin.unverify(host.user_id)
    assert answer.status == 500
    assert re.search(r"reference [0-9a-f]{8}", answer.body["error"])
    assert admin.account(host.user_id)["assurance"] == "contact"


def test_the_log_tells_what_failed_and_names_nobody(server: Homeserver) -> None:
    said = our_lines(server.process_log())
    assert re.search(r"A check \(join\) failed, reference [0-9a-f]{8}", said)
    assert "1 refusals could not be written" in said
    assert re.search(r"An API request failed, reference [0-9a-f]{8}", said)
    assert named_in(said) == []
