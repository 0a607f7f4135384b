# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.handlers.retention.stage import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.storage.store_places import Place


@pytest.fixture
def archive(place: Place, tmp_path: Path) -> Iterator[Archive]:
    """Both logs, empty and open, on each engine."""
    made = Archive(place, tmp_path)
    yield made
    made.close()
