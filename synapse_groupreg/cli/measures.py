# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures as rows of a table: shared by everything that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.output import Cell, Output

SAID = ("id", "kind", "subject", "subject_kind", "author", "start_ms")
"""What of a new measure the reader typed, or reads in the sentence."""
LIFTED = ("lifted_ms", "lifted_by", "lift_reason")
COLUMNS = (
    *("id", "kind", "subject", "scope", "state", "from (UTC)", "until (UTC)", "review (UTC)"),
    *("author", "reason", "basis"),
)


def show_measures(
    out: Output, measures: Sequence[Mapping[str, Any]], now: int, *, title: str = "Measures", empty: str = "None."
) -> None:
    """Print measures as a table."""
    out.table(title, COLUMNS, [row(measure, now) for measure in measures], empty=empty)


def row(measure: Mapping[str, Any], now: int) -> list[Cell]:
    """Write one measure."""
    return [
        str(measure.get("id", "")),
        measure.get("kind"),
        f"{measure.get('subject_kind', '')} {measure.get('subject', '')}".strip(),
        measure.get("room") or measure.get("scope"),
        state(measure, now),
        utc(measure.get("start_ms")),
        utc(measure.get("until_ms")),
        utc(measure.get("review_ms")),
        measure.get("author"),
        measure.get("reason"),
        measure.get("basis"),
    ]


def say_effects(out: Output, answer: Mapping[str, Any]) -> None:
    """Say what follows from an act, and whom it touches."""
    if out.as_json or not answer.get("changed"):
        return
    for one in answer.get("effects") or ():
        if one["effect"] == "notice":
            out.say(f"Told in a direct room: {', '.join(one['accounts'])}")
        elif one["effect"] == "removal":
            members = plural(one["members"], "member")
            out.say(f"Removed from {one['room_id']} on {utc(one['due_ms'])} UTC: {members}")
        else:
            out.say(f"Nobody (more) is removed from {one['room_id']}.")


def warn_of_agreement(out: Output, answer: Mapping[str, Any]) -> None:
    """Say that a measure rests on an agreement which nobody whom it binds is known to have accepted."""
    if not out.as_json and (answer.get("after") or {}).get("accepted") == []:
        out.warn("The basis is the agreement, but Synapse knows no version of it that this person accepted.")


def state(measure: Mapping[str, Any], now: int) -> str:
    """Say whether a measure holds (in force, due for review, ended or lifted), and that its report is due."""
    return f"{_held(measure, now)}, REPORT DUE" if measure.get("report") == "due" else _held(measure, now)


def _held(measure: Mapping[str, Any], now: int) -> str:
    until, review = measure.get("until_ms"), measure.get("review_ms")
    if measure.get("lifted_ms") is not None:
        return "lifted"
    if until is not None and until <= now:
        return "ended"
    return "REVIEW DUE" if review is not None and review <= now else "in force"
