# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Over which kinds of databases a test runs: the fixtures `settings` of a store and `database` of a server have two."""

from __future__ import annotations

import pytest

_BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.prove)]


def on(engine: str) -> pytest.MarkDecorator:
    """For a test of what concerns the stores of one engine alone."""
    return pytest.mark.parametrize("settings", [engine], indirect=True)


any_store = pytest.mark.parametrize("settings", _BOTH, indirect=True)
"""For a test of what is the same code for every store: over one engine, and over both in the long form."""
any_database = pytest.mark.parametrize("database", _BOTH, indirect=True)
"""The same for the databases of servers."""
