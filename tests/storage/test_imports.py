# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identities from a file: nothing of it counts before everything does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.storage import acts, identity, imports
from synapse_groupreg.storage.imports import ImportRow, Tally
from tests.storage import seed

if TYPE_CHECKING:
    from tests.database import TestDatabase

ANN, BEN, CAT = seed.local("ann"), seed.local("ben"), seed.local("cat")
DAY = 86_400_000


def line(number: int, user_id: str, digest: str | None = None, assurance: Assurance = Assurance.real_name) -> ImportRow:
    return ImportRow(line=number, user_id=user_id, assurance=assurance, digest=digest, new_person_id=f"person{number}")


@pytest.fixture
def staged(db: TestDatabase) -> TestDatabase:
    db.do(imports.begin, "one", "@officer:x", "members of 2026", 1)
    return db


def test_staged_lines_count_for_nothing_yet(staged: TestDatabase) -> None:
    assert staged.do(imports.stage, "one", [line(2, ANN, "a")]) == 1
    assert staged.do(imports.stage, "one", [line(3, BEN, "a")]) == 2
    assert staged.do(imports.line_of, "one", BEN) == 3
    assert staged.do(imports.line_of, "one", CAT) is None
    assert staged.do(imports.author_and_reason, "one") == ("@officer:x", "members of 2026")
    assert staged.do(identity.assurance_of, ANN) is Assurance.none
    assert not staged.do(identity.has_persons)


def test_a_commit_records_and_links_all_at_once(staged: TestDatabase) -> None:
    staged.do(imports.stage, "one", [line(2, ANN, "a"), line(3, BEN, "a"), line(4, CAT)])
    assert staged.do(imports.commit, "one", 9) == Tally(accounts=3, linked=2, unchanged=0)
    assert staged.do(identity.persons_of, [ANN, BEN, CAT]) == dict.fromkeys((ANN, BEN), "person2")
    assert staged.do(identity.assurance_of, CAT) is Assurance.real_name
    assert staged.do(imports.author_and_reason, "one") is None
    assert staged.do(imports.size, "one") == 0


def test_the_same_file_again_changes_nothing(staged: TestDatabase) -> None:
    lines = [line(2, ANN, "a"), line(3, BEN)]
    staged.do(imports.stage, "one", lines)
    staged.do(imports.commit, "one", 9)
    staged.do(imports.begin, "two", "@officer:x", None, 10)
    staged.do(imports.stage, "two", lines)
    assert staged.do(imports.commit, "two", 11) == Tally(accounts=0, linked=0, unchanged=2)
    assert staged.do(identity.of_account, ANN)[0].since_ms == 9


def test_a_reference_known_from_elsewhere_is_the_same_person(staged: TestDatabase) -> None:
    person = staged.do(identity.person_by_digest, "a", "known")
    staged.do(identity.link, BEN, person)
    staged.do(imports.stage, "one", [line(2, ANN, "a")])
    staged.do(imports.commit, "one", 9)
    assert staged.do(identity.accounts_of, person) == [ANN, BEN]


def test_accounts_that_move_to_another_person_are_named_before(staged: TestDatabase) -> None:
    for user_id, digest in ((ANN, "a"), (BEN, "b")):
        staged.do(identity.link, user_id, staged.do(identity.person_by_digest, digest, digest))
    staged.do(imports.stage, "one", [line(2, ANN, "b"), line(3, BEN, "b"), line(4, CAT, "c")])
    assert staged.do(imports.new_persons, "one") == [(ANN, "b")]


def test_each_account_that_changes_has_its_line_in_the_journal(staged: TestDatabase) -> None:
    staged.do(identity.put, BEN, imports.PROVIDER, Assurance.real_name, 1)
    staged.do(identity.put, CAT, imports.PROVIDER, Assurance.contact, 1)
    staged.do(imports.stage, "one", [line(2, ANN, "a"), line(3, BEN), line(4, CAT)])
    staged.do(imports.journal, "one", "@officer:x", "members of 2026", 9)
    found, _ = staged.do(acts.page, {}, 0, 10)
    assert {act.subject: (act.before or {}).get("assurance") for act in found} == {ANN: None, CAT: "contact"}
    assert all(act.after is not None and act.after["assurance"] == "real_name" for act in found)


def test_what_is_discarded_leaves_nothing(staged: TestDatabase) -> None:
    staged.do(imports.stage, "one", [line(2, ANN, "a")])
    staged.do(imports.discard, "one")
    assert staged.rows("SELECT * FROM groupreg_import_rows") == []
    assert staged.do(imports.author_and_reason, "one") is None


def test_what_was_abandoned_for_a_day_goes_with_the_next_import(staged: TestDatabase) -> None:
    staged.do(imports.stage, "one", [line(2, ANN, "a")])
    staged.do(imports.begin, "two", "@officer:x", None, DAY)
    assert staged.do(imports.size, "one") == 1
    staged.do(imports.begin, "three", "@officer:x", None, DAY + 2)
    assert staged.do(imports.size, "one") == 0
    assert staged.do(imports.author_and_reason, "two") is not None


def test_an_account_stands_in_a_file_once(staged: TestDatabase) -> None:
    staged.do(imports.stage, "one", [line(2, ANN)])
    with pytest.raises(Exception, match=r"(?i)unique"):
        staged.do(imports.stage, "one", [line(3, BEN), line(4, ANN)])
    assert staged.do(imports.users, "one") == [ANN]


def test_a_file_of_many_thousands_is_a_handful_of_statements(staged: TestDatabase) -> None:
    def lines() -> list[ImportRow]:
        return [line(number, f"@u{number}:x", f"digest{number // 2}") for number in range(3000)]

    staged.do(imports.stage, "one", lines())
    assert staged.do(imports.commit, "one", 9) == Tally(accounts=3000, linked=3000, unchanged=0)
    assert staged.rows("SELECT count(*) FROM groupreg_persons") == [(1500,)]
