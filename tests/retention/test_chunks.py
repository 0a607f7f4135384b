# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several processes read a bundle as one does. That chunks have no seams, every test of a bundle sees: `verdicts`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from synapse_groupreg.cli.processes import processes_for

# A program of its own, as `groupreg verify` is one: what other tests started in this process is none of its business.
PROGRAM = """
from synapse_groupreg.cli.processes import spread_over
from synapse_groupreg.retention import chunks
from synapse_groupreg.retention.verifier import verify_bundle
from tests.retention.sample_log import sample
from tests.retention.verdicts import check

if __name__ == "__main__":
    chunks.LINES = 3
    whole = sample().export_range(2, 12)
    changed = [line.replace(b'"ts\\\\":1', b'"ts\\\\":2', 1) if at == 6 else line for at, line in enumerate(whole)]
    for lines in (whole, changed):
        assert verify_bundle(lines, check, spread=spread_over(2)) == (report := verify_bundle(lines, check))
        print(report.ok)
"""


def test_several_processes_say_what_one_says() -> None:
    place = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=place, capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (b"True\nFalse\n", b"")


def test_only_a_large_file_is_worth_several() -> None:
    assert processes_for(1_000_000) == 1
    assert processes_for(1_000_000_000) >= 1
