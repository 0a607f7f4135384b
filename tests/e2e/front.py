# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands before the workers of a homeserver: other servers find them over TLS, each always the same worker."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from synapse_groupreg.rig import WorkerHomeserver

T = TypeVar("T")
_END_TO_END = ("Authorization", "Content-Type")


class Front:
    """Passes requests on by the server that they come from, as `config/nginx.conf` does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.server: WorkerHomeserver
        """The homeserver, once it is there."""
        self.worker_of: dict[str, str] = {}
        """Which worker each server has been given, in turn."""
        self.asked: set[tuple[str, str]] = set()
        """Which server asked for what, such as `send_join`."""

    @contextmanager
    def serving(self, tls: SSLContext) -> Iterator[None]:
        """Listen, in a thread."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def finish(part: Coroutine[object, None, T]) -> T:
            return asyncio.run_coroutine_threadsafe(part, loop).result()

        try:
            runner = finish(self._begin(tls))
            try:
                yield
            finally:
                finish(runner.cleanup())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _begin(self, tls: SSLContext) -> web.AppRunner:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{anything:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls).start()
        return runner

    def _worker(self, request: web.Request) -> str:
        main, *workers = self.server.urls
        origin = re.search(r'origin="?([^",]+)', request.headers.get("Authorization", ""))
        if origin is None:
            return main  # it publishes the keys
        self.asked.add((origin[1], request.path.split("/")[4]))
        return self.worker_of.setdefault(origin[1], workers[len(self.worker_of) % len(workers)])

    async def _pass_on(self, request: web.Request) -> web.Response:
        # Not decoded: the path is signed as it was sent.
        url = URL(self._worker(request) + request.raw_path, encoded=True)
        headers = {name: request.headers[name] for name in _END_TO_END if name in request.headers}
        body = await request.read()
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as answer,
        ):
            content = answer.headers.get("Content-Type", "application/json")
            passed = web.Response(status=answer.status, body=await answer.read(), headers={"Content-Type": content})
            passed.force_close()  # no connection is left open that outlives the front
            return passed
