# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.handlers.stage import Stage
from tests.web.server import Server

if TYPE_CHECKING:
    from tests.database import TestDatabase


@pytest.fixture
def server(sqlite_db: TestDatabase) -> Server:
    """The site with the neutral defaults."""
    return Server(Stage(sqlite_db))
