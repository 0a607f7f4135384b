# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Times as people write and read them. All are UTC."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import click

UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
EXAMPLES = "like 30d (also m for minutes, h, w, y), 2026-12-31 or 2026-12-31T12:00:00Z"
_SPAN = re.compile(r"(\d{1,4})([mhdwy])")
LAST_SECOND = timedelta(days=1) - timedelta(seconds=1)


def now_ms() -> int:
    """Read the clock. The only place in the CLI that does."""
    return time.time_ns() // 1_000_000


def utc(ms: int | None) -> str:
    """Write a timestamp for a table, to the minute; empty when there is none."""
    if ms is None:
        return ""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"  # A wrong number of the server must not hide the rest of the table.


def utc_second(ms: int | None) -> str:
    """Write a timestamp to the second; empty when there is none."""
    minute = utc(ms)
    if ms is None or minute.endswith("ms"):
        return minute
    return f"{minute}:{ms // 1000 % 60:02}"


def lasting(ms: int) -> str:
    """Write a short duration: `340 ms`, `12 s`, `5 min`."""
    for size, unit in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= 2 * size or (unit == "s" and ms >= size):
            return f"{ms // size} {unit}"
    return f"{ms} ms"


def parse_moment(text: str, now: int) -> int:
    """Read a moment in the future. Raises ValueError with what would be right."""
    when = _moment(text.strip(), now)
    if when <= now:
        message = f"must be in the future; it is {utc(now)} UTC now"
        raise ValueError(message)
    return when


def _moment(text: str, now: int) -> int:
    if span := _SPAN.fullmatch(text):
        return now + int(span[1]) * int(UNITS[span[2]] / timedelta(milliseconds=1))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        message = f"must be {EXAMPLES}"
        raise ValueError(message) from None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        # "Until the 31st" includes that day.
        when = when.replace(tzinfo=UTC) + LAST_SECOND
    if when.tzinfo is None:
        message = "needs its offset from UTC, like 2026-12-31T12:00:00Z or 2026-12-31T12:00:00+09:00"
        raise ValueError(message)
    return int(when.timestamp() * 1000)


def moment(text: str) -> int:
    """Read an option that takes a moment in the future, in milliseconds."""
    try:
        return parse_moment(text, now_ms())
    except ValueError as error:
        message = f"{error}."
        raise click.BadParameter(message) from None


def parse_past(text: str, now: int, *, end: bool) -> int:
    """Read a moment of the past: a span is so long ago, a day its beginning, or with `end` its last millisecond.

    Raises ValueError with what would be right.
    """
    text = text.strip()
    if _SPAN.fullmatch(text):
        return 2 * now - _moment(text, now)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        last = _moment(text, now) + 999
        return last if end else last + 1 - int(UNITS["d"] / timedelta(milliseconds=1))
    return _moment(text, now)


def since(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Read an option that takes the beginning of a time, in milliseconds."""
    return _past(text, end=False)


def until(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Read an option that takes the end of a time, in milliseconds."""
    return _past(text, end=True)


def _past(text: str | None, *, end: bool) -> int | None:
    if text is None:
        return None
    try:
        return parse_past(text, now_ms(), end=end)
    except ValueError as error:
        message = f"{error}."
        raise click.BadParameter(message) from None
