# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups whose page everybody sees carry it as a widget, as long as the operator wants that (article 8.3).

Those founded meanwhile have it from the first moment on; the others get it here, a few a second, and lose it here when
the option is switched off or their page isn't for everybody any more. A widget that a member removed stays removed.
Nothing is remembered: the rounds through all groups find what is wrong.
"""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from synapse_groupreg import texts
from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.handlers.writers import writer
from synapse_groupreg.policy.widgets import PAGE_PATH, WIDGET, WIDGETS, widget
from synapse_groupreg.storage import numbers, rooms, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.numbers import Candidate

logger = logging.getLogger(__name__)

A_SECOND = 5
_MOST = 1_000


class Widgets:
    """Runs on one process."""

    def __init__(self, config: GroupRegConfig, database: Database, homeserver: Homeserver) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._wrong: dict[str, tuple[Candidate, bool]] = {}
        """Groups that are to get one, or to lose it."""

    def note(self, found: Iterable[Candidate], entered: Mapping[str, bool]) -> None:
        """Remember for a while which of these groups lack one, and which are to lose theirs.

        `entered` says of groups whether anybody may enter or find them; those that are being made are not in it.
        """
        options = self._config.groups
        for one in found:
            if one.number is None or one.room_id not in entered:
                continue
            wanted = options.widgets and (entered[one.room_id] or options.pages == "everybody")
            wrong = one.widget is None if wanted else bool(one.widget)
            if wrong:
                if len(self._wrong) < _MOST:
                    self._wrong[one.room_id] = (one, wanted)
            else:
                self._wrong.pop(one.room_id, None)

    async def write(self) -> None:
        """Put some of this right."""
        for room_id in list(itertools.islice(self._wrong, A_SECOND)):
            one, wanted = self._wrong.pop(room_id)
            try:
                await self._put_right(one, wanted=wanted)
            except Exception:
                logger.exception("The widget of %s could not be changed; it is tried again in a minute", room_id)

    async def _put_right(self, one: Candidate, *, wanted: bool) -> None:
        url = f"{self._homeserver.public_baseurl}{PAGE_PATH}{one.number}"
        mine = self._homeserver.server_name
        sender = await self._database.run("groupreg_widget", _look, one.room_id, url, mine, wanted=wanted)
        if sender is None:
            return
        name = texts.text("group.widget", self._config.texts.default_language)
        written: bool | None = wanted or None
        try:
            await self._homeserver.write_state(
                one.room_id,
                sender=sender,
                event_type=WIDGETS,
                state_key=WIDGET,
                content=widget(url, name) if wanted else {},
                judged=False,
            )
        except NotPermitted:
            logger.info("Synapse refused to change the widget of %s", one.room_id)
            written = False
        await self._database.run("groupreg_widget", numbers.set_widget, one.room_id, there=written)


def _look(txn: Transaction, room_id: str, url: str, server_name: str, *, wanted: bool) -> str | None:
    """In whose name the widget is to be changed; None if there is nothing to change, which is noted then."""
    said = state.content(txn, room_id, WIDGETS, WIDGET)
    if ((said or {}).get("url") == url) == wanted:
        numbers.set_widget(txn, room_id, there=wanted or None)
        return None
    row = rooms.get(txn, room_id)
    sender = None if row is None else writer(txn, row, [WIDGETS], server_name)
    if sender is None:
        numbers.set_widget(txn, room_id, there=False)
    return sender
