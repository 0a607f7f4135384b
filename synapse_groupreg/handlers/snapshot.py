# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What this process knows without asking the database: exceptions only, so that a warm send costs no SQL.

A person or room that nobody said anything about is not in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred

from synapse_groupreg.handlers.packed import Packed
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.blacklist import server_names, server_of
from synapse_groupreg.policy.globs import Globs
from synapse_groupreg.policy.measures import GLOBS, Measure, SubjectKind, fold
from synapse_groupreg.policy.types import Room
from synapse_groupreg.storage import facts as storage_facts
from synapse_groupreg.storage.changes import EVERYTHING
from synapse_groupreg.storage.rooms import every_exceptional
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from synapse_groupreg.config import Mode
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.policy.mutes import Mute
    from synapse_groupreg.policy.staff import StaffRole
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.facts import Facts
    from synapse_groupreg.storage.rooms import RoomRow

Value = TypeVar("Value")
_MOST_ALLOWED = 4_000
"""Accounts and rooms of which it is remembered that a message was allowed."""


@frozen(kw_only=True)
class News:
    """What changed, or, where `assurance` and `rooms` are given, everything."""

    facts: Facts
    assurance: Packed[Assurance] | None = None
    rooms: Packed[int] | None = None


def load(txn: Transaction, version: int | None, now_ms: int) -> News | None:
    """What changed after a version, or everything for None; None when nothing did."""
    facts = storage_facts.since(txn, version, now_ms)
    if facts is None or not facts.everything:
        return None if facts is None else News(facts=facts)
    return News(
        facts=facts,
        assurance=_assurance(storage_facts.every_assurance(txn)),
        rooms=_rooms((row.room_id, _packed(row)) for row in every_exceptional(txn)),
    )


def _assurance(items: Iterable[tuple[str, Assurance]] = ()) -> Packed[Assurance]:
    return Packed("B", Assurance, items)


def _rooms(items: Iterable[tuple[str, int]] = ()) -> Packed[int]:
    return Packed("I", int, items)


def _packed(row: RoomRow | None) -> int:
    """All that the hot path asks of a room: its members if it is large, and in the last bit whether it was replaced."""
    return 0 if row is None else 2 * (row.members or 0) + (row.successor is not None)


