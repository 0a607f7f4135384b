# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Journals what server admins do by Synapse's own admin API, as far as a module is shown it (article 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.storage import acts

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction

DELETE_ROOM, DEACTIVATE, REACTIVATE = "delete-room", "deactivate", "reactivate"
_ASKED_AGAIN_MS = 3_600_000
"""How long a question about the same room is about the same deletion: Synapse asks again as it begins."""


class AdminActs:
    """Writes them down, as acts of whoever asked for them."""

    def __init__(self, database: Database, homeserver: Homeserver) -> None:
        self._database = database
        self._homeserver = homeserver

    async def deletes_room(self, by: str | None, room_id: str) -> None:
        """A room is being deleted, with or without what is in it."""
        await self._database.run(
            "groupreg_admin_act", _delete_room, author=by or SERVER, room_id=room_id, now_ms=self._homeserver.now_ms()
        )

    async def changes_account(self, by: str | None, user_id: str, *, deactivated: bool) -> None:
        """An account was closed, by itself or by an admin, or opened again."""
        await self._database.run(
            "groupreg_admin_act",
            _note,
            author=by or SERVER,
            action=DEACTIVATE if deactivated else REACTIVATE,
            subject=user_id,
            now_ms=self._homeserver.now_ms(),
        )


def _delete_room(txn: Transaction, *, author: str, room_id: str, now_ms: int) -> None:
    known, _ = acts.page(txn, {"author": author, "subject": room_id, "action": DELETE_ROOM}, 0, 1)
    if not known or known[0].ts_ms < now_ms - _ASKED_AGAIN_MS:
        _note(txn, author=author, action=DELETE_ROOM, subject=room_id, now_ms=now_ms)


def _note(txn: Transaction, *, author: str, action: str, subject: str, now_ms: int) -> None:
    acts.append(txn, now_ms=now_ms, author=author, action=action, subject=subject, reason=None, before=None, after=None)
