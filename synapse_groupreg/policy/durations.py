# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long something shall last, as people write it in front of their reasons: `2h`, `2 hours`, `2小时`, `2 시간`."""

from __future__ import annotations

import re
import unicodedata

from synapse_groupreg.values import frozen

OFF = "off"
_SECOND_MS = 1_000
_MINUTE_MS, _HOUR_MS, _DAY_MS, _WEEK_MS = 60_000, 3_600_000, 86_400_000, 604_800_000
_UNITS_MS = {
    **dict.fromkeys(["s", "sec", "secs", "second", "seconds", "秒", "秒钟", "秒鐘", "초"], _SECOND_MS),
    **dict.fromkeys(["m", "min", "mins", "minute", "minutes", "分", "分钟", "分鐘", "분"], _MINUTE_MS),
    **dict.fromkeys(["h", "hr", "hrs", "hour", "hours", "时", "小时", "小時", "个小时", "個小時", "시간"], _HOUR_MS),
    **dict.fromkeys(["d", "day", "days", "天", "日", "일"], _DAY_MS),
    **dict.fromkeys(["w", "week", "weeks", "周", "週", "星期", "个星期", "個星期", "주", "주일"], _WEEK_MS),
}
_DURATION = re.compile(r"([0-9]{1,5})(\D+)")
_SECONDS = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,5}")
_BEHIND = ".,:;、。"
_FOR = re.compile(r"for\s+(?=\d)")
# U+2212 is a minus, U+2013 a dash that people type for one. Words that are as often no number, such as 十分 (very) and
# 이분 (this person), are left to the reasons.
_LIKE_A_TIME = re.compile(
    r"""
    [\d+\-\u2212\u2013±~<>=]\S* | \.\d\S*
    | (?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|half(?:\ an?)?)
      \s+(?:second|minute|hour|day|week|month|year)s?\b
    | [〇零一二三四五六七八九十百千万两兩半几幾数數]+\s*[个個]?\s*半?
      (?:秒|分[钟鐘]|刻[钟鐘]|小[时時]|[钟鐘][头頭]|天|日|周|週|星期|[礼禮]拜|月|年)
    | (?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|반|몇)+\s*(?:시간|주|달|개월|해)
    | (?!이\s*[분일])[일이삼사오육칠팔구십]+\s*(?:초|분|일|주|개월|년)(?=\s|주일|일|간|동안|$)
    | 이틀 | 사흘 | 나흘 | 열흘 | 보름
    """,
    re.VERBOSE,
)
_LONGEST = 30


@frozen
class NoTime:
    """What somebody wrote where a time stands, and what looks like one and is none."""

    said: str


def duration_ms(word: str) -> int | None:
    """A duration in one word; None for what is none."""
    found = _DURATION.fullmatch(_normal(word))
    unit = _UNITS_MS.get(found[2]) if found else None
    return int(found[1]) * unit if found and unit else None


def first(said: str) -> tuple[int | None, str] | NoTime:
    """The duration that stands first, if one does, and what is said behind it.

    A reason that begins like a time is none: who mutes somebody for `90` shall not do so for an hour because of “90”.
    """
    normal = _normal(said)
    if _FOR.match(normal):
        return first(said.split(maxsplit=1)[1])
    words = said.split(maxsplit=1)
    if not words:
        return None, ""
    number, behind = _normal(words[0]), words[1] if len(words) > 1 else ""
    lasts_ms = duration_ms(number.rstrip(_BEHIND))
    if lasts_ms is not None:
        return lasts_ms, behind.strip()
    unit, *rest = behind.split(maxsplit=1) or [""]
    lasts_ms = duration_ms(number + unit.rstrip(_BEHIND)) if _NUMBER.fullmatch(number) else None
    if lasts_ms is not None:
        return lasts_ms, "".join(rest).strip()
    like = _LIKE_A_TIME.match(normal)
    return (None, said) if like is None else NoTime(like[0][:_LONGEST])


def seconds(said: str) -> int | None:
    """A pace, as `30`, `30s` or `1m`, 0 for `off`; None for what is none."""
    word = _normal(said).strip()
    if word == OFF:
        return 0
    if _SECONDS.fullmatch(word):
        return int(word)
    found = first(word)
    return None if isinstance(found, NoTime) or found[0] is None or found[1] else found[0] // _SECOND_MS


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
