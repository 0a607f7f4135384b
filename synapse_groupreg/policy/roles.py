# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The roles of a group: founder, managers, members (article 8.6), read from its power levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def managers(
    power_levels: Mapping[str, Any] | None, *, from_level: int, founder: str | None, members: Collection[str]
) -> list[str]:
    """The joined accounts at or above the manager's power level, but for the founder."""
    users = (power_levels or {}).get("users")
    if not isinstance(users, dict):
        return []
    named = {user for user, level in users.items() if isinstance(level, int) and level >= from_level}
    return sorted(user for user in named if user in members and user != founder)
