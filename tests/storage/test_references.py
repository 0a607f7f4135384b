# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has the database, and not the key, does not have the references (article 6)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.database import open_postgres
from tests.e2e.client import Answer, Person, Staff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Database, Homeserver

KEPT = ("Member-4711-Ångström", "회원 번호 0815", "ID/98765432109876")
"""References of accounts that are verified one by one, and from a file."""
REFUSED = ("Zurückgewiesen-5150", "rejected-line-6261", "dry-run-7372", "given-up-8483")
"""References in requests that are refused, tried or given up."""


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver], database: Database | None) -> Homeserver:
    return start_homeserver(database=database, module_config={"mode": "enforce", "federation": "closed"})


WHY = "Members of the year 2026"


def plant(server: Homeserver) -> str:
    """Bring every reference to the server, each on another way; an account that has one."""
    staff = Staff(server)
    people = [Person(server, name) for name in ("ann", "ben", "cat")]
    ann, ben, cat = (person.user_id for person in people)

    def verify(user_id: str, reference: str, **query: Any) -> Answer:
        body = {"assurance": "real_name", "provider": "operator", "reference": reference}
        return staff.groupreg("PUT", f"accounts/{user_id}/identity", body, **query)

    verify(ann, KEPT[0]).good()
    verify(ben, REFUSED[2], dry_run="true").good()
    assert verify("@nobody:localhost", REFUSED[0]).status == 404
    number = staff.groupreg("POST", "imports", {"reason": WHY}).good()["id"]
    rows = [row(2, ben, KEPT[1]), row(3, cat, KEPT[2])]
    wrong = [*rows, row(4, "@nobody:localhost", REFUSED[1])]
    assert staff.groupreg("PUT", f"imports/{number}/rows", {"rows": wrong}).status == 400
    staff.groupreg("PUT", f"imports/{number}/rows", {"rows": rows}).good()
    staff.groupreg("POST", f"imports/{number}/commit", {}, dry_run="true").good()
    staff.groupreg("POST", f"imports/{number}/commit", {}).good()
    given_up = staff.groupreg("POST", "imports", {}).good()["id"]
    staff.groupreg("PUT", f"imports/{given_up}/rows", {"rows": [row(2, ann, REFUSED[3])]}).good()
    staff.groupreg("DELETE", f"imports/{given_up}", {}).good()
    linked = staff.account(ann)["linked_accounts"]
    assert linked == []
    verify(ann, KEPT[1].upper()).good()  # what was kept of it is enough to know the person again
    assert staff.account(ann)["linked_accounts"] == [ben]
    return ann


def row(line: int, user_id: str, reference: str) -> dict[str, Any]:
    return {"line": line, "user_id": user_id, "assurance": "real_name", "reference": reference}


def traces(reference: str) -> Iterator[bytes]:
    """The reference, and what could be made of it without the key."""
    for text in {reference, reference.lower(), reference.upper(), reference.casefold().strip()}:
        for encoded in {text.encode(), text.encode("utf-16-le"), text.encode("unicode_escape")}:
            yield encoded
            yield base64.b64encode(encoded).rstrip(b"=")[:-1]
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            yield hashlib.new(algorithm, text.encode()).hexdigest().encode()


def dump(server: Homeserver, database: Database | None) -> bytes:
    """Everything in the database: on SQLite the very bytes of its files, with what was deleted."""
    if database is None:
        return b"".join(path.read_bytes() for path in server.files.folder.glob("homeserver.db*"))
    connection = open_postgres(database)
    try:
        tables = connection.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        texts = [str(connection.rows(f'SELECT t::text FROM "{table}" t')) for (table,) in tables]
    finally:
        connection.close()
    return "\n".join(texts).encode()


def test_no_reference_stands_in_the_database_nor_in_the_log(server: Homeserver, database: Database | None) -> None:
    somebody = plant(server)
    contents = dump(server, database) + server.process_log().encode()
    for known in (somebody, WHY, "/accounts/"):
        assert known.encode() in contents, "this is no dump"
    found = {reference for reference in (*KEPT, *REFUSED) if any(trace in contents for trace in traces(reference))}
    assert found == set()
