# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A room is deleted when the recorder is past it, not before; when that can't be known, not at all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers.draining import Draining
from synapse_groupreg.storage import outbox
from tests.database import result_of
from tests.handlers.stage import ALICE, BOB, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


class Recorded:
    """A recorder that goes on while somebody waits: `after` looks it is past everything, if it is ever."""

    def __init__(self, stage: Stage, *, after: int | None) -> None:
        self.stage = stage
        self.after = after
        self.waits: list[float] = []
        self.draining = Draining(stage.database, self.sleep)
        self.room: str = stage.do(seed.make_room, ALICE, members=[BOB])
        stage.do(self.reach)

    @staticmethod
    def reach(txn: Transaction) -> None:
        txn.execute(
            "INSERT INTO stream_positions (stream_name, instance_name, stream_id)"
            " SELECT 'events', 'master', max(stream_ordering) FROM events"
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self.after:
            ((newest,),) = self.stage.database.rows("SELECT max(stream_ordering) FROM events")
            self.stage.do(outbox.publish_progress, {"events/master": newest})

    def may_go(self) -> bool:
        return result_of(self.draining.may_delete(self.room))


def test_it_waits_until_all_of_the_room_is_recorded(stage: Stage) -> None:
    recorded = Recorded(stage, after=3)
    assert recorded.may_go()
    assert len(recorded.waits) == 3


def test_what_was_recorded_before_may_go_at_once(stage: Stage) -> None:
    recorded = Recorded(stage, after=1)
    recorded.may_go()
    assert recorded.may_go()
    assert len(recorded.waits) == 1


def test_after_ten_seconds_it_says_no_and_why(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    recorded = Recorded(stage, after=None)
    with caplog.at_level(logging.ERROR):
        assert not recorded.may_go()
    assert sum(recorded.waits) == 10
    assert "has not recorded all of it" in caplog.text
    assert recorded.room not in caplog.text


def test_when_it_can_not_look_it_says_no(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Synapse would take an exception for a yes."""
    recorded = Recorded(stage, after=1)
    stage.database.fail = OSError("gone")
    assert not recorded.may_go()
    assert "reference" in caplog.text
