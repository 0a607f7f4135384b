# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every kind of measure that stops something, each with what it stops, so that one sees where it is in force.

Whoever tries is refused in any case, by a rule that comes later: nothing is written, and one can try very often.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from attrs import define, field, frozen

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import GROUPREG, MATRIX, Answer, Client, Person, Staff

SOON = 2.0
"""Seconds in which a decision is in force everywhere, also on a busy machine and without Redis."""
PAUSE = 0.01
"""Seconds between two tries: the processes have better to do."""
_HOUR_MS = 3_600_000
_WHY = {"reason": "advertising", "basis": "article 11"}
_IMPATIENT = 10 * SOON
_names = itertools.count(1)


def hence(wait_ms: int) -> int:
    return int(time.time() * 1000) + wait_ms  # noqa: TID251 - the server goes by this clock


@frozen
class Kind:
    """A measure on something of its own: how it is imposed and lifted, who tries what, and what they are told."""

    name: str
    path: str
    body: dict[str, Any]
    who: Person
    tries: Callable[[Client], Answer]
    code: str
    """While it is in force."""
    otherwise: str
    """While it isn't."""

    def impose(self, staff: Client) -> Callable[[Client], object]:
        """Have it, and what lifts it."""
        if self.path == "emergency":
            staff.call("PUT", f"{GROUPREG}/{self.path}", {**self.body, "on": True, "until_ms": hence(_HOUR_MS)}).good()
            return lambda other: other.call("PUT", f"{GROUPREG}/{self.path}", {**self.body, "on": False}).good()
        answer = staff.call("POST", f"{GROUPREG}/{self.path}", self.body).good()
        assert answer["changed"], answer
        path = f"{GROUPREG}/{self.path}/{answer['id']}"
        return lambda other: other.call("DELETE", path, {"reason": "settled"}).good()


@define
class Imposed:
    """A server, staff at each of its processes, and everybody concerned at each of them."""

    server: WorkerHomeserver
    admin: Staff
    kinds: tuple[Kind, ...] = ()
    waits: list[float] = field(factory=list)
    """Seconds after which each act was seen to be in force, or over, at all processes."""
    latest: float = 0.0
    """Seconds after an act at which something was last tried and answered as before."""
    away: set[str] = field(factory=set)
    """Where processes are that are down."""
    _open: ExitStack = field(factory=ExitStack)
    _clients: dict[tuple[str, str], Client] = field(factory=dict)
    _turn: Iterator[int] = field(factory=itertools.count)

    @property
    def urls(self) -> list[str]:
        """Where the processes are that serve clients now."""
        return [url for url in self.server.urls if url not in self.away]

    def at(self, person: Person, url: str) -> Client:
        """Their session at a process."""
        key = (person.user_id, url)
        if key not in self._clients:
            self._clients[key] = self._open.enter_context(person.at(url))
        return self._clients[key]

    def staff(self) -> Client:
        """Staff at a process: each process in turn."""
        return self.at(self.admin, self.urls[next(self._turn) % len(self.urls)])

    @property
    def at_once(self) -> tuple[Sequence[Kind], Sequence[Kind]]:
        """The kinds, in two lots of which none hides another."""
        switches = [kind for kind in self.kinds if kind.path == "emergency"]
        return [kind for kind in self.kinds if kind not in switches], switches

    def there_and_back(self, kinds: Sequence[Kind]) -> None:
        """Impose all, wait for them, lift all, wait for that."""
        lifts = [kind.impose(self.staff()) for kind in kinds]
        self.wait(kinds, in_force=True)
        self._lift(kinds, lifts)

    def while_away(self, name: str, kinds: Sequence[Kind]) -> None:
        """Impose all while a process is down, and lift them once it is back and knows them."""
        with self.down(name):
            lifts = [kind.impose(self.staff()) for kind in kinds]
            self.wait(kinds, in_force=True)
        assert self.are(kinds, in_force=True)
        self._lift(kinds, lifts)

    def lifted_while_away(self, name: str, kinds: Sequence[Kind]) -> None:
        """Lift all while a process is down, which knows that once it is back."""
        lifts = [kind.impose(self.staff()) for kind in kinds]
        self.wait(kinds, in_force=True)
        with self.down(name):
            self._lift(kinds, lifts)
        assert self.are(kinds, in_force=False)

    def through_a_crash(self, name: str, kinds: Sequence[Kind]) -> None:
        """Impose all, and have them in force at every moment in which a process dies and comes back."""
        lifts = [kind.impose(self.staff()) for kind in kinds]
        self.wait(kinds, in_force=True)
        with self.down(name):
            assert self.are(kinds, in_force=True)
        assert self.are(kinds, in_force=True)
        self._lift(kinds, lifts)

    @contextmanager
    def down(self, name: str) -> Iterator[None]:
        """Let a process die as by kill -9, and start it again afterwards."""
        member = self.server.member(name)
        member.kill()
        self.away.add(member.url)
        yield
        member.start()
        self.away.remove(member.url)

    def _lift(self, kinds: Sequence[Kind], lifts: Sequence[Callable[[Client], object]]) -> None:
        for lift in lifts:
            lift(self.staff())
        self.wait(kinds, in_force=False)

    def wait(self, kinds: Sequence[Kind], *, in_force: bool) -> None:
        """Wait until all are in force, or over, everywhere."""
        began = time.monotonic()
        seconds = [self._until(began, kind, url, in_force=in_force) for kind in kinds for url in self.urls]
        self.waits.append(max(seconds))

    def are(self, kinds: Sequence[Kind], *, in_force: bool) -> bool:
        """Whether they are so everywhere in the first try."""
        return all(
            kind.tries(self.at(kind.who, url)).code == (kind.code if in_force else kind.otherwise)
            for kind, url in itertools.product(kinds, self.urls)
        )

    def _until(self, began: float, kind: Kind, url: str, *, in_force: bool) -> float:
        client = self.at(kind.who, url)
        while True:
            tried = time.monotonic() - began  # an answer that takes long says what held as it was asked for
            answer = kind.tries(client)
            if answer.code == (kind.code if in_force else kind.otherwise):
                return tried
            assert answer.code in (kind.code, kind.otherwise), (kind.name, url, answer)
            assert tried < _IMPATIENT, (kind.name, url, in_force)
            self.latest = max(self.latest, tried)
            time.sleep(PAUSE)

    def close(self) -> None:
        self._open.close()


