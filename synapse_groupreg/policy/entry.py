# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may enter a room at all, as the Matrix specification's join rules say.

Synapse asks us before it checks this itself. A join that it will refuse must hold no place, or strangers could fill a
group by trying; and it must not pass without a place either, since an invite may arrive in between.
"""

from __future__ import annotations

from synapse_groupreg.values import frozen


@frozen(kw_only=True)
class Entry:
    """What decides whether an account may join a room that this server is in."""

    membership: str | None
    """The account's own membership: join, invite, leave, ban, knock, or None."""
    join_rule: str
    in_allowed_room: bool
    """Whether it is a member of a room that a `restricted` rule names."""


def may_enter(entry: Entry) -> bool:
    """Whether Synapse will let this account join (Matrix 1.16, m.room.join_rules)."""
    if entry.membership == "ban":
        return False
    if entry.membership in ("join", "invite"):
        return True
    restricted = entry.join_rule in ("restricted", "knock_restricted")
    return entry.join_rule == "public" or (restricted and entry.in_allowed_room)
