# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/scale.md follows from docs/cost.md: what it starts from stands there, and what it reckons comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
COST = (DOCS / "cost.md").read_text(encoding="utf-8")
SCALE = (DOCS / "scale.md").read_text(encoding="utf-8")
UNITS = {"%": 0.01, "s": 1, "min": 60, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "million": 1e6, "billion": 1e9}
SIZES = (1, 10, 100, 1000)
MEAN, PEAK, KEPT_S = 20, 100, 184 * 86_400
"""Records a second at 1×, at the mean and at the peak, and how long they are kept."""
TAKEN, SEALED, START = 16_100, 31_000, 5.4
"""Records a second that are taken in, and that are sealed and stored; seconds to read a million accounts."""
ROWS = {
    "index of verified accounts, a process": [9 * 100_000 * size for size in SIZES],
    "moved in memory for one more account (half of a 256th)": [9 * 100_000 * size / 512 for size in SIZES],
    f"to read and pack it as a process starts ({START} s for a million": [START * size / 10 for size in SIZES],
    f"takes in from Synapse's tables ({TAKEN:,} a second), at the peak": [PEAK * size / TAKEN for size in SIZES],
    f"seals and stores ({SEALED:,} a second), at the peak": [PEAK * size / SEALED for size in SIZES],
    f"at the mean ({TAKEN:,} a second)": [3600 * MEAN * size / (TAKEN - MEAN * size) for size in SIZES[:3]],
    "records in 184 days": [MEAN * size * KEPT_S for size in SIZES],
    "store, SQLite (273 bytes a record)": [273 * MEAN * size * KEPT_S for size in SIZES],
    "store, PostgreSQL (403 bytes a record)": [403 * MEAN * size * KEPT_S for size in SIZES],
}
QUOTED = (
    *(f"{TAKEN:,}", "11,600", f"{SEALED:,}", "20,000", f"{START} s", "273", "403", "5.3 ms", "52,300", "1.6"),
    *("4.1", "5.6", "5.4", "7.4", "0.4 ms", "5 ms", "25"),
)


@pytest.mark.parametrize("label", ROWS)
def test_a_row_is_what_comes_out(label: str) -> None:
    [row] = [line for line in SCALE.splitlines() if line.startswith("| ") and label in line]
    cells = [re.fullmatch(r"([\d.]+) (\S+)", cell.strip()) for cell in row.strip("|").split("|")[1:]]
    found = [float(cell[1]) * UNITS[cell[2]] for cell in cells if cell is not None]
    assert found == pytest.approx(ROWS[label], rel=0.15)


@pytest.mark.parametrize("figure", QUOTED)
def test_what_was_measured_is_the_same_on_both_pages(figure: str) -> None:
    whole = re.compile(rf"(?<![\d.,]){re.escape(figure)}(?![\d])")
    assert whole.search(SCALE)
    assert whole.search(COST)


def test_where_the_recorder_ends() -> None:
    reached = {f"{TAKEN / PEAK:.0f}": 160, f"{TAKEN / MEAN:.0f}": 800, f"{SEALED / PEAK:.0f}": 310}
    assert all(abs(float(exact) - said) < 0.02 * said and f"{said}×" in SCALE for exact, said in reached.items())
