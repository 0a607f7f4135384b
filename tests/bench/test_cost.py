# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The arithmetic and the pictures of bench/cost, whose figures docs/cost.md states."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import time
from xml.etree import ElementTree as ET

from bench.cost.compare import Line, Spread, against, ratio
from bench.cost.messages import _usual
from bench.cost.modules import clocked
from bench.cost.plot import svg
from bench.cost.sides import cpu_of
from bench.cost.turns import WARM_UP, Turns


def noisy(middle: float, count: int = 12) -> list[float]:
    chance = random.Random(middle)
    return [middle * chance.uniform(0.95, 1.05) for _ in range(count)]


def test_a_ratio_tells_its_spread_and_its_interval() -> None:
    found = ratio([2.0, 4.0, 3.0], [1.0, 1.0, 1.0])
    assert (found.low, found.median, found.high) == (2.0, 3.0, 4.0)
    assert found.low <= found.lower <= found.median <= found.upper <= found.high


def test_the_interval_has_the_true_ratio_in_it_and_is_narrower_than_the_spread() -> None:
    found = ratio(noisy(1.2), noisy(1.0))
    assert found.lower < 1.2 < found.upper
    assert found.low < found.lower
    assert found.upper < found.high


def test_what_slows_both_sides_of_a_pair_alike_is_no_difference() -> None:
    busy = [1.0, 5.0, 2.0, 9.0]
    found = ratio([one * 1.1 for one in busy], busy)
    assert found.upper - found.lower < 1e-9


def test_a_goal_is_judged_by_the_upper_end_and_for_this_module_alone() -> None:
    values = {"none": noisy(1.0), "ours": noisy(1.2), "other": noisy(2.0)}
    ours, other = against("a message", values, "none", goal=1.05)
    assert (ours.side, ours.met, other.met) == ("ours", False, None)
    assert against("a message", values, "none", goal=1.4)[0].met is True
    assert "MISSED: upper end at most 1.05" in str(ours)


def test_the_picture_is_svg_with_a_dot_for_each_ratio_and_nothing_else() -> None:
    values = {"none": noisy(1.0), "ours & <co>": noisy(1.2), "other": noisy(3.0)}
    lines = [*against("a message", values, "none"), Line("memory", "ours", Spread(1.0, 2.0, 3.0), "MiB")]
    drawn = ET.fromstring(svg("What it costs", lines))
    dots = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 2
    assert float(dots[0].attrib["cx"]) < float(dots[1].attrib["cx"])


def test_the_processor_time_of_a_process_is_told_to_less_than_a_millisecond() -> None:
    before, began = cpu_of(os.getpid()), time.process_time()
    sum(range(200_000))
    assert abs((cpu_of(os.getpid()) - before) - (time.process_time() - began)) < 0.001


def test_runs_follow_a_warm_up_and_end_when_their_time_is_up_but_not_before_there_are_two() -> None:
    assert list(Turns("a part", 4, seconds=60)) == [WARM_UP, 0, 1, 2, 3]
    assert list(Turns("a part", 4, seconds=0)) == [WARM_UP, 0, 1]


def test_a_callback_is_timed_by_the_work_it_does_and_looks_to_synapse_as_it_is() -> None:
    noted: list[int] = []

    async def works(user_id: str, _body: dict[str, str]) -> str:
        sum(range(200_000))
        return user_id

    timed, began = clocked(works, noted.append), time.thread_time_ns()
    assert asyncio.run(timed("@a:b", {})) == "@a:b"  # type: ignore[arg-type]  # it is a coroutine
    assert 500_000 < noted[0] < time.thread_time_ns() - began
    assert inspect.signature(timed) == inspect.signature(works)
    assert (timed.__module__, timed.__qualname__) == (works.__module__, works.__qualname__)


def test_one_in_ten_is_left_out_of_what_is_usual() -> None:
    found = _usual([*range(1, 100), 1_000_000])
    assert (found.low, found.median, found.high) == (6, 50.5, 95)
