# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Under delegated authentication (MAS) Synapse shows modules no requests; the guard sees them all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver, WorkerHomeserver
from synapse_groupreg.rig.homeserver_yaml import MODULE
from synapse_groupreg.rig.process import RigError
from tests.e2e.client import MATRIX, poll, refused
from tests.e2e.mas import MasPerson, authentication_service

CONFIG = {"mode": "enforce", "federation": "closed", "identity": {"required": {"post": "contact"}}}
UNVERIFIED = "identity-required"
ELSEWHERE = """
from synapse.api.auth.mas import MasDelegatedAuth

class OtherAuth(MasDelegatedAuth):
    async def get_user_by_req(self, request, allow_guest=False, allow_expired=False, allow_locked=False):
        return await super().get_user_by_access_token(self.get_access_token_from_request(request), allow_expired)

class Module:
    def __init__(self, config, api):
        api._hs.get_auth().__class__ = OtherAuth
"""
"""A Synapse that asks whose token it is in another place."""


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, Any]]:
    with authentication_service() as settings:
        yield settings


@pytest.fixture(scope="module")
def by_request(start_homeserver: Callable[..., Homeserver], settings: dict[str, Any]) -> Homeserver:
    return start_homeserver(module_config=CONFIG, settings=settings)


@pytest.fixture(scope="module")
def by_event(start_homeserver: Callable[..., Homeserver], settings: dict[str, Any]) -> Homeserver:
    return start_homeserver(module_config=CONFIG | {"membership_guard": "event_allowed"}, settings=settings)


@pytest.fixture(params=["by_request", "by_event"])
def server(request: pytest.FixtureRequest) -> Homeserver:
    found: Homeserver = request.getfixturevalue(request.param)
    return found


def newcomer_and_room(server: Homeserver, name: str) -> tuple[MasPerson, MasPerson, MasPerson, str]:
    """An administrator, somebody unverified with the power to moderate, somebody else, and the room they are in."""
    admin, host, newcomer, other = (
        MasPerson(server, f"root{name}", admin=True),
        *(MasPerson(server, f"{one}{name}") for one in ("host", "newcomer", "other")),
    )
    admin.verify(host.user_id).good()
    room = host.found_group(power_level_content_override={"users": {newcomer.user_id: 90}})
    for person in (newcomer, other):
        person.join(room).good()
    return admin, newcomer, other, room


def test_kicks_and_bans_are_judged(server: Homeserver) -> None:
    _, newcomer, other, room = newcomer_and_room(server, "a")
    refused(newcomer.kick(room, other.user_id), UNVERIFIED)
    refused(newcomer.ban(room, other.user_id), UNVERIFIED)
    refused(newcomer.set_state(room, "m.room.member", {"membership": "leave"}, other.user_id), UNVERIFIED)
    refused(newcomer.send(room), UNVERIFIED)
    newcomer.leave(room).good()
    newcomer.join(room).good()

    # The service knows a verified address of theirs.
    newcomer.provision(set_emails=["newcomer@example.org"])
    newcomer.send(room).good()
    newcomer.kick(room, other.user_id).good()


def test_what_no_callback_shows_is_judged_from_the_request(by_request: Homeserver) -> None:
    admin, newcomer, _, _ = newcomer_and_room(by_request, "b")
    refused(newcomer.set_name("Somebody"), UNVERIFIED)
    refused(newcomer.call("POST", "/_matrix/media/v3/upload", {"a": "file"}), UNVERIFIED)
    refused(
        newcomer.call("PUT", f"{MATRIX}/presence/{newcomer.user_id}/status", {"presence": "online", "status_msg": "x"}),
        UNVERIFIED,
    )
    admin.bar(newcomer.user_id, scope="account").good()
    refused(newcomer.sync(), "account-blacklisted")  # a session that was there before
    assert newcomer.groupreg("GET", f"accounts/{newcomer.user_id}").ok  # to see why


@pytest.mark.prove
def test_a_worker_judges_from_the_request_too(
    start_workers: Callable[..., WorkerHomeserver], settings: dict[str, Any]
) -> None:
    server = start_workers(module_config=CONFIG, settings=settings, workers=1)
    admin, newcomer, other, room = newcomer_and_room(server, "w")
    _, worker = server.urls
    name = f"{MATRIX}/profile/{newcomer.user_id}/displayname"
    with newcomer.at(worker) as there, admin.at(worker) as administering:
        for _ in range(2):  # whose token it is Synapse asks once, and remembers
            refused(there.call("POST", f"{MATRIX}/rooms/{quote(room)}/kick", {"user_id": other.user_id}), UNVERIFIED)
            refused(there.call("PUT", name, {"displayname": "Somebody"}), UNVERIFIED)
        administering.call("PUT", name.replace(newcomer.user_id, admin.user_id), {"displayname": "Staff"}).good()
        admin.bar(newcomer.user_id, scope="account").good()
        assert poll(lambda: there.call("GET", f"{MATRIX}/sync", timeout=0).code == "account-blacklisted")
    assert other.user_id in other.members(room)


def test_with_event_allowed_uploads_are_judged_and_sessions_go_on(by_event: Homeserver) -> None:
    admin, newcomer, _, _ = newcomer_and_room(by_event, "c")
    assert newcomer.call("POST", "/_matrix/media/v3/upload", {"a": "file"}).status == 413
    admin.bar(newcomer.user_id, scope="account").good()
    newcomer.sync().good()


def test_the_right_to_administer_lies_in_the_token(server: Homeserver) -> None:
    admin, person = MasPerson(server, "second", admin=True), MasPerson(server, "person")
    admin.status()
    assert person.groupreg("GET", "status").status == 403
    admin.grant(person.user_id, ["inspector"]).good()
    person.status()


def test_who_administers_by_token_needs_no_identity(by_request: Homeserver) -> None:
    admin, _, other, room = newcomer_and_room(by_request, "d")
    admin.set_name("Administration").good()
    plain = MasPerson(by_request, "rootd")  # the same account, with a token that has not the right
    refused(plain.set_name("Somebody"), UNVERIFIED)
    admin.join(room).good()
    admin.send(room).good()
    assert other.user_id in admin.members(room)


def test_where_requests_are_not_seen_it_does_not_start(
    start_homeserver: Callable[..., Homeserver],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    modules = [{"module": "elsewhere.Module", "config": {}}, {"module": MODULE, "config": CONFIG}]
    with pytest.raises(
        RigError, match=r"under delegated authentication .*kicks, bans.*membership_guard: event_allowed"
    ):
        start_homeserver(settings=settings | {"modules": modules})
