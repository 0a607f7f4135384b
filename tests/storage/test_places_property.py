# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""No sequence of joins, foundings, leaves, upgrades, crashes and lapses passes a limit, or wastes a place (8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from synapse_groupreg.storage import census
from tests.storage.game import Places

if TYPE_CHECKING:
    from tests.database import TestDatabase


def play(database: TestDatabase, *, examples: int, steps: int) -> None:
    """Play the game over a database."""

    class Bound(Places):
        pass

    Bound.database = database
    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # to shrink a failure takes minutes; add Phase.shrink to look into one
        ),
    )


@pytest.fixture(autouse=True)
def counts_are_written_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rooms see few changes, and all that `census` does with many should happen to them."""
    monkeypatch.setattr(census, "WORTH_WRITING", 3)
    monkeypatch.setattr(census, "WORTH_READING", 5)


def test_no_sequence_passes_a_limit_or_wastes_a_place(db: TestDatabase) -> None:
    play(db, examples=80 if db.dialect == "sqlite" else 30, steps=60)


@pytest.mark.prove
def test_no_long_sequence_passes_a_limit_or_wastes_a_place(db: TestDatabase) -> None:
    play(db, examples=1500 if db.dialect == "sqlite" else 500, steps=120)
