# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small Synapse for the property of `places`: it asks, and later commits what was allowed, or crashes.

What it knows, it knows by itself: sets of members and a list of what was asked when. It never reads our tables to
find out what should be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.config import load
from synapse_groupreg.handlers import places
from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS
from synapse_groupreg.policy.types import Account, Found, Join, Room, RoomKind
from synapse_groupreg.storage import identity, quotas
from tests.database import SERVER
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.handlers.places import Outcome
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

CAP, FOUNDED, JOINED = 3, 2, 3
CONFIG = load(
    {
        "mode": "enforce",
        "federation": "closed",
        "quotas": {"members_per_room": CAP, "rooms_founded": FOUNDED, "rooms_joined": JOINED},
    }
)
PEOPLE = {
    seed.local(name): person for name, person in {"ann": "A", "abe": "A", "ben": "B", "cat": "C", "dan": "D"}.items()
}
"""Accounts and the persons behind them: Ann and Abe are one."""
STRANGER = "@eve:remote.example.org"
_UPGRADE_MS = 10_000
_OURS = ("limits", "reservations", "changes", "version")


@attrs.define(kw_only=True)
class Place:
    """A room as it truly is."""

    room_id: str
    kind: RoomKind
    founder: str
    token: str
    """What a founder's place in it is called, promised or taken."""
    members: set[str] = attrs.field(factory=set)
    invited: set[str] = attrs.field(factory=set)
    open: bool = False
    banned: set[str] = attrs.field(factory=set)
    upgrade_of: str | None = None
    successor: Place | None = None
    """What the founder's own upgrade made, with the tombstone in place."""
    asked_ms: int = 0
    succeeded_ms: int = 0
    """When that upgrade was asked for, and done."""
    closed: bool = False
    admitted_under: int = CAP
    """The cap when somebody was last allowed in."""

    @property
    def replaced_ms(self) -> int | None:
        """Since when it is replaced. A successor that all leave before the old room is closed replaced nothing."""
        goes_on = self.successor is not None and self.successor.alive
        return self.succeeded_ms if self.closed or goes_on else None

    @property
    def alive(self) -> bool:
        """Whether anybody of this server is in it."""
        return any(one in PEOPLE for one in self.members)


@attrs.frozen(kw_only=True)
class Ask:
    """Something that was allowed and may be committed until its promise lapses."""

    kind: str
    user: str
    token: str
    """The group joined, or the founder's place taken."""
    asked_ms: int
    commit: Callable[[Transaction], None]
    room: Place | None = None
    taken_by: str = ""
    """The person whose founder's place it takes."""

    @property
    def came_about(self) -> bool:
        """Whether it was to make a group of a direct chat that is a group by now, and counts as one."""
        return self.kind in ("invite", "open") and self.room is not None and self.room.kind is RoomKind.group


