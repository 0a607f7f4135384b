# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The blacklist of accounts, persons, rooms and servers (article 11.3): a kind of measure."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.measures import PEOPLE, Imposed, Measure, MeasureKind, Scope, SubjectKind, told
from synapse_groupreg.policy.types import Account, Attempt, Found, Invite, Room, Violation, about_a_group, place
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.config import GroupRegConfig


@frozen(kw_only=True)
class AccountBlacklisted(Imposed):
    """The account, or the person behind it, is on the blacklist."""

    code: ClassVar[str] = "account-blacklisted"
    scope: Scope


@frozen(kw_only=True)
class InviteeBlacklisted(Violation):
    """The account that would be invited is on the blacklist. Why is not the inviter's business."""

    code: ClassVar[str] = "account-blacklisted"
    invitee: bool = True


@frozen(kw_only=True)
class RoomBlacklisted(Imposed):
    """The room is on the blacklist."""

    code: ClassVar[str] = "room-blacklisted"


@frozen(kw_only=True)
class ServerBlacklisted(Imposed):
    """The server that the account or the room belongs to is on the blacklist."""

    code: ClassVar[str] = "server-blacklisted"
    server: str


def account(attempt: Attempt, _config: GroupRegConfig) -> Violation | None:
    """Refuse a barred account or person: everything, or what has to do with groups, as the entry's scope says."""
    for measure in _barring(attempt.actor.measures, *PEOPLE):
        if measure.scope is Scope.account or about_a_group(attempt):
            return AccountBlacklisted(**told(measure), scope=measure.scope)
    return None


def invitee(attempt: Invite | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to bring a barred account into a group."""
    if not about_a_group(attempt):
        return None
    invitees = attempt.invitees if isinstance(attempt, Found) else (attempt.invitee,)
    barred = any(_barring(one.measures, *PEOPLE) for one in invitees)
    return InviteeBlacklisted() if barred else None


def room(attempt: Attempt, _config: GroupRegConfig) -> Violation | None:
    """Refuse to post in, join or invite to a barred room; leaving it is never an attempt."""
    where = place(attempt)
    for measure in _barring(where.measures if where else (), SubjectKind.room, SubjectKind.room_glob):
        return RoomBlacklisted(**told(measure))
    return None


def server(attempt: Attempt, _config: GroupRegConfig) -> Violation | None:
    """Refuse a barred server: its accounts as actors and invitees, its rooms as places."""
    where = place(attempt)
    parties: list[Account | Room] = [attempt.actor, *_invitees(attempt), *([where] if where else [])]
    for party in parties:
        for measure in _barring(party.measures, SubjectKind.server):
            name = server_of(party.user_id if isinstance(party, Account) else party.room_id)
            return ServerBlacklisted(**told(measure), server=name)
    return None


def server_of(identifier: str) -> str:
    """The server name in a Matrix id; empty where it names none (room ids since room version 12)."""
    return identifier.partition(":")[2]


@functools.lru_cache(maxsize=1024)
def pattern(glob: str) -> re.Pattern[str]:
    """The regular expression of a glob of MSC2313: `*` any number of characters, `?` one."""
    first, *others = (re.escape(part).replace(r"\?", ".") for part in re.sub(r"\*+", "*", glob).split("*"))
    # Atomic: what stands between two stars is looked for once. Globs come from strangers too, and one of many stars
    # would otherwise take minutes to fail.
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    # ASCII: else Unicode's other forms of a letter would match it too, and an exemption cover a look-alike.
    return re.compile(f"{first}{between}.*{others[-1]}" if others else first, re.IGNORECASE | re.ASCII | re.DOTALL)


def matches(glob: str, value: str) -> bool:
    """Whether a glob of MSC2313 matches the whole value."""
    return pattern(glob).fullmatch(value) is not None


def server_matches(glob: str, name: str) -> bool:
    """Whether an entry for servers covers this one. A port doesn't help to get round the entry."""
    return bool(name) and any(matches(glob, one) for one in server_names(name))


def server_names(name: str) -> tuple[str, ...]:
    """A server name as an entry may name it: as it is, and without its port."""
    return tuple(dict.fromkeys((name, re.sub(r":\d+$", "", name)))) if name else ()


def is_glob(text: str) -> bool:
    """Whether a text has wildcards."""
    return "*" in text or "?" in text


def _barring(measures: Iterable[Measure], *kinds: SubjectKind) -> list[Measure]:
    return [one for one in measures if one.kind is MeasureKind.blacklisted and one.subject_kind in kinds]


def _invitees(attempt: Attempt) -> tuple[Account, ...]:
    if isinstance(attempt, Found):
        return attempt.invitees
    return (attempt.invitee,) if isinstance(attempt, Invite) else ()
