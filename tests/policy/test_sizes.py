# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Size tiers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.sizes import SizeTier, size_tier


def test_a_bound_is_the_most_members_of_its_tier() -> None:
    tiers = [size_tier(members, (50, 200)) for members in (0, 50, 51, 200, 201)]
    small = SizeTier(number=1, of=3, least=0, most=50)
    middle = SizeTier(number=2, of=3, least=51, most=200)
    assert tiers == [small, small, middle, middle, SizeTier(number=3, of=3, least=201, most=None)]


def test_without_bounds_there_are_no_tiers() -> None:
    assert size_tier(7, ()) is None


@given(members=st.integers(0, 10_000), bounds=st.sets(st.integers(1, 10_000), min_size=1).map(sorted))
def test_every_group_stands_in_the_tier_that_says_its_members(members: int, bounds: list[int]) -> None:
    tier = size_tier(members, bounds)
    assert tier is not None
    assert tier.least <= members
    assert tier.most is None or members <= tier.most
    assert tier.number == 1 + sum(bound < members for bound in bounds)
    assert 1 <= tier.number <= tier.of == len(bounds) + 1
