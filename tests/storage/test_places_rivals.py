# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attempts at the same moment, over connections of their own, never pass a limit (article 8.1).

The last tests plant the two bugs that this guards against, and show that the first ones would find them.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2.errors import LockNotAvailable, SerializationFailure
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from synapse_groupreg.config import load
from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import REMOTE_RESERVATION_MS
from synapse_groupreg.policy.types import Account, Found, Join, Room, RoomKind
from synapse_groupreg.storage import census, identity, quotas, state
from tests.database import SERVER, TestDatabase, result_of
from tests.storage import seed
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.handlers.places import Outcome
    from synapse_groupreg.storage.database import Transaction

RIVALS = 10
CAP = 4
NOW = 1_000_000
ROUNDS = 10
CONFIG = load(
    {
        "mode": "enforce",
        "federation": "closed",
        "quotas": {"members_per_room": CAP, "rooms_founded": CAP, "rooms_joined": CAP},
    }
)


def taker(database: TestDatabase) -> places.Taker:
    return places.Taker(config=CONFIG, dialect=database.dialect, mode="enforce", now_ms=NOW, account=account)


def account(user_id: str) -> Account:
    return Account(user_id=user_id, local=user_id.endswith(f":{SERVER}"))


def to_join(user: str, room_id: str) -> Callable[[Transaction, places.Taker], Outcome]:
    attempt = Join(actor=account(user), room=Room(room_id=room_id))
    return lambda txn, taker: places.join(txn, taker, attempt, invited=False)


def to_found(user: str, token: str) -> Callable[[Transaction, places.Taker], Outcome]:
    return lambda txn, taker: places.found(txn, taker, Found(actor=account(user)), holder=token, invites=0)


def ask_at_once(
    database: TestDatabase,
    asks: Sequence[Callable[[Transaction, places.Taker], Outcome]],
    *,
    isolation: int | None = None,
) -> list[Outcome]:
    """What becomes of attempts that all begin together, each over a connection of its own."""

    def rival(ask: Callable[[Transaction, places.Taker], Outcome]) -> Callable[[TestDatabase], Outcome | None]:
        def work(mine: TestDatabase) -> Outcome | None:
            if isolation is not None:
                mine._connection.conn.set_isolation_level(isolation)  # type: ignore[attr-defined]  # psycopg2's
            try:
                return result_of(mine.run("rival", ask, taker(mine)))
            except SerializationFailure:
                assert isolation is not None
                return None

        return work

    return [outcome for outcome in at_once(database, [rival(ask) for ask in asks]) if outcome is not None]


def allowed(outcomes: Sequence[Outcome]) -> int:
    assert not any(outcome.not_welcome for outcome in outcomes)
    return sum(outcome.verdict.allowed for outcome in outcomes)


def open_group(database: TestDatabase, creator: str = "founder") -> str:
    room_id: str = database.do(seed.make_room, seed.local(creator), kind=RoomKind.group, join_rule="public")
    return room_id


def people(count: int) -> list[str]:
    return [seed.local(f"rival{number}") for number in range(count)]


def test_a_group_takes_exactly_its_cap(pg_db: TestDatabase) -> None:
    room_id = open_group(pg_db)
    outcomes = ask_at_once(pg_db, [to_join(user, room_id) for user in people(RIVALS)])
    assert allowed(outcomes) == CAP - 1  # its founder is in it


def test_a_person_joins_exactly_as_many_groups_as_they_may_with_all_their_accounts(pg_db: TestDatabase) -> None:
    first, second = people(2)

    def link(txn: Transaction) -> None:
        person = identity.person_by_digest(txn, "digest", "person")
        identity.link(txn, first, person)
        identity.link(txn, second, person)

    pg_db.do(link)
    rooms = [open_group(pg_db) for _ in range(RIVALS)]
    asks = [to_join((first, second)[number % 2], room_id) for number, room_id in enumerate(rooms)]
    assert allowed(ask_at_once(pg_db, asks)) == CAP


def test_a_person_founds_exactly_as_many_groups_as_they_may(pg_db: TestDatabase) -> None:
    outcomes = ask_at_once(pg_db, [to_found(seed.local("founder"), f"token{number}") for number in range(RIVALS)])
    assert allowed(outcomes) == CAP


