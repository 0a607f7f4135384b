# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig is tried as operators use it."""

import pytest


@pytest.fixture(scope="module")
def quick_starts() -> None:
    """In place of the one of other tests: each Synapse starts as a program of its own."""