class Snapshot:
    """The facts in memory, and how they are kept fresh."""

    def __init__(self, database: Database, homeserver: Homeserver, configured_mode: Mode) -> None:
        self._database = database
        self._homeserver = homeserver
        self._configured_mode: Mode = configured_mode
        self.mode: Mode = configured_mode
        self.version: int | None = None
        self.refreshed_ms = 0
        self.unrecorded_since_ms: int | None = None
        """Since when nothing is recorded; None while all is."""
        self.assurance = _assurance()
        self.staff: dict[str, frozenset[StaffRole]] = {}
        self._accounts: dict[str, tuple[Measure, ...]] = {}
        self._rooms: dict[str, tuple[Measure, ...]] = {}
        self._mutes: dict[str, tuple[Mute, ...]] = {}
        self.slow: dict[str, int] = {}
        """The groups in slow mode: how many milliseconds lie between two posts of somebody."""
        self._globs: tuple[Measure, ...] = ()
        self._by_glob = _by_glob(())
        self._emergencies: tuple[Measure, ...] = ()
        self._large_or_replaced = _rooms()
        self._allowed: set[tuple[str, str | None]] = set()
        self._refreshing = False
        self._waiting: list[Deferred[None]] = []

    async def refresh(self) -> None:
        """Read what changed since the last time; everything the first time.

        Whoever calls sees, on return, all that was committed before the call: one that is under way may have read
        too early, so it is waited for and another one follows.
        """
        while self._refreshing:
            done: Deferred[None] = Deferred()
            self._waiting.append(done)
            await self._homeserver.wait(done)
        self._refreshing = True
        try:
            now_ms = self._homeserver.now_ms()
            news = await self._database.run("groupreg_snapshot", load, self.version, now_ms)
            self.refreshed_ms = now_ms
            if news is not None:
                self.apply(news)
        finally:
            self._refreshing = False
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                self._homeserver.wake(done)

    def apply(self, news: News) -> None:
        """Take new facts in."""
        facts = news.facts
        self._forget_allowed(facts)
        if news.assurance is not None and news.rooms is not None:
            self.assurance, self._large_or_replaced = news.assurance, news.rooms
            self._accounts = dict(facts.account_measures)
            self._rooms = dict(facts.room_measures)
            self._mutes = dict(facts.mutes)
            self.slow = dict(facts.slow)
        else:
            self._apply_changes(facts)
        if facts.globs != self._globs:  # else what was matched before stays known
            self._globs = facts.globs
            self._by_glob = _by_glob(facts.globs)
            self._allowed.clear()
        self._emergencies = facts.emergencies
        self.staff = facts.staff
        self.unrecorded_since_ms = facts.unrecorded_since_ms
        self.mode = _mode(facts.mode, self._configured_mode)
        self.version = facts.version

    def _apply_changes(self, facts: Facts) -> None:
        for kind, subject in facts.subjects - {EVERYTHING}:
            if kind == "account":
                self.assurance[subject] = facts.assurances.get(subject, Assurance.none)
                _set_or_drop(self._accounts, subject, facts.account_measures.get(subject))
                _set_or_drop(self._mutes, subject, facts.mutes.get(subject))
            elif kind == "room":
                _set_or_drop(self._rooms, subject, facts.room_measures.get(subject))
                _set_or_drop(self.slow, subject, facts.slow.get(subject))
                self._large_or_replaced[subject] = _packed(facts.rooms.get(subject))

    @property
    def exceptions(self) -> int:
        """Of how many accounts, rooms, servers, globs and switches there is something to say."""
        things: list[Sized] = [self._accounts, self._rooms, self._mutes, self._globs, self._emergencies]
        return sum(map(len, [*things, self._large_or_replaced]))

    def account_measures(self, user_id: str, now_ms: int) -> tuple[Measure, ...]:
        """The live measures on an account, its person and its server, on globs that cover it, and on everybody."""
        own = self._accounts.get(user_id)
        globs = self._covering(SubjectKind.account_glob, user_id) if self._globs else ()
        if not (own or globs or self._emergencies):
            return ()
        return fold((*(own or ()), *globs, *self._emergencies), now_ms)

    def mute(self, user_id: str, room_id: str, now_ms: int) -> Mute | None:
        """What keeps an account from posting in a group: its own mute, else that of another account of the person."""
        held = [one for one in self._mutes.get(user_id, ()) if one.room_id == room_id and now_ms < one.until_ms]
        return max(held, key=lambda one: (one.account == user_id, one.until_ms), default=None)

    def room(self, room_id: str, now_ms: int) -> Room:
        """A room, taken for a group as long as nobody looked closer."""
        own = self._rooms.get(room_id)
        globs = self._covering(SubjectKind.room_glob, room_id) if self._globs else ()
        packed = self._large_or_replaced[room_id]
        if not (own or globs or packed):
            return Room(room_id=room_id)
        return Room(
            room_id=room_id,
            measures=fold((*(own or ()), *globs), now_ms),
            members=packed >> 1,
            replaced=bool(packed & 1),
        )

    def _forget_allowed(self, facts: Facts) -> None:
        """Forget whom and what the changes are about; everything where they are about more than accounts and rooms."""
        if facts.everything or (self._emergencies, self.staff) != (facts.emergencies, facts.staff):
            self._allowed.clear()
            return
        accounts = {subject for kind, subject in facts.subjects if kind == "account"}
        rooms = {subject for kind, subject in facts.subjects if kind == "room"}
        self._allowed = {pair for pair in self._allowed if pair[0] not in accounts and pair[1] not in rooms}

    def note_allowed(self, user_id: str, room_id: str | None) -> None:
        """Remember that every rule allows an account to post in a room, or (None) to log in.

        Not where time alone could change that: where memory holds a measure, a mute or a pace that is about them.
        """
        if user_id in self._accounts or user_id in self._mutes or room_id in self._rooms or room_id in self.slow:
            return
        if self._emergencies or (self._globs and self._covering(SubjectKind.account_glob, user_id)):
            return
        if self._globs and room_id is not None and self._covering(SubjectKind.room_glob, room_id):
            return
        if len(self._allowed) >= _MOST_ALLOWED:
            self._allowed.clear()
        self._allowed.add((user_id, room_id))

    def allows(self, user_id: str, room_id: str | None) -> bool:
        """Whether that is remembered: since then nothing changed for them, and the rules would say the same again."""
        return (user_id, room_id) in self._allowed

    def _covering(self, kind: SubjectKind, identifier: str) -> tuple[Measure, ...]:
        """The measures on the server of an account or a room, and on the globs of this kind that cover it."""
        servers = self._by_glob[SubjectKind.server].covering(server_of(identifier))
        return (*servers, *self._by_glob[kind].covering(identifier))


def _by_glob(measures: tuple[Measure, ...]) -> dict[SubjectKind, Globs]:
    return {
        kind: Globs(
            (one for one in measures if one.subject_kind is kind),
            names=server_names if kind is SubjectKind.server else lambda identifier: (identifier,),
        )
        for kind in GLOBS
    }


def _set_or_drop(into: dict[str, Value], key: str, value: Value | None) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def _mode(stored: str | None, configured: Mode) -> Mode:
    if stored == "dry":
        return "dry"
    return "enforce" if stored == "enforce" else configured


def touched_accounts(user_ids: Iterable[str]) -> set[tuple[str, str]]:
    """The subjects of a change to these accounts."""
    return {("account", user_id) for user_id in user_ids}
