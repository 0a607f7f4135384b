# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nobody is worse off for having appealed."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from synapse_groupreg.policy.appeals import harder
from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope, SubjectKind

MEASURE = Measure(
    id=1,
    kind=MeasureKind.blacklisted,
    subject_kind=SubjectKind.account,
    subject="@a:b",
    entity="@a:b",
    reason="r",
    basis="b",
    author="@c:b",
    start_ms=1,
    until_ms=50,
    deadline_ms=30,
)


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        ({}, []),
        ({"until_ms": 49, "deadline_ms": 31}, []),
        ({"until_ms": 50, "deadline_ms": 30, "scope": Scope.groups}, []),
        ({"until_ms": 51, "deadline_ms": 29, "scope": Scope.account}, ["scope", "until_ms", "deadline_ms"]),
    ],
)
def test_what_makes_a_measure_harder(change: dict[str, Any], worse: list[str]) -> None:
    asked: dict[str, Any] = {"scope": None, "until_ms": None, "deadline_ms": None, **change}
    assert harder(MEASURE, **asked) == worse


def test_an_end_is_milder_than_none_and_what_is_no_change_is_no_harder() -> None:
    endless = attrs.evolve(MEASURE, until_ms=None, scope=Scope.account)
    assert harder(endless, scope=Scope.account, until_ms=10**15, deadline_ms=None) == []