def test_foundings_and_joins_share_the_places_of_their_person(pg_db: TestDatabase) -> None:
    user = seed.local("founder")
    joins = [to_join(user, open_group(pg_db, "other")) for _ in range(RIVALS // 2)]
    foundings = [to_found(user, f"token{number}") for number in range(RIVALS // 2)]
    assert allowed(ask_at_once(pg_db, [*joins, *foundings])) == CAP


def test_of_all_who_are_invited_at_once_one_keeps_a_direct_chat_direct(pg_db: TestDatabase) -> None:
    founder = seed.local("founder")
    pg_db.do(quotas.set_override, f"account:{founder}", quotas.FOUNDED, 0)
    chat = pg_db.do(seed.make_room, founder, kind=RoomKind.direct)

    def to_invite(user: str) -> Callable[[Transaction, places.Taker], Outcome]:
        return lambda txn, taker: places.invite(txn, taker, chat, user)

    assert allowed(ask_at_once(pg_db, [to_invite(user) for user in people(RIVALS)])) == 1


def test_coming_and_going_never_passes_the_cap(pg_db: TestDatabase) -> None:
    room_id, most = open_group(pg_db), [0]
    queue = threading.Lock()  # Synapse writes the events of a room one after the other

    def be(mine: TestDatabase, user: str, membership: str) -> None:
        with queue:
            mine.do(seed.set_membership, room_id, user, membership)
            most.append(mine.do(state.members, room_id))

    def come_and_go(user: str) -> Callable[[TestDatabase], None]:
        def work(mine: TestDatabase) -> None:
            for _ in range(8):
                if result_of(mine.run("join", to_join(user, room_id), taker(mine))).verdict.allowed:
                    be(mine, user, "join")
                    be(mine, user, "leave")

        return work

    at_once(pg_db, [come_and_go(user) for user in people(6)])
    assert 1 < max(most) <= CAP


def test_who_comes_in_without_asking_takes_a_place_that_nobody_else_gets(
    pg_db: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "WORTH_WRITING", 2)
    room_id = open_group(pg_db)
    pg_db.do(quotas.set_override, quotas.room_subject(room_id), quotas.MEMBERS, 20)
    queue = threading.Lock()
    counted: list[bool] = []

    def ask(user: str) -> Callable[[TestDatabase], None]:
        def work(mine: TestDatabase) -> None:
            if result_of(mine.run("join", to_join(user, room_id), taker(mine))).verdict.allowed:
                be(mine, user)

        return work

    def come_in(user: str) -> Callable[[TestDatabase], None]:
        return lambda mine: be(mine, user)

    def be(mine: TestDatabase, user: str) -> None:
        with queue:
            mine.do(seed.set_membership, room_id, user, "join")
            later_ms = NOW + REMOTE_RESERVATION_MS
            used = mine.do(quotas.members, room_id, later_ms, besides="", default=CAP).used
            counted.append(used == mine.do(state.members, room_id))

    first, rest = people(30)[:6], people(30)[6:]
    at_once(pg_db, [*(come_in(user) for user in first), *(ask(user) for user in rest)])
    assert all(counted)
    assert 20 <= pg_db.do(state.members, room_id) <= 26  # nobody could refuse those who didn't ask
    late = ask_at_once(pg_db, [to_join(seed.local("late"), room_id)])
    assert allowed(late) == 0


class Interrupted:
    """A transaction in which something else is committed before one of its statements."""

    def __init__(self, txn: Transaction, before: int, commit: Callable[[], object]) -> None:
        self._txn = txn
        self._left = before
        self._commit = commit
        self.happened = False

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> object:
        if self._left == 0:
            self._commit()
            self.happened = True
        self._left -= 1
        return self._txn.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._txn, name)


ENTERED = "a place of the person for a room that is there"


def promise(txn: Transaction, quota: str, user: str, room_id: str) -> None:
    if quota in (quotas.MEMBERS, ENTERED):
        quotas.reserve_member(txn, room_id, user, now_ms=NOW, ttl_ms=1_000)
    if quota != quotas.MEMBERS:
        name = quotas.JOINED if quota == ENTERED else quota
        quotas.reserve(txn, f"account:{user}", name, room_id, NOW + 1_000)


def arrive(database: TestDatabase, quota: str, user: str, room_id: str) -> None:
    with contextlib.closing(database.another()) as other:
        if quota in (quotas.MEMBERS, ENTERED):
            other.do(seed.set_membership, room_id, user, "join")
        else:
            other.do(seed.make_room, user, kind=RoomKind.group, founding_id=room_id)


def used(txn: Any, quota: str, user: str, room_id: str) -> int:
    if quota == quotas.MEMBERS:
        return quotas.members(txn, room_id, NOW, besides="", default=9).used - 1  # its founder
    if quota == quotas.FOUNDED:
        return quotas.rooms_founded(txn, f"account:{user}", [user], NOW, default=9).used
    return quotas.rooms_joined(txn, f"account:{user}", [user], NOW, besides=None, default=9).used


@pytest.mark.parametrize("quota", [quotas.FOUNDED, quotas.JOINED, quotas.MEMBERS, ENTERED])
def test_what_arrives_while_places_are_counted_is_counted_once(pg_db: TestDatabase, quota: str) -> None:
    for before in itertools.count():
        user = seed.local(f"user{before}")
        room_id = open_group(pg_db) if quota in (quotas.MEMBERS, ENTERED) else f"founding{before}"
        pg_db.do(promise, quota, user, room_id)
        with pg_db.begin() as txn:
            interrupted = Interrupted(txn, before, partial(arrive, pg_db, quota, user, room_id))
            assert used(interrupted, quota, user, room_id) == 1, f"before statement {before}"
        if not interrupted.happened:  # the count takes no more statements
            assert before > 1
            return


def test_who_leaves_while_their_profile_changes_lets_nobody_in(pg_db: TestDatabase) -> None:
    """Synapse then joins them anew, by another worker than the one by which they leave."""
    member, other = people(2)
    pg_db.do(lambda txn: txn.execute("SET lock_timeout = '50ms'"))
    for before in itertools.count():
        room_id, waits = open_group(pg_db), [True]
        pg_db.do(quotas.set_override, quotas.room_subject(room_id), quotas.MEMBERS, 2)
        pg_db.do(seed.set_membership, room_id, member, "join")
        with contextlib.closing(pg_db.another()) as changing, changing.begin() as txn:

            def let_in(room_id: str = room_id, waits: list[bool] = waits) -> None:
                pg_db.do(seed.set_membership, room_id, member, "leave")
                with contextlib.suppress(LockNotAvailable):
                    come(pg_db, other, room_id)
                    waits[0] = False

            interrupted = Interrupted(txn, before, let_in)
            comes_back = to_join(member, room_id)(interrupted, taker(pg_db)).verdict.allowed
        if waits[0]:
            come(pg_db, other, room_id)
        if comes_back:
            pg_db.do(seed.set_membership, room_id, member, "join")
        assert pg_db.do(state.members, room_id) == 2, f"before statement {before}"
        for user in (member, other):
            pg_db.do(seed.set_membership, room_id, user, "leave")
        if not interrupted.happened:
            assert before > 1
            return


def come(database: TestDatabase, user: str, room_id: str) -> None:
    if result_of(database.run("join", to_join(user, room_id), taker(database))).verdict.allowed:
        database.do(seed.set_membership, room_id, user, "join")


def overshoots(database: TestDatabase, *, isolation: int | None = None) -> bool:
    """Whether more are let into a group than it has places, in one of several rounds."""
    for _ in range(ROUNDS):
        room_id = open_group(database)
        # As in every group but the newest, all were counted before: those who now count anew would stop one another.
        database.do(quotas.lock, database.dialect, [quotas.room_subject(room_id)])
        database.do(quotas.members, room_id, NOW, besides="", default=CAP)
        asks = [to_join(user, room_id) for user in people(RIVALS)]
        if allowed(ask_at_once(database, asks, isolation=isolation)) > CAP - 1:
            return True
        database.do(lambda txn: txn.execute("DELETE FROM groupreg_reservations"))
    return False


def test_planted_without_the_lock_a_group_overflows(pg_db: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "lock", lambda *_: None)
    assert overshoots(pg_db)


def test_planted_at_the_isolation_that_synapse_uses_a_group_overflows(pg_db: TestDatabase) -> None:
    assert overshoots(pg_db, isolation=ISOLATION_LEVEL_REPEATABLE_READ)


def test_without_a_planted_bug_no_group_overflows(pg_db: TestDatabase) -> None:
    assert not overshoots(pg_db)
