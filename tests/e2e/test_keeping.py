# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store in operation: holds, keys, what status says, and a store that can't be written for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.storage.store_sqlite import SqliteReader
from tests.e2e.client import Person, Staff, poll, refused
from tests.e2e.test_starting import changed, last_words

CONFIG = {"mode": "enforce", "federation": "closed"}
DAY = 86_400_000


@pytest.fixture(scope="module")
def strict(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    """A server on which nothing happens that can't be recorded."""
    return start_homeserver(module_config={**CONFIG, "on_error": {"retention": "refuse"}})


@pytest.fixture(scope="module")
def lenient(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


@pytest.fixture(scope="module")
def operator(strict: Homeserver) -> Staff:
    return Staff(strict, "operator", roles=["operator"], granted_by=Staff(strict, "admin"))


def folder(server: Homeserver) -> Path:
    return server.files.folder / "groupreg" / "retention"


def retention(staff: Staff) -> dict[str, Any]:
    found: dict[str, Any] = staff.status()["retention"]
    return found


def held(staff: Staff) -> dict[str, list[int]]:
    """The holds on the one period of each log, which is due in no case."""
    periods = staff.groupreg("GET", "retention/periods").good()["periods"]
    assert not any(one["due"] for one in periods)
    return {one["log"]: one["held_by"] for one in periods}


def recorded(server: Homeserver, kind: int = 0) -> int:
    reader = SqliteReader(folder(server), "events")
    found = sum(
        len(reader.select(info.period, Selection(kinds=[kind], types=["m.room.message"]), 10_000, newest_first=False))
        for info in reader.periods()
    )
    reader.close()
    return found


@contextmanager
def unusable(*servers: Homeserver) -> Iterator[None]:
    """Put a file in the place of the store's folder."""
    places = [(folder(server), folder(server).with_name("elsewhere")) for server in servers]
    for place, elsewhere in places:
        place.rename(elsewhere)
        place.write_text("no folder")
    try:
        yield
    finally:
        for place, elsewhere in places:
            place.unlink()
            elsewhere.rename(place)


def test_a_hold_is_put_listed_and_lifted(operator: Staff) -> None:
    now = operator.acts()[0]["ts_ms"]
    body = {"from_ms": 0, "to_ms": now, "until_ms": now + DAY, "reason": "lawsuit", "basis": "order 17"}
    made = operator.groupreg("POST", "retention/holds", body).good()
    [shown] = operator.groupreg("GET", "retention/holds").good()["holds"]
    assert shown["id"] == made["id"]
    # Once the recorder has begun both logs.
    assert poll(lambda: held(operator) == {"events": [made["id"]], "acts": []})
    assert operator.groupreg("POST", "retention/purge", {"reason": "r"}).status == 409
    operator.groupreg("DELETE", f"retention/holds/{made['id']}", {"reason": "settled"}).good()
    assert operator.groupreg("GET", "retention/holds").good()["total"] == 0


def test_nothing_was_lost_so_no_shard_begins(operator: Staff) -> None:
    answer = operator.groupreg("POST", "retention/epoch", {"log": "events", "reason": "r"})
    assert (answer.status, answer.body["errcode"]) == (409, "ORG_GROUPREG_CONFLICT")


@contextmanager
def elsewhere(server: Homeserver, folder: Path) -> Iterator[None]:
    """Name another folder for the keys, and with it another store."""
    right = server.files
    server.files = attrs.evolve(right, module_config={**CONFIG, "retention": {"keys_path": str(folder)}})
    try:
        yield
    finally:
        server.files = right


def test_a_person_is_erased_once_two_agree_that_the_duty_has_ended(strict: Homeserver, operator: Staff) -> None:
    person, admin = Person(strict, "leaver"), Staff(strict, "second")
    room = person.found_group()
    person.send(room).good()
    body = {"user_id": person.user_id, "reason": "asked for"}
    operator.groupreg("POST", "retention/erasures", body).good()
    found = poll(
        lambda: [one for one in operator.groupreg("GET", "retention/erasures").good()["erasures"] if one["next_ms"]]
    )
    assert found[0]["next_ms"] > operator.acts()[0]["ts_ms"] + 180 * DAY
    proposed = operator.groupreg("POST", "retention/erasures", {**body, "duty_ended": "court order 9"}).good()
    assert (proposed["changed"], found[0]["done_ms"]) == (False, None)
    admin.groupreg("POST", f"proposals/{proposed['proposal']['id']}/approve", {}).good()
    [done] = poll(
        lambda: [one for one in operator.groupreg("GET", "retention/erasures").good()["erasures"] if one["done_ms"]]
    )
    assert done["account"] is None
    assert done["records"] > 0
    shown = admin.groupreg("POST", "records/about", {"user_id": person.user_id, "reason": "check"}).good()
    assert [one for one in shown["records"] if one["kind"] == "event"] == []
    proposal = admin.groupreg("GET", f"proposals/{proposed['proposal']['id']}").good()
    assert person.user_id not in str(proposal)


def test_status_says_how_far_the_store_is(operator: Staff) -> None:
    said = poll(
        lambda: (found := retention(operator)) and "oldest_ms" in found["logs"].get("acts", {}) and found, seconds=30
    )
    assert (said["enabled"], said["problem"], said["alarms"], said["anchors"]) == (True, None, [], 0)
    for log in ("events", "acts"):
        assert said["logs"][log]["bytes"] > 0
        assert 0 < said["logs"][log]["signed_size"] <= said["logs"][log]["size"]
    codes = {one["code"] for one in operator.status()["warnings"]}
    assert "unanchored" in codes


def test_keys_are_renewed_and_the_server_starts_with_them(strict: Homeserver, operator: Staff, tmp_path: Path) -> None:
    keys, signing = (strict.files.folder / "groupreg" / name for name in ("retention.keys", "retention-signing.key"))
    before = keys.read_bytes(), signing.read_bytes()
    operator.groupreg("POST", "retention/keys", {"signing": True, "reason": "yearly"}).good()
    assert poll(lambda: retention(operator)["waiting"] == [])
    after = keys.read_bytes(), signing.read_bytes()
    assert after[0] != before[0]
    assert after[1] != before[1]
    strict.restart()
    assert poll(lambda: retention(operator)["problem"] is None)
    strict.stop()
    try:
        with changed(keys, before[0]):
            said = last_words(strict)
            assert "can't start: retention.keys in retention.keys_path is not the key file of this store" in said
            assert "Traceback" not in said
        with changed(signing, before[1]):
            assert "is not the key that signed the log events" in last_words(strict)
        with elsewhere(strict, tmp_path):
            said = last_words(strict)
        assert f"retention.keys is not in {tmp_path}, the folder of retention.keys_path, and Synapse's database" in said
        assert list(tmp_path.iterdir()) == []
    finally:
        strict.start()


def test_while_nothing_can_be_recorded_refuse_refuses_and_allow_allows_and_nothing_is_lost(
    strict: Homeserver, lenient: Homeserver, operator: Staff
) -> None:
    person, other = Person(strict, "writer"), Person(lenient, "writer")
    room, others = person.found_group(), other.found_group()
    before = recorded(strict)  # what somebody else sent there
    person.send(room).good()
    other.send(others).good()
    assert poll(lambda: recorded(strict) == before + 1 and recorded(lenient) == 1)
    allowed = 1
    with unusable(strict, lenient):
        for _ in range(3):  # for some seconds a problem may pass by itself
            person.send(room).good()
            allowed += 1
        assert poll(lambda: retention(operator)["problem"])
        assert poll(lambda: person.send(room, "one of many").status == 403, seconds=20, every=1)
        refused(person.send(room), "unavailable")
        refused(person.found(), "unavailable")
        refused(Person(strict, "late").join(room), "unavailable")
        person.sync().good()
        sent = 1 + sum(other.send(others).ok for _ in range(5))
        assert sent == 6
    assert poll(lambda: person.send(room, "again").ok, seconds=20)
    assert poll(lambda: recorded(lenient) == sent, seconds=20)
    in_synapse = len([one for one in person.messages(room).good()["chunk"] if one["type"] == "m.room.message"])
    assert in_synapse > allowed
    assert poll(lambda: recorded(strict) == before + in_synapse, seconds=20)
    assert retention(operator)["problem"] is None
