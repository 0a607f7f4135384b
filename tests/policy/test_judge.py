# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every attempt under every configuration, whatever the single rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.config import CODES, GroupRegConfig
from synapse_groupreg.policy import TABLES, judge
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.blacklist import InviteeBlacklisted
from synapse_groupreg.policy.identity import IdentityRequired
from synapse_groupreg.policy.measures import Imposed
from synapse_groupreg.policy.quotas import RoomFull, TooManyFounded, TooManyJoined
from synapse_groupreg.policy.slow import SlowMode
from synapse_groupreg.policy.types import ALLOWED, Account, Found, Room, RoomKind, Send, Use, Verdict
from tests.policy import samples
from tests.policy.samples import ALICE, GROUP, NOW, config, measure

if TYPE_CHECKING:
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.policy.types import Attempt, Violation

BY_MEASURES = (Imposed, InviteeBlacklisted)
BY_QUOTA = (RoomFull, TooManyFounded, TooManyJoined)


def kinds(verdict: Verdict) -> list[type[Violation]]:
    return [type(violation) for violation in verdict.violations]


def everywhere(attempt: Attempt, change: Any) -> Attempt:
    """The attempt with each account and room in it changed."""

    def changed(value: object) -> object:
        if isinstance(value, Account | Room):
            return change(value)
        return tuple(map(change, value)) if isinstance(value, tuple) else value

    fields: dict[str, Any] = {
        field.name: changed(getattr(attempt, field.name)) for field in attrs.fields(type(attempt))
    }
    return attrs.evolve(attempt, **fields)


@given(attempt=samples.attempts, rules=samples.configs, added=samples.measures)
def test_one_more_measure_never_turns_a_refusal_into_permission(
    attempt: Attempt, rules: GroupRegConfig, added: Measure
) -> None:
    before = judge(attempt, rules)
    for place in (0, 1000):  # before and after those that are there

        def with_one_more(one: Account | Room, place: int = place) -> Account | Room:
            found = list(one.measures)
            found.insert(place, added)
            return attrs.evolve(one, measures=tuple(found))

        after = judge(everywhere(attempt, with_one_more), rules)
        assert set(kinds(before)) <= set(kinds(after))
        assert after.refusing("enforce", ()) or not before.refusing("enforce", ())


@given(attempt=samples.attempts, rules=samples.configs)
def test_lifting_everything_restores_what_was_before(attempt: Attempt, rules: GroupRegConfig) -> None:
    free = everywhere(attempt, lambda one: attrs.evolve(one, measures=()))
    others = tuple(one for one in judge(attempt, rules).violations if not isinstance(one, BY_MEASURES))
    assert judge(free, rules).violations == others


@given(attempt=samples.attempts, rules=samples.configs, dry_run=st.sets(st.sampled_from(CODES)))
def test_dry_mode_refuses_nothing_and_dry_codes_refuse_no_more(
    attempt: Attempt, rules: GroupRegConfig, dry_run: set[str]
) -> None:
    verdict = judge(attempt, rules)
    assert verdict.refusing("dry", ()) == ()
    assert verdict.refusing("enforce", CODES) == ()
    assert verdict.refusing("enforce", ()) == verdict.violations
    refusing = verdict.refusing("enforce", dry_run)
    assert refusing == tuple(one for one in verdict.violations if one.code not in dry_run)


@given(attempt=samples.attempts, rules=samples.configs)
def test_exemption_helps_against_quotas_identity_rules_and_slow_mode_and_nothing_else(
    attempt: Attempt, rules: GroupRegConfig
) -> None:
    bound = judge(attrs.evolve(attempt, actor=attrs.evolve(attempt.actor, exempt=False)), rules)
    exempt = judge(attrs.evolve(attempt, actor=attrs.evolve(attempt.actor, exempt=True)), rules)
    spared = (*BY_QUOTA, IdentityRequired, SlowMode)
    assert exempt.violations == tuple(one for one in bound.violations if not isinstance(one, spared))


@given(attempt=samples.attempts, rules=samples.configs, better=st.sampled_from(Assurance))
def test_a_better_verified_account_may_no_less(attempt: Attempt, rules: GroupRegConfig, better: Assurance) -> None:
    raised = attrs.evolve(attempt.actor, assurance=max(better, attempt.actor.assurance))
    after = judge(attrs.evolve(attempt, actor=raised), rules)
    assert set(kinds(after)) <= set(kinds(judge(attempt, rules)))


@given(attempt=samples.attempts, rules=samples.configs, by=st.integers(0, 5))
def test_fuller_quotas_allow_no_more(attempt: Attempt, rules: GroupRegConfig, by: int) -> None:
    def fuller(value: object) -> object:
        return Use(value.used + by, value.limit) if isinstance(value, Use) else value

    fields: dict[str, Any] = {field.name: fuller(getattr(attempt, field.name)) for field in attrs.fields(type(attempt))}
    after = judge(attrs.evolve(attempt, **fields), rules)
    assert set(kinds(judge(attempt, rules))) <= set(kinds(after))


@given(attempt=samples.attempts, rules=samples.configs)
def test_direct_chats_and_spaces_take_no_places(attempt: Attempt, rules: GroupRegConfig) -> None:
    kind = attempt.kind if isinstance(attempt, Found) else getattr(getattr(attempt, "room", None), "kind", None)
    if kind in (RoomKind.direct, RoomKind.space):
        assert not any(isinstance(one, BY_QUOTA) for one in judge(attempt, rules).violations)


@given(attempt=samples.attempts, rules=samples.configs)
def test_the_first_violation_is_that_of_the_first_rule_that_objects(attempt: Attempt, rules: GroupRegConfig) -> None:
    said = [rule(attempt, rules) for rule in TABLES[type(attempt)]]
    assert list(judge(attempt, rules).violations) == [one for one in said if one is not None]


def test_allowed_means_no_violation() -> None:
    assert ALLOWED.allowed
    assert judge(Send(actor=ALICE, room=GROUP), config()) == ALLOWED
    refused = judge(Send(actor=samples.barred(ALICE), room=GROUP), config())
    assert not refused.allowed
    assert refused.violations[0].facts()["case"] == measure().id


@pytest.mark.parametrize(("used", "limit", "full"), [(0, 0, True), (0, 1, False), (1, 1, True), (9, 1, True)])
def test_a_quota_is_full_when_no_place_is_left(used: int, limit: int, full: bool) -> None:
    assert Use(used, limit).full is full


def test_now_is_a_value() -> None:
    """Judging twice gives the same: no rule looks at a clock or remembers anything."""
    attempt = Send(actor=samples.barred(ALICE, until_ms=NOW + 1), room=GROUP)
    assert judge(attempt, config()) == judge(attempt, config())
