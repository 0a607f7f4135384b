# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The roles of a group: founder, managers, members (article 8.6), read from its power levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def managers(
    power_levels: Mapping[str, Any] | None,
    *,
    from_level: int,
    founder: str | None,
    members: Collection[str],
    creators: Collection[str] = (),
) -> list[str]:
    """The joined accounts at or above the manager's power level, but for the founder.

    `creators` are those whom a room names as such since room version 12: above every level, and in no list of them.
    """
    levels = power_levels or {}
    named = levels.get("users")
    users = named if isinstance(named, dict) else {}
    default = levels.get("users_default")
    high = {user for user in members if user in creators or _level(users.get(user, default)) >= from_level}
    return sorted(high - {founder})


def _level(value: object) -> int:
    """A power level; rooms before version 10 may have it as a text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
