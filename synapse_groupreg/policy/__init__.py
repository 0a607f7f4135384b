# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every rule, in order: the front page of the project.

A table lists the rules of one kind of attempt; `judge` asks each and collects the violations. Pure: values in,
values out; no clock, no I/O, no Synapse. To add a rule, write it and its violation in the file of its subject, put
it into the tables here, and give its code a text in each language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy import blacklist, federation, groups, identity, mutes, quotas, roles, slow, suspensions
from synapse_groupreg.policy.types import Attempt, Found, Invite, Join, LogIn, Manage, Send, Verdict, Violation

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig

Rule = Callable[[Any, "GroupRegConfig"], Violation | None]


SEND: tuple[Rule, ...] = (
    blacklist.account,  # 11.3
    blacklist.server,  # 11.3
    blacklist.room,  # 11.3
    suspensions.room_closed,  # 11.1
    suspensions.emergency,  # 5.3
    suspensions.posting,  # 11.2
    suspensions.room_posting,  # 11.1
    mutes.muted,  # 9
    suspensions.management,  # 11.2
    groups.not_replaced,  # 8.1
    identity.to_post,  # 6.2
    slow.slow_mode,  # 7.3
)
JOIN: tuple[Rule, ...] = (
    blacklist.account,  # 11.3
    blacklist.server,  # 11.3
    blacklist.room,  # 11.3
    suspensions.room_closed,  # 11.1
    suspensions.emergency,  # 5.3
    suspensions.room_joining,  # 11.1
    groups.not_replaced,  # 8.1
    identity.to_join,  # 6.2, 8.4
    quotas.members_per_room,  # 8.1
    quotas.rooms_joined,  # 8.1
)
INVITE: tuple[Rule, ...] = (
    blacklist.account,  # 11.3
    blacklist.server,  # 11.3
    blacklist.room,  # 11.3
    blacklist.invitee,  # 11.3
    suspensions.room_closed,  # 11.1
    suspensions.emergency,  # 5.3
    suspensions.room_joining,  # 11.1
    suspensions.management,  # 11.2
    groups.not_replaced,  # 8.1
    identity.to_post,  # 6.2
)
FOUND: tuple[Rule, ...] = (
    blacklist.account,  # 11.3
    blacklist.server,  # 11.3
    blacklist.room,  # 11.3
    blacklist.invitee,  # 11.3
    suspensions.room_closed,  # 11.1
    suspensions.emergency,  # 5.3
    suspensions.founding,  # 11.2
    suspensions.room_posting,  # 11.1
    suspensions.room_joining,  # 11.1
    suspensions.management,  # 11.2
    groups.not_replaced,  # 8.1
    federation.guests_are_local,  # 8.1
    roles.one_founder,  # 8.6
    identity.to_found,  # 6.2, 8.4
    quotas.members_per_room,  # 8.1
    quotas.rooms_founded,  # 8.1
    quotas.rooms_joined,  # 8.1
)
MANAGE: tuple[Rule, ...] = (
    blacklist.account,  # 11.3
    blacklist.server,  # 11.3
    blacklist.room,  # 11.3
    suspensions.room_closed,  # 11.1
    suspensions.management,  # 11.2
    identity.to_post,  # 6.2
)
LOG_IN: tuple[Rule, ...] = (blacklist.account,)  # 5.1, 11.3

TABLES: dict[type[Attempt], tuple[Rule, ...]] = {
    Send: SEND,
    Join: JOIN,
    Invite: INVITE,
    Found: FOUND,
    Manage: MANAGE,
    LogIn: LOG_IN,
}


def judge(attempt: Attempt, config: GroupRegConfig) -> Verdict:
    """What every rule for this kind of attempt says."""
    said = (rule(attempt, config) for rule in TABLES[type(attempt)])
    return Verdict(tuple(violation for violation in said if violation is not None))
