# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which Synapse this is, and whether we know it."""

from __future__ import annotations

from importlib import metadata

from synapse_groupreg.errors import CannotStart

OLDEST_SYNAPSE = (1, 154)
NEWEST_SYNAPSE = (1, 163)


def of_synapse() -> str:
    """Synapse's version, as it was installed."""
    return metadata.version("matrix-synapse")  # its own constant has the branch appended in a git checkout


def major_minor(version: str) -> tuple[int, int]:
    """Major and minor number; what follows (rc1, +build) doesn't matter here."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def check(version: str) -> str | None:
    """A warning for a Synapse newer than tested. Raises CannotStart for one that is too old."""
    found = major_minor(version)
    oldest, newest = ".".join(map(str, OLDEST_SYNAPSE)), ".".join(map(str, NEWEST_SYNAPSE))
    if found < OLDEST_SYNAPSE:
        message = f"Synapse {version} is too old for synapse_groupreg: install {oldest} or newer."
        raise CannotStart(message)
    if found > NEWEST_SYNAPSE:
        return f"Synapse {version} is newer than the newest tested with this synapse_groupreg, {newest}."
    return None
