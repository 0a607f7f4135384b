# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures: what was imposed on an account, a person, a room or a server (article 11).

A blacklist entry is a measure of the kind `blacklisted`; later kinds join the same table and the same fold.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class MeasureKind(enum.StrEnum):
    """What is imposed."""

    blacklisted = "blacklisted"


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


PEOPLE = (SubjectKind.account, SubjectKind.person, SubjectKind.account_glob)
"""Subjects that are people: the scope of an entry matters."""
GLOBS = (SubjectKind.server, SubjectKind.account_glob, SubjectKind.room_glob)
"""Subjects that are named by a glob."""


class Scope(enum.StrEnum):
    """How far a measure on an account or a person goes."""

    groups = "groups"
    """The functions of groups; direct chats, reading and appeals stay."""
    account = "account"
    """The whole account: logins and existing sessions too."""


@attrs.frozen(kw_only=True)
class Measure:
    """One measure; times in milliseconds since the epoch."""

    id: int
    kind: MeasureKind
    subject_kind: SubjectKind
    subject: str
    """The id of the account, person or room, or the glob."""
    entity: str
    """What staff named: for a person one of their accounts, else the subject."""
    scope: Scope
    reason: str
    """What the person concerned is told."""
    basis: str
    """The article, or the clause of the agreement, that it rests on."""
    author: str
    start_ms: int
    until_ms: int | None = None
    review_ms: int | None = None
    lifted_ms: int | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None
    list_room: str | None = None
    """The policy room that keeps it, for an entry that no staff made."""
    list_event: str | None = None
    """The event in that room which it carries out."""

    def live(self, now_ms: int) -> bool:
        """Whether it is in force: begun, neither lifted nor over."""
        return self.lifted_ms is None and self.start_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)


def fold(measures: Iterable[Measure], now_ms: int) -> tuple[Measure, ...]:
    """The standing that measures add up to: those in force, the widest scope and the longest first."""
    live = [measure for measure in measures if measure.live(now_ms)]
    return tuple(sorted(live, key=_weight))


def _weight(measure: Measure) -> tuple[bool, bool, int, int]:
    endless = measure.until_ms is None
    return (measure.scope is not Scope.account, not endless, -(measure.until_ms or 0), measure.id)
