# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever people do at the same time, and whichever worker dies: no group overflows, no place is wasted (8.1)."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
import requests

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.acts import Diary, Stay, Try, most_at_once
from tests.e2e.client import MATRIX, Answer, Person, Staff, at_once

CAP = 4
ACTS = ("join",) * 8 + ("leave",) * 4 + ("kick", "ban", "name", "name", "upgrade")
NO_ANSWER = Answer(0, "")


@pytest.fixture(scope="module")
def server(start_workers: Callable[..., WorkerHomeserver]) -> WorkerHomeserver:
    quotas = {"members_per_room": CAP, "rooms_joined": 1_000, "rooms_founded": 1_000}
    config = {"mode": "enforce", "federation": "closed", "quotas": quotas}
    return start_workers(module_config=config, persisters=2, background=True)


class Party:
    """People and groups, and a diary of each group. Everybody does one thing at a time, all of them at once."""

    def __init__(self, server: WorkerHomeserver, *, people: int, groups: int, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.founder = Person(server, "founder")
        self.people = at_once([lambda: Person(server, "guest") for _ in range(people)])
        self.diaries: dict[str, Diary] = {}
        self.open: list[str] = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.renames: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        for _ in range(groups):
            self.begin(self.founder.found_group(room_version="11"))

    def begin(self, room: str) -> None:
        """A new group, in which its founder is."""
        self.diaries[room] = Diary(stays=[Stay(self.founder.user_id, 0.0)])
        self.open.append(room)

    def play(self, acts: int) -> None:
        """Let everybody act until all have done their share."""
        with ThreadPoolExecutor(len(self.people)) as pool:
            shares = [pool.submit(self.guest, guest, acts // len(self.people)) for guest in self.people]
            try:
                for share in shares:
                    share.result()
            finally:
                self.over.set()  # who fails, or ends the test run, waits for nobody

    def guest(self, guest: Person, acts: int) -> None:
        chance = random.Random(f"{self.seed} {self.people.index(guest)}")
        for _ in range(acts):
            if self.over.is_set():
                return
            with self.lock:
                room = chance.choice(self.open)
            act = chance.choice(ACTS)
            url = chance.choice(self.server.urls[1:])
            {"join": self.join, "leave": self.leave, "name": self.rename, "upgrade": self.upgrade}.get(act, self.expel)(
                guest, room, url, act
            )

    def join(self, guest: Person, room: str, url: str, _act: str) -> None:
        began = time.monotonic()
        answer = self.ask(guest, url, f"join/{room}")
        outcome = "done" if answer.ok else {"room-full": "full", None: "other"}.get(answer.code, "other")
        if answer.status == 0 or answer.status >= 500:
            outcome = "lost"
        tried = Try(user=guest.user_id, room=room, began=began, ended=time.monotonic(), outcome=outcome)
        with self.lock:
            self.diaries[room].came(tried)
            self.counts[outcome] += 1

    def leave(self, guest: Person, room: str, url: str, _act: str) -> None:
        self.out(room, guest.user_id, self.ask(guest, url, f"rooms/{room}/leave"))

    def expel(self, guest: Person, room: str, url: str, act: str) -> None:
        """The founder removes the guest, who waits for it; a ban is lifted at once."""
        self.out(room, guest.user_id, self.ask(self.founder, url, f"rooms/{room}/{act}", user_id=guest.user_id))
        if act == "ban":
            self.ask(self.founder, url, f"rooms/{room}/unban", user_id=guest.user_id)

    def out(self, room: str, user_id: str, answer: Answer) -> None:
        if answer.ok:
            with self.lock:
                self.diaries[room].went(user_id, time.monotonic())
                self.counts["out"] += 1

    def rename(self, guest: Person, _room: str, url: str, _act: str) -> None:
        """Synapse joins them anew to each of their groups, in the background: whoever left meanwhile is in again."""
        name = str(time.monotonic())  # tells afterwards when it was asked for
        with self.lock:
            self.renames.append((guest.user_id, name))
        self.ask(guest, url, f"profile/{guest.user_id}/displayname", method="PUT", displayname=name)

    def upgrade(self, _guest: Person, _room: str, _url: str, _act: str) -> None:
        """Now and then the founder replaces a group, by the main process, which alone does that."""
        with self.lock:
            if self.counts["upgraded"] * 100 >= sum(self.counts.values()):
                return
            self.counts["upgraded"] += 1
            room = self.open.pop(0)
        answer = self.ask(self.founder, self.server.url, f"rooms/{room}/upgrade", new_version="12")
        # One that takes longer than upkeep waits ends with the old room being closed already.
        assert answer.ok or answer.code == "room-replaced", answer
        tombstone = self.ask(self.founder, self.server.url, f"rooms/{room}/state/m.room.tombstone", method="GET")
        with self.lock:
            self.begin(tombstone.good()["replacement_room"])

    def ask(self, person: Person, url: str, path: str, *, method: str = "POST", **body: object) -> Answer:
        """One request over a connection of its own; a worker that dies meanwhile doesn't answer."""
        with person.at(url) as client:
            try:
                return client.call(method, f"{MATRIX}/{path}", body)
            except requests.ConnectionError:
                return NO_ANSWER

    def changes(self, room: str) -> list[tuple[str, str | None, str | None, float]]:
        """The members of the current state, as Synapse changed it: whose, to what, under which name, and when.

        An event whose fork of the room lost is not among them.
        """
        database = self.server.files.database
        assert database is not None
        with contextlib.closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT s.state_key, m.membership, m.display_name,"
                " EXTRACT(epoch FROM now()) - coalesce(e.received_ts, 0) / 1000.0"
                " FROM current_state_delta_stream s LEFT JOIN room_memberships m USING (event_id)"
                " LEFT JOIN events e USING (event_id) WHERE s.room_id = %s AND s.type = 'm.room.member'"
                " ORDER BY s.stream_id, m.membership = 'join'",
                (room,),
            )
            now = time.monotonic()
            return [(user, membership, name, now - float(ago)) for user, membership, name, ago in cursor.fetchall()]

    def check(self) -> None:
        """What must hold afterwards."""
        guests = {guest.user_id: guest.name for guest in self.people}
        for room, diary in self.diaries.items():
            changes = self.changes(room)
            assert most_at_once([(user, membership) for user, membership, _, _ in changes]) <= CAP, changes
            inside: set[str] = set()
            for user, membership, name, written in changes:
                if membership == "join" and user not in inside and user in guests and name != guests[user]:
                    diary.came_back(user, float(str(name)), written)
                (inside.add if membership == "join" else inside.discard)(user)
            told = {(user, name) for user, _, name, _ in changes}
            for user, name in set(self.renames) - told:
                diary.renamed(user, float(name))
            assert list(diary.wrongly_refused(CAP)) == []


def kill_and_restart(server: WorkerHomeserver, times: int, stop: threading.Event) -> None:
    """Let one worker after the other crash and come back, until it was often enough."""
    for number in range(times):
        member = server.member(f"generic_worker{number % 2 + 1}")
        if stop.wait(2):
            return
        member.kill()
        member.start()


def play(server: WorkerHomeserver, *, acts: int, crashes: int, seed: int) -> Counter[str]:
    party = Party(server, people=10, groups=4, seed=seed)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        crashing = pool.submit(kill_and_restart, server, crashes, stop)
        try:
            party.play(acts)
        finally:
            stop.set()
            crashing.result()
    party.check()
    refused, staff = party.counts["full"], Staff(server)
    for room in party.open:
        members = len(party.founder.members(room))
        assert staff.room(room)["quotas"]["members"]["limit"] == CAP
        assert members <= CAP
    assert refused > 0
    assert party.counts["done"] > 0
    return party.counts


def test_the_diary_knows_a_wrong_refusal_from_a_right_one() -> None:
    diary = Diary(stays=[Stay("founder", 0.0)])

    def come(user: str, began: float, outcome: str) -> None:
        diary.came(Try(user=user, room="room", began=began, ended=began + 1, outcome=outcome))

    come("ann", 10, "done")
    come("ben", 20, "full")
    assert list(diary.wrongly_refused(2)) == []
    diary.went("ann", 30)
    come("ben", 40, "full")
    assert [one.began for one in diary.wrongly_refused(2)] == [40]
    come("cat", 50, "lost")
    diary.went("cat", 52)
    come("dan", 79, "full")
    assert [one.began for one in diary.wrongly_refused(2)] == [40]
    come("dan", 81, "full")
    assert [one.began for one in diary.wrongly_refused(2)] == [40, 81]
    come("eve", 90, "full")
    diary.went("ann", 95)
    come("eve", 97, "full")
    diary.came_back("cat", 49, 50.5)  # by the try that was lost
    assert [one.began for one in diary.wrongly_refused(2)] == [40, 81, 90, 97]
    diary.came_back("ann", 85, 91)
    assert [one.began for one in diary.wrongly_refused(2)] == [40, 81, 97]
    diary.renamed("ben", 90)
    assert [one.began for one in diary.wrongly_refused(2)] == [40, 81]
    come("fay", 200, "done")
    come("fay", 210, "done")
    diary.went("fay", 215)
    come("gus", 239, "full")
    come("gus", 241, "full")
    assert [one.began for one in diary.wrongly_refused(2)] == [40, 81, 241]
    assert most_at_once([("a", "join"), ("b", "join"), ("a", "leave"), ("c", "join"), ("c", "join")]) == 2


def test_random_acts_overfill_no_group_and_waste_no_place(server: WorkerHomeserver) -> None:
    play(server, acts=200, crashes=1, seed=1)


@pytest.mark.prove
def test_many_random_acts_overfill_no_group_and_waste_no_place(server: WorkerHomeserver) -> None:
    counts = play(server, acts=2_000, crashes=8, seed=random.randrange(10**6))
    assert sum(counts.values()) > 1_000
