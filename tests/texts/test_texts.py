# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Choosing a language, filling in facts, and the sentences of a refusal."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg import texts
from synapse_groupreg.policy.assurance import Assurance

INFO = "https://matrix.example.org/_synapse/client/groupreg/rules#code"
UNTIL_MS = 1_798_713_000_000  # 31 December 2026, 10:30 UTC
LONGEST = 240

ASSURANCES = [level.name for level in Assurance]
QUOTA_FACTS: list[dict[str, object]] = [
    {"used": 1_000_000, "limit": 999_999, "attempt": name} for name in ("join", "found")
]
MEASURE_FACTS: list[dict[str, object]] = [
    {
        "reason": "",
        "case": 123_456,
        "until_ms": until,
        "attempt": attempt,
        "scope": scope,
        "server": "matrix.example.org",
    }
    for until, attempt, scope in itertools.product((None, UNTIL_MS), ("send", "log-in"), ("groups", "account"))
]
FACTS: dict[str, list[dict[str, object]]] = {
    "room-full": QUOTA_FACTS,
    "too-many-founded": QUOTA_FACTS,
    "too-many-joined": QUOTA_FACTS,
    "identity-required": [
        {"required": required, "have": have, "attempt": attempt}
        for required, have, attempt in itertools.product(ASSURANCES, ASSURANCES, ("send", "found", "join", "manage"))
    ],
    "account-blacklisted": [*MEASURE_FACTS, {"invitee": True}],
    "room-blacklisted": MEASURE_FACTS,
    "server-blacklisted": MEASURE_FACTS,
    "room-closed": MEASURE_FACTS,
    "emergency": [
        {"reason": "", "case": 7, "until_ms": UNTIL_MS, "attempt": attempt}
        for attempt in ("send", "join", "invite", "found")
    ],
    "posting-suspended": MEASURE_FACTS,
    "room-posting-suspended": [*MEASURE_FACTS, {**MEASURE_FACTS[0], "attempt": "found"}],
    "room-joining-suspended": [*MEASURE_FACTS, {**MEASURE_FACTS[0], "attempt": "found"}],
    "muted": [{"until_ms": UNTIL_MS, "given_reason": why, "attempt": "send"} for why in (None, "Shouting.")],
    "slow-mode": [{"seconds": 3_600, "wait": 3_600, "attempt": "send"}],
    "management-suspended": MEASURE_FACTS,
    "founding-revoked": MEASURE_FACTS,
    "room-replaced": [{}],
    "federation-closed": [{}],
    "further-creators": [{}],
    "unavailable": [{}],
    "reserved-state": [{"type": "org.groupreg.labels"}],
}


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("en", "en"),
        ("en_GB", "en"),
        ("EN-us", "en"),
        ("zh", "zh-CN"),
        ("zh_Hans_CN", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("zh-Hant-HK", "zh-CN"),
        ("ko-KR", "ko"),
        ("ko,en;q=0.8", "ko"),
        ("en;q=0.5, zh-CN;q=0.9", "zh-CN"),
        ("fr, de;q=0.9, ko;q=0.2", "ko"),
        ("ko;q=0, en;q=0.1", "en"),
        ("zh;q=0.8,ko;q=0.8", "zh-CN"),
        ("en ; q = 0.3 , ko;q=0.4", "ko"),
        ("fr", "ko"),
        ("*", "ko"),
        ("", "ko"),
        (None, "ko"),
        ("C", "ko"),
        (";;;,,,q=", "ko"),
        ("en;q=high", "ko"),
        ("en;q=nan", "ko"),
        ("en;q=inf", "ko"),
        ("en;q=-1", "ko"),
        ("english", "ko"),
    ],
)
def test_the_nearest_language(wanted: str | None, language: str) -> None:
    assert texts.best_language(wanted, "ko") == language


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert texts.best_language(header, "en") in texts.LANGUAGES


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_header_gives_each_of_our_own_tags(language: str) -> None:
    assert texts.best_language(language, "?") == language


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_reason_is_quoted_on_one_line(language: str) -> None:
    said = texts.refusal("muted", language, info="x", until_ms=UNTIL_MS, given_reason="too\n\nloud", attempt="send")
    assert "“too loud”" in said
    assert "\n" not in said


