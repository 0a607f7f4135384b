# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who verified whom how well, and which accounts are one person (article 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.storage import identity
from tests.storage import seed
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

ANN, BEN = seed.local("ann"), seed.local("ben")


def test_the_best_provider_counts(db: TestDatabase) -> None:
    assert db.do(identity.assurance_of, ANN) is Assurance.none
    db.do(identity.put, ANN, "operator", Assurance.real_name, 1)
    db.do(identity.put, ANN, identity.THREEPID, Assurance.contact, 2)
    assert db.do(identity.assurance_of, ANN) is Assurance.real_name
    assert [one.provider for one in db.do(identity.of_account, ANN)] == ["operator", identity.THREEPID]


def test_saying_the_same_again_keeps_the_time(db: TestDatabase) -> None:
    db.do(identity.put, ANN, "operator", Assurance.contact, 1)
    db.do(identity.put, ANN, "operator", Assurance.contact, 2)
    assert db.do(identity.of_account, ANN)[0].since_ms == 1
    db.do(identity.put, ANN, "operator", Assurance.none, 3)
    assert [(one.assurance, one.since_ms) for one in db.do(identity.of_account, ANN)] == [(Assurance.none, 3)]


def test_what_is_dropped_is_gone_once(db: TestDatabase) -> None:
    db.do(identity.put, ANN, "operator", Assurance.contact, 1)
    assert db.do(identity.drop, ANN, "operator")
    assert not db.do(identity.drop, ANN, "operator")


def test_staff_can_take_back_all_but_what_synapse_verified(db: TestDatabase) -> None:
    person = db.do(identity.person_by_digest, "digest", "person")
    db.do(identity.link, ANN, person)
    db.do(identity.put, ANN, "operator", Assurance.in_person, 1)
    db.do(identity.put, ANN, identity.THREEPID, Assurance.contact, 1)
    db.do(identity.drop_by_staff, ANN)
    assert db.do(identity.assurance_of, ANN) is Assurance.contact
    assert db.do(identity.person_of, ANN) is None


def test_one_digest_is_one_person_whatever_id_is_proposed(db: TestDatabase) -> None:
    assert not db.do(identity.has_persons)
    assert db.do(identity.person_by_digest, "digest", "first") == "first"
    assert db.do(identity.person_by_digest, "digest", "second") == "first"
    assert db.do(identity.person_by_digest, "another", "third") == "third"
    assert db.do(identity.has_persons)


def test_an_account_belongs_to_one_person_at_a_time(db: TestDatabase) -> None:
    first, second = (db.do(identity.person_by_digest, digest, digest) for digest in ("first", "second"))
    db.do(identity.link, ANN, first)
    db.do(identity.link, BEN, first)
    assert db.do(identity.accounts_of, first) == [ANN, BEN]
    db.do(identity.link, BEN, second)
    assert db.do(identity.accounts_of, first) == [ANN]
    assert db.do(identity.persons_of, [ANN, BEN, seed.local("nobody")]) == {ANN: first, BEN: second}


def test_verified_addresses_are_taken_over_without_touching_what_is_known(db: TestDatabase) -> None:
    db.do(identity.put, BEN, identity.THREEPID, Assurance.contact, 1)
    for number, user_id in enumerate((ANN, ANN, BEN)):
        db.do(add_address, number, user_id)
    assert db.do(identity.take_over_contacts, 5) == 1
    assert db.do(identity.take_over_contacts, 6) == 0
    assert db.do(identity.of_account, ANN)[0].since_ms == 5
    assert db.do(identity.of_account, BEN)[0].since_ms == 1


def add_address(txn: Transaction, number: int, user_id: str) -> None:
    txn.execute(
        "INSERT INTO user_threepids (user_id, medium, address, validated_at, added_at) VALUES (?, 'email', ?, 0, 0)",
        (user_id, f"{number}@example.org"),
    )


def test_rivals_with_one_reference_make_one_person(pg_db: TestDatabase) -> None:
    def name_the_person(number: int) -> Callable[[TestDatabase], str]:
        return lambda mine: mine.do(identity.person_by_digest, "digest", f"new{number}")

    found = at_once(pg_db, [name_the_person(number) for number in range(8)])
    assert len(set(found)) == 1
    assert pg_db.rows("SELECT count(*) FROM groupreg_persons") == [(1,)]
