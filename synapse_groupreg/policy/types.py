# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vocabulary of every rule: who tries what, in which room, and why it is refused.

Facts are gathered by the handlers; a rule is a function from an attempt and the configuration to a violation.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar

import attrs

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.config import Mode
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.policy.mutes import Mute
    from synapse_groupreg.policy.slow import Pace


class RoomKind(enum.StrEnum):
    """What a room is to the regulation; only a group is covered by it."""

    group = "group"
    direct = "direct"
    space = "space"


@frozen(kw_only=True)
class Account:
    """What the rules need to know about an account."""

    user_id: str
    local: bool = True
    assurance: Assurance = Assurance.none
    measures: tuple[Measure, ...] = ()
    """The live measures on it, on its person and on its server, and those on everybody."""
    exempt: bool = False
    """Whether quotas, identity rules and slow mode leave it alone: `exempt` in the configuration, or a server admin."""
    staff: bool = False
    """Whether it has a staff role or is a server admin: an emergency leaves it able to act."""


@frozen(kw_only=True)
class Room:
    """What the rules need to know about a room."""

    room_id: str
    kind: RoomKind = RoomKind.group
    measures: tuple[Measure, ...] = ()
    """The live measures on it and on the server that its id names."""
    members: int = 0
    """Members joined; 0 where it is known to be below every tier of `members_over`."""
    replaced: bool = False
    """Whether it was upgraded, and its successor took its place."""
    with_staff: bool = False
    """Whether it is a direct chat in which a member of staff sits."""


@frozen
class Use:
    """Places of a quota: how many are taken, how many there are."""

    used: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether no place is left."""
        return self.used >= self.limit


@frozen(kw_only=True)
class Send:
    """Publish an event in a room."""

    name: ClassVar[str] = "send"
    actor: Account
    room: Room
    retracts_own: bool = False
    """Whether it only takes back what the actor wrote."""
    manages: bool = False
    """Whether it changes the room or what others wrote: state that is not about the actor, or a redaction."""
    mute: Mute | None = None
    """That of the actor, or of another account of the same person, in this room."""
    early: Pace | None = None
    """Set where the room is slow and the actor, who looks after nothing in it, posted a moment ago."""


@frozen(kw_only=True)
class Join:
    """Become a member of a room, or ask to (knock)."""

    name: ClassVar[str] = "join"
    actor: Account
    room: Room
    members: Use | None = None
    joined: Use | None = None
    """Both are None while no place is asked for."""


@frozen(kw_only=True)
class Invite:
    """Invite an account to a room."""

    name: ClassVar[str] = "invite"
    actor: Account
    room: Room
    invitee: Account


@frozen(kw_only=True)
class Found:
    """Make a room."""

    name: ClassVar[str] = "found"
    actor: Account
    kind: RoomKind = RoomKind.group
    invitees: tuple[Account, ...] = ()
    with_staff: bool = False
    """Whether it is a direct chat with a member of staff."""
    replaces: Room | None = None
    """The room that it upgrades."""
    further_creators: bool = False
    """Whether an upgrade names others as creators of the successor."""
    members: Use | None = None
    founded: Use | None = None
    joined: Use | None = None


@frozen(kw_only=True)
class Manage:
    """Anything else that others see: kick, ban, alias, directory, upload, profile, status."""

    name: ClassVar[str] = "manage"
    actor: Account
    room: Room | None = None
    about_oneself: bool = False
    """Whether it is about the actor's own name or picture."""


@frozen(kw_only=True)
class LogIn:
    """Log in, register under a name, or use an access token."""

    name: ClassVar[str] = "log-in"
    actor: Account


Attempt = Send | Join | Invite | Found | Manage | LogIn


def place(attempt: Attempt) -> Room | None:
    """The room that an attempt is about; of an upgrade the one that is replaced."""
    if isinstance(attempt, LogIn):
        return None
    return attempt.replaces if isinstance(attempt, Found) else attempt.room


def about_a_group(attempt: Attempt) -> bool:
    """Whether an attempt has to do with groups, and not with a direct chat or the account alone."""
    if isinstance(attempt, Found):
        return attempt.kind is not RoomKind.direct
    if isinstance(attempt, LogIn) or (isinstance(attempt, Manage) and attempt.room is None):
        return False
    where = place(attempt)
    return where is None or where.kind is not RoomKind.direct


@frozen(kw_only=True)
class Violation:
    """Why an attempt is refused; its attributes are the facts that the texts may show to the person who tried."""

    code: ClassVar[str]

    def facts(self) -> dict[str, object]:
        """What the text of this code may mention."""
        return attrs.asdict(self, recurse=False)


@frozen
class Verdict:
    """All violations of one attempt, in the order of its table; allowed if there are none."""

    violations: tuple[Violation, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether no rule objects."""
        return not self.violations

    def refusing(self, mode: Mode, dry_run: Collection[str]) -> tuple[Violation, ...]:
        """The violations that count for more than the journal under this mode."""
        if mode == "dry":
            return ()
        return tuple(violation for violation in self.violations if violation.code not in dry_run)


ALLOWED = Verdict()
