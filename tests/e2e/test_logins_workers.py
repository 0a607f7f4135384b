# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logins where each process does a part, and where another service does them: what is recorded, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synapse_groupreg.rig import Homeserver, WorkerHomeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD
from tests.e2e.client import MATRIX, Client, Person, Staff
from tests.e2e.mas import MasPerson, authentication_service
from tests.e2e.outbox import Tap

CONFIG = {"mode": "dry", "federation": "closed"}


@pytest.mark.prove
def test_whichever_process_serves_it_a_login_is_one_record(start_workers: Callable[..., WorkerHomeserver]) -> None:
    server = start_workers(module_config=CONFIG)
    staff, person = Staff(server), Person(server)
    with Tap(server) as tap:
        identifier = {"type": "m.id.user", "user": person.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": SAMPLE_PASSWORD}
        devices = []
        for url in server.urls:
            with Client(url, None) as process:
                devices.append(process.call("POST", f"{MATRIX}/login", body).good()["device_id"])
        logins = tap.records(actor=person.user_id, kind="login")
        assert [one["details"]["device_id"] for one in logins] == devices
        staff.admin_api("POST", f"v2/users/{person.user_id}/delete_devices", {"devices": devices}).good()
        logouts = tap.records(actor=person.user_id, kind="logout")
        assert sorted(one["details"]["device_id"] for one in logouts) == sorted(devices)
        with staff.at(server.urls[2]) as worker:
            worker.call("GET", f"/_synapse/client/groupreg/v1/accounts/{person.user_id}").good()
        assert len(tap.records(kind="look", target=person.user_id)) == 1


def test_under_delegated_authentication_registrations_are_recorded(
    start_homeserver: Callable[..., Homeserver],
) -> None:
    with authentication_service() as settings:
        server = start_homeserver(module_config=CONFIG | {"membership_guard": "event_allowed"}, settings=settings)
        with Tap(server) as tap:
            person = MasPerson(server, "person")
            [record] = tap.records(actor=person.user_id)
            assert (record["kind"], record["type"], record["details"]) == ("registration", "service", {})
        server.stop()
