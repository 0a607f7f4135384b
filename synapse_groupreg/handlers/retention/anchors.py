# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Publishes checkpoints where the operator can't take them back: a room, a file on another host (article 13.2)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_groupreg.handlers.retention.published import anchor_in_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.config.retention import AnchorConfig
    from synapse_groupreg.handlers import Homeserver

logger = logging.getLogger(__name__)


class Anchors:
    """All places that the configuration names."""

    def __init__(self, anchors: Sequence[AnchorConfig], homeserver: Homeserver, account: str | None) -> None:
        self._anchors = anchors
        self._homeserver = homeserver
        self._account = account
        self._entered: set[str] = set()

    async def publish(self, note: str) -> None:
        """Publish a checkpoint everywhere. Where it fails is logged; the next checkpoint says all that this one did."""
        for anchor in self._anchors:
            try:
                if anchor.file is not None:
                    await self._homeserver.in_thread(anchor_in_file, Path(anchor.file), note)
                if anchor.room is not None:
                    await self._send(anchor.room, note)
            except Exception:
                logger.exception("A checkpoint could not be published in %s", anchor.file or anchor.room)

    async def _send(self, room_id: str, note: str) -> None:
        if self._account is None:
            logger.error("A checkpoint could not be published in %s: notices.enabled is false, so nobody can", room_id)
            return
        if room_id not in self._entered:
            await self._homeserver.enter(self._account, room_id)
            self._entered.add(room_id)
        await self._homeserver.say(self._account, room_id, note, {"org.groupreg.checkpoint": True})
