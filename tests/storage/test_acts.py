# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The act journal can be added to, and nothing else (article 11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.storage import acts

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

REFUSED = "groupreg_acts is append-only"


def write(
    db: TestDatabase, number: int, *, author: str = "@staff:x", action: str = "cap", subject: str = "!r:x"
) -> None:
    db.do(
        acts.append,
        now_ms=number,
        author=author,
        action=action,
        subject=subject,
        reason="理由",
        before=None,
        after={"members": number},
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE groupreg_acts SET author = '@other:x'",
        "UPDATE groupreg_acts SET reason = reason WHERE id = 1",
        "DELETE FROM groupreg_acts",
        "DELETE FROM groupreg_acts WHERE ts_ms = 1",
    ],
)
def test_no_line_is_changed_or_removed(db: TestDatabase, statement: str) -> None:
    write(db, 1)
    before = db.rows("SELECT * FROM groupreg_acts")
    with pytest.raises(Exception, match=REFUSED):
        db.do(lambda txn: txn.execute(statement))
    assert db.rows("SELECT * FROM groupreg_acts") == before


@pytest.mark.parametrize("statement", ["TRUNCATE groupreg_acts", "TRUNCATE groupreg_acts, groupreg_meta CASCADE"])
def test_the_journal_is_not_truncated(pg_db: TestDatabase, statement: str) -> None:
    write(pg_db, 1)
    with pytest.raises(Exception, match=REFUSED):
        pg_db.do(lambda txn: txn.execute(statement))
    assert len(pg_db.rows("SELECT 1 FROM groupreg_acts")) == 1


def test_no_line_is_replaced_on_sqlite(sqlite_db: TestDatabase) -> None:
    write(sqlite_db, 1)
    number = sqlite_db.rows("SELECT id FROM groupreg_acts")[0][0]
    sql = "INSERT OR REPLACE INTO groupreg_acts (id, ts_ms, author, action, subject) VALUES (?, 9, 'x', 'x', 'x')"
    with pytest.raises(Exception, match=REFUSED):
        sqlite_db.rows(sql, number)
    assert sqlite_db.rows("SELECT ts_ms FROM groupreg_acts") == [(1,)]


def test_an_act_that_fails_leaves_no_line(db: TestDatabase) -> None:
    def fail(txn: Transaction) -> None:
        acts.append(txn, now_ms=1, author="@a:x", action="x", subject="x", reason=None, before=None, after=None)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.do(fail)
    assert db.do(acts.page, {}, 0, 10) == ([], 0)


def test_pages_show_the_newest_first_and_count_all(db: TestDatabase) -> None:
    for number in range(1, 6):
        write(db, number)
    found, total = db.do(acts.page, {}, 1, 2)
    assert ([act.ts_ms for act in found], total) == ([4, 3], 5)
    assert found[0].after == {"members": 4}
    assert found[0].before is None
    assert found[0].reason == "理由"


def test_filters_narrow_the_pages_together(db: TestDatabase) -> None:
    write(db, 1)
    write(db, 2, author="@other:x")
    write(db, 3, author="@other:x", action="verify", subject="@a:x")
    for filters, expected in (
        ({"author": "@other:x"}, [3, 2]),
        ({"author": "@other:x", "action": "cap"}, [2]),
        ({"subject": "@a:x", "action": "verify", "author": "@other:x"}, [3]),
        ({"subject": "@nobody:x"}, []),
    ):
        found, total = db.do(acts.page, filters, 0, 10)
        assert [act.ts_ms for act in found] == expected
        assert total == len(expected)
