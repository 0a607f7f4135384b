# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every group gets a number, once, and a public one is found by it (article 8.2).

A founding keeps one before anything of the room is written, and goes on without one where that fails. The background
process binds it to the room, numbers groups from before, and sees that the alias leads to the right room, or to none,
and that the state of the group has the number (`inscribing`), and its page (`widgets`).
Whatever is cut short is found unfinished by the next round: what is missing is looked for, not remembered.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.handlers.inscribing import Inscribing
from synapse_groupreg.handlers.widgets import Widgets
from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.measures import MeasureKind, SubjectKind
from synapse_groupreg.policy.numbers import SPACE, alias, number
from synapse_groupreg.storage import measures, numbers, quotas, rooms, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.numbers import Candidate

logger = logging.getLogger(__name__)

_CLOSING = (MeasureKind.blacklisted, MeasureKind.closed)
_TRIES = 20
_A_STEP = 200
_STEPS_AT_ONCE = 10
_LOOK_AGAIN_MS = 3_600_000
"""How often is looked whether somebody can write a number into the state of a group now."""
_UNUSED_MS = 3_600_000
"""How long a number waits for the room of a founding: no founding takes as long."""


def draw() -> str:
    """A number that may be anybody's."""
    return number(secrets.randbelow(SPACE))


class Founders:
    """Keeps numbers for rooms that are about to be founded, in each process."""

    def __init__(self, database: Database, homeserver: Homeserver, draws: Callable[[], str] = draw) -> None:
        self._database = database
        self._homeserver = homeserver
        self._draw = draws

    async def reserve(self, founding_id: str, founder: str, *, inscribed: bool) -> str | None:
        """A number for a group; None where that failed, for no founding may fail because of it.

        `inscribed`: whether its create event will name the number.
        """
        try:
            return await self._database.run(
                "groupreg_number",
                _reserve,
                self._draw,
                founding_id,
                founder,
                self._homeserver.now_ms(),
                inscribed=inscribed,
            )
        except Exception:
            logger.exception("A group is founded without a number; it gets one later")
            return None


