# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells people in a direct room what their client doesn't: why something was refused, and the answers to commands.

Runs on the background process, after the refusal was committed: it can neither delay one nor make one fail.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, get_args

from prometheus_client import Counter, Gauge

from synapse_groupreg import texts
from synapse_groupreg.handlers.measures import News
from synapse_groupreg.policy.notices import MOST_TRIES, wait_ms
from synapse_groupreg.storage import notices, people, state

if TYPE_CHECKING:
    from synapse_groupreg.config import NoticesConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.wording import Words
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.notices import Notice

logger = logging.getLogger(__name__)

ENDED = Counter("synapse_groupreg_notices", "Notices that ended, by how", ["server_name", "outcome"])
WAITING = Gauge("synapse_groupreg_notices_waiting", "Notices that wait to be sent", ["server_name"])
_AT_ONCE = 5


class Notices:
    """The sender."""

    def __init__(
        self, config: NoticesConfig, database: Database, homeserver: Homeserver, words: Words, *, account: str
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._words = words
        self._account = account
        self._ready = False
        self._busy = False

    async def deliver(self) -> None:
        """Send what is due, a few at a time."""
        if self._busy:
            return
        self._busy = True
        try:
            for _ in range(_AT_ONCE):
                if not await self._deliver_one():
                    break
        finally:
            self._busy = False

    async def tidy(self) -> None:
        """Forget what ended long ago, and count what waits."""
        now_ms = self._homeserver.now_ms()
        counted = await self._database.run("groupreg_notices", notices.forget, now_ms, self._config.every)
        waiting = counted.get("waiting", 0) + counted.get("sending", 0)
        WAITING.labels(server_name=self._homeserver.server_name).set(waiting)

    async def _deliver_one(self) -> bool:
        now_ms = self._homeserver.now_ms()
        notice = await self._database.run("groupreg_notices", notices.claim, now_ms, self._config.budget_per_minute)
        if notice is None:
            return False
        try:
            outcome = await self._tell(notice)
        except Exception:
            reference = secrets.token_hex(4)
            logger.exception("A notice could not be sent, reference %s; it will be tried again", reference)
            await self._failed(notice, reference)
        else:
            ENDED.labels(server_name=self._homeserver.server_name, outcome=outcome).inc()
        return True

    async def _tell(self, notice: Notice) -> str:
        """Send one notice; how it ended."""
        if not await self._database.run("groupreg_notices", people.can_read, notice.account):
            await self._database.run("groupreg_notices", notices.give_up, notice.id, "dropped", "account deactivated")
            return "dropped"
        room_id = await self._room(notice.account)
        # A process that died between saying and noting it left the message behind: it must not be said twice.
        resumed = notice.state == "sending" or notice.tries > 0
        if not (
            resumed and await self._database.run("groupreg_notices", notices.said, room_id, self._account, notice.id)
        ):
            await self._homeserver.say(self._account, room_id, await self._text(notice), {notices.KEY: notice.id})
        await self._database.run("groupreg_notices", notices.finish, notice.id, self._homeserver.now_ms())
        return "sent"

    async def _failed(self, notice: Notice, reference: str) -> None:
        problem = f"see the log, reference {reference}"
        if notice.tries + 1 >= MOST_TRIES:
            await self._database.run("groupreg_notices", notices.give_up, notice.id, "failed", problem)
            ENDED.labels(server_name=self._homeserver.server_name, outcome="failed").inc()
            return
        next_ms = self._homeserver.now_ms() + wait_ms(notice.tries)
        await self._database.run("groupreg_notices", notices.put_back, notice.id, next_ms=next_ms, problem=problem)

    async def _room(self, account: str) -> str:
        """The direct room: made the first time; who left it is invited again, not dragged back in."""
        if not self._ready:
            name = texts.text("notice.sender", self._words.default, server=self._homeserver.server_name)
            await self._homeserver.ensure_account(self._account, name)
            self._ready = True
        room_id = await self._database.run("groupreg_notices", notices.room_of, account)
        membership = None
        if room_id is not None:
            membership = await self._database.run("groupreg_notices", state.membership, room_id, account)
        if room_id is None or membership == "ban":
            room_id = await self._homeserver.found_direct_room(self._account, account)
            await self._database.run("groupreg_notices", notices.set_room, account, room_id)
            await self._homeserver.bring_in(self._account, account, room_id)
        elif membership not in ("join", "invite"):
            await self._homeserver.invite(self._account, account, room_id)
        return room_id

    async def _text(self, notice: Notice) -> str:
        if notice.code == notices.ANSWER:
            return str(notice.facts["text"])
        language = await self._words.language(notice.account)
        if notice.code == notices.APPEAL:
            return self._words.decision(language, **notice.facts)
        room = await self._database.run("groupreg_notices", _name_for, notice.room_id, notice.account)
        if notice.attempt in get_args(News):
            return self._words.news(notice.attempt, notice.code, language, room=room, **notice.facts)
        if notice.code == notices.HANDOVER:
            return self._words.handover(notice.attempt, language, room=room, **notice.facts)
        why = self._words.word(notice.code, language, attempt=notice.attempt, **notice.facts).error
        key = f"notice.{notice.attempt}.{'somewhere' if room is None else 'in-room'}"
        return f"{texts.text(key, language, room=room)}\n\n{why}"


def _name_for(txn: Transaction, room_id: str, account: str) -> str | None:
    """The name of a room, for who is in it: others are not told what a private room is called."""
    if not room_id or state.membership(txn, room_id, account) != "join":
        return None
    return state.name(txn, room_id)
