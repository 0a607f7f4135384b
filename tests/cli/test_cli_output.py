# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people and programs read: tables, JSON, times, and no room name of a stranger that steers the terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import click
import pytest

from synapse_groupreg.cli.changes import differences
from synapse_groupreg.cli.journal import act_row
from synapse_groupreg.cli.output import Output, clean, console_for
from synapse_groupreg.cli.times import lasting, moment, parse_moment, utc

NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO, rows: list[tuple[str | int | None, ...]]) -> str:
    Output(console=console_for(stream), errors=console_for(stream)).table("Rooms", ("room", "members"), rows)
    return stream.getvalue()


def test_a_piped_row_is_one_line_however_long() -> None:
    long = "!" + "x" * 700
    lines = printed(io.StringIO(), [(long, 1200)]).splitlines()
    assert any(long in line and "1,200" in line for line in lines)
    assert max(map(len, lines)) < 800


def test_a_piped_table_has_no_escape_codes() -> None:
    assert "\x1b" not in printed(io.StringIO(), [("a", 1)])


def test_a_terminal_gets_bold_headings_and_no_colour_honours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    Output(console=console_for(stream)).warn("Look here.")
    assert "\x1b[33m" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Output(console=console_for(stream)).warn("Look here.")
    assert "\x1b[33m" not in stream.getvalue()


def test_progress_is_silent_when_piped() -> None:
    stream = io.StringIO()
    with Output(console=console_for(stream), errors=console_for(stream)).progress("Work", 2) as advance:
        advance(2)
    assert stream.getvalue() == ""


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with Output(console=console_for(stream), errors=console_for(stream)).progress("Work", 2) as advance:
        advance(2)
    assert "Work" in stream.getvalue()


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\u202e", "\r", "\x07", "\u2028"])
def test_names_of_strangers_cannot_steer_the_terminal(evil: str) -> None:
    assert evil not in clean(f"room{evil}name")
    assert evil not in printed(io.StringIO(), [(f"room{evil}name", 1)])


def test_names_of_strangers_are_no_markup() -> None:
    assert "[bold]x[/] :smile:" in printed(io.StringIO(), [("[bold]x[/] :smile:", 1)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", NOW + 30 * DAY),
        ("12h", NOW + DAY // 2),
        ("30m", NOW + 1_800_000),
        ("2w", NOW + 14 * DAY),
        ("2026-12-31", int(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() * 1000)),
        ("2026-12-31T12:00:00Z", int(datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp() * 1000)),
        ("2026-12-31T12:00:00+09:00", int(datetime(2026, 12, 31, 3, tzinfo=UTC).timestamp() * 1000)),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("soon", "must be like 30d"),
        ("2026-12-31T12:00:00", "offset from UTC"),
        ("2020-01-01", "in the future"),
        ("0d", "in the future"),
        ("9999-12-31T23:59:59-23:59", ""),
    ],
)
def test_wrong_moments_say_what_would_be_right(text: str, advice: str) -> None:
    if advice:
        with pytest.raises(ValueError, match=advice):
            parse_moment(text, NOW)
    else:
        assert parse_moment(text, NOW) > NOW


def test_a_wrong_moment_on_the_command_line_is_wrong_usage() -> None:
    with pytest.raises(click.BadParameter):
        moment("soon")


def test_times_and_durations() -> None:
    assert utc(NOW) == "2026-03-01 12:00"
    assert utc(None) == ""
    assert utc(10**20) == f"{10**20} ms"
    assert [lasting(ms) for ms in (340, 1000, 90_000, 600_000, 7_200_000)] == ["340 ms", "1 s", "90 s", "10 min", "2 h"]


def test_differences_name_before_and_after() -> None:
    assert differences({"assurance": "none"}, {"assurance": "contact"}) == ["assurance none -> contact"]
    assert differences({"a": {"limit": 10}, "b": 1}, {"a": {"limit": None}, "b": 1}) == ["a limit 10 -> not set"]
    assert differences(None, {"scope": "groups", "until_ms": NOW}) == ["scope groups", "until 2026-03-01 12:00 UTC"]
    assert differences({"roles": ["operator"]}, {"roles": []}) == ["roles operator -> none"]
    assert differences(None, None) == []


def test_a_long_reason_of_an_act_is_cut_and_said_once() -> None:
    why = "because " * 40
    act = {"ts_ms": NOW, "reason": why, "before": {"reason": "old", "until": 1}, "after": {"reason": why, "until": 2}}
    assert act_row(act)[4:] == ["until 1 -> 2", f"{why[:79]}…"]
    told = act_row({**act, "reason": "upgrade", "after": {"reason": "new", "until": 1}})
    assert told[4:] == ["reason old -> new", "upgrade"]
