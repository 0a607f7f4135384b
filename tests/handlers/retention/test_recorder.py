# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a recorder takes from where, round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.handlers.retention import recorder as recording
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage import outbox, refusals, reported
from tests.database import result_of
from tests.handlers.retention.recorder_victim import a_recorder
from tests.storage.synapse_events import NOW, persist, reached
from tests.storage.test_outbox import LOGIN, ONE, act
from tests.storage.test_reports import report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from synapse_groupreg.handlers.retention.recorder import Recorder
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase
    from tests.storage.store_places import Place


@pytest.fixture
def recorder(db: TestDatabase, place: Place, tmp_path: Path) -> Recorder:
    return a_recorder({"store": place.settings, "folder": str(tmp_path)}, db)


def happen(db: TestDatabase, *positions: int) -> None:
    """Events that Synapse persisted."""
    for position in positions:
        db.do(persist, position)
    db.do(reached, max(positions))


def tick(recorder: Recorder) -> int:
    """One round; how many events the log has then."""
    result_of(recorder.tick())
    assert recorder.problem is None
    return recorder.logs[LogName.events].head.size - 1  # its first record names the key


def test_each_round_takes_what_is_new(db: TestDatabase, recorder: Recorder) -> None:
    happen(db, 2, 3, 4)
    assert tick(recorder) == 3
    assert tick(recorder) == 3
    happen(db, 5, 9)
    assert tick(recorder) == 5
    assert recorder.logs[LogName.events].head.cursors["events/master"] == 9


def test_from_where_to_begin_is_asked_once(db: TestDatabase, recorder: Recorder) -> None:
    """`start: beginning` goes through all of Synapse's events."""
    happen(db, 2)
    tick(recorder)
    result_of(recorder.shut_down())
    db.runs.clear()
    happen(db, 3)
    assert tick(recorder) == 2
    first = next(index for index, name in enumerate(db.runs) if name == "groupreg_outbox_number")
    assert "groupreg_recorder" not in db.runs[:first]


def test_how_far_it_is_with_what_was_before_it_is_said(
    db: TestDatabase, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=recording.logger.name)
    monkeypatch.setattr(recording, "EVENTS_AT_ONCE", 1)
    monkeypatch.setattr(reported, "COUNTED", 3)
    seen = []
    tell = outbox.publish_progress

    def told(txn: Transaction, cursors: Mapping[str, int]) -> None:
        tell(txn, cursors)
        seen.extend((one["source"], one["at"], one["end"]) for one in reported.far_behind(txn))

    monkeypatch.setattr(outbox, "publish_progress", told)
    happen(db, *range(1, 31))
    assert tick(recorder) == 30
    assert seen == [("events/master", at, 30) for at in range(1, 27)]
    assert [one for one in caplog.messages if " of " in one] == ["The recorder is at 25 of 30 of events/master"]


def test_positions_that_come_again_are_those_of_another_source(db: TestDatabase, recorder: Recorder) -> None:
    happen(db, 2, 3, 4)
    tick(recorder)
    db.do(lambda txn: txn.execute("DELETE FROM events WHERE stream_ordering > 2"))
    db.do(reached, 2)
    assert tick(recorder) == 3
    db.do(persist, 3, event_id="$later")
    db.do(reached, 3)
    assert tick(recorder) == 4
    cursors = recorder.logs[LogName.events].head.cursors
    assert (cursors["events/master"], cursors["events/master@2"]) == (4, 3)
    db.runs.clear()
    tick(recorder)
    assert db.runs.count("groupreg_restored") == 1


def test_whatever_happens_while_the_recorder_stands_still_is_waited_for(db: TestDatabase, recorder: Recorder) -> None:
    happen(db, 2)
    tick(recorder)
    assert db.do(reported.lag, NOW) == (0, 0)
    for waiting, (work, *said) in enumerate(
        (
            (outbox.append, [LOGIN], bytes),
            (act, 5),
            (report, 1, 5),
            (refusals.add, [attrs.evolve(ONE, ts_ms=5)]),
            (persist, 3),
        ),
        start=1,
    ):
        db.do(work, *said)
        db.do(reached, 3)
        assert db.do(reported.lag, NOW)[0] == waiting, work
    tick(recorder)
    assert db.do(reported.lag, NOW) == (0, 0)


@pytest.mark.parametrize(
    ("what", "said", "since_ms"),
    [
        (outbox.append, ([attrs.evolve(LOGIN, ts_ms=NOW - 7)], bytes), NOW - 7),
        (act, (NOW - 7,), NOW - 7),
        (report, (1, NOW - 7), NOW - 7),
        # Of refusals of a minute the first is told at once; the others can be counted once it is over.
        (refusals.add, ([attrs.evolve(ONE, ts_ms=NOW - 100_000)],), NOW - 100_000 - (NOW - 100_000) % 60_000 + 65_000),
    ],
    ids=["login", "act", "report", "refusals"],
)
def test_how_long_it_waits_is_told(db: TestDatabase, what: Any, said: tuple[Any, ...], since_ms: int) -> None:
    db.do(what, *said)
    assert db.do(reported.lag, NOW) == (1, NOW - since_ms)