def test_values_are_inserted_as_they_are() -> None:
    nasty = "{case} {0} {info!r} %s \\1 <b>"
    shown = texts.text("refusal.reason", "en", reason=nasty, case=7)
    assert shown == f"Reason: {nasty} (case 7)."


def test_a_missing_fact_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        texts.text("refusal.reason", "en", reason="x")


@pytest.mark.parametrize(("key", "language"), [("no.such.key", "en"), ("language.name", "fr")])
def test_an_unknown_key_or_language_is_a_mistake(key: str, language: str) -> None:
    with pytest.raises(KeyError):
        texts.text(key, language)


def test_an_unknown_code_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        texts.refusal("no-such-code", "en", info=INFO)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "31 December 2026 at 10:30 UTC"),
        ("zh-CN", "2026 年 12 月 31 日 10:30\uff08UTC\uff09"),
        ("ko", "2026년 12월 31일 10:30(UTC)"),
    ],
)
def test_a_moment_in_words(language: str, shown: str) -> None:
    assert texts.moment(UNTIL_MS, language) == shown


def test_a_moment_beyond_all_calendars_is_shown_as_the_last_one() -> None:
    assert "9999" in texts.moment(10**18, "en")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("code", texts.codes())
def test_a_refusal_is_complete_and_short(code: str, language: str) -> None:
    for facts in FACTS[code]:
        shown = texts.refusal(code, language, info=INFO, **facts)
        assert shown.endswith(f" {INFO}")
        assert len(shown.removesuffix(INFO)) <= LONGEST, shown
        assert "{" not in shown


def test_refusal_names_reason_case_and_end() -> None:
    shown = texts.refusal("room-blacklisted", "en", info=INFO, reason="Fraud", case=12, until_ms=UNTIL_MS)
    assert "Reason: Fraud (case 12). This ends on 31 December 2026 at 10:30 UTC." in shown


def test_refusal_without_an_end_names_none() -> None:
    shown = texts.refusal("room-blacklisted", "en", info=INFO, reason="Fraud", case=12, until_ms=None)
    assert "ends" not in shown


@pytest.mark.parametrize(
    ("attempt", "start"),
    [
        ("send", "To post or change anything here,"),
        ("invite", "To post or change anything here,"),
        ("manage", "To post or change anything here,"),
        ("found", "To found a group or start a chat here,"),
        ("join", "To join this group,"),
    ],
)
def test_what_was_tried_chooses_the_sentence(attempt: str, start: str) -> None:
    shown = texts.refusal("identity-required", "en", info=INFO, required="contact", have="none", attempt=attempt)
    assert shown.startswith(start)
    assert "at least: contact verified; now: not verified" in shown


def test_only_contact_can_be_reached_without_staff() -> None:
    shown = {
        level: texts.refusal("identity-required", "en", info=INFO, required=level, have="none")
        for level in ("contact", "in_person")
    }
    assert "phone number" in shown["contact"]
    assert "phone number" not in shown["in_person"]


def test_who_invites_a_barred_account_is_not_told_why() -> None:
    shown = texts.refusal("account-blacklisted", "en", info=INFO, invitee=True, attempt="invite")
    assert shown.startswith("The account that you want to invite is barred")
    assert "Reason" not in shown


def test_whoever_is_barred_altogether_is_not_told_that_they_can_log_in() -> None:
    for facts in ({"scope": "account"}, {"attempt": "log-in"}):
        assert "can still" not in texts.refusal("account-blacklisted", "en", info=INFO, reason="x", case=1, **facts)
