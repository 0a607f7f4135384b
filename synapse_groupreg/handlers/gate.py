# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate: facts, verdict, place, record of a refusal. Everything that somebody tries comes through here.

What memory says is judged first, with the strictest guess about what it doesn't know; a warm, allowed send ends there,
without SQL. Only where a rule objects is there a closer look, and only a refusal is written down.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import attrs

from synapse_groupreg.handlers import places
from synapse_groupreg.handlers.roles import LEADING, role_of
from synapse_groupreg.handlers.slow import Posts
from synapse_groupreg.policy import judge
from synapse_groupreg.policy.notices import needs_notice
from synapse_groupreg.policy.types import (
    Account,
    Attempt,
    Found,
    Invite,
    Join,
    LogIn,
    Manage,
    Room,
    RoomKind,
    Send,
    Verdict,
    Violation,
)
from synapse_groupreg.storage import rooms, state
from synapse_groupreg.storage.refusals import Refusal
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.journal import RefusalJournal
    from synapse_groupreg.handlers.people import People
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.storage.database import Database, Transaction

P = ParamSpec("P")
Judging: TypeAlias = "Callable[Concatenate[Gate, str, P], Coroutine[Any, Any, Answer]]"
A = TypeVar("A", Send, Join, Invite, Found, Manage)


@frozen
class Answer:
    """What Synapse is told: go on, refuse for this reason, or refuse as Synapse itself would a moment later."""

    violation: Violation | None = None
    attempt: str = ""
    """The name of what was tried, for the wording."""
    not_welcome: bool = False
    unavailable: bool = False
    """Nothing can be recorded, and the configuration says that nothing happens then."""


GO_ON = Answer()
UNAVAILABLE = Answer(unavailable=True)
_MOST_ROOMS = 2_000
UNRECORDED_MS = 10_000
"""How long the recorder may have a problem until `on_error.retention: refuse` refuses: a restart takes less."""


