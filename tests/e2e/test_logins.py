# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Registrations, logins, logouts and looks: each recorded once, before the client hears of it, readable by nobody."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from typing_extensions import override

from synapse_groupreg.rig import Database, Homeserver
from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.process import free_port
from tests.e2e.client import MATRIX, Answer, Client, Staff, refused
from tests.e2e.outbox import Tap

AGENT = "Kaleidoscope/7.4 (planted agent)"
ADDRESS = "198.51.100.73"
PASSWORD = "a password of 4711 letters"
CONFIG = {"mode": "enforce", "federation": "closed"}
CLIENT = "http://client.example.org/"
_names = itertools.count(1)


class _Cas(BaseHTTPRequestHandler):
    """A CAS server to whom every ticket is the name of a person."""

    def do_GET(self) -> None:
        name = parse_qs(urlsplit(self.path).query)["ticket"][0]
        success = f"<cas:authenticationSuccess><cas:user>{name}</cas:user></cas:authenticationSuccess>"
        answer = f"<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>{success}</cas:serviceResponse>"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def cas() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Cas) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}/"
        service.shutdown()


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver], database: Database | None, cas: str) -> Homeserver:
    proxied = http_listener(free_port(), "client") | {"x_forwarded": True}
    settings = {
        "login_via_existing_session": {"enabled": True},
        "cas_config": {"enabled": True, "server_url": cas},
        "sso": {"client_whitelist": [CLIENT]},
    }
    return start_homeserver(database=database, module_config=CONFIG, settings=settings, further_listeners=[proxied])


@pytest.fixture(scope="module")
def tap(server: Homeserver) -> Iterator[Tap]:
    with Tap(server) as tap:
        yield tap


