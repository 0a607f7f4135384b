# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many people who ask at the same moment, each over a connection of its own, in turn at each process of a server."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import aiohttp
from attrs import evolve, frozen

from synapse_groupreg.rig import Homeserver, WorkerHomeserver
from tests.e2e.client import MATRIX, Answer, Person, Staff


@frozen
class Request:
    token: str | None
    path: str
    body: Any = None


@frozen
class Town:
    """A homeserver, and the processes of it that clients are spread over."""

    server: Homeserver
    urls: tuple[str, ...]
    staff: Staff
    rooms: list[str]
    """Groups that anybody may join."""

    @classmethod
    def of(cls, server: Homeserver, *, rooms: int) -> Town:
        staff, host = Staff(server), Person(server, "host")
        staff.limit(host.user_id, rooms_founded=1_000, rooms_joined=1_000).good()
        town = cls(server, (server.url,), staff, [])
        founding = Request(host.token, f"{MATRIX}/createRoom", {"preset": "public_chat"})
        return evolve(town, rooms=[answer.room_id for answer in town.post_all([founding] * rooms)])

    def over_workers(self) -> Town:
        """The same, but that clients speak to no other processes than the workers."""
        return evolve(self, urls=cast("WorkerHomeserver", self.server).urls[1:])

    def post_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Send all at once."""
        return asyncio.run(self._post_all(requests))

    async def _post_all(self, requests: Sequence[Request]) -> list[Answer]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            spread = zip(itertools.cycle(self.urls), requests, strict=False)
            return await asyncio.gather(*(_post(session, url, request) for url, request in spread))


async def _post(session: aiohttp.ClientSession, url: str, request: Request) -> Answer:
    headers = {"Authorization": f"Bearer {request.token}"}
    async with session.post(url + request.path, json=request.body or {}, headers=headers) as answer:
        return Answer(answer.status, await answer.json())


def told(answers: Sequence[Answer]) -> Counter[str]:
    """How many succeeded, and how many were refused for what."""
    return Counter("done" if answer.ok else str(answer.code or answer.body) for answer in answers)
