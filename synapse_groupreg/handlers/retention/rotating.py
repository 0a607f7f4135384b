# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""New keys for the retention store: what wraps its data keys and, if asked for, what signs its checkpoints.

No record is touched: the tree commits to plaintext, and only the wrapping of the data keys changes. Each step looks
first whether it was done, so a crash between two of them leaves both keys in the file until all is wrapped anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synapse_groupreg.handlers.retention.keys import LogKeys
from synapse_groupreg.retention.records import LogName, b64
from synapse_groupreg.storage import keeping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.storage.database import Database
    from synapse_groupreg.storage.keeping import Work


class KeyFiles(LogKeys, Protocol):
    """Keys that can be renewed. All of it blocks."""

    def add_wrapping_key(self) -> None:
        """From now on a new key wraps; the old ones still unwrap."""

    def drop_old_wrapping_keys(self) -> None:
        """Once everything is wrapped by the newest."""

    def renew_signing_key(self) -> None:
        """From now on a new key signs; the old one is destroyed."""


class Rotating:
    """Renews keys."""

    def __init__(self, database: Database, homeserver: Homeserver, keys: KeyFiles) -> None:
        self._database = database
        self._homeserver = homeserver
        self._keys = keys

    async def step(self, logs: Mapping[LogName, Log], work: Work) -> bool:
        """Do all that can be done now; whether a checkpoint is to be signed. Raises what the logs raise."""
        thread, keys = self._homeserver.in_thread, self._keys
        done = dict(work.payload)
        if "wrapping" not in done:
            await thread(keys.add_wrapping_key)
            done["wrapping"] = keys.ring.keys[0].id
            await self._note(work, done)
        for log in logs.values():
            await thread(log.rewrap)
        if len(keys.ring.keys) > 1:
            await thread(keys.drop_old_wrapping_keys)
        if not done["signing"]:
            await self._finish(work)
            return False
        return await self._renew_signing_key(logs, work, done)

    async def _renew_signing_key(self, logs: Mapping[LogName, Log], work: Work, done: dict[str, object]) -> bool:
        thread, keys = self._homeserver.in_thread, self._keys
        if "old" not in done:
            await thread(_sign_all, logs)  # the last word of the old key
            done["old"] = b64(keys.public)
            await self._note(work, done)
        if b64(keys.public) == done["old"]:
            await thread(keys.renew_signing_key)
        for log in logs.values():
            await thread(log.note_key, self._homeserver.now_ms())
        if any(log.signed_size != log.head.size for log in logs.values()):
            return True
        await self._finish(work)
        return False

    async def _note(self, work: Work, done: dict[str, object]) -> None:
        await self._database.run("groupreg_rotate", keeping.advance, work.id, done)

    async def _finish(self, work: Work) -> None:
        await self._database.run("groupreg_rotate", keeping.done, work.id)


def _sign_all(logs: Mapping[LogName, Log]) -> None:
    for log in logs.values():
        log.checkpoint()
