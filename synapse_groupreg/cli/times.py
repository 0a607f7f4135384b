# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Times as people write and read them. All are UTC."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import click

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
EXAMPLES = "like 30d (also h, w, y), 2026-12-31 or 2026-12-31T12:00:00Z"
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
    if span := re.fullmatch(r"(\d{1,4})([hdwy])", text):
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
