# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the stories speak with: a person with a plain Matrix client, and staff with the REST API.

Nothing here checks a status: what a server answers is what the stories are about. `Answer.good` and `refused` do.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests
from attrs import frozen

from synapse_groupreg.policy.numbers import NUMBER, named
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.local import request

T = TypeVar("T")
MATRIX = "/_matrix/client/v3"
GROUPREG = "/_synapse/client/groupreg/v1"
SYNAPSE_ADMIN = "/_synapse/admin"
_SECONDS = 60
_names = itertools.count(1)


@frozen
class Answer:
    """What a server answered to one request."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def code(self) -> str | None:
        """The code of our refusal, if it is one."""
        return self.body.get("org.groupreg.code") if isinstance(self.body, dict) else None

    def good(self) -> Any:
        """The body of an answer that must not be an error."""
        assert self.ok, (self.status, self.body)
        return self.body

    @property
    def room_id(self) -> str:
        """The room that was founded or joined."""
        room_id: str = self.good()["room_id"]
        return room_id


def refused(answer: Answer, code: str) -> dict[str, Any]:
    """The body of an answer that must be our refusal `code`, in the shape that is promised to clients."""
    assert answer.status == 403, (answer.status, answer.body)
    body: dict[str, Any] = answer.body
    assert (body["errcode"], body["org.groupreg.code"]) == ("M_FORBIDDEN", code)
    info = body["org.groupreg.info"]
    assert info.endswith(f"/_synapse/client/groupreg/rules#{code}")
    # One sentence for whoever reads it in a client that knows nothing of our keys; the link stands at its end.
    assert body["error"].endswith(info)
    return body


class Client:
    """An access token, and the server that it is for. `url` picks a process of a server with workers."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        self.headers: dict[str, str] = {}
        """Sent with every request."""
        self._session = requests.Session()
        # Neither proxies nor a netrc of the environment may have a say in it.
        self._session.trust_env = False

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """One request; `path` is quoted by whoever builds it."""
        headers = self.headers | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        parameters: dict[str, Any] = {key: value for key, value in query.items() if value is not None}
        answer = self._session.request(
            method, self.url + path, json=body, params=parameters, headers=headers, timeout=_SECONDS
        )
        json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if json else answer.text)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Person(Client):
    """A local account with a plain client; registered when made, under `name` made unique unless `exact`."""

    def __init__(self, server: Homeserver, name: str = "person", *, admin: bool = False, exact: bool = False) -> None:
        self.name = name if exact else f"{name}-{next(_names)}"
        self.user_id = server.user_id(self.name)
        super().__init__(server.url, server.register(self.name, admin=admin))

    def at(self, url: str) -> Client:
        """The same session, seen by another process or over another connection."""
        return Client(url, self.token)

    # Rooms.

    def found(self, **body: object) -> Answer:
        """createRoom with this body."""
        return self.call("POST", f"{MATRIX}/createRoom", body)

    def found_group(self, **body: object) -> str:
        """A room that anybody may join; its id."""
        return self.found(**{"preset": "public_chat", **body}).room_id

    def join(self, room: str, **body: object) -> Answer:
        """Join by id or alias."""
        return self.call("POST", f"{MATRIX}/join/{quote(room)}", body)

    def knock(self, room: str) -> Answer:
        return self.call("POST", f"{MATRIX}/knock/{quote(room)}", {})

    def invite(self, room: str, user_id: str) -> Answer:
        return self._in(room, "invite", user_id=user_id)

    def leave(self, room: str) -> Answer:
        return self._in(room, "leave")

    def forget(self, room: str) -> Answer:
        return self._in(room, "forget")

    def kick(self, room: str, user_id: str) -> Answer:
        return self._in(room, "kick", user_id=user_id)

    def ban(self, room: str, user_id: str) -> Answer:
        return self._in(room, "ban", user_id=user_id)

    def unban(self, room: str, user_id: str) -> Answer:
        return self._in(room, "unban", user_id=user_id)

    def upgrade(self, room: str, version: str) -> Answer:
        return self._in(room, "upgrade", new_version=version)

    def _in(self, room: str, act: str, **body: object) -> Answer:
        return self.call("POST", f"{MATRIX}/rooms/{quote(room)}/{act}", body)

    def send(
        self,
        room: str,
        body: str = "hello",
        *,
        event_type: str = "m.room.message",
        linked: Sequence[str] = (),
        **content: object,
    ) -> Answer:
        """An event; a text message, which links people, unless `event_type` and content say otherwise."""
        links = {"m.mentions": {"user_ids": list(linked)}} if linked else {}
        said = content or {"msgtype": "m.text", "body": body, **links}
        return self.call("PUT", f"{MATRIX}/rooms/{quote(room)}/send/{event_type}/{next(_names)}", said)

    def redact(self, room: str, event_id: str) -> Answer:
        return self.call("PUT", f"{MATRIX}/rooms/{quote(room)}/redact/{quote(event_id)}/{next(_names)}", {})

    def set_state(self, room: str, event_type: str, content: object, state_key: str = "") -> Answer:
        return self.call("PUT", f"{MATRIX}/rooms/{quote(room)}/state/{event_type}/{quote(state_key)}", content)

    def state(self, room: str, event_type: str, state_key: str = "") -> Answer:
        return self.call("GET", f"{MATRIX}/rooms/{quote(room)}/state/{event_type}/{quote(state_key)}")

    def number_in(self, room: str) -> str:
        """The number that the state of a group names, as clients find it; empty where it names none."""
        create, event = (self.state(room, one) for one in ("m.room.create", NUMBER))
        return str(named(create.good(), event.body if event.ok else None) or "")

    def set_alias(self, room: str, alias: str) -> Answer:
        return self.call("PUT", f"{MATRIX}/directory/room/{quote(alias)}", {"room_id": room})

    def publish(self, room: str, visibility: str = "public") -> Answer:
        return self.call("PUT", f"{MATRIX}/directory/list/room/{quote(room)}", {"visibility": visibility})

    def joined_rooms(self) -> set[str]:
        return set(self.call("GET", f"{MATRIX}/joined_rooms").good()["joined_rooms"])

    def own_rooms(self) -> set[str]:
        """Joined rooms but for the one in which the server explains refusals: that comes a moment after a refusal."""
        return {room for room in self.joined_rooms() if not _of_the_server(self.members(room))}

    def members(self, room: str) -> set[str]:
        """Who is joined, as this member sees it."""
        return set(self.call("GET", f"{MATRIX}/rooms/{quote(room)}/joined_members").good()["joined"])

    def messages(self, room: str) -> Answer:
        return self.call("GET", f"{MATRIX}/rooms/{quote(room)}/messages", dir="b", limit=50)

    # The account.

    def sync(self, since: str | None = None) -> Answer:
        return self.call("GET", f"{MATRIX}/sync", timeout=0, since=since)

    def set_name(self, displayname: str) -> Answer:
        return self.call("PUT", f"{MATRIX}/profile/{quote(self.user_id)}/displayname", {"displayname": displayname})

    def groupreg(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """A request to the module's REST API, with this person's rights."""
        return self.call(method, f"{GROUPREG}/{path}", body, **query)


class Staff(Person):
    """A server admin, or an account that one gave staff roles to: the REST API of the module."""

    def __init__(
        self,
        server: Homeserver,
        name: str = "staff",
        *,
        roles: Sequence[str] = (),
        granted_by: Staff | None = None,
        exact: bool = False,
    ) -> None:
        super().__init__(server, name, admin=granted_by is None, exact=exact)
        if granted_by is not None:
            granted_by.grant(self.user_id, roles).good()

    def grant(self, user_id: str, roles: Sequence[str]) -> Answer:
        return self.groupreg("PUT", f"staff/{quote(user_id)}", {"roles": list(roles)})

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.groupreg("GET", "status").good()
        return found

    def mode(self, mode: str) -> Answer:
        return self.groupreg("PUT", "mode", {"mode": mode})

    @contextmanager
    def dry(self) -> Iterator[None]:
        """Judge without refusing, for a while."""
        self.mode("dry").good()
        try:
            yield
        finally:
            self.mode("enforce").good()

    def account(self, user_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.groupreg("GET", f"accounts/{quote(user_id)}").good()
        return found

    def used(self, user_id: str, quota: str) -> int:
        """Places of `rooms_founded` or `rooms_joined` that are taken."""
        used: int = self.account(user_id)["quotas"][quota]["used"]
        return used

    def verify(
        self, user_id: str, assurance: str = "contact", *, reference: str | None = None, provider: str = "operator"
    ) -> Answer:
        """Set an assurance; accounts with the same reference of a provider belong to one person."""
        body = {"assurance": assurance, "provider": provider}
        return self.groupreg(
            "PUT", f"accounts/{quote(user_id)}/identity", body | ({"reference": reference} if reference else {})
        )

    def unverify(self, user_id: str) -> Answer:
        return self.groupreg("DELETE", f"accounts/{quote(user_id)}/identity")

    def limit(self, user_id: str, **quotas: int | None) -> Answer:
        """Set `rooms_founded` or `rooms_joined` of an account; None: back to the default."""
        return self.groupreg("PUT", f"accounts/{quote(user_id)}/quotas", quotas)

    def room(self, room_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.groupreg("GET", f"rooms/{quote(room_id)}").good()
        return found

    def cap(self, room_id: str, members: int | None) -> Answer:
        """Set the cap of a room; None: back to the default."""
        return self.groupreg("PUT", f"rooms/{quote(room_id)}/quotas", {"members": members})

    def bar(self, entity: str, *, reason: str = "spam", basis: str = "11.3", **more: object) -> Answer:
        """Put an account, room or server on the blacklist."""
        return self.groupreg("POST", "blacklist", {"entity": entity, "reason": reason, "basis": basis, **more})

    def lift(self, entry: int) -> Answer:
        return self.groupreg("DELETE", f"blacklist/{entry}", {"reason": "settled"})

    def refusals(self, **query: object) -> list[dict[str, Any]]:
        """The refusal journal: `account`, `code` and `room_id` narrow it."""
        found: list[dict[str, Any]] = self.groupreg("GET", "refusals", **query).good()["refusals"]
        return found

    def counted(self, user_id: str, code: str, *, dry: bool) -> int:
        """How often this account was refused for this reason or, dry, would have been."""
        rows = self.refusals(account=user_id, code=code)
        return sum(row["count"] for row in rows if row["dry"] is dry)

    def acts(self, **query: object) -> list[dict[str, Any]]:
        """The act journal, newest first: `author`, `subject` and `action` narrow it."""
        found: list[dict[str, Any]] = self.groupreg("GET", "acts", **query).good()["acts"]
        return found

    def admin_api(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """Synapse's own admin API; `path` begins with the version."""
        return self.call(method, f"{SYNAPSE_ADMIN}/{path}", body, **query)


def _of_the_server(members: set[str]) -> bool:
    return any(member.startswith("@groupreg:") for member in members)


def exported(port: int) -> str:
    """What Prometheus would fetch. Synapse exports from a thread of its own, which a metric that is new may disturb."""
    answer = poll(lambda: request("GET", f"http://127.0.0.1:{port}/_synapse/metrics"))  # true if the answer is good
    assert answer.ok
    return answer.text


def poll(look: Callable[[], T], *, seconds: float = 10, every: float = 0.1) -> T:
    """What `look` finds as soon as it finds something, or at the end of the time, for the test to judge."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(every)
    return found


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Carry all acts out at the same moment, each in a thread of its own."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(lambda act: act(), acts))
