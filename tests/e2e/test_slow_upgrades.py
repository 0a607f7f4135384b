# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade that takes longer than the close of its old room waits in any case is carried out to its end (8.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, poll, refused

# Upkeep looks every 5 s, and gives an upgrade 10 s in any case.
SLOW = """
from synapse.module_api import NOT_SPAM

class Slow:
    "Lets Synapse wait before it writes power levels where a tombstone is, as it does in a very large room."

    def __init__(self, config, api):
        self.api = api
        api.register_spam_checker_callbacks(check_event_for_spam=self.check_event_for_spam)

    async def check_event_for_spam(self, event):
        if event.type == "m.room.power_levels":
            if await self.api.get_room_state(event.room_id, [("m.room.tombstone", "")]):
                await self.api.sleep(20)
        return NOT_SPAM
"""
OURS = {"mode": "enforce", "federation": "closed", "quotas": {"rooms_founded": 1}}


@pytest.mark.prove
def test_a_slow_upgrade_is_carried_out_and_then_closes_the_old_room(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    modules = [{"module": "slow.Slow", "config": {}}, {"module": "synapse_groupreg.GroupRegModule", "config": OURS}]
    with Homeserver(tmp_path, settings={"modules": modules}) as server:
        founder = Person(server, "founder")
        old = founder.found_group(room_version="11")
        new = founder.upgrade(old, "12").good()["replacement_room"]
        levels = founder.state(old, "m.room.power_levels").good()
        assert (levels["events_default"], levels["invite"]) == (50, 50), "Synapse wrote to the old room"
        assert founder.state(new, "m.room.power_levels").ok

        def say() -> Answer | None:
            answer = founder.send(old)
            return answer if not answer.ok else None

        answer = poll(say, seconds=30, every=0.5)
        assert answer is not None
        refused(answer, "room-replaced")
