# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff does: each action a value, with the right that it takes.

REST, CLI and whatever comes later parse into these actions; `handlers/actions.py` carries them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import Mode
    from synapse_groupreg.policy.assurance import Assurance
    from synapse_groupreg.policy.measures import ReportState, Scope, Switch
    from synapse_groupreg.policy.policy_lists import PolicyRule
    from synapse_groupreg.policy.staff import StaffRole


@frozen(kw_only=True)
class Action:
    """Something that staff does; `reason` goes into the journal."""

    name: ClassVar[str]
    right: ClassVar[Right]
    reason: str | None = None


@frozen(kw_only=True)
class Verify(Action):
    """Record how well the identity behind an account was verified; a reference links the accounts of one person."""

    name: ClassVar[str] = "verify"
    right: ClassVar[Right] = Right.verify
    user_id: str
    assurance: Assurance
    provider: str
    digest: str | None = None
    """The keyed digest of the reference; the reference itself goes no further than the web layer."""


@frozen(kw_only=True)
class Unverify(Action):
    """Take back what staff recorded of an account's identity, the link to its person included."""

    name: ClassVar[str] = "unverify"
    right: ClassVar[Right] = Right.verify
    user_id: str


@frozen(kw_only=True)
class CommitImport(Action):
    """Record all identities of a staged import at once."""

    name: ClassVar[str] = "import"
    right: ClassVar[Right] = Right.verify
    import_id: str


@frozen(kw_only=True)
class LimitAccount(Action):
    """Give a person limits of their own. A quota that is absent stays; None goes back to the default."""

    name: ClassVar[str] = "limit"
    right: ClassVar[Right] = Right.limit_account
    user_id: str
    limits: dict[str, int | None]


@frozen(kw_only=True)
class CapRoom(Action):
    """Give a group a cap of its own; None goes back to the default."""

    name: ClassVar[str] = "cap"
    right: ClassVar[Right] = Right.cap_room
    room_id: str
    members: int | None


@frozen(kw_only=True)
class LabelRoom(Action):
    """Name the roles in the state of a group, as its founder."""

    name: ClassVar[str] = "label"
    right: ClassVar[Right] = Right.label_room
    room_id: str


@frozen(kw_only=True)
class Impose(Action):
    """Impose a measure; `reason` is what the people concerned are told. The same on the same subject changes it."""

    name: ClassVar[str] = "impose"
    right: ClassVar[Right] = Right.impose
    kind: MeasureKind = MeasureKind.blacklisted
    entity: str
    reason: str
    basis: str
    scope: Scope | None = None
    room: str | None = None
    """The one group in which it is to hold, for a measure on somebody."""
    until_ms: int | None = None
    review_ms: int | None = None
    deadline_ms: int | None = None
    note: str | None = None
    grave: str | None = None
    """Why a step of the usual order is skipped."""
    key: str | None = None
    """Asking again with the same key is the same act."""


@frozen(kw_only=True)
class Lift(Action):
    """End a measure."""

    name: ClassVar[str] = "lift"
    right: ClassVar[Right] = Right.impose
    measure_id: int


@frozen(kw_only=True)
class SetReport(Action):
    """Say how far the report of a measure to the authority is; `text` is its receipt, or why there is none."""

    name: ClassVar[str] = "report"
    right: ClassVar[Right] = Right.impose
    measure_id: int
    state: ReportState
    text: str | None = None


@frozen(kw_only=True)
class SwitchEmergency(Action):
    """Stop something for everybody until a time, on the whole server or in one room; or let it go on."""

    name: ClassVar[str] = "emergency"
    right: ClassVar[Right] = Right.emergency
    on: bool
    switches: tuple[Switch, ...]
    room: str | None = None
    until_ms: int | None = None


@frozen(kw_only=True)
class ImportRules(Action):
    """Put all that the rules of a policy list name on the blacklist, or nothing of it."""

    name: ClassVar[str] = "import-rules"
    right: ClassVar[Right] = Right.impose
    rules: tuple[PolicyRule, ...]
    source: str
    """The file or the room that they come from."""
    basis: str
    scope: Scope | None = None
    skip_refused: bool = False
    """Leave out rules that touch staff or this server, instead of refusing all."""


@frozen(kw_only=True)
class Follow(Action):
    """Carry out the rules of a policy room as they come and go."""

    name: ClassVar[str] = "follow"
    right: ClassVar[Right] = Right.impose
    room: str
    """Its id, or an alias of this server."""


@frozen(kw_only=True)
class Unfollow(Action):
    """Follow a policy room no more, and lift the entries that it kept."""

    name: ClassVar[str] = "unfollow"
    right: ClassVar[Right] = Right.impose
    room: str


@frozen(kw_only=True)
class Approve(Action):
    """Let an act be carried out that another member of staff proposed."""

    name: ClassVar[str] = "approve"
    right: ClassVar[Right] = Right.decide
    proposal_id: int


@frozen(kw_only=True)
class Reject(Action):
    """Turn a proposal down, or take one's own back."""

    name: ClassVar[str] = "reject"
    right: ClassVar[Right] = Right.decide
    proposal_id: int


@frozen(kw_only=True)
class Grant(Action):
    """Set the staff roles of an account."""

    name: ClassVar[str] = "grant"
    right: ClassVar[Right] = Right.grant
    user_id: str
    roles: frozenset[StaffRole]


@frozen(kw_only=True)
class SetMode(Action):
    """Switch between journalling and enforcing."""

    name: ClassVar[str] = "mode"
    right: ClassVar[Right] = Right.set_mode
    mode: Mode
