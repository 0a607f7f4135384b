# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person wrote in appeals, and in answers to warnings, goes with what the records say of them; not before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers.retention import erasing_appeals
from synapse_groupreg.policy.appeals import Appeal, Outcome
from synapse_groupreg.policy.packets import Packet
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import appeals, keeping, packets
from synapse_groupreg.storage.erasures import Erasure
from tests.handlers.retention.keeper import DAY, KEEP, Keeper
from tests.handlers.retention.test_erasing import ALICE, BOB, ask, state
from tests.handlers.retention.test_purging import hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database import TestDatabase
    from tests.storage.store_places import Place

MINE, THEIRS = "It was my brother, who lives with me.", "I put it right."
END = 4_000_000_000_000


@pytest.fixture
def keeper(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> Iterator[Keeper]:
    made = Keeper(place, tmp_path / "keys", sqlite_db)
    made.work()
    yield made
    made.close()


def wrote(keeper: Keeper, text: str = MINE, author: str = ALICE, *, decided: bool = True) -> int:
    """An appeal of now, and a packet that quotes it."""

    def write(txn: Any) -> int:
        now_ms = keeper.homeserver.now
        made = appeals.insert(txn, Appeal(id=0, measure_id=now_ms, author=author, text=text, made_ms=now_ms))
        assert made is not None
        quoted = {"id": made.id, "author": author, "text": text}
        packets.insert(txn, Packet(id=0, author=BOB, made_ms=now_ms, facts={"measures": [{"appeals": [quoted]}]}))
        if decided:
            decide(txn, made.id, now_ms)
        return made.id

    return int(keeper.database.do(write))


def decide(txn: Any, number: int, now_ms: int) -> None:
    txn.execute(
        "UPDATE groupreg_appeals SET outcome = ?, answer = 'No.', decided_by = ?, decided_ms = ? WHERE id = ?",
        (Outcome.upheld.value, BOB, now_ms, number),
    )


def said(keeper: Keeper) -> str:
    """All that is kept of appeals."""
    rows = [keeper.database.rows(f"SELECT * FROM groupreg_{name} ORDER BY id") for name in ("appeals", "packets")]
    return json.dumps(rows)


def told(keeper: Keeper) -> list[int]:
    """How many texts the records say were erased."""
    return [int(one["records"]) for one in keeper.told(Kind.erase) if one["log"] == "appeals"]


def test_it_waits_for_the_duty_and_goes_then_with_a_record_and_nothing_else(keeper: Keeper) -> None:
    wrote(keeper)
    wrote(keeper, THEIRS, BOB)
    number = ask(keeper)
    keeper.work()
    found = state(keeper, number)
    assert found.next_ms is not None
    assert found.next_ms <= found.asked_ms + KEEP
    for days in (KEEP - DAY, 2 * DAY):
        assert MINE in said(keeper)
        assert state(keeper, number).done_ms is None
        keeper.pass_(days)
        keeper.work()
    assert MINE not in said(keeper)
    assert THEIRS in said(keeper)
    assert told(keeper) == [1]
    assert state(keeper, number).records == 1
    [left] = [one for one in keeper.database.do(appeals.of_measure, found.asked_ms) if one.author == ALICE]
    assert (left.text, left.answer, left.state) == ("", "No.", "upheld")
    assert left.erased_ms is not None
    keeper.check()


def test_where_no_duty_runs_it_goes_at_once_but_for_what_waits_for_a_decision_or_is_held(keeper: Keeper) -> None:
    hold(keeper, log="acts", from_ms=keeper.homeserver.now, to_ms=keeper.homeserver.now, until_ms=END)
    wrote(keeper, "three")
    keeper.pass_(DAY)
    wrote(keeper, "one")
    open_one = wrote(keeper, "two", decided=False)
    number = ask(keeper, duty_ended="a court said so")
    keeper.work()
    assert [text for text in ("one", "two", "three") if f'"{text}"' in said(keeper)] == ["two", "three"]
    assert state(keeper, number).done_ms is None
    keeper.database.do(decide, open_one, keeper.homeserver.now)
    keeper.pass_(2 * DAY)
    keeper.work()
    assert [text for text in ("two", "three") if f'"{text}"' in said(keeper)] == ["three"]
    assert told(keeper) == [1, 1]


def test_what_is_written_later_stays_and_what_would_go_is_seen_before(keeper: Keeper) -> None:
    wrote(keeper)
    asked_ms = keeper.homeserver.now + 1
    keeper.pass_(DAY)
    wrote(keeper, "later")

    def seen(**wish: Any) -> list[tuple[str, int, int | None, str | None]]:
        asked = Erasure(account=ALICE, asked_ms=asked_ms, **wish)
        holds = keeper.database.do(keeping.holds_in_force, asked_ms)
        found = keeper.database.do(erasing_appeals.outlook, asked, holds, duty_ms=KEEP)
        return [(one["log"], one["records"], one["until_ms"], one["kept_by"]) for one in found]

    assert seen() == [("appeals", 1, asked_ms - 1 + KEEP, "keep")]
    assert seen(duty_ended="a court said so") == [("appeals", 1, None, None)]
