# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a mute cuts: what somebody posts, and nothing else."""

from __future__ import annotations

import attrs
import pytest

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.types import Send
from tests.policy.samples import ALICE, GROUP, MUTE, NOW, config

SEND = Send(actor=ALICE, room=GROUP, mute=MUTE)


@pytest.mark.parametrize("manages", [False, True])
def test_who_is_muted_posts_nothing(manages: bool) -> None:
    (found,) = judge(attrs.evolve(SEND, manages=manages), config()).violations
    assert found.code == "muted"
    assert found.facts() == {"until_ms": NOW + 9, "given_reason": "Shouting."}


def test_who_is_muted_takes_back_what_they_wrote() -> None:
    assert judge(attrs.evolve(SEND, retracts_own=True, manages=True), config()).allowed


def test_others_post() -> None:
    assert judge(attrs.evolve(SEND, mute=None), config()).allowed


def test_it_can_be_tried_first() -> None:
    verdict = judge(SEND, config(dry_run=["muted"]))
    assert not verdict.allowed
    assert verdict.refusing("enforce", ["muted"]) == ()