class World:
    """Rooms, people, asks under way, and the time."""

    def __init__(self, database: TestDatabase) -> None:
        self.database = database
        self.now_ms = 1_000_000
        self.rooms: dict[str, Place] = {}
        self.pending: list[Ask] = []
        self.history: list[Ask] = []
        """Everything that was allowed in the last half minute, whatever became of it."""
        self.caps: dict[str, int] = {}
        self.limits: dict[tuple[str, str], int] = {}
        self.serial = 0
        database.do(_clean)
        database.do(_people)

    @property
    def taker(self) -> places.Taker:
        """What the gate passes to `places`."""
        return places.Taker(
            config=CONFIG, dialect=self.database.dialect, mode="enforce", now_ms=self.now_ms, account=account
        )

    def name(self, what: str) -> str:
        """A name that this run has not used."""
        self.serial += 1
        return f"{what}{self.serial}"

    # What is true.

    def cap(self, room: Place) -> int:
        """The cap of a room."""
        return self.caps.get(room.room_id, CAP)

    def limit(self, person: str, quota: str) -> int:
        """A limit of a person."""
        return self.limits.get((person, quota), FOUNDED if quota == quotas.FOUNDED else JOINED)

    def founded(self, person: str) -> set[str]:
        """The founder's places that somebody takes by groups that are there."""
        return {
            room.token
            for room in self.rooms.values()
            if room.kind is RoomKind.group and PEOPLE[room.founder] == person and room.alive and not room.replaced_ms
        }

    def joined(self, person: str, *, replaced_since: int) -> set[str]:
        """The groups in which somebody is, with any account; upkeep needs a while to close those replaced."""
        return {
            room.token
            for room in self.rooms.values()
            if room.kind is RoomKind.group
            and any(PEOPLE.get(one) == person for one in room.members)
            and (room.replaced_ms is None or room.replaced_ms > replaced_since)
        }

    def founders_places(self, person: str, asks: list[Ask]) -> set[str]:
        """Founder's places taken, and those that the asks ask for.

        A founder's own upgrade takes none in the end, but one may be kept for it until it is done.
        """
        upgrades = (ask for ask in asks if asks is self.history and ask.kind == "upgrade")
        kept = {ask.token for ask in upgrades if PEOPLE[ask.user] == person}
        taken = {ask.token for ask in asks if ask.taken_by == person and not ask.came_about}
        return self.founded(person) | taken | kept

    def members_places(self, room: Place, asks: list[Ask]) -> set[str]:
        """Members, and those who ask to become one."""
        return room.members | {ask.user for ask in asks if ask.kind in ("join", "enter") and ask.room is room}

    def people(self, room: Place, asks: list[Ask]) -> set[str]:
        """Members and invited, and those who are about to be, but for those for whom a founder's place is kept."""
        invites = (ask for ask in asks if ask.kind == "invite" and ask.room is room)
        return room.members | room.invited | {ask.user for ask in invites if not ask.taken_by}

    def joiners_places(self, person: str, asks: list[Ask]) -> set[str]:
        """Groups joined, and those that the asks are to join or to found."""
        asked = {ask.token for ask in asks if ask.kind in ("join", "found") and PEOPLE.get(ask.user) == person}
        if asks is self.history:
            return self.joined(person, replaced_since=self.now_ms - LOCAL_RESERVATION_MS) | asked
        # Nobody's own limit is asked when a direct chat becomes a group, so it may be passed by that.
        grown = {room.token for room in self.rooms.values() if room.token == room.room_id}
        # A join that was allowed before its group was closed takes no place any more, nor will it.
        closed = {room.token for room in self.rooms.values() if room.closed}
        return (self.joined(person, replaced_since=self.now_ms) | asked) - grown - closed

    def upgrading(self, person: str, asks: list[Ask]) -> bool:
        """Whether somebody asks to upgrade a group."""
        upgrades = (ask for ask in asks if ask.kind == "upgrade" or (ask.kind == "found" and ask.room is not None))
        return any(PEOPLE[ask.user] == person for ask in upgrades)

    def half_upgraded(self, person: str) -> bool:
        """Whether a successor of one of their own groups was made without the old one being closed."""
        olds = [(room, self.rooms.get(room.upgrade_of or "")) for room in self.rooms.values()]
        return any(
            old is not None and room.alive and old.alive and not (old.replaced_ms or room.replaced_ms)
            for room, old in olds
            if PEOPLE[room.founder] == person and old is not None and PEOPLE[old.founder] == person
        )

    # What Synapse does.

    def ask(self, work: Callable[..., Outcome], *args: object, **kwargs: object) -> Outcome:
        """Ask our module in a transaction of its own; a refusal changes nothing."""
        before = self.ours()
        outcome = self.database.do(work, self.taker, *args, **kwargs)
        if outcome.not_welcome or not outcome.verdict.allowed:
            assert self.ours() == before, "a refused ask left something behind"
        return outcome

    def ours(self) -> list[object]:
        """What we keep, but for promises that lapsed, and rows that say no more than Synapse's tables do."""
        tables = [sorted(self.database.rows(f"SELECT * FROM groupreg_{table}")) for table in _OURS]
        live = [row for row in tables[1] if row[3] > self.now_ms and self._unsettled(row)]
        # The cap of a group goes over to its successor at the first look.
        limits = [row for row in tables[0] if not row[0].startswith("room:")]
        return [limits, live, *tables[2:]]

    def _unsettled(self, row: tuple[object, ...]) -> bool:
        # Looking at a conversion that came about settles it.
        room = self.rooms.get(str(row[2]).removeprefix(quotas.CONVERSION))
        return room is None or room.kind is not RoomKind.group or not str(row[2]).startswith(quotas.CONVERSION)

    def allowed(self, ask: Ask) -> None:
        """Remember an ask that was allowed."""
        self.pending.append(ask)
        self.history.append(ask)

    def resolve(self, ask: Ask, *, commits: bool) -> None:
        """Commit what was allowed, or crash before."""
        self.pending.remove(ask)
        if commits:
            self.database.do(ask.commit)
            self.notice_groups()

    def arrived(self, user: str, room: Place) -> None:
        """What somebody had asked for before they came in by another way is taken for what let them in."""
        self.pending = [
            ask for ask in self.pending if not (ask.kind in ("join", "enter") and ask.user == user and ask.room is room)
        ]

    def pass_time(self, milliseconds: int) -> None:
        """Time passes; upkeep closes what was replaced. What was not committed while it was promised never will be."""
        self.now_ms += milliseconds
        for room in self.rooms.values():
            room.closed = room.closed or (room.replaced_ms is not None and room.asked_ms <= self.now_ms - _UPGRADE_MS)
        since = self.now_ms - LOCAL_RESERVATION_MS
        self.pending = [ask for ask in self.pending if ask.asked_ms > since]
        self.history = [ask for ask in self.history if ask.asked_ms > since]
        self.database.do(close_replaced, self.now_ms)

    def notice_groups(self) -> None:
        """A direct chat of more than two people, or an open one, is a group for ever."""
        for room in self.rooms.values():
            if room.kind is RoomKind.direct and (room.open or len(room.members | room.invited) > 2):
                room.kind = RoomKind.group


def account(user_id: str) -> Account:
    """An account as memory knows it."""
    return Account(user_id=user_id, local=user_id.endswith(f":{SERVER}"))


def join_of(user: str, room: Place) -> Join:
    """The attempt to join."""
    return Join(actor=account(user), room=Room(room_id=room.room_id))


def found_by(user: str) -> Found:
    """The attempt to found."""
    return Found(actor=account(user))


def upgrade_of(user: str, room: Place) -> Found:
    """The attempt to upgrade."""
    return Found(actor=account(user), replaces=Room(room_id=room.room_id))


def _clean(txn: Transaction) -> None:
    for table in (
        *("events", "event_json", "current_state_events", "current_state_delta_stream", "room_memberships"),
        *("local_current_membership", "rooms"),
        *("groupreg_quotas", "groupreg_reservations", "groupreg_limits", "groupreg_rooms", "groupreg_persons"),
        *("groupreg_person_accounts", "groupreg_changes"),
    ):
        txn.execute(f"DELETE FROM {table}")


def _people(txn: Transaction) -> None:
    person = identity.person_by_digest(txn, "digest", "person-a")
    for user_id, letter in PEOPLE.items():
        if letter == "A":
            identity.link(txn, user_id, person)
