# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures: what was imposed on an account, a person, a room, a server or everybody (articles 5.3 and 11).

A blacklist entry is a measure of the kind `blacklisted`, an emergency one of the kind `emergency`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.types import Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable


class MeasureKind(enum.StrEnum):
    """What is imposed."""

    warning = "warning"
    """Nothing is refused; until the deadline something is to be put right."""
    posting_suspended = "posting-suspended"
    """On a group: nobody posts in it. On somebody: they post in no group, or not in one."""
    joining_suspended = "joining-suspended"
    """Nobody joins the group."""
    management_suspended = "management-suspended"
    """They manage no group, or not one: as if a manager, or the founder, were a member."""
    founding_revoked = "founding-revoked"
    """They found no group."""
    closed = "closed"
    """The group is over: to be read for a while, then its members are removed."""
    blacklisted = "blacklisted"
    """Barred from groups, or from the server."""
    emergency = "emergency"
    """A switch for the whole server, or for one room."""


class SubjectKind(enum.StrEnum):
    """On what it is imposed."""

    account = "account"
    person = "person"
    room = "room"
    server = "server"
    account_glob = "account_glob"
    """Every account that a glob covers; the other accounts of their persons are not meant."""
    room_glob = "room_glob"
    """Every room whose id a glob covers."""
    everybody = "everybody"
    """Everybody but staff. The subject is the switch of the emergency."""


SOMEBODY = (SubjectKind.account, SubjectKind.person)
PEOPLE = (*SOMEBODY, SubjectKind.account_glob)
"""Subjects that are people: the scope of an entry matters."""
GLOBS = (SubjectKind.server, SubjectKind.account_glob, SubjectKind.room_glob)
"""Subjects that are named by a glob."""
IMPOSED_ON: dict[MeasureKind, tuple[SubjectKind, ...]] = {
    MeasureKind.warning: (*SOMEBODY, SubjectKind.room),  # 11.1, 11.2
    MeasureKind.posting_suspended: (*SOMEBODY, SubjectKind.room),  # 11.1, 11.2
    MeasureKind.joining_suspended: (SubjectKind.room,),  # 11.1
    MeasureKind.management_suspended: SOMEBODY,  # 11.2
    MeasureKind.founding_revoked: SOMEBODY,  # 11.2
    MeasureKind.closed: (SubjectKind.room,),  # 11.1
    MeasureKind.blacklisted: (*PEOPLE, SubjectKind.room, SubjectKind.room_glob, SubjectKind.server),  # 11.3
    MeasureKind.emergency: (SubjectKind.everybody,),  # 5.3
}
"""On what each kind can be imposed."""
IN_ONE_ROOM = (MeasureKind.posting_suspended, MeasureKind.management_suspended)
"""Kinds that can be imposed on somebody for one room alone."""
_STEPS = {MeasureKind.warning: 1, MeasureKind.closed: 3, MeasureKind.blacklisted: 3}
_SUSPENDED = 2


class Switch(enum.StrEnum):
    """What an emergency stops."""

    posting = "posting"
    joining = "joining"
    founding = "founding"


class Scope(enum.StrEnum):
    """How far a blacklist entry on an account or a person goes."""

    groups = "groups"
    """The functions of groups; direct chats, reading and appeals stay."""
    account = "account"
    """The whole account: logins and existing sessions too."""


class ReportState(enum.StrEnum):
    """How far the report of a measure to the authority is (article 11.4). Nothing is ever sent by itself."""

    not_due = "not-due"
    due = "due"
    handed_in = "handed-in"
    not_reported = "not-reported"
    """Decided so; why is kept."""


@frozen(kw_only=True)
class Measure:
    """One measure; times in milliseconds since the epoch. Its fields are the columns of its table."""

    id: int
    kind: MeasureKind
    subject_kind: SubjectKind
    subject: str
    """The id of the account, person or room, the glob, or the switch."""
    entity: str
    """What staff named: for a person one of their accounts, else the subject."""
    scope: Scope = Scope.groups
    room: str | None = None
    """The one room in which it holds; None: everywhere."""
    reason: str
    """What the person concerned is told."""
    note: str | None = None
    """What only staff read."""
    basis: str
    """The article, or the clause of the agreement, that it rests on."""
    accepted: tuple[str, ...] | None = None
    """The versions of the agreement that those whom it binds had accepted; None where it doesn't rest on that."""
    grave: str | None = None
    """Why a step of the usual order was skipped."""
    author: str
    start_ms: int
    until_ms: int | None = None
    review_ms: int | None = None
    deadline_ms: int | None = None
    """Of a warning: until when something is to be put right."""
    lifted_ms: int | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None
    report: ReportState = ReportState.not_due
    report_text: str | None = None
    """The receipt of the report, or why there is none."""
    report_by: str | None = None
    report_ms: int | None = None
    request_key: str | None = None
    """Chosen by whoever asked for it: asking again with the same key is the same act."""
    list_room: str | None = None
    """The policy room that keeps it, for an entry that no staff made."""
    list_event: str | None = None
    """The event in that room which it carries out."""

    def live(self, now_ms: int) -> bool:
        """Whether it is in force: begun, neither lifted nor over."""
        return self.lifted_ms is None and self.start_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)

    def holds_in(self, room_id: str | None) -> bool:
        """Whether it holds in a room, or (None) where there is no room."""
        return self.room is None or self.room == room_id


@frozen(kw_only=True)
class Imposed(Violation):
    """What every refusal because of a measure may mention."""

    reason: str
    case: int
    until_ms: int | None = None


def told(measure: Measure) -> dict[str, Any]:
    """The facts of a measure for its violation."""
    return {"reason": measure.reason, "case": measure.id, "until_ms": measure.until_ms}


def fold(measures: Iterable[Measure], now_ms: int) -> tuple[Measure, ...]:
    """The standing that measures add up to: those in force, the widest scope and the longest first."""
    live = [measure for measure in measures if measure.live(now_ms)]
    return tuple(sorted(live, key=_weight))


def skips_a_step(kind: MeasureKind, earlier: Iterable[MeasureKind]) -> bool:
    """Whether a measure comes before its turn: a group or a person is warned, then suspended, then a group is closed.

    The list in article 11.1 is no fixed ladder, so this can be done, for a grave case. A blacklist entry (11.3) and an
    emergency (5.3) stand for themselves.
    """
    if kind in (MeasureKind.blacklisted, MeasureKind.emergency):
        return False
    reached = max((_STEPS.get(one, _SUSPENDED) for one in earlier), default=0)
    return reached < _STEPS.get(kind, _SUSPENDED) - 1


def next_step(measure: Measure, now_ms: int) -> MeasureKind | None:
    """What staff are proposed once the deadline of a warning passed; nothing follows by itself."""
    passed = measure.deadline_ms is not None and measure.deadline_ms <= now_ms
    return MeasureKind.posting_suspended if passed and measure.live(now_ms) else None


def _weight(measure: Measure) -> tuple[bool, bool, int, int]:
    endless = measure.until_ms is None
    return (measure.scope is not Scope.account, not endless, -(measure.until_ms or 0), measure.id)