def recorded(judging: Judging[P]) -> Judging[P]:
    """For what `on_error.retention` is about: the answer while nothing can be recorded.

    What accounts of other servers did has happened there already; it is recorded later.
    """

    @functools.wraps(judging)
    async def judged(gate: Gate, user_id: str, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return UNAVAILABLE if gate.stands_still(user_id) else await judging(gate, user_id, *args, **kwargs)

    return judged


class Gate:
    """Judges attempts for one process."""

    def __init__(
        self,
        *,
        config: GroupRegConfig,
        database: Database,
        homeserver: Homeserver,
        snapshot: Snapshot,
        people: People,
        journal: RefusalJournal,
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._snapshot = snapshot
        self._people = people
        self._journal = journal
        self._posts = Posts()
        self._never_direct: set[str] = set()
        """Rooms that were seen to be no direct chats."""

    @recorded
    async def send(
        self,
        user_id: str,
        room_id: str,
        *,
        retracts_own: Callable[[], Awaitable[bool]] | None = None,
        manages: bool = False,
        posts: bool = False,
    ) -> Answer:
        """Judge an event. `retracts_own` is asked only if something depends on it; `posts` if slow mode is about it."""
        now_ms, post = self._homeserver.now_ms(), (room_id, user_id)
        every_ms = self._snapshot.slow.get(room_id) if posts else None
        early = None if every_ms is None else self._posts.begin(post, every_ms, now_ms)
        mute = self._snapshot.mute(user_id, room_id, now_ms)
        attempt = Send(
            actor=self._people.account(user_id), room=self._room(room_id), manages=manages, mute=mute, early=early
        )
        if judge(attempt, self._config).allowed:
            if attempt.actor.local:  # it is asked for no others, and they are very many
                self._snapshot.note_allowed(user_id, room_id)
            return GO_ON
        if early is not None and await self._leads(user_id, room_id):
            self._posts.leads(post, now_ms)
            attempt = attrs.evolve(attempt, early=None)
        own = retracts_own is not None and await retracts_own()
        if mute is not None and mute.account != user_id and await self._leads(user_id, room_id):
            attempt = attrs.evolve(attempt, mute=None)  # nobody mutes the founder or a manager by another account
        answer = await self._conclude(await self._closer(attrs.evolve(attempt, retracts_own=own)))
        if every_ms is not None and early is None and answer is not GO_ON:
            self._posts.take_back(post)
        return answer

    @recorded
    async def open_up(self, user_id: str, room_id: str) -> Answer:
        """Judge an act that lets others find or enter a room: alias, directory, join rule."""
        answer = await self.manage(user_id, room_id)
        if answer is not GO_ON:
            return answer
        attempt = Manage(actor=self._people.account(user_id), room=self._room(room_id))
        return await self._reshape(attempt, room_id, "groupreg_open", places.open_up)

    @recorded
    async def entomb(self, user_id: str, room_id: str) -> Answer:
        """Judge a tombstone written by hand: whoever could overwrite that of an upgrade would keep both rooms."""
        now_ms = self._homeserver.now_ms()
        replaced = await self._database.run("groupreg_tombstone", places.is_replaced, room_id, now_ms)
        room = attrs.evolve(self._room(room_id), replaced=replaced)
        return await self._weigh(Send(actor=self._people.account(user_id), room=room, manages=True))

    @recorded
    async def join(self, user_id: str, room_id: str, *, invited: bool) -> Answer:
        """Judge a join and take its places."""
        attempt = Join(actor=self._people.account(user_id), room=self._room(room_id))
        if not judge(attempt, self._config).allowed:
            attempt = await self._closer(attempt)
            if self._refuses(attempt):  # without counting anything
                member = await self._database.run("groupreg_stay", places.stay, self._taker(), attempt)
                return GO_ON if member else await self._conclude(attempt)
        if attempt.actor.exempt:
            return await self._conclude(attempt)
        outcome = await self._database.run("groupreg_join", places.join, self._taker(), attempt, invited=invited)
        return await self._settle(attempt, outcome)

    @recorded
    async def knock(self, user_id: str, room_id: str) -> Answer:
        """Judge the wish to join; it takes no place."""
        return await self._weigh(Join(actor=self._people.account(user_id), room=self._room(room_id)))

    @recorded
    async def invite(self, user_id: str, room_id: str, invitee: str | None) -> Answer:
        """Judge an invite; the invitee is None where only an e-mail address or telephone number is known."""
        actor = self._people.account(user_id)
        guest = self._people.account(invitee) if invitee is not None else Account(user_id="", local=False)
        attempt = Invite(actor=actor, room=self._room(room_id), invitee=guest)
        answer = await self._weigh(attempt)
        if answer is not GO_ON:
            return answer
        return await self._reshape(attempt, room_id, "groupreg_invite", places.invite, guest.user_id)

    @recorded
    async def found(
        self, user_id: str, *, kind: RoomKind, invitees: Sequence[str], invites: int, holder: str
    ) -> Answer:
        """Judge the founding of a room and take its places. `holder` names the room before it has an id."""
        guests = tuple(self._people.account(one) for one in invitees)
        sitting = (user_id, *invitees) if kind is RoomKind.direct else ()
        with_staff = any([await self._people.is_staff(one) for one in sitting])
        actor = await self._people.closer(self._people.account(user_id))
        attempt = Found(actor=actor, kind=kind, invitees=guests, with_staff=with_staff)
        if kind is not RoomKind.group or actor.exempt or self._refuses(attempt):
            return await self._conclude(attempt)
        outcome = await self._database.run(
            "groupreg_found", places.found, self._taker(), attempt, holder=holder, invites=invites
        )
        return await self._settle(attempt, outcome)

    @recorded
    async def upgrade(self, user_id: str, old_room: str, *, further_creators: bool) -> Answer:
        """Judge the upgrade of a room."""
        actor = await self._people.closer(self._people.account(user_id))
        attempt = Found(actor=actor, replaces=self._room(old_room), further_creators=further_creators)
        outcome = await self._database.run("groupreg_upgrade", places.upgrade, self._taker(), attempt, old_room)
        return await self._settle(attempt, outcome)

    @recorded
    async def manage(self, user_id: str, room_id: str | None, *, about_oneself: bool = False) -> Answer:
        """Judge a kick, ban, alias, upload, profile change or the like."""
        room = self._room(room_id) if room_id is not None else None
        return await self._weigh(Manage(actor=self._people.account(user_id), room=room, about_oneself=about_oneself))

    async def log_in(self, user_id: str) -> Answer:
        """Judge a login, a registration under this name, or the use of a token."""
        attempt = LogIn(actor=self._people.account(user_id))
        if judge(attempt, self._config).allowed:
            self._snapshot.note_allowed(user_id, None)
            return GO_ON
        return await self._conclude(attempt)

    def surely_sends(self, user_id: str, room_id: str) -> bool:
        """Whether `send` would let a message through that changes nothing in the room, as it did a moment ago."""
        return self._snapshot.allows(user_id, room_id) and not self.stands_still(user_id)

    def surely_logs_in(self, user_id: str) -> bool:
        """Whether `log_in` would let an account in, as it did a moment ago."""
        return self._snapshot.allows(user_id, None)

    async def is_group(self, room_id: str) -> bool:
        """Whether a room is a group."""
        kind, _ = await self._database.run("groupreg_room", _look_at, room_id)
        return kind is RoomKind.group

    def enforces(self, code: str) -> bool:
        """Whether what this code stands for is refused now, and not only counted."""
        return self._snapshot.mode == "enforce" and code not in self._config.dry_run

    def stands_still(self, user_id: str) -> bool:
        """Whether an account of this server may do nothing now, because nothing can be recorded; from memory."""
        since_ms = self._snapshot.unrecorded_since_ms
        if since_ms is None or self._config.on_error.retention == "allow" or self._snapshot.mode == "dry":
            return False
        return self._homeserver.now_ms() - since_ms > UNRECORDED_MS and self._homeserver.is_mine(user_id)

    async def _leads(self, user_id: str, room_id: str) -> bool:
        role = await self._database.run("groupreg_role", role_of, room_id, user_id, self._config)
        return role in LEADING

    def _room(self, room_id: str) -> Room:
        return self._snapshot.room(room_id, self._homeserver.now_ms())

    def _taker(self) -> places.Taker:
        return places.Taker(
            config=self._config,
            dialect=self._database.dialect,
            mode=self._snapshot.mode,
            now_ms=self._homeserver.now_ms(),
            account=self._people.account,
        )

    async def _weigh(self, attempt: A) -> Answer:
        if judge(attempt, self._config).allowed:
            return GO_ON
        return await self._conclude(await self._closer(attempt))

    async def _closer(self, attempt: A) -> A:
        """The attempt with what memory doesn't hold: server admins, kinds of rooms, who sits in a direct chat."""
        attempt = attrs.evolve(attempt, actor=await self._people.closer(attempt.actor))
        room = None if isinstance(attempt, Found) else attempt.room
        if room is None:
            return attempt
        kind, people = await self._database.run("groupreg_room", _look_at, room.room_id)
        with_staff = kind is RoomKind.direct and any([await self._people.is_staff(one) for one in people])
        return attrs.evolve(attempt, room=attrs.evolve(room, kind=kind, with_staff=with_staff))

    async def _reshape(
        self, attempt: Attempt, room_id: str, name: str, work: Callable[..., places.Outcome], *args: str
    ) -> Answer:
        """Judge what only a direct chat could outgrow. Any other room is looked at once, for it never becomes one."""
        if room_id in self._never_direct:
            return GO_ON
        outcome = await self._database.run(name, work, self._taker(), room_id, *args)
        if outcome.never_direct:
            if len(self._never_direct) >= _MOST_ROOMS:
                self._never_direct.clear()
            self._never_direct.add(room_id)
        return await self._settle(attempt, outcome)

    async def _settle(self, attempt: Attempt, outcome: places.Outcome) -> Answer:
        if outcome.published:
            await self._homeserver.poke()
        if outcome.not_welcome:
            return Answer(not_welcome=True) if self._snapshot.mode == "enforce" else GO_ON
        return GO_ON if outcome.verdict.allowed else await self._answer(attempt, outcome.verdict)

    def _refuses(self, attempt: Attempt) -> bool:
        return bool(judge(attempt, self._config).refusing(self._snapshot.mode, self._config.dry_run))

    async def _conclude(self, attempt: Attempt) -> Answer:
        return await self._answer(attempt, judge(attempt, self._config))

    async def _answer(self, attempt: Attempt, verdict: Verdict) -> Answer:
        if verdict.allowed:
            return GO_ON
        refusing = verdict.refusing(self._snapshot.mode, self._config.dry_run)
        now_ms = self._homeserver.now_ms()
        room = None if isinstance(attempt, LogIn | Found) else attempt.room
        await self._journal.record(
            [
                Refusal(
                    ts_ms=now_ms,
                    account=attempt.actor.user_id,
                    code=violation.code,
                    attempt=attempt.name,
                    room_id=None if room is None else room.room_id or None,
                    dry=violation not in refusing,
                    notify=violation in refusing[:1] and needs_notice(attempt, violation),
                    facts=violation.facts(),
                )
                for violation in verdict.violations
            ]
        )
        return Answer(refusing[0], attempt.name) if refusing else GO_ON


def _look_at(txn: Transaction, room_id: str) -> tuple[RoomKind, list[str]]:
    row = rooms.ensure(txn, room_id)
    if row is None:
        return RoomKind.group, []
    return row.kind, state.people(txn, room_id) if row.kind is RoomKind.direct else []
