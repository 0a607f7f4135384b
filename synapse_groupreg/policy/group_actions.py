# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the founder and the managers of a group do to look after it (article 9)."""

from __future__ import annotations

from typing import ClassVar

from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.values import frozen


@frozen(kw_only=True)
class MuteMember(Action):
    """Let somebody post nothing in a group until a time; again, to change it. `reason` is what they are told."""

    name: ClassVar[str] = "mute"
    right: ClassVar[Right] = Right.look_after
    group: str
    """Its id or its number."""
    user_id: str
    until_ms: int | None = None
    """In an hour if it isn't said."""


@frozen(kw_only=True)
class UnmuteMember(Action):
    """Let somebody post again before their mute ends."""

    name: ClassVar[str] = "unmute"
    right: ClassVar[Right] = Right.look_after
    group: str
    user_id: str


@frozen(kw_only=True)
class OfferGroup(Action):
    """Offer to hand a group over, as its founder; again, to somebody else instead."""

    name: ClassVar[str] = "transfer"
    right: ClassVar[Right] = Right.look_after
    group: str
    user_id: str


@frozen(kw_only=True)
class AcceptGroup(Action):
    """Become the founder of a group that was offered."""

    name: ClassVar[str] = "accept-transfer"
    right: ClassVar[Right] = Right.look_after
    group: str


@frozen(kw_only=True)
class DeclineGroup(Action):
    """Turn the offer of a group down, or take one's own back."""

    name: ClassVar[str] = "decline-transfer"
    right: ClassVar[Right] = Right.look_after
    group: str


@frozen(kw_only=True)
class SetCategory(Action):
    """Say what a group is about, as its founder; None: nothing."""

    name: ClassVar[str] = "category"
    right: ClassVar[Right] = Right.look_after
    group: str
    category: str | None


@frozen(kw_only=True)
class SlowDown(Action):
    """Let each member of a group post once in so many seconds; None: as they like."""

    name: ClassVar[str] = "slow"
    right: ClassVar[Right] = Right.look_after
    group: str
    seconds: int | None
