# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The power fails while a log is kept in SQLite: what was acknowledged is there, what was under way is there or not.

A kill shows nothing of this, since what a process wrote stays in the system's memory. So all that a process asks of
the disk is written down, and for points of this trace the disk is made as it may be then: see disk.py.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import program
from tests.storage.power.checking import BEHIND, HERE, LOST, NEXT, Run, lose_power, run
from tests.storage.power.disk import Luck
from tests.storage.power.victim import FOLDERS_UNSYNCED, NORMAL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("tracer") / "tracer.so"
    source = Path(__file__).with_name("tracer.c")
    options = ["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE"]
    subprocess.run([program("cc"), *options, "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def whole(tracer: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tracer, tmp_path_factory.mktemp("whole"))


def unlucky() -> Luck:
    """All that nobody synced is gone."""
    return Luck(random.Random(0), kept=0, torn=0, in_order=False)


def test_the_trace_tells_all_that_came_to_the_files(whole: Run) -> None:
    left, traced = whole.ends()
    assert traced == left


def test_a_power_loss_at_any_point_loses_nothing_that_was_acknowledged(whole: Run, tmp_path: Path) -> None:
    chance = random.Random(5)
    few = [*chance.sample(whole.after_each(), 8), *chance.sample(range(len(whole.done)), 25)]
    points = [*few, *whole.after_names()]
    assert len(points) >= 60
    assert {*lose_power(whole, tmp_path / "left", points, 5)} == {HERE, NEXT}


@pytest.mark.prove
def test_a_power_loss_at_each_point_loses_nothing_that_was_acknowledged(whole: Run, tmp_path: Path) -> None:
    """Each point of the trace, and what chance makes of it, several times."""
    points = [*range(len(whole.done))] * 2
    assert len(points) >= 1000
    assert {*lose_power(whole, tmp_path / "left", points, 6)} == {HERE, NEXT}


@pytest.mark.parametrize(("fault", "finds"), [(NORMAL, {LOST, BEHIND}), (FOLDERS_UNSYNCED, {LOST})])
def test_a_store_that_does_not_sync_is_found(tracer: Path, tmp_path: Path, fault: str, finds: set[str]) -> None:
    """Right after something was acknowledged, when all that nobody synced is gone; one is the first period's begin."""
    careless = run(tracer, tmp_path / "run", fault)
    found = lose_power(careless, tmp_path / "left", careless.after_each()[1::5], 7, unlucky())
    assert finds <= {*found}
