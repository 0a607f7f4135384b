# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What those concerned by a measure are told: complete for every kind, on whatever it is imposed, in every language."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest

from synapse_groupreg import texts
from synapse_groupreg.handlers.measures import News
from synapse_groupreg.policy.measures import IMPOSED_ON, MeasureKind, Scope, SubjectKind

INFO = "https://matrix.example.org/_synapse/client/groupreg/rules#appeal"
END_MS = 1_798_713_000_000  # 31 December 2026, 10:30 UTC
CASES = [
    (kind, "room" if subject is SubjectKind.room else "account", scope)
    for kind, subjects in IMPOSED_ON.items()
    for subject in (SubjectKind.account, SubjectKind.room)
    for scope in Scope
    if subject in subjects and (scope is Scope.groups or kind is MeasureKind.blacklisted)
]


@pytest.mark.parametrize(("news", "language"), list(itertools.product(get_args(News), texts.LANGUAGES)))
@pytest.mark.parametrize(("kind", "on", "scope"), CASES)
def test_news_of_a_measure(news: str, language: str, *, kind: MeasureKind, on: str, scope: Scope) -> None:
    facts: dict[str, Any] = {
        "case": 12,
        "reason": "advertising",
        "basis": "article 11",
        "until_ms": END_MS,
        "deadline_ms": END_MS,
        "lift_reason": "settled",
        "on": on,
        "everywhere": on == "account",
        "scope": scope.value,
    }
    told = {
        room: texts.news(news, kind.value, language, room=room, info=INFO, **facts) for room in (None, "Chess {info}")
    }
    for said in told.values():
        assert "12" in said
        assert "None" not in said
    if news in ("lifted", "ended"):
        assert "Chess {info}" in told["Chess {info}"], "braces in a room's name are never looked at"
        assert "settled" in told[None]
    else:
        assert told[None].endswith(INFO)
        assert all(word in told[None] for word in ("advertising", "article 11", texts.moment(END_MS, language)))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_it_says_which_version_of_the_agreement_was_accepted(language: str) -> None:
    facts: dict[str, Any] = {"reason": "spam", "basis": "agreement 4", "until_ms": None, "deadline_ms": None, "case": 1}
    facts |= {"on": "account", "everywhere": True, "scope": "groups"}

    def said(**more: Any) -> str:
        return texts.news("imposed", "founding-revoked", language, room=None, info=INFO, **facts, **more)

    told = texts.text("measure.accepted", language, accepted="2026-01, 2026-07")
    assert told in said(accepted=["2026-01", "2026-07"])
    assert texts.text("measure.accepted-none", language) in said(accepted=[])
    assert said(accepted=None) == said()


def test_it_says_where_and_until_when() -> None:
    facts: dict[str, Any] = {"reason": "spam", "basis": "11.2", "until_ms": None, "deadline_ms": None, "case": 1}
    facts |= {"on": "account", "everywhere": True, "scope": "groups"}
    everywhere = texts.news("imposed", "posting-suspended", "en", room=None, info=INFO, **facts)
    assert everywhere.startswith("The staff have suspended your posting in all groups of this server.")
    in_one = texts.news("changed", "posting-suspended", "en", room="Chess", info=INFO, **facts | {"everywhere": False})
    assert (
        "A measure was changed. This is how it is now. The staff have suspended your posting in the group “Chess”."
        in in_one
    )
    assert "This ends on" not in everywhere
