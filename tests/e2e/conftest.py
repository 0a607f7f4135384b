# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is in most stories, on the `server` that a file starts; a file whose people are others makes its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium
from tests.e2e.client import Person, Staff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.rig import Homeserver
    from tests.browser import Browser


@pytest.fixture(scope="module", autouse=True)
def all_start_quickly(quick_starts: None) -> None:
    """Those servers too that a test starts without a fixture's help."""


@pytest.fixture(scope="module")
def staff(server: Homeserver) -> Staff:
    return Staff(server)


@pytest.fixture(scope="module")
def admin(server: Homeserver) -> Staff:
    return Staff(server, "admin")


@pytest.fixture(scope="module")
def reviewer(server: Homeserver, admin: Staff) -> Staff:
    return Staff(server, "reviewer", roles=["reviewer"], granted_by=admin)


@pytest.fixture(scope="module")
def officer(server: Homeserver, admin: Staff) -> Staff:
    return Staff(server, "officer", roles=["identity_officer"], granted_by=admin)


@pytest.fixture
def founder(server: Homeserver) -> Person:
    return Person(server, "founder")


@pytest.fixture
def member(server: Homeserver) -> Person:
    return Person(server, "member")


@pytest.fixture
def guest(server: Homeserver) -> Person:
    return Person(server, "guest")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
