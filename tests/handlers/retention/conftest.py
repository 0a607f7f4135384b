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


@pytest.fixture
def stride(request: pytest.FixtureRequest, place: Place) -> int:
    """How far apart the steps are at which a process dies, one after the other: in the long form it dies at each.

    Odd, for a process dies in turn before what it does and after it.
    """
    if request.config.getoption("--prove"):
        return 1
    return 5 if place.on_sqlite else 17
