# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""In whose name the module writes into a group what nobody asks for at that moment, such as its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.founding import HIGHEST, may_write
from synapse_groupreg.policy.roles import Levels, power, power_of, users_of
from synapse_groupreg.storage import state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.rooms import RoomRow

KICK = 50
"""The level to remove members where power levels don't say (Matrix specification, m.room.power_levels)."""


def writer(txn: Transaction, row: RoomRow, event_types: Collection[str], server_name: str) -> str | None:
    """The founder, if they can write state of all these types; else who of this server has the most power to.

    None where nobody can. Only those are looked at whom the room names: not all of a large group are read.
    """

    def may(user_id: str, levels: Levels) -> bool:
        return all(may_write(user_id, kind, levels) for kind in event_types)

    return _first(txn, row, server_name, may)


def remover(txn: Transaction, row: RoomRow, server_name: str) -> str | None:
    """The founder, if they can remove members; else who of this server has the most power to. None where nobody can."""

    def may(user_id: str, levels: Levels) -> bool:
        return power_of(user_id, levels) >= power(levels.get("kick", KICK))

    return _first(txn, row, server_name, may)


def _first(txn: Transaction, row: RoomRow, server_name: str, may: Callable[[str, Levels], bool]) -> str | None:
    made = state.create(txn, row.room_id)
    if made is None:
        return None
    levels = state.content(txn, row.room_id, "m.room.power_levels")
    if levels is None:
        levels = {"users": {made.creator: HIGHEST}}  # as the specification has it
    creators = made.creators
    named = {user for user in (row.founder, *creators, *users_of(levels)) if server_of(user) == server_name}
    able = [user for user in state.joined_among(txn, row.room_id, named) if user in creators or may(user, levels)]
    return min(
        able,
        key=lambda user: (user != row.founder, user not in creators, -power_of(user, levels), user),
        default=None,
    )
