# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the page of a group shows, and to whom (article 8.3).

Of a group that anybody may enter or find, to everybody; of any other to its members, by a link that ends and that
says, encrypted, for whom it was made: it shows nothing any more once they left. Kept for a few seconds, so that a page
which many open costs no more than one that nobody does.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag

from synapse_groupreg import texts
from synapse_groupreg.handlers.measures import suspended_in
from synapse_groupreg.policy.measures import MeasureKind, SubjectKind, fold
from synapse_groupreg.policy.numbers import read
from synapse_groupreg.policy.roles import managers, power, users_of
from synapse_groupreg.policy.sizes import size_tier
from synapse_groupreg.policy.widgets import PAGE_PATH
from synapse_groupreg.storage import measures, numbers, people, quotas, rooms, state
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.policy.roles import Levels
    from synapse_groupreg.policy.sizes import SizeTier
    from synapse_groupreg.storage.database import Database, Transaction

LINK_MS = 86_400_000
"""How long a link to the page of a group works."""
_KEEP_MS = 5_000
_MOST = 1_000
_MANAGERS = 50
_KINDS = frozenset(MeasureKind) - {MeasureKind.management_suspended, MeasureKind.founding_revoked}
"""Kinds of measures that there are on groups."""


class Box(Protocol):
    """Encrypts what a link says."""

    def seal(self, plain: bytes) -> bytes:
        """Encrypt, so that nobody can change it either."""

    def open(self, sealed: bytes) -> bytes:
        """The inverse. Raises InvalidTag for what wasn't sealed with this key."""


@frozen(kw_only=True)
class Standing:
    """A measure that a group stands under."""

    kind: str
    since_ms: int
    until_ms: int | None

    def text(self, language: str) -> str:
        """What is said of it in a language."""
        return texts.text(f"group.standing.{self.kind if self.kind in _KINDS else 'other'}", language)


@frozen(kw_only=True)
class Group:
    """What is shown of a group. People are named as they show themselves to others."""

    room_id: str
    number: str
    name: str | None
    public: bool
    """Whether anybody may enter or find it."""
    members: int
    cap: int
    founder: str | None
    """None once they left, and while their management is suspended."""
    founder_left: bool
    managers: tuple[str, ...]
    more_managers: int
    """How many there are beside those named."""
    standing: tuple[Standing, ...]
    category: str | None = None
    """What it is about."""
    size: SizeTier | None = None
    """By its members at that time."""


class Links:
    """Makes and reads the links by which members see the page of a group that isn't public."""

    def __init__(self, box: Box, homeserver: Homeserver) -> None:
        self._box = box
        self._homeserver = homeserver

    def address(self, number: str) -> str:
        """The page of a group, as far as everybody may see it."""
        return f"{self._homeserver.public_baseurl}{PAGE_PATH}{number}"

    def signed(self, number: str, user_id: str) -> str:
        """The page of a group for one member, for a while."""
        said = {"number": number, "user": user_id, "until_ms": self._homeserver.now_ms() + LINK_MS}
        key = base64.urlsafe_b64encode(self._box.seal(json.dumps(said).encode())).rstrip(b"=").decode()
        return f"{self.address(number)}?key={key}"

    def bearer(self, key: str, number: str) -> str | None:
        """For whom a link to this group was made; None if it ended, or is for another, or for none."""
        try:
            sealed = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True)
            said = json.loads(self._box.open(sealed))
        except (InvalidTag, binascii.Error, ValueError):
            return None
        valid = said["number"] == number and self._homeserver.now_ms() < said["until_ms"]
        return str(said["user"]) if valid else None


class GroupPages:
    """Decides who sees what."""

    def __init__(self, config: GroupRegConfig, database: Database, homeserver: Homeserver, links: Links) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self.links = links
        self._kept: dict[str, tuple[int, Group | None]] = {}

    async def see(self, written: str, key: str | None) -> Group | None:
        """The group of a number for somebody who has a link or none; None if there is none, or not for them."""
        number = read(written)
        if number is None:
            return None
        group = await self.group(number)
        if group is None or group.public or self._config.groups.pages == "everybody":
            return group
        user_id = None if key is None else self.links.bearer(key, number)
        return group if user_id is not None and await self.is_member(group.room_id, user_id) else None

    async def group(self, number: str) -> Group | None:
        """What is to be shown of a group to whoever may see it; at most a few seconds old."""
        now_ms = self._homeserver.now_ms()
        until_ms, group = self._kept.get(number, (0, None))
        if now_ms < until_ms:
            return group
        group = await self._database.run("groupreg_page", look_at, number, self._config, now_ms)
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[number] = (now_ms + _KEEP_MS, group)
        return group

    async def is_member(self, room_id: str, user_id: str) -> bool:
        """Whether an account is in a group now."""
        return await self._database.run("groupreg_page", state.membership, room_id, user_id) == "join"


def look_at(txn: Transaction, number: str, config: GroupRegConfig, now_ms: int) -> Group | None:
    """What there is to show of a group that this server is in."""
    room_id = numbers.find(txn, number)
    row = None if room_id is None else rooms.get(txn, room_id)
    made = None if row is None else state.create(txn, row.room_id)
    if row is None or made is None:
        return None
    levels = state.content(txn, row.room_id, "m.room.power_levels")
    leading = managers(
        levels,
        from_level=config.roles.manager_power_level,
        founder=row.founder,
        members=_who_may_lead(txn, row.room_id, levels, made.creators, config.roles.manager_power_level),
        creators=made.creators,
    )
    suspended = suspended_in(txn, row.room_id, now_ms)
    leading = [one for one in leading if one not in suspended]
    left = state.membership(txn, row.room_id, row.founder) != "join"
    founder = None if left or row.founder in suspended else row.founder
    shown = leading[:_MANAGERS]
    names = people.names(txn, row.room_id, [*shown, row.founder])
    imposed = measures.of_subjects(txn, SubjectKind.room, [row.room_id], now_ms)
    members = state.members(txn, row.room_id)
    return Group(
        room_id=row.room_id,
        number=number,
        name=state.name(txn, row.room_id),
        public=state.access(txn, [row.room_id]).get(row.room_id, False),
        members=members,
        cap=quotas.limit(txn, quotas.room_subject(row.room_id), quotas.MEMBERS, config.quotas.members_per_room),
        founder=None if founder is None else names.get(founder, _local(founder)),
        founder_left=left,
        managers=tuple(names.get(one, _local(one)) for one in shown),
        more_managers=len(leading) - len(shown),
        category=rooms.category(txn, row.room_id),
        size=size_tier(members, config.groups.size_tiers),
        standing=tuple(
            Standing(kind=one.kind.value, since_ms=one.start_ms, until_ms=one.until_ms) for one in fold(imposed, now_ms)
        ),
    )


def _who_may_lead(
    txn: Transaction, room_id: str, levels: Levels | None, creators: Collection[str], manager_level: int
) -> set[str]:
    """The members among whom managers are: not all of a large group are read for a page."""
    if power((levels or {}).get("users_default")) >= manager_level:
        return set(state.joined(txn, room_id))
    return state.joined_among(txn, room_id, {*users_of(levels), *creators})


def _local(user_id: str) -> str:
    """What is shown of somebody who shows no name."""
    return user_id.partition(":")[0].removeprefix("@")
