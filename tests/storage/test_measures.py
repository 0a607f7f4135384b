# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures are found while they are in force, and kept when they no longer are (article 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope, SubjectKind
from synapse_groupreg.storage import identity, measures
from tests.storage import seed

if TYPE_CHECKING:
    from tests.database import TestDatabase

ANN = seed.local("ann")


def impose(db: TestDatabase, subject: str = ANN, kind: SubjectKind = SubjectKind.account, **how: Any) -> Measure:
    measure = Measure(
        id=0,
        kind=MeasureKind.blacklisted,
        subject_kind=kind,
        subject=subject,
        entity=how.pop("entity", subject),
        scope=Scope.groups,
        reason="spam",
        basis="11.3",
        author="@staff:x",
        start_ms=1,
        **how,
    )
    return db.do(measures.insert, measure)


def test_a_measure_comes_back_as_it_was_written(db: TestDatabase) -> None:
    written = impose(db, until_ms=10, review_ms=5)
    assert written.id > 0
    assert db.do(measures.get, written.id) == written
    assert db.do(measures.get, written.id + 1) is None


def test_texts_that_are_alike_are_in_memory_once(db: TestDatabase) -> None:
    impose(db)
    impose(db, "@ben:x")
    one, other = db.do(measures.open_ones, 1)
    assert one.subject != other.subject
    assert (one.reason is other.reason, one.author is other.author, one.entity is one.subject) == (True, True, True)


def test_numbers_are_never_used_again(db: TestDatabase) -> None:
    first = impose(db)
    db.do(lambda txn: txn.execute("DELETE FROM groupreg_measures"))
    assert impose(db).id > first.id


def test_only_what_is_in_force_is_found(db: TestDatabase) -> None:
    for_ever, until_ten, lifted = impose(db), impose(db, until_ms=10), impose(db)
    db.do(measures.update, attrs.evolve(lifted, lifted_ms=3, lifted_by="@staff:x", lift_reason="error"))
    for now_ms, expected in ((9, [for_ever.id, until_ten.id]), (10, [for_ever.id])):
        assert sorted(one.id for one in db.do(measures.open_ones, now_ms)) == expected
        found = db.do(measures.of_subjects, SubjectKind.account, [ANN, "@nobody:x"], now_ms)
        assert sorted(one.id for one in found) == expected


def test_kinds_of_subjects_are_apart(db: TestDatabase) -> None:
    room = impose(db, "same", SubjectKind.room)
    person = impose(db, "same", SubjectKind.person)
    assert db.do(measures.of_subjects, SubjectKind.room, ["same"], 2) == [room]
    assert db.do(measures.of_kinds, [SubjectKind.person, SubjectKind.server], 2) == [person]


def test_pages_show_what_is_over_only_when_asked(db: TestDatabase) -> None:
    over, live = impose(db, until_ms=5), impose(db)
    page: dict[str, Any] = {"subject": None, "now_ms": 6, "start": 0, "limit": 10}
    assert db.do(measures.page, ended=False, **page) == ([live], 1)
    assert db.do(measures.page, ended=True, **page) == ([live, over], 2)


def test_a_page_about_an_account_shows_its_person_too(db: TestDatabase) -> None:
    db.do(identity.link, ANN, db.do(identity.person_by_digest, "digest", "person"))
    on_person = impose(db, "person", SubjectKind.person, entity=seed.local("other"))
    on_account = impose(db)
    impose(db, seed.local("stranger"))
    page: dict[str, Any] = {"ended": False, "now_ms": 6, "start": 0, "limit": 10}
    assert db.do(measures.page, subject=ANN, **page) == ([on_account, on_person], 2)


def test_more_subjects_than_fit_into_one_statement(db: TestDatabase) -> None:
    for number in range(0, 1200, 100):
        impose(db, f"@u{number}:x")
    asked = [f"@u{number}:x" for number in range(1200)]
    assert len(db.do(measures.of_subjects, SubjectKind.account, asked, 2)) == 12
