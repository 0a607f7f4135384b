# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happened on a real server is found by an inspector within two seconds, and by nobody who reads the disks."""

from __future__ import annotations

import contextlib
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2
import pytest

from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.process import free_port
from tests.database import open_postgres, open_sqlite
from tests.e2e.client import MATRIX, Client, Person, Staff, poll, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Database, Homeserver, Postgres
    from tests.database import TestDatabase

ADDRESS = "198.51.100.73"
AGENT = "Kaleidoscope/7.4 (planted agent)"
TEXT = "the quetzal has landed"
REASON = "operation nightjar"
PASSWORD = "a password of 4711 letters"
RECORDED_S = 2
_names = itertools.count(1)
Record = dict[str, Any]


@pytest.fixture(scope="module")
def store(database: Database | None, request: pytest.FixtureRequest) -> Database | None:
    """The retention store: of the same kind as Synapse's database, and never the same."""
    if database is None:
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture(scope="module")
def server(
    start_homeserver: Callable[..., Homeserver], database: Database | None, store: Database | None
) -> Homeserver:
    config: dict[str, Any] = {"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": 2}}
    if store is not None:
        config["retention"] = {"store": store.synapse_setting()}
    proxied = http_listener(free_port(), "client") | {"x_forwarded": True}
    return start_homeserver(database=database, module_config=config, further_listeners=[proxied])


@pytest.fixture(scope="module")
def synapse(server: Homeserver) -> Iterator[TestDatabase]:
    """Synapse's database, for what Synapse itself says that happened."""
    place = server.files.database
    database = open_sqlite(server.files.folder / "homeserver.db") if place is None else open_postgres(place)
    yield database
    database.close()


@pytest.fixture(scope="module")
def inspector(server: Homeserver, admin: Staff) -> Staff:
    return Staff(server, "inspector", roles=["inspector"], granted_by=admin)


