# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What slow mode refuses, and how long it says to wait."""

from __future__ import annotations

import attrs
import pytest

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.slow import Pace, SlowMode
from synapse_groupreg.policy.types import Send
from tests.policy.samples import ALICE, GROUP, config

SEND = Send(actor=ALICE, room=GROUP)


@pytest.mark.parametrize(("left_ms", "wait"), [(1, 1), (1_000, 1), (1_001, 2), (30_000, 30)])
def test_what_comes_too_early_is_refused_and_told_how_long_to_wait(left_ms: int, wait: int) -> None:
    early = attrs.evolve(SEND, early=Pace(every_ms=30_000, left_ms=left_ms))
    assert judge(early, config()).violations == (SlowMode(seconds=30, wait=wait),)
    assert judge(attrs.evolve(early, actor=attrs.evolve(ALICE, exempt=True)), config()).allowed


def test_everything_else_is_not() -> None:
    assert judge(SEND, config()).allowed
