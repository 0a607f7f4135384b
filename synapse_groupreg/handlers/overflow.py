# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Removes who comes in through another server while a group is full (article 8.1).

Nobody can keep a server that is in a room from letting in more of its people. What this server lets in stays exact;
those who come in elsewhere beyond the cap are removed within seconds, the newest first: the best that can be done.
Whoever was a member before, or was let in here, stays; so does who came in while nobody looked: while this process was
down, or in a dry run.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING

from synapse_groupreg.handlers import metrics
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.handlers.writers import remover
from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS, RoomFull
from synapse_groupreg.storage import acts, arrivals, quotas, rooms, state
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.handlers.wording import Words
    from synapse_groupreg.storage.database import Database, Transaction

logger = logging.getLogger(__name__)

LATE_MS = 10_000
"""How long a change of state is looked at again: another writer may commit one that stands before it."""


@frozen(kw_only=True)
class Surplus:
    """Who is too many in a group."""

    room_id: str
    by: str
    """In whose name they are removed."""
    people: list[str]
    members: int
    cap: int


class Overflow:
    """Runs on one process, in open federation. A dry run removes nobody."""

    def __init__(
        self, config: GroupRegConfig, database: Database, homeserver: Homeserver, snapshot: Snapshot, words: Words
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._snapshot = snapshot
        self._words = words
        self._seen: deque[tuple[int, int]] = deque()
        """When the stream of state changes was where; the first is where to look from."""

    async def work(self) -> None:
        """Look who came in, and remove those who are too many."""
        enforced = self._snapshot.mode == "enforce" and RoomFull.code not in self._config.dry_run
        if self._config.federation != "open" or not enforced:
            self._seen.clear()
            return
        now_ms = self._homeserver.now_ms()
        # Of who came in longer ago, nothing tells any more whether they were let in here.
        while self._seen and self._seen[0][0] <= now_ms - LOCAL_RESERVATION_MS:
            self._seen.popleft()
        last, found = await self._database.run("groupreg_overflow", self._look, now_ms)
        self._seen.append((now_ms, last))
        while len(self._seen) > 1 and self._seen[1][0] <= now_ms - LATE_MS:
            self._seen.popleft()
        for surplus in found:
            await self._remove(surplus)

    def _look(self, txn: Transaction, now_ms: int) -> tuple[int, list[Surplus]]:
        last = arrivals.position(txn)
        if not self._seen or self._seen[0][1] == last:
            return last, []
        return last, too_many(txn, self._config, self._homeserver.server_name, self._seen[0][1], now_ms)

    async def _remove(self, surplus: Surplus) -> None:
        wording = self._words.word(
            RoomFull.code, self._words.default, attempt="join", used=surplus.members, limit=surplus.cap
        )
        for user_id in surplus.people:
            try:
                await self._homeserver.remove(user_id, surplus.room_id, by=surplus.by, reason=wording.error)
            except Exception:
                reference = secrets.token_hex(4)
                logger.exception("A member above the cap of a group could not be removed, reference %s", reference)
                metrics.OVERFLOW.labels(self._homeserver.server_name, "failed").inc()
                continue
            metrics.OVERFLOW.labels(self._homeserver.server_name, "removed").inc()
            await self._database.run("groupreg_overflow", _note, surplus, user_id, self._homeserver.now_ms())


def too_many(txn: Transaction, config: GroupRegConfig, server_name: str, after: int, now_ms: int) -> list[Surplus]:
    """Of the groups founded here, those above their cap into which people came from elsewhere after a position."""
    found = []
    for room_id, people in arrivals.since(txn, after).items():
        row, subject = rooms.get(txn, room_id), quotas.room_subject(room_id)
        if row is None or row.successor is not None or server_of(row.founder) != server_name:
            continue
        cap = quotas.limit(txn, subject, quotas.MEMBERS, config.quotas.members_per_room)
        members = state.members(txn, room_id)
        let_in = quotas.promised(txn, subject, quotas.MEMBERS, now_ms)
        newest = [one for one in reversed(people) if server_of(one) != server_name and one not in let_in]
        surplus = newest[: max(members - cap, 0)]
        by = remover(txn, row, server_name) if surplus else None
        if by is not None:
            found.append(Surplus(room_id=room_id, by=by, people=surplus, members=members, cap=cap))
    return found


def _note(txn: Transaction, surplus: Surplus, user_id: str, now_ms: int) -> None:
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="remove",
        subject=user_id,
        reason=RoomFull.code,
        before={"room": surplus.room_id, "members": surplus.members},
        after={"cap": surplus.cap},
    )