class Visitor(Person):
    """Somebody whose client and address are known, through a reverse proxy."""

    def __init__(self, server: Homeserver) -> None:
        [proxied] = server.files.further_listeners
        self.name = f"quetzalcoatl-{next(_names)}"
        self.user_id = server.user_id(self.name)
        Client.__init__(self, f"http://127.0.0.1:{proxied['port']}", None)
        self.headers = {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS}
        body = {"username": self.name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        self.token = self.call("POST", f"{MATRIX}/register", body).good()["access_token"]

    def log_in(self) -> str:
        """Another session; its device."""
        identifier = {"type": "m.id.user", "user": self.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
        device: str = self.call("POST", f"{MATRIX}/login", body).good()["device_id"]
        return device


def search(staff: Person, reason: str = REASON, **query: Any) -> list[Record]:
    body = {"reason": reason, "limit": 1000, **query}
    found: list[Record] = staff.groupreg("POST", "records/search", body).good()["records"]
    return found


def soon(look: Callable[[], list[Record]], count: int) -> list[Record]:
    """What is found once there are so many, at most two seconds later."""
    last: list[Record] = []

    def enough() -> bool:
        last[:] = look()
        return len(last) >= count

    poll(enough, seconds=RECORDED_S)
    return last


def event_ids(records: list[Record]) -> list[str]:
    return sorted(one["event_id"] for one in records)


def test_an_inspector_finds_exactly_what_an_account_did_and_what_was_done_to_it(
    server: Homeserver, synapse: TestDatabase, inspector: Staff
) -> None:
    anna, bea = Visitor(server), Person(server)
    room = anna.found_group()
    bea.join(room).good()
    for _ in range(5):
        anna.send(room, TEXT).good()
        bea.send(room).good()
    anna.kick(room, bea.user_id).good()
    sql = "SELECT event_id FROM events WHERE sender = ? OR (type = 'm.room.member' AND state_key = ?)"
    for who in (anna.user_id, bea.user_id):
        there = sorted(event_id for (event_id,) in synapse.rows(sql, who, who))
        found = soon(partial(search, inspector, account=who, kind=["event"]), len(there))
        assert event_ids(found) == there
    [kick] = [one for one in found if one.get("membership") == "leave"]
    assert (kick["sender"], kick["target"], kick["room_id"]) == (anna.user_id, bea.user_id, room)


def test_logins_are_found_with_address_and_client(server: Homeserver, inspector: Staff) -> None:
    anna = Visitor(server)
    device = anna.log_in()
    login, registration = soon(lambda: search(inspector, account=anna.user_id, log="events"), 2)
    assert (registration["kind"], login["kind"], login["type"]) == ("registration", "login", "m.login.password")
    assert (login["ip"], login["user_agent"], login["device_id"]) == (ADDRESS, AGENT, device)
    assert search(inspector, account=anna.user_id, kind=["login"]) == [login]
    assert search(inspector, account=anna.user_id, type=["m.login.password", "m.login.token"]) == [login]


def test_refusals_are_found_by_room_code_and_time(server: Homeserver, inspector: Staff) -> None:
    anna, bea, carol, dora = (Person(server) for _ in range(4))
    room = anna.found_group()
    bea.join(room).good()
    refused(carol.join(room), "room-full")
    refused(dora.join(room), "room-full")
    by_room = soon(lambda: search(inspector, room_id=room, kind=["refusal"]), 2)
    assert [one["sender"] for one in by_room] == [dora.user_id, carol.user_id]
    assert {(one["verdict"], one["type"], one["count"]) for one in by_room} == {("refused:room-full", "join", 1)}
    later, earlier = by_room
    assert search(inspector, room_id=room, code=["room-full", "identity-required"]) == by_room
    assert search(inspector, account=carol.user_id, code=["room-full"]) == [earlier]
    assert search(inspector, room_id=room, code=["identity-required"]) == []
    assert search(inspector, room_id=room, code=["room-full"], from_ms=later["ts_ms"]) == [later]
    assert search(inspector, room_id=room, code=["room-full"], to_ms=earlier["ts_ms"]) == [earlier]


def test_a_room_is_found_page_by_page_while_people_talk(
    server: Homeserver, synapse: TestDatabase, inspector: Staff
) -> None:
    anna = Person(server)
    room = anna.found_group()
    for _ in range(12):
        anna.send(room).good()
    there = [one for (one,) in synapse.rows("SELECT event_id FROM events WHERE room_id = ?", room)]
    soon(lambda: search(inspector, room_id=room, log="events"), len(there))
    found: list[Record] = []
    token: str | None = None
    while True:
        start = {} if token is None else {"from": token}
        body = {"room_id": room, "log": "events", "limit": 5, "reason": REASON, **start}
        page = inspector.groupreg("POST", "records/search", body).good()
        found += page["records"]
        token = page.get("next_token")
        if token is None:
            break
        anna.send(room).good()
    assert event_ids(found) == sorted(there)


def test_who_searched_is_found_by_the_next_search_with_why_and_for_what(server: Homeserver, inspector: Staff) -> None:
    anna = Person(server)
    room = anna.found_group()
    reason = f"{REASON} {next(_names)}"
    search(inspector, reason, account=anna.user_id, kind=["login", "logout"])
    search(inspector, reason, room_id=room)

    def mine() -> list[Record]:
        return [one for one in search(inspector, kind=["search"]) if one["reason"] == reason]

    by_room, by_account = soon(mine, 2)
    assert (by_account["sender"], by_account["target"], by_account["log"]) == (
        inspector.user_id,
        anna.user_id,
        "acts",
    )
    assert (by_account["text"], by_account["facts"]["roles"]) == ('{"kinds":["login","logout"]}', ["inspector"])
    assert (by_room["sender"], by_room["room_id"]) == (inspector.user_id, room)
    assert search(inspector, account=anna.user_id, kind=["search"]) == [by_account]


def test_nothing_that_is_looked_for_comes_into_synapse_s_log(server: Homeserver, inspector: Staff) -> None:
    """Synapse writes down the address of each request."""
    anna, reason = Person(server), f"planted-{next(_names)}"
    search(inspector, reason, account=anna.user_id)
    inspector.groupreg("POST", "records/about", {"user_id": anna.user_id, "reason": reason}).good()
    inspector.groupreg("GET", f"accounts/{quote(anna.user_id)}", reason=reason).good()
    inspector.groupreg("GET", "acts", subject=reason).good()
    poll(lambda: "GET /_synapse/client/groupreg/v1/acts HTTP" in server.process_log())
    log = server.process_log()
    assert "POST /_synapse/client/groupreg/v1/records/search HTTP" in log
    assert reason not in log


def test_who_has_no_right_is_refused_and_sees_nothing(server: Homeserver, admin: Staff, inspector: Staff) -> None:
    anna, bea = Person(server), Person(server)
    others = [
        Staff(server, role, roles=[role], granted_by=admin) for role in ("operator", "reviewer", "identity_officer")
    ]
    for who in (bea, *others):
        for answer in (
            who.groupreg("POST", "records/search", {"reason": REASON}),
            who.groupreg("POST", "records/about", {"reason": REASON, "user_id": anna.user_id}),
            who.groupreg("GET", f"accounts/{quote(anna.user_id)}/records"),
        ):
            assert (answer.status, "inspector" in answer.body["error"]) == (403, True)
    without = inspector.groupreg("POST", "records/search", {"account": anna.user_id})
    assert (without.status, without.body["org.groupreg.fields"][0]["field"]) == (400, "reason")
    without = inspector.groupreg("POST", "records/about", {"user_id": anna.user_id})
    assert (without.status, without.body["org.groupreg.fields"][0]["field"]) == (400, "reason")
    assert search(inspector, account=anna.user_id, kind=["search"]) == []


def test_people_see_their_own_and_who_looked_at_them(server: Homeserver, admin: Staff, inspector: Staff) -> None:
    anna = Visitor(server)
    room = anna.found_group()
    anna.log_in()
    admin.groupreg("GET", f"accounts/{quote(anna.user_id)}", reason=REASON).good()
    search(inspector, account=anna.user_id)
    inspector.groupreg("POST", "records/about", {"user_id": anna.user_id, "reason": REASON}).good()

    def own() -> dict[str, Any]:
        answer: dict[str, Any] = anna.groupreg("GET", f"accounts/{quote(anna.user_id)}/records", limit=500).good()
        return answer

    looked = soon(lambda: own()["looks"], 3)
    assert [(one["kind"], one["roles"]) for one in looked] == [
        ("search", ["inspector"]),
        ("search", ["inspector"]),
        ("look", ["server admin"]),
    ]
    kinds = {one["kind"] for one in own()["records"]}
    assert kinds == {"event", "login", "registration"}
    assert {one["sender"] for one in own()["records"]} == {anna.user_id}
    assert [one["ip"] for one in own()["records"] if one["kind"] == "login"] == [ADDRESS]
    assert room in {one["room_id"] for one in own()["records"]}
    assert not [one for one in (inspector.user_id, admin.user_id, REASON) if one in str(own())]
    assert len(own()["looks"]) == 3, "to look at one's own is none"


def test_a_look_is_recorded_with_who_and_at_whom_and_why(server: Homeserver, admin: Staff, inspector: Staff) -> None:
    anna = Person(server)
    admin.groupreg("GET", f"accounts/{quote(anna.user_id)}", reason=REASON).good()
    [look] = soon(lambda: search(inspector, account=anna.user_id, kind=["look"]), 1)
    assert (look["sender"], look["target"], look["reason"]) == (admin.user_id, anna.user_id, REASON)
    assert (look["log"], look["facts"]) == ("acts", {"roles": ["server admin"]})


def test_nobody_who_reads_the_disks_finds_a_name_an_address_or_a_reason(
    server: Homeserver, synapse: TestDatabase, inspector: Staff, store: Database | None
) -> None:
    anna = Visitor(server)
    room = anna.found_group()
    anna.send(room, TEXT).good()
    anna.log_in()
    search(inspector, account=anna.user_id)
    soon(lambda: search(inspector, account=anna.user_id, kind=["search"]), 1)
    planted = [one.encode() for one in (ADDRESS, "Kaleidoscope", TEXT, REASON, "quetzalcoatl", room, inspector.name)]
    kept = contents_of(server, store)
    assert b"m.room.message" in kept, "this is no dump"
    assert [one for one in planted if one in kept] == []
    ours = tables_of(synapse, "groupreg%")
    assert b"groupreg_outbox_last" in ours, "this is no dump"
    # What a rule needs stands there by its id: who was refused, whose rooms these are. No more of them.
    assert [one for one in planted[:4] if one in ours] == []
    assert [one for one in planted if one in tables_of(synapse, "groupreg_outbox%")] == []


def contents_of(server: Homeserver, store: Database | None) -> bytes:
    """All bytes of the retention store."""
    if store is None:
        files = [path for path in (server.files.folder / "groupreg" / "retention").rglob("*") if path.is_file()]
        return b"".join(path.read_bytes() for path in files)
    found: list[bytes] = []
    with contextlib.closing(psycopg2.connect(store.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM {table}")
            found += [raw(value) for row in cursor.fetchall() for value in row]
    return b"\n".join(found)


def tables_of(database: TestDatabase, like: str) -> bytes:
    """All values of these tables of Synapse's database, under the tables' names."""
    of_sqlite = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?"
    of_postgres = "SELECT tablename FROM pg_tables WHERE tablename LIKE ?"
    found: list[bytes] = []
    for (table,) in database.rows(of_sqlite if database.dialect == "sqlite" else of_postgres, like):
        found.append(table.encode())
        found += [raw(value) for row in database.rows(f"SELECT * FROM {table}") for value in row]
    return b"\n".join(found)


def raw(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
