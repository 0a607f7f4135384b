# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Times are read as people write them in three languages, and what looks like one is never taken for a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.durations import NoTime, duration_ms, first, seconds

HOUR, DAY, WEEK = 3_600, 86_400, 604_800


@pytest.mark.parametrize(
    ("word", "lasts"),
    [
        *[("90s", 90), ("5m", 300), ("5Min", 300), ("2h", 7200), ("２Ｈ", 7200), ("3d", 259_200), ("1w", 604_800)],
        *[("30分钟", 1800), ("2小时", 7200), ("1天", 86_400), ("30分", 1800), ("2시간", 7200), ("1일", 86_400)],
        *[("2hours", 7200), ("1day", DAY), ("2weeks", 2 * WEEK), ("3个小时", 3 * HOUR), ("2주일", 2 * WEEK)],
    ],
)
def test_durations_are_read_in_every_language(word: str, lasts: int) -> None:
    assert duration_ms(word) == lasts * 1000


@pytest.mark.parametrize("word", ["", "2", "h", "2y", "-2h", "2.5h", "123456h", "2hh", "1d12h", "spam"])
def test_and_nothing_else(word: str) -> None:
    assert duration_ms(word) is None


@pytest.mark.parametrize(
    ("said", "lasts", "reason"),
    [
        ("", None, ""),
        ("Too loud.", None, "Too loud."),
        ("2h", 2 * HOUR, ""),
        ("2h  Too\nloud", 2 * HOUR, "Too\nloud"),
        ("2w 5", 2 * WEEK, "5"),
        ("2 hours Too loud", 2 * HOUR, "Too loud"),
        ("2 Hours, too loud", 2 * HOUR, "too loud"),
        ("2hours spam", 2 * HOUR, "spam"),
        ("for 2 hours spam", 2 * HOUR, "spam"),
        ("for nothing", None, "for nothing"),
        ("30 minutes", HOUR // 2, ""),
        ("1 day x", DAY, "x"),
        ("2 小时", 2 * HOUR, ""),
        ("3 天 刷屏", 3 * DAY, "刷屏"),
        ("２　小时　太吵", 2 * HOUR, "太吵"),
        ("2小时， 太吵", 2 * HOUR, "太吵"),
        ("1 周 x", WEEK, "x"),
        ("30 分钟", HOUR // 2, ""),
        ("2 시간 도배", 2 * HOUR, "도배"),
        ("3 일", 3 * DAY, ""),
        ("30 분 x", HOUR // 2, "x"),
        ("1 주", WEEK, ""),
        ("十分吵闹", None, "十分吵闹"),
        ("一时冲动", None, "一时冲动"),
        ("이분 시끄러움", None, "이분 시끄러움"),
        ("a lot of spam", None, "a lot of spam"),
        ("half of it is spam", None, "half of it is spam"),
    ],
)
def test_a_time_stands_in_front_of_the_reason(said: str, lasts: int | None, reason: str) -> None:
    assert first(said) == (None if lasts is None else lasts * 1000, reason)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        *[("90 Too loud", "90"), ("1.5h x", "1.5h"), ("-1h bla", "-1h"), ("+1h", "+1h"), ("\u22121h", "\u22121h")],
        *[("1d12h spam", "1d12h"), ("2026-12-01 spam", "2026-12-01"), ("100年", "100年"), ("½h", "1⁄2h")],
        *[("2小时，太吵", "2小时,太吵"), ("\u2013 1h", "\u2013")],
        *[("两小时 太吵", "两小时"), ("半小时", "半小时"), ("半个小时", "半个小时"), ("两 个 小时", "两 个 小时")],
        *[("一个半小时 x", "一个半小时"), ("三天", "三天"), ("十分钟", "十分钟"), ("一周", "一周"), ("一年", "一年")],
        *[("두 시간", "두 시간"), ("한시간 도배", "한시간"), ("십분", "십분"), ("일주일", "일주"), ("이틀", "이틀")],
        *[("an hour", "an hour"), ("Two  hours x", "two  hours"), ("for 90", "90"), ("half an hour", "half an hour")],
        *[("9" * 99, "9" * 30), (".5h", ".5h"), ("~2h", "~2h"), ("2y", "2y"), ("0x2h", "0x2h"), ("٢h", "٢h")],
    ],
)
def test_what_begins_like_a_time_and_is_none_is_said_to_be_none(said: str, shown: str) -> None:
    assert first(said) == NoTime(shown)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        *[
            ("off", 0),
            ("OFF", 0),
            ("0", 0),
            ("0s", 0),
            ("30", 30),
            ("３０", 30),
            ("30s", 30),
            (" 1m ", 60),
            ("1 min", 60),
        ],
        *[("30秒", 30), ("30 초", 30), ("2h", 7200), ("3601", 3601), ("999999999", 999_999_999)],
        *[("", None), ("30 off", None), ("30s x", None), ("-1", None), ("1.5", None), ("fast", None), ("9" * 10, None)],
    ],
)
def test_a_pace_is_read_the_same_everywhere(said: str, expected: int | None) -> None:
    assert seconds(said) == expected


@given(st.text(max_size=60))
def test_whatever_people_write_is_a_time_a_reason_or_neither(said: str) -> None:
    found = first(said)
    assert isinstance(found, NoTime) or found[0] is None or found[0] >= 0


@given(st.from_regex(r"\A[0-9+-].{0,30}\Z"))
def test_what_begins_with_a_digit_or_a_sign_is_never_a_reason(said: str) -> None:
    found = first(said)
    assert isinstance(found, NoTime) or found[0] is not None