def prepared(server: WorkerHomeserver, admin: Staff) -> Imposed:
    """Somebody unverified in a group, somebody else in front of another that is full, and what can befall them."""
    admin.mode("enforce").good()
    host, late = Person(server, "host"), Person(server, "late")
    admin.verify(host.user_id).good()
    group, full, doomed = (host.found_group() for _ in range(3))
    persons = {name: Person(server, name) for name in ("poster", "manager", "founder", "barred", "member")}
    for person in persons.values():
        person.join(group).good()
    for room in (full, doomed):
        persons["member"].join(room).good()
    admin.cap(full, 1).good()
    for subject in (full, doomed, *(person.user_id for person in persons.values())):
        warning = {"kind": "warning", "entity": subject, "deadline_ms": hence(_HOUR_MS), **_WHY}
        admin.groupreg("POST", "measures", warning).good()
    suspended = {"kind": "joining-suspended", "entity": doomed, **_WHY}
    admin.groupreg("POST", "measures", suspended).good()  # before a group is closed it is suspended

    join, post, unverified = partial(_join, full), partial(_post, group), "identity-required"
    kick = partial(_kick, group, host.user_id)

    def on(kind: str, entity: str, *rest: Any) -> Kind:
        return Kind(kind, "measures", {"kind": kind, "entity": entity, **_WHY}, *rest)

    def stop(switch: str, *rest: Any) -> Kind:
        return Kind(f"emergency: {switch}", "emergency", {"switches": [switch], "reason": "flood"}, *rest)

    poster, manager, founder = (persons[name] for name in ("poster", "manager", "founder"))
    barred, member = persons["barred"], persons["member"]
    kinds = (
        on("posting-suspended", poster.user_id, poster, post, "posting-suspended", unverified),
        on("management-suspended", manager.user_id, manager, kick, "management-suspended", unverified),
        on("founding-revoked", founder.user_id, founder, _found, "founding-revoked", unverified),
        on("blacklisted", barred.user_id, barred, post, "account-blacklisted", unverified),
        on("joining-suspended", full, late, join, "room-joining-suspended", "room-full"),
        on("closed", doomed, member, partial(_post, doomed), "room-closed", unverified),
        on("posting-suspended", full, member, partial(_post, full), "room-posting-suspended", unverified),
        stop("posting", member, post, "emergency", unverified),
        stop("joining", late, join, "emergency", "room-full"),
        stop("founding", member, _found, "emergency", unverified),
    )
    return Imposed(server, admin, kinds)


def _post(room: str, client: Client) -> Answer:
    path = f"{MATRIX}/rooms/{quote(room)}/send/m.room.message/imposed-{next(_names)}"
    return client.call("PUT", path, {"msgtype": "m.text", "body": "hello"})


def _join(room: str, client: Client) -> Answer:
    return client.call("POST", f"{MATRIX}/join/{quote(room)}", {})


def _kick(room: str, user_id: str, client: Client) -> Answer:
    return client.call("POST", f"{MATRIX}/rooms/{quote(room)}/kick", {"user_id": user_id})


def _found(client: Client) -> Answer:
    return client.call("POST", f"{MATRIX}/createRoom", {"preset": "public_chat"})
