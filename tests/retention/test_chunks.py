# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several processes read a bundle as one does. (That chunks have no seams, every test of a bundle sees: `verdicts`.)"""

from __future__ import annotations

from unittest.mock import patch

from synapse_groupreg.cli.processes import processes_for, spread_over
from synapse_groupreg.retention import chunks
from synapse_groupreg.retention.verifier import verify_bundle
from tests.retention.sample_log import sample
from tests.retention.verdicts import check

LOG = sample()


def test_several_processes_say_what_one_says() -> None:
    whole = LOG.export_range(2, 12)
    changed = [line.replace(b'"ts\\":1', b'"ts\\":2', 1) if at == 6 else line for at, line in enumerate(whole)]
    with patch.object(chunks, "LINES", 3):
        assert verify_bundle(whole, check, spread=spread_over(2)) == (right := verify_bundle(whole, check))
        assert verify_bundle(changed, check, spread=spread_over(2)) == (wrong := verify_bundle(changed, check))
    assert right.ok
    assert not wrong.ok


def test_only_a_large_file_is_worth_several() -> None:
    assert processes_for(1_000_000) == 1
    assert processes_for(1_000_000_000) >= 1
