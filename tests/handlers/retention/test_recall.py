# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever searches is recorded before they see anything; people see what is kept of them, and who looked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Invalid, Unavailable
from synapse_groupreg.handlers import looks
from synapse_groupreg.handlers.retention.reading import Openers
from synapse_groupreg.handlers.retention.recall import Recall
from synapse_groupreg.handlers.retention.searching import Wanted
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.storage import outbox
from synapse_groupreg.storage.store import StoreUnavailable
from tests.database import result_of
from tests.handlers import stage as people
from tests.handlers.retention.stage import ALICE, BOB, CAROL, GARDEN, SERVER, Archive
from tests.handlers.retention.surgery import operate

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.retention.records import Entry
    from tests.database import TestDatabase

INSPECTOR = Staff(user_id=CAROL, roles=frozenset({StaffRole.inspector}))
NOW = people.NOW


def seal(plain: bytes) -> bytes:
    return plain[::-1]


class Threads(people.FakeHomeserver):
    """A homeserver whose threads are at hand."""

    async def in_thread(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)


class Desk:
    """Searches on an archive, and what the outbox has of them."""

    def __init__(self, archive: Archive, database: TestDatabase, openers: Openers | None = None) -> None:
        self.database = database
        self.recall = Recall(openers or archive.openers, database, Threads(), seal)

    def search(self, *, staff: Staff = INSPECTOR, reason: str = "case 7", **more: Any) -> Any:
        how = {"start": None, "limit": 100, "content": False}
        how |= {name: more.pop(name) for name in list(more) if name in how}
        return result_of(self.recall.search(staff, Wanted(**more), reason=reason, **how))

    def about(self, user_id: str, *, staff: Staff, reason: str | None = None, **more: Any) -> Any:
        how = {"start": None, "limit": 100, **more}
        return result_of(self.recall.about(staff, user_id, reason=reason, **how))

    def recorded(self) -> list[Entry]:
        """What waits for the recorder, in order."""
        self.database.do(outbox.number, seal, NOW)
        return self.database.do(outbox.read, 0, 100, seal)


@pytest.fixture
def desk(archive: Archive, sqlite_db: TestDatabase) -> Desk:
    return Desk(archive, sqlite_db)


def test_a_search_is_recorded_with_who_and_why_and_what_for(archive: Archive, desk: Desk) -> None:
    archive.put(archive.refusal(), archive.refusal(), archive.refusal(BOB))
    found = desk.search(account=ALICE, room=GARDEN, codes=("room-full",), from_ms=1, limit=1)
    [record] = desk.recorded()
    assert (record.kind, record.type, record.ts_ms) == (Kind.search, "search records", NOW)
    assert (record.actor, record.target, record.room) == (CAROL, ALICE, GARDEN)
    assert record.details["reason"] == "case 7"
    assert json.loads(record.details["text"]) == {"codes": ["room-full"], "from_ms": 1}
    assert record.facts == {"records": 1, "roles": ["inspector"]}

    desk.search(account=ALICE, room=GARDEN, codes=("room-full",), start=found["next_token"], content=True)
    *_, second = desk.recorded()
    said = {"codes": ["room-full"], "from": found["next_token"], "content": True}
    assert (json.loads(second.details["text"]), second.facts) == (said, {"records": 1, "roles": ["inspector"]})


def test_what_can_not_be_recorded_is_not_shown(archive: Archive, desk: Desk) -> None:
    archive.put(archive.login())
    desk.database.fail = RuntimeError("the database is away")
    with pytest.raises(RuntimeError):
        desk.search(account=ALICE)
    with pytest.raises(RuntimeError):
        desk.about(ALICE, staff=INSPECTOR, reason="case 7")


def test_a_store_that_is_away_is_said_in_one_sentence(archive: Archive, sqlite_db: TestDatabase) -> None:
    def away(_log: str) -> Any:
        raise StoreUnavailable("The retention store's server can't be reached.")

    desk = Desk(archive, sqlite_db, Openers(away, SERVER, archive.keys))
    with pytest.raises(Unavailable) as raised:
        desk.search(account=ALICE)
    told = "The retention store can't be read: The retention store's server can't be reached."
    assert raised.value.message == told
    assert desk.recorded() == []


