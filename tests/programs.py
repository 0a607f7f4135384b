# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Programs that are no Python packages: a test that needs one is skipped where it isn't, but never in CI."""

from __future__ import annotations

import os
import shutil

import pytest

REQUIRED = "GROUPREG_TEST_REQUIRES"
"""Environment variable with the names of programs that have to be there; `.ci/run` sets it."""


def program(name: str) -> str:
    """The program's path: what an environment variable of its name says ($CHROMIUM), else from PATH."""
    # Debian keeps servers where only root's PATH looks.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = os.environ.get(name.upper()) or shutil.which(name, path=path)
    if found:
        return found
    reason = f"{name} is not installed here"
    if name in os.environ.get(REQUIRED, "").split():
        pytest.fail(f"{reason}, but {REQUIRED} asks for it")
    return pytest.skip(reason)
