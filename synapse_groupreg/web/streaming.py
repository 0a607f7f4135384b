# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers that are longer than memory: made in a thread, piece by piece, as fast as the client takes them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.exports import Download

logger = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"


async def send(request: Any, download: Download, homeserver: Homeserver) -> None:
    """Answer with a download. What goes wrong before the first piece is raised, and can be told by a status.

    After that the connection is dropped, so that nobody takes a part for the whole.
    """
    chunks = download.chunks
    chunk = await homeserver.in_thread(next, chunks, None)
    tap = _Tap(request)
    request.setResponseCode(200)
    for name, value in {
        "Content-Type": NDJSON,
        "Content-Disposition": f'attachment; filename="{download.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }.items():
        request.setHeader(name, value)
    try:
        while chunk is not None and await tap.is_open(homeserver):
            request.write(chunk)
            chunk = await homeserver.in_thread(next, chunks, None)
    except Exception:
        logger.exception("A download stopped in the middle")
        tap.drop()
    else:
        tap.finish()
    finally:
        await homeserver.in_thread(_close, chunks)


def _close(chunks: Any) -> None:
    chunks.close()


class _Tap:
    """Opened and closed by the transport, as its buffer empties and fills."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._gone = False
        self._paused: Deferred[None] | None = None
        request.notifyFinish().addErrback(lambda _: self.stopProducing())
        if request.channel is None:
            self._gone = True  # the client left before the first piece was made
        else:
            request.registerProducer(self, True)  # noqa: FBT003 - twisted's own signature: it pushes

    async def is_open(self, homeserver: Homeserver) -> bool:
        """Wait until the client can take more; False once it is gone."""
        while self._paused is not None and not self._gone:
            await homeserver.wait(self._paused)
        return not self._gone

    def finish(self) -> None:
        """All was written."""
        if not self._gone:
            self._request.unregisterProducer()
            self._request.finish()

    def drop(self) -> None:
        """End the connection so that the client sees it was not all."""
        if not self._gone:
            self._request.unregisterProducer()
            self._request.loseConnection()

    def pauseProducing(self) -> None:  # noqa: N802 - twisted's names
        """The transport's buffer is full."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is empty again."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client is gone."""
        self._gone = True
        self.resumeProducing()
