# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The roles of a group: one founder, managers, members (article 8.6), read from its power levels."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any, ClassVar

from synapse_groupreg.policy.types import Found, RoomKind, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from synapse_groupreg.config import GroupRegConfig

Levels = dict[str, Any]
"""The content of a room's power levels, as somebody wrote it."""
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*")


class Role(enum.StrEnum):
    """What somebody is in a group."""

    founder = "founder"
    manager = "manager"
    member = "member"


@frozen(kw_only=True)
class FurtherCreators(Violation):
    """An upgrade names further creators: they would stand above all power levels for ever, as its founder does."""

    code: ClassVar[str] = "further-creators"


def one_founder(attempt: Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse further creators of a group. A founding is given another shape instead, see `founding`."""
    return FurtherCreators() if attempt.further_creators and attempt.kind is RoomKind.group else None


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
    high = {user for user in members if user in creators or power_of(user, power_levels) >= from_level}
    return sorted(high - {founder})


def power_of(user_id: str, power_levels: Mapping[str, Any] | None) -> int:
    """The level of an account; 0 where nothing is said."""
    levels = power_levels or {}
    return power(users_of(levels).get(user_id, levels.get("users_default")))


def users_of(power_levels: Mapping[str, Any] | None) -> Levels:
    """The accounts that power levels name, with their levels as they were written."""
    users = (power_levels or {}).get("users")
    return users if isinstance(users, dict) else {}


def power(value: object) -> int:
    """A power level; rooms before version 10 may have it as a text, with a sign or spaces."""
    if isinstance(value, str):
        return int(value) if _NUMBER.fullmatch(value) else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
