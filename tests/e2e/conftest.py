# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later

import pytest


@pytest.fixture(scope="module", autouse=True)
def all_start_quickly(quick_starts: None) -> None:
    """Those servers too that a test starts without a fixture's help."""
