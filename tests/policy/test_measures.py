# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a measure is in force, and what several add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.measures import Scope, fold
from tests.policy import samples
from tests.policy.samples import NOW, measure

if TYPE_CHECKING:
    from synapse_groupreg.policy.measures import Measure


@pytest.mark.parametrize(
    ("times", "live"),
    [
        ({}, True),
        ({"start_ms": NOW}, True),
        ({"start_ms": NOW + 1}, False),
        ({"until_ms": NOW + 1}, True),
        ({"until_ms": NOW}, False),
        ({"until_ms": NOW - 1}, False),
        ({"lifted_ms": NOW - 1}, False),
        ({"lifted_ms": NOW + 1}, False),
        ({"review_ms": NOW - 1}, True),
    ],
)
def test_a_measure_is_in_force_from_its_start_until_its_end_or_its_lift(times: dict[str, Any], live: bool) -> None:
    assert measure(**times).live(NOW) is live


@given(st.lists(samples.measures), st.randoms())
def test_the_standing_is_what_is_in_force_in_an_order_of_its_own(found: list[Measure], random: Any) -> None:
    found = list({one.id: one for one in found}.values())
    standing = fold(found, NOW)
    assert {one.id for one in standing} == {one.id for one in found if one.live(NOW)}
    shuffled = list(found)
    random.shuffle(shuffled)
    assert fold(shuffled, NOW) == standing
    assert fold(standing, NOW) == standing


@given(st.lists(samples.measures), samples.measures)
def test_one_more_measure_takes_none_away(found: list[Measure], added: Measure) -> None:
    assert set(fold(found, NOW)) <= set(fold([*found, added], NOW))


def test_the_widest_comes_first_then_the_longest() -> None:
    account_short = measure(id=5, scope=Scope.account, until_ms=NOW + 1)
    account_endless = measure(id=4, scope=Scope.account)
    groups_endless_old = measure(id=2)
    groups_endless_new = measure(id=3)
    groups_long = measure(id=1, until_ms=NOW + 9)
    groups_short = measure(id=6, until_ms=NOW + 2)
    expected = (account_endless, account_short, groups_endless_old, groups_endless_new, groups_long, groups_short)
    assert fold(reversed(expected), NOW) == expected


def test_nothing_adds_up_to_nothing() -> None:
    assert fold((), NOW) == ()