def test_a_token_of_something_else_is_refused(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.search(start="1.5")
    with pytest.raises(Invalid):
        desk.about(ALICE, staff=INSPECTOR, reason="x", start="1.5_1.7")


def test_a_record_is_shown_with_everything_that_is_there(archive: Archive, desk: Desk) -> None:
    archive.put(archive.login(facts={"provider": "oidc"}))
    [shown] = desk.search(kinds=(Kind.login,))["records"]
    assert shown == {
        "log": "events",
        "index": 1,
        "period": "2026-11",
        "shard": 1,
        "kind": "login",
        "ts_ms": archive.now_ms + 1000,
        "type": "m.login.password",
        "verdict": None,
        "count": 1,
        "sender": ALICE,
        "room_id": None,
        "target": None,
        "event_id": None,
        "device_id": "ABCDEF",
        "ip": "192.0.2.7",
        "user_agent": "Cinny/4.2",
        "facts": {"provider": "oidc"},
        "erased": [],
        "changed": False,
    }


CHANGES = {
    "its time": "UPDATE {records} SET ts_ms = ts_ms + 1 WHERE n = 2",
    "its type": "UPDATE {records} SET type = NULL WHERE n = 2",
    "its kind": "UPDATE {records} SET kind = 99 WHERE n = 2",
    "its facts": "UPDATE {records} SET facts = '{{' WHERE n = 2",
    "its hash": "UPDATE {records} SET leaf = (SELECT leaf FROM {records} WHERE n = 1) WHERE n = 2",
    "what is sealed": "UPDATE {records} SET sealed = (SELECT sealed FROM {records} WHERE n = 1) WHERE n = 2",
    "who it was": "UPDATE {records} SET actor = (SELECT actor FROM {records} WHERE n = 3) WHERE n = 2",
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_in_the_store_is_marked_and_the_rest_is_shown(archive: Archive, desk: Desk, what: str) -> None:
    archive.put(archive.login(), archive.login(), archive.login(BOB), archive.login())
    period = archive.place.reader().periods()[0].period
    operate(archive, period, CHANGES[what])
    shown = {one["index"]: one["changed"] for one in desk.search(log=LogName.events)["records"]}
    assert shown == {0: False, 1: False, 2: True, 3: False, 4: False}
    json.dumps(desk.search(account=ALICE))


def test_a_content_that_was_exchanged_is_not_shown(archive: Archive, desk: Desk) -> None:
    archive.put(archive.message(text="one"), archive.message(text="two"))
    period = archive.place.reader().periods()[0].period
    sql = "UPDATE {records} SET content = (SELECT content FROM {records} WHERE n = 1) WHERE n = 2"
    operate(archive, period, sql)
    second, first = desk.search(kinds=(Kind.event,), content=True)["records"]
    assert ("content" in second, second["changed"], first["content"]["body"]) == (False, True, "one")


def test_content_is_shown_only_to_who_asks_for_it(archive: Archive, desk: Desk) -> None:
    archive.put(archive.message(text="cinq"), archive.message(content=None))
    without = desk.search(kinds=(Kind.event,))["records"]
    assert all("content" not in one for one in without)
    none, kept = desk.search(kinds=(Kind.event,), content=True)["records"]
    assert (kept["content"]["body"], "content" in none) == ("cinq", False)


def test_people_see_what_they_did_and_who_looked_but_not_who_it_was_nor_why(archive: Archive, desk: Desk) -> None:
    archive.put(
        archive.message(),
        archive.message(BOB),
        archive.login(),
        archive.entry(Kind.logout, type="admin", actor=ALICE, details={"author": BOB, "device_id": "D"}),
        archive.entry(Kind.report, type="user", actor=BOB, target=ALICE, details={"reason": "rude"}),
        archive.entry(Kind.event, type="m.room.member", actor=BOB, target=ALICE, room=GARDEN),
        archive.look(facts={"roles": ["reviewer"]}, details={"reason": "case 9"}),
        archive.look(ALICE, BOB),
        archive.look(ALICE, ALICE),
        archive.entry(Kind.search, type="search records", actor=BOB, target=ALICE, facts={"records": 3}),
        archive.entry(Kind.act, type="blacklist", actor=BOB, target=ALICE),
        archive.entry(Kind.hold, type="hold", actor=BOB, target=ALICE),
        archive.entry(Kind.act, type="erase-records", actor=BOB, target=ALICE),
    )
    mine = desk.about(ALICE, staff=Staff(user_id=ALICE))
    assert [(one["log"], one["kind"]) for one in mine["records"]] == [
        *[("acts", "look"), ("acts", "look")],
        *[("events", "logout"), ("events", "login"), ("events", "event")],
    ]
    assert mine["records"][3]["ip"] == "192.0.2.7"
    assert [(one["kind"], one["type"], one["roles"]) for one in mine["looks"]] == [
        ("act", "erase-records", []),
        ("search", "search records", []),
        ("look", "read accounts", ["reviewer"]),
    ]
    text = json.dumps([*mine["looks"], *mine["records"][2:]])
    assert not [one for one in (CAROL, BOB, "case 9", "rude", "author") if one in text]
    assert desk.recorded() == [], "to read one's own is no look"


def test_somebody_elses_are_shown_to_inspectors_and_that_is_recorded(archive: Archive, desk: Desk) -> None:
    archive.put(archive.login(), archive.look())
    seen = desk.about(ALICE, staff=INSPECTOR, reason="case 7")
    assert len(seen["records"]) == len(seen["looks"]) == 1
    [record] = desk.recorded()
    assert (record.kind, record.actor, record.target, record.details["reason"]) == (Kind.search, CAROL, ALICE, "case 7")
    assert json.loads(record.details["text"]) == {"view": "my-records"}


def test_the_pages_of_ones_own_records_are_whole(archive: Archive, desk: Desk) -> None:
    for _ in range(2):
        archive.put(
            *(archive.message() for _ in range(7)), *(archive.look() for _ in range(5)), archive.look(ALICE, BOB)
        )
        archive.roll()
    records, looked, token = list[Any](), list[Any](), None
    while True:
        answer = desk.about(ALICE, staff=Staff(user_id=ALICE), start=token, limit=3)
        records += answer["records"]
        looked += answer["looks"]
        token = answer.get("next_token")
        if token is None:
            break
    assert ([one["kind"] for one in records].count("event"), len(records), len(looked)) == (14, 16, 10)
    assert len({(one["log"], one["index"]) for one in records}) == 16


def test_a_look_at_an_account_is_recorded_with_who_and_in_which_role_and_why(sqlite_db: TestDatabase) -> None:
    stage = people.Stage(sqlite_db)
    stage.do(looks.account, INSPECTOR, people.ALICE, stage.config, NOW, reason="case 7", seal=seal)
    stage.do(looks.account, Staff(user_id=people.ALICE), people.ALICE, stage.config, NOW, seal=seal)
    stage.do(outbox.number, seal, NOW)
    [look] = [one for one in stage.do(outbox.read, 0, 100, seal) if one.kind is Kind.look]
    assert (look.actor, look.target, look.details, look.facts) == (
        CAROL,
        people.ALICE,
        {"reason": "case 7"},
        {"roles": ["inspector"]},
    )
