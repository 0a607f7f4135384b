# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures as rows of a table: shared by everything that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.output import Cell, Output

COLUMNS = ("id", "subject", "scope", "state", "from (UTC)", "until (UTC)", "review (UTC)", "author", "reason", "basis")


def show_measures(
    out: Output, measures: Sequence[Mapping[str, Any]], now: int, *, title: str = "Measures", empty: str = "None."
) -> None:
    """Print measures as a table."""
    out.table(title, COLUMNS, [row(measure, now) for measure in measures], empty=empty)


def row(measure: Mapping[str, Any], now: int) -> list[Cell]:
    """Write one measure."""
    return [
        str(measure.get("id", "")),
        f"{measure.get('subject_kind', '')} {measure.get('subject', '')}".strip(),
        measure.get("scope"),
        state(measure, now),
        utc(measure.get("start_ms")),
        utc(measure.get("until_ms")),
        utc(measure.get("review_ms")),
        measure.get("author"),
        measure.get("reason"),
        measure.get("basis"),
    ]


def state(measure: Mapping[str, Any], now: int) -> str:
    """Say whether a measure holds: in force, due for review, ended or lifted."""
    until, review = measure.get("until_ms"), measure.get("review_ms")
    if measure.get("lifted_ms") is not None:
        return "lifted"
    if until is not None and until <= now:
        return "ended"
    return "REVIEW DUE" if review is not None and review <= now else "in force"
