# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How an account comes by its assurance: an officer, a verified address, a file (article 6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from synapse_groupreg.cli import main
from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Person, Staff, refused

CONFIG = {"mode": "enforce", "federation": "closed", "identity": {"required": {"post": "contact"}}}
SECRET = "7701020304"
"""Somebody's number: it must stand nowhere but in the request."""


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


@pytest.fixture(scope="module")
def room(admin: Staff) -> str:
    return admin.found_group()


@pytest.fixture
def member(server: Homeserver, room: str) -> Person:
    person = Person(server)
    person.join(room).good()
    return person


def test_an_officer_gives_and_takes_assurance(admin: Staff, officer: Staff, member: Person, room: str) -> None:
    refused(member.send(room), "identity-required")
    change = officer.verify(member.user_id, "in_person", provider="desk-3", reference=SECRET).good()
    assert (change["before"]["assurance"], change["after"]["assurance"]) == ("none", "in_person")
    member.send(room).good()

    assert officer.verify(member.user_id, "in_person", provider="desk-3", reference=SECRET).good()["changed"] is False
    shown = officer.account(member.user_id)
    assert shown["assurance"] == "in_person"
    assert [(one["provider"], one["assurance"]) for one in shown["identities"]] == [("desk-3", "in_person")]

    officer.unverify(member.user_id).good()
    refused(member.send(room), "identity-required")
    journal = admin.acts(subject=member.user_id)
    assert [(one["action"], one["author"]) for one in journal] == [
        ("unverify", officer.user_id),
        ("verify", officer.user_id),
    ]


def test_trying_a_verification_changes_nothing(officer: Staff, member: Person, room: str) -> None:
    path = f"accounts/{quote(member.user_id)}/identity"
    tried = officer.groupreg("PUT", path, {"assurance": "contact"}, dry_run="true").good()
    assert (tried["dry_run"], tried["changed"]) == (True, True)
    refused(member.send(room), "identity-required")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"assurance": "none"}, "assurance"),
        ({"assurance": "certain"}, "assurance"),
        ({"provider": "operator"}, "assurance"),
        ({"assurance": "contact", "provider": "threepid"}, "provider"),
        ({"assurance": "contact", "reference": 7701020304}, "reference"),
        ({"assurance": "contact", "referenz": SECRET}, "referenz"),
    ],
)
def test_a_bad_verification_is_refused_by_field_and_not_repeated(
    officer: Staff, member: Person, body: dict[str, object], field: str
) -> None:
    answer = officer.groupreg("PUT", f"accounts/{quote(member.user_id)}/identity", body)
    assert answer.status == 400
    assert [one["field"] for one in answer.body["org.groupreg.fields"]] == [field]
    assert SECRET not in str(answer.body)
    assert officer.account(member.user_id)["assurance"] == "none"


def test_accounts_that_are_not_there_are_not_verified(officer: Staff) -> None:
    assert officer.verify("@nobody:localhost").status == 404
    assert officer.unverify("@nobody:localhost").status == 404
    assert officer.verify("@somebody:elsewhere.example").status == 404


def test_a_verified_address_gives_contact_until_it_is_removed(admin: Staff, member: Person, room: str) -> None:
    path = f"v2/users/{quote(member.user_id)}"
    refused(member.send(room), "identity-required")
    address = {"medium": "email", "address": f"{member.name}@example.org"}
    admin.admin_api("PUT", path, {"threepids": [address]}).good()
    member.send(room).good()
    shown = admin.account(member.user_id)
    assert [(one["provider"], one["assurance"]) for one in shown["identities"]] == [("threepid", "contact")]

    # Staff can't take back what Synapse itself knows.
    admin.unverify(member.user_id).good()
    member.send(room).good()

    admin.admin_api("PUT", path, {"threepids": []}).good()
    assert admin.account(member.user_id)["assurance"] == "none"
    refused(member.send(room), "identity-required")


def groupreg(person: Person, *arguments: str) -> Result:
    """The command line, with the person's session in the environment."""
    environment = {"GROUPREG_URL": person.url, "GROUPREG_TOKEN": person.token, "COLUMNS": "200"}
    return CliRunner().invoke(main, arguments, env=environment)


def csv_file(folder: Path, *rows: str) -> str:
    file = folder / "people.csv"
    file.write_text("\n".join(("user_id,assurance,reference", *rows)) + "\n")
    return str(file)


def test_a_file_verifies_and_links(
    server: Homeserver, officer: Staff, member: Person, room: str, tmp_path: Path
) -> None:
    second, alone = Person(server), Person(server)
    file = csv_file(
        tmp_path,
        f"{member.user_id},real_name,{SECRET}-1",
        f"{second.user_id},contact, {SECRET}-1 ",
        f"{alone.user_id},contact,",
    )
    tried = groupreg(officer, "account", "import", "--dry-run", file)
    assert tried.exit_code == 0, tried.output
    refused(member.send(room), "identity-required")

    done = groupreg(officer, "account", "import", "--reason", "census", file)
    assert done.exit_code == 0, done.output
    assert "3 accounts verified" in done.output
    member.send(room).good()
    assert officer.account(member.user_id)["linked_accounts"] == [second.user_id]
    assert officer.account(alone.user_id)["linked_accounts"] == []

    again = groupreg(officer, "account", "import", file)
    assert "3 unchanged" in again.output


def test_a_file_is_taken_whole_or_not_at_all(
    server: Homeserver, officer: Staff, member: Person, room: str, tmp_path: Path
) -> None:
    """What is wrong is named by line and column, never by what stands there."""
    good = f"{member.user_id},contact,{SECRET}-2"
    for bad, problem in (
        (f"@nobody:localhost,contact,{SECRET}-3", "line 3, user_id"),
        (f"{Person(server).user_id},sure,{SECRET}-3", "3:assurance"),
        (f"{member.user_id},contact,{SECRET}-3", "3:user_id"),
        (f"anna,contact,{SECRET}-3", "3:user_id"),
    ):
        result = groupreg(officer, "account", "import", csv_file(tmp_path, good, bad))
        assert result.exit_code in (1, 2)
        assert problem in result.output, result.output
        assert SECRET not in result.output
        assert officer.account(member.user_id)["assurance"] == "none"
    refused(member.send(room), "identity-required")

    assert groupreg(officer, "account", "import", csv_file(tmp_path, good)).exit_code == 0
    member.send(room).good()


def test_only_officers_import(server: Homeserver, admin: Staff, member: Person, tmp_path: Path) -> None:
    operator = Staff(server, "operator", roles=["operator"], granted_by=admin)
    result = groupreg(operator, "account", "import", csv_file(tmp_path, f"{member.user_id},contact,"))
    assert result.exit_code == 3, result.output
    assert "identity_officer" in result.output
    assert admin.account(member.user_id)["assurance"] == "none"


def test_references_are_kept_nowhere(server: Homeserver, admin: Staff) -> None:
    """Neither in the database, nor in the journal, nor in any log."""
    assert SECRET not in str(admin.acts())
    assert SECRET not in server.process_log()
    with sqlite3.connect(server.files.folder / "homeserver.db") as database:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'groupreg_%'"
        tables = [row[0] for row in database.execute(names)]
        kept = {name: str(database.execute(f"SELECT * FROM {name}").fetchall()) for name in tables}
    database.close()
    assert kept["groupreg_persons"] != "[]"
    assert not [name for name, content in kept.items() if SECRET in content]
