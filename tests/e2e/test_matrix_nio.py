# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The caps as a client library shows them that nobody here wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import nio
import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD

pytestmark = pytest.mark.smoke

QUOTAS = {"members_per_room": 2, "rooms_founded": 1, "rooms_joined": 2}
FORBIDDEN = "M_FORBIDDEN"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    rules = {"mode": "enforce", "federation": "closed", "quotas": QUOTAS}
    # A notice makes a room for whoever gets it, at some moment; here rooms are counted.
    return start_homeserver(module_config={**rules, "notices": {"enabled": False}})


@asynccontextmanager
async def logged_in(server: Homeserver, *names: str) -> AsyncIterator[list[nio.AsyncClient]]:
    clients = []
    try:
        for name in names:
            server.register(name)
            client = nio.AsyncClient(server.url, server.user_id(name))
            clients.append(client)
            said = await client.login(SAMPLE_PASSWORD)
            assert isinstance(said, nio.LoginResponse), said
        yield clients
    finally:
        for client in clients:
            await client.close()


async def found(client: nio.AsyncClient, **how: Any) -> str:
    said = await client.room_create(**how)
    assert isinstance(said, nio.RoomCreateResponse), said
    return str(said.room_id)


async def told(said: nio.responses.ErrorResponse) -> str:
    """Our code, from an answer that the library takes for an error and shows with its sentence."""
    assert said.status_code == FORBIDDEN
    body = await said.transport_response.json()
    assert said.message == body["error"]
    assert body["org.groupreg.info"] in said.message
    return str(body["org.groupreg.code"])


def test_the_member_past_the_cap_waits_for_a_place(server: Homeserver):
    async def story() -> None:
        async with logged_in(server, "ann", "ben", "cat") as (ann, ben, cat):
            room = await found(ann, preset=nio.RoomPreset.public_chat, name="A small group")
            assert isinstance(await ben.join(room), nio.JoinResponse)
            late = await cat.join(room)
            assert isinstance(late, nio.JoinError)
            assert await told(late) == "room-full"
            assert "2 of 2 places" in late.message
            assert isinstance(await ben.room_leave(room), nio.RoomLeaveResponse)
            assert isinstance(await cat.join(room), nio.JoinResponse)

    asyncio.run(story())


def test_the_group_past_a_persons_limit_is_not_founded(server: Homeserver):
    async def story() -> None:
        async with logged_in(server, "dan", "eve") as (dan, eve):
            room = await found(dan, invite=[eve.user_id], name="The only one")
            second = await dan.room_create(name="One too many")
            assert isinstance(second, nio.RoomCreateError)
            assert await told(second) == "too-many-founded"
            assert (await dan.joined_rooms()).rooms == [room]
            chat = await found(dan, invite=[eve.user_id], is_direct=True)
            assert isinstance(await eve.join(chat), nio.JoinResponse)
            assert isinstance(await dan.room_leave(room), nio.RoomLeaveResponse)
            await found(dan, name="Another")

    asyncio.run(story())


def test_the_join_past_a_persons_limit_can_be_made_later(server: Homeserver):
    async def story() -> None:
        async with logged_in(server, "fay", "gus", "hal", "ivy") as (fay, gus, hal, ivy):
            rooms = [await found(one, invite=[ivy.user_id]) for one in (fay, gus, hal)]
            synced = await ivy.sync(timeout=0)
            assert isinstance(synced, nio.SyncResponse)
            assert set(synced.rooms.invite) == set(rooms)
            for room in rooms[:2]:
                assert isinstance(await ivy.join(room), nio.JoinResponse)
            late = await ivy.join(rooms[2])
            assert isinstance(late, nio.JoinError)
            assert await told(late) == "too-many-joined"
            assert isinstance(await ivy.room_leave(rooms[0]), nio.RoomLeaveResponse)
            assert isinstance(await ivy.join(rooms[2]), nio.JoinResponse)
            sent = await ivy.room_send(rooms[2], "m.room.message", {"msgtype": "m.text", "body": "here I am"})
            assert isinstance(sent, nio.RoomSendResponse)

    asyncio.run(story())
