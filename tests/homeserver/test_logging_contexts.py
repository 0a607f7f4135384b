# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who waits for somebody else's work goes on in their own logging context, and so does who did the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse.logging.context import LoggingContext, current_context, run_in_background
from twisted.internet.defer import Deferred

from synapse_groupreg.handlers.snapshot import Snapshot
from synapse_groupreg.homeserver import compat
from synapse_groupreg.homeserver.synapse import SynapseHomeserver

if TYPE_CHECKING:
    import pytest


class SlowDatabase:
    """Answers when it is told to, and finds nothing new."""

    def __init__(self) -> None:
        self.asked: list[Deferred[None]] = []

    async def run(self, *_: object) -> None:
        self.asked.append(Deferred())
        await compat.wait(self.asked[-1])


def test_a_refresh_that_others_wait_for_keeps_its_context(monkeypatch: pytest.MonkeyPatch) -> None:
    homeserver = SynapseHomeserver.__new__(SynapseHomeserver)
    monkeypatch.setattr(SynapseHomeserver, "now_ms", lambda _: 0)
    database: Any = SlowDatabase()
    snapshot = Snapshot(database, homeserver, "enforce")
    ended = []

    async def refresh(name: str) -> None:
        with LoggingContext(name=name, server_name="test.example.org") as own:
            await snapshot.refresh()
            ended.append((name, current_context() is own))

    for name in ("first", "second", "third"):
        run_in_background(refresh, name)
    for answered in range(3):
        database.asked[answered].callback(None)
        assert not current_context()
    assert sorted(ended) == [("first", True), ("second", True), ("third", True)]