class Visitor(Client):
    """Somebody who comes through a reverse proxy; registered when made, by the client API."""

    def __init__(self, server: Homeserver) -> None:
        [proxied] = server.files.further_listeners
        super().__init__(f"http://127.0.0.1:{proxied['port']}", None)
        self.name = f"visitor-{next(_names)}"
        self.user_id = server.user_id(self.name)
        self.headers = {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS}
        body = {"username": self.name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        registered = self.call("POST", f"{MATRIX}/register", body).good()
        self.token, self.device = registered["access_token"], registered["device_id"]

    def log_in(self, *, password: str = PASSWORD, **more: Any) -> Answer:
        identifier = {"type": "m.id.user", "user": self.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": password, **more}
        return self.call("POST", f"{MATRIX}/login", body)


HERE = {"ip": ADDRESS, "user_agent": AGENT}


def test_a_registration_is_one_record_with_address_and_client(server: Homeserver, tap: Tap) -> None:
    visitor = Visitor(server)
    [record] = tap.records(actor=visitor.user_id)
    assert (record["kind"], record["type"], record["details"]) == ("registration", "register", HERE)


def test_accounts_that_the_operator_makes_say_so(server: Homeserver, tap: Tap, staff: Staff) -> None:
    name = f"made-{next(_names)}"
    server.register(name)
    [record] = tap.records(actor=server.user_id(name))
    assert (record["kind"], record["type"]) == ("registration", "admin")
    other = server.user_id(f"made-{next(_names)}")
    assert staff.admin_api("PUT", f"v2/users/{other}", {"password": PASSWORD}).status == 201
    [record] = tap.records(actor=other)
    assert (record["type"], record["details"]) == ("admin", {"author": staff.user_id})


def test_a_login_is_one_record_with_its_device(server: Homeserver, tap: Tap) -> None:
    visitor = Visitor(server)
    device = visitor.log_in().good()["device_id"]
    visitor.log_in(device_id="MYPHONE").good()
    logins = tap.records(actor=visitor.user_id, kind="login")
    assert [(one["type"], one["details"]) for one in logins] == [
        ("m.login.password", {**HERE, "device_id": device}),
        ("m.login.password", {**HERE, "device_id": "MYPHONE"}),
    ]


def test_a_wrong_password_shows_in_no_callback(server: Homeserver, tap: Tap) -> None:
    visitor = Visitor(server)
    assert visitor.log_in(password="wrong").status == 403
    assert tap.records(actor=visitor.user_id, kind="login") == []


def test_a_login_by_token_is_one_record(server: Homeserver, tap: Tap) -> None:
    visitor = Visitor(server)
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": visitor.name}}
    asked = {"auth": {**auth, "password": PASSWORD}}
    token = visitor.call("POST", "/_matrix/client/v1/login/get_token", asked).good()["login_token"]
    device = visitor.call("POST", f"{MATRIX}/login", {"type": "m.login.token", "token": token}).good()["device_id"]
    [login] = tap.records(actor=visitor.user_id, kind="login")
    assert (login["type"], login["details"]) == ("m.login.token", {**HERE, "device_id": device})
    assert "facts" not in login


def test_an_sso_login_is_one_record_when_there_is_a_session(server: Homeserver, tap: Tap) -> None:
    name = f"sso-{next(_names)}"
    came = requests.get(
        f"{server.url}/_matrix/client/r0/login/cas/ticket",
        params={"redirectUrl": CLIENT, "ticket": name},
        allow_redirects=False,
        timeout=60,
    )
    [token] = parse_qs(urlsplit(came.headers["Location"]).query)["loginToken"]
    user_id = server.user_id(name)
    with Client(server.url, None) as client:
        client.call("POST", f"{MATRIX}/login", {"type": "m.login.token", "token": token}).good()
    registration, login = tap.records(actor=user_id)
    assert (registration["kind"], registration["type"]) == ("registration", "sso")
    assert (login["kind"], login["type"], login["facts"]) == ("login", "m.login.token", {"provider": "cas"})


def test_a_logout_is_one_record_for_each_device(server: Homeserver, tap: Tap) -> None:
    visitor = Visitor(server)
    devices = {visitor.device, visitor.log_in().good()["device_id"]}
    third = visitor.log_in().good()
    with Client(visitor.url, third["access_token"]) as session:
        session.call("POST", f"{MATRIX}/logout", {}).good()
    [logout] = tap.records(actor=visitor.user_id, kind="logout")
    assert (logout["type"], logout["details"]["device_id"]) == ("logout", third["device_id"])
    visitor.call("POST", f"{MATRIX}/logout/all", {}).good()
    _, *others = tap.records(actor=visitor.user_id, kind="logout")
    assert {(one["type"], one["details"]["device_id"]) for one in others} == {("logout-all", one) for one in devices}
    assert all(one["details"]["ip"] == ADDRESS for one in others)


def test_who_is_logged_out_by_an_admin_did_not_do_it(server: Homeserver, tap: Tap, staff: Staff) -> None:
    visitor = Visitor(server)
    staff.admin_api("DELETE", f"v2/users/{visitor.user_id}/devices/{visitor.device}").good()
    [logout] = tap.records(actor=visitor.user_id, kind="logout")
    expected = {"author": staff.user_id, "device_id": visitor.device}
    assert (logout["type"], logout["details"]) == ("admin", expected)


def test_a_login_that_is_refused_is_a_refusal_with_its_address(server: Homeserver, tap: Tap, staff: Staff) -> None:
    visitor = Visitor(server)
    staff.bar(visitor.user_id, scope="account").good()
    refused(visitor.log_in(), "account-blacklisted")
    [refusal] = tap.records(actor=visitor.user_id, kind="refusal")
    assert (refusal["type"], refusal["verdict"]) == ("log-in", "refused:account-blacklisted")
    assert refusal["details"] == HERE
    assert tap.records(actor=visitor.user_id, kind="login") == []


def test_who_looks_at_an_account_leaves_a_record(server: Homeserver, tap: Tap, staff: Staff) -> None:
    visitor = Visitor(server)
    staff.account(visitor.user_id)
    [look] = tap.records(kind="look", target=visitor.user_id)
    assert (look["actor"], look["type"]) == (staff.user_id, "read accounts")
    staff.account(staff.user_id)
    visitor.call("GET", f"/_synapse/client/groupreg/v1/accounts/{visitor.user_id}").good()
    assert staff.groupreg("GET", "accounts/@nobody:localhost").status == 404
    assert tap.records(kind="look", actor=staff.user_id)[-1] == look
    assert tap.records(kind="look", actor=visitor.user_id) == []


def test_the_flows_of_login_are_those_of_a_server_without_the_module(
    server: Homeserver, start_homeserver: Callable[..., Homeserver]
) -> None:
    without = start_homeserver(settings=server.files.settings)
    flows = [requests.get(f"{one.url}{MATRIX}/login", timeout=60).json() for one in (server, without)]
    assert flows[0] == flows[1]


def test_the_modules_tables_show_neither_address_nor_client(tap: Tap) -> None:
    contents = tap.tables()
    assert "groupreg_outbox" in contents, "this is no dump"
    assert not [one for one in (AGENT, ADDRESS, "Kaleidoscope") if one in contents]