class Numbering:
    """What the background process does about numbers."""

    def __init__(
        self,
        config: GroupRegConfig,
        database: Database,
        homeserver: Homeserver,
        snapshot: Snapshot,
        draws: Callable[[], str] = draw,
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._snapshot = snapshot
        self._draw = draws
        self._after: str | None = ""
        """How far the round through all groups is; None between two."""
        self._seen: int | None = None
        """How far the stream of changed states was read."""
        self._busy = False
        self._inscribing = Inscribing(database, homeserver)
        self._widgets = Widgets(config, database, homeserver)
        self._look_again_ms = 0

    async def every_second(self) -> None:
        """New groups and changed ones at once; of all others as many as one second allows."""
        if self._busy:
            return
        self._busy = True
        try:
            now_ms = self._homeserver.now_ms()
            some = self._inscribing.some
            self._seen, found, next_ones = await self._database.run(
                "groupreg_numbers", _news, self._seen, now_ms, uninscribed=some
            )
            await self._align(found)
            if self._snapshot.mode == "enforce":
                await self._inscribing.write(next_ones)
            for _ in range(_STEPS_AT_ONCE):
                if self._after is None:
                    break
                await self._step(self._after)
            if self._snapshot.mode == "enforce":
                await self._widgets.write()
        finally:
            self._busy = False

    async def every_minute(self) -> None:
        """Begin the next round, and forget numbers that nobody came to carry."""
        self._after = "" if self._after is None else self._after
        now_ms = self._homeserver.now_ms()
        await self._database.run("groupreg_numbers", numbers.forget_unused, now_ms - _UNUSED_MS)
        if now_ms >= self._look_again_ms:
            await self._database.run("groupreg_numbers", numbers.look_again)
            self._look_again_ms = now_ms + _LOOK_AGAIN_MS

    async def _step(self, after: str) -> None:
        drawn = [self._draw() for _ in range(_A_STEP * 2)]
        found, last = await self._database.run(
            "groupreg_numbers", give_missing, after, drawn, self._homeserver.server_name, self._homeserver.now_ms()
        )
        await self._align(found)
        self._after = last

    async def _align(self, found: Sequence[Candidate]) -> None:
        """Let the aliases of these groups lead where they should. A dry run changes no alias and no widget."""
        if not found or self._snapshot.mode != "enforce":
            return
        now_ms = self._homeserver.now_ms()
        wrong, entered = await self._database.run(
            "groupreg_aliases",
            wrong_aliases,
            found,
            self._homeserver.server_name,
            now_ms,
            wanted=self._config.groups.aliases,
        )
        self._widgets.note(found, entered)
        for name, room_id in wrong.items():
            try:
                await self._homeserver.point_alias(name, room_id)
            except Exception:
                logger.exception("The alias %s could not be changed; it is tried again in a minute", name)


def give_missing(
    txn: Transaction, after: str, drawn: Sequence[str], server_name: str, now_ms: int
) -> tuple[list[Candidate], str | None]:
    """Number those of the next groups that were founded here and have no number.

    The groups, with their numbers, and the last one's id; None once there are no more.
    """
    found = numbers.candidates(txn, after, _A_STEP)
    draws = iter(drawn)
    for one in found:
        if one.number is None and server_of(one.founder) == server_name and not _succeeds_soon(txn, one, now_ms):
            while not numbers.give(txn, next(draws), one.room_id, now_ms):
                pass
    last = found[-1].room_id if len(found) == _A_STEP else None
    return numbers.those(txn, [one.room_id for one in found]), last


def wrong_aliases(
    txn: Transaction, found: Iterable[Candidate], server_name: str, now_ms: int, *, wanted: bool
) -> tuple[dict[str, str | None], dict[str, bool]]:
    """The aliases of groups that don't lead where they should, with where that is; None: nowhere.

    Only a group that anybody may enter or find has one, for an alias is looked up without a login. Which groups these
    are is told too, of all but those that are being made.
    """
    numbered = {one.room_id: alias(one.number, server_name) for one in found if one.number is not None}
    access = state.access(txn, numbered)
    here = state.creates(txn, numbered)
    barred = _closed(txn, numbered, now_ms)
    leads = state.aliases(txn, numbered.values())
    wrong: dict[str, str | None] = {}
    entered: dict[str, bool] = {}
    for room_id, name in numbered.items():
        if room_id in here and room_id not in access:
            continue  # it is being made
        entered[room_id] = access.get(room_id, False)
        should = room_id if wanted and access.get(room_id) and room_id not in barred else None
        if leads.get(name) != should:
            wrong[name] = should
    return wrong, entered


def _closed(txn: Transaction, room_ids: Iterable[str], now_ms: int) -> set[str]:
    """Those of the rooms that nobody can enter because of a measure."""
    found = measures.of_subjects(txn, SubjectKind.room, room_ids, now_ms)
    return {one.subject for one in found if one.kind in _CLOSING and one.live(now_ms)}


def _reserve(
    txn: Transaction, draw: Callable[[], str], founding_id: str, founder: str, now_ms: int, *, inscribed: bool
) -> str | None:
    for drawn in (draw() for _ in range(_TRIES)):
        if numbers.reserve(txn, drawn, founding_id, founder, now_ms, inscribed=inscribed):
            return drawn
    return None


def _news(
    txn: Transaction, seen: int | None, now_ms: int, *, uninscribed: Callable[[Transaction, int], list[Candidate]]
) -> tuple[int, list[Candidate], list[Candidate]]:
    last, changed = state.join_rule_changes(txn, seen)
    born = numbers.unborn(txn)
    for room_id in born:
        rooms.ensure(txn, room_id)
    some = uninscribed(txn, now_ms)  # among them is whoever took a number over
    return last, numbers.those(txn, changed.union(born, (one.room_id for one in some))), some


def _succeeds_soon(txn: Transaction, one: Candidate, now_ms: int) -> bool:
    """Whether a group is about to take over the number of the one that it replaces."""
    made = state.create(txn, one.room_id)
    before = None if made is None else made.predecessor
    return before is not None and bool(quotas.promised(txn, quotas.room_subject(before), quotas.SUCCESSOR, now_ms))
