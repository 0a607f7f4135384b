# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Under delegated authentication (MAS) Synapse shows no requests: what holds all the same, with `event_allowed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.process import RigError
from tests.e2e.client import refused
from tests.e2e.mas import MasPerson, authentication_service

CONFIG = {"mode": "enforce", "federation": "closed", "identity": {"required": {"post": "contact"}}}


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, Any]]:
    with authentication_service() as settings:
        yield settings


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver], settings: dict[str, Any]) -> Homeserver:
    return start_homeserver(module_config=CONFIG | {"membership_guard": "event_allowed"}, settings=settings)


def test_without_event_allowed_it_does_not_start(
    start_homeserver: Callable[..., Homeserver], settings: dict[str, Any]
) -> None:
    with pytest.raises(
        RigError, match=r"under delegated authentication .*kicks, bans.*membership_guard: event_allowed"
    ):
        start_homeserver(module_config=CONFIG, settings=settings)


def test_kicks_and_bans_are_judged(server: Homeserver) -> None:
    admin, host, newcomer, other = (
        MasPerson(server, "root", admin=True),
        *(MasPerson(server, name) for name in ("host", "newcomer", "other")),
    )
    admin.verify(host.user_id).good()
    room = host.found_group(power_level_content_override={"users": {newcomer.user_id: 90}})
    for person in (newcomer, other):
        person.join(room).good()

    refused(newcomer.kick(room, other.user_id), "identity-required")
    refused(newcomer.ban(room, other.user_id), "identity-required")
    refused(newcomer.set_state(room, "m.room.member", {"membership": "leave"}, other.user_id), "identity-required")
    refused(newcomer.send(room), "identity-required")
    assert newcomer.call("POST", "/_matrix/media/v3/upload", {"a": "file"}).status == 413
    newcomer.leave(room).good()
    newcomer.join(room).good()

    # The service knows a verified address of theirs.
    newcomer.provision(set_emails=["newcomer@example.org"])
    newcomer.send(room).good()
    newcomer.kick(room, other.user_id).good()


def test_the_right_to_administer_lies_in_the_token(server: Homeserver) -> None:
    admin, person = MasPerson(server, "second", admin=True), MasPerson(server, "person")
    admin.status()
    assert person.groupreg("GET", "status").status == 403
    admin.grant(person.user_id, ["inspector"]).good()
    person.status()
