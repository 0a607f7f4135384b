# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.handlers.stage import Stage

if TYPE_CHECKING:
    from tests.database import TestDatabase


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    """A stage with the neutral defaults."""
    return Stage(sqlite_db)
