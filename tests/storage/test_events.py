# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each event that Synapse persisted is read once, by several writers out of order, after crashes, and when one goes."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.retention.records import Entry, Kind, b64
from synapse_groupreg.storage import event_rows, events, outbox
from synapse_groupreg.storage.events import SETTLED_AFTER_MS
from tests.storage.synapse_events import NOW, ROOM, persist, reached, read_on

if TYPE_CHECKING:
    from tests.database import TestDatabase


def entry(db: TestDatabase, **said: Any) -> Entry:
    """An event as it is read."""
    db.do(persist, 9, **said)
    (found,) = db.do(events.read, "events/master", 8, 9, 10)
    return found


# What an entry says.


def test_a_message_says_who_where_and_what_it_commits_to(db: TestDatabase) -> None:
    content = {"body": "héllo ☃", "a": {"z": 1, "b": [True, None]}}
    found = entry(db, content=content)
    said = '{"a":{"b":[true,null],"z":1},"body":"héllo ☃"}'.encode()
    assert (found.kind, found.source, found.position, found.ts_ms) == (Kind.event, "events/master", 9, NOW + 9)
    assert (found.type, found.actor, found.room, found.target, found.verdict) == (
        *("m.room.message", "@a:x", ROOM, None, None),
    )
    assert found.details == {"event_id": "$e9", "content_sha256": b64(hashlib.sha256(said).digest())}
    assert found.content is None
    (full,) = db.do(events.read, "events/master", 8, 9, 10, content="full")
    assert full.content == said
    (less,) = db.do(events.read, "events/master", 8, 9, 10, content="none")
    assert less.details == {"event_id": "$e9"}


def test_a_membership_names_whom_it_is_about(db: TestDatabase) -> None:
    found = entry(db, type="m.room.member", state_key="@b:x", content={"membership": "ban"})
    assert found.target == "@b:x"
    assert found.details["membership"] == "ban"
    assert "state_key" not in found.details


@pytest.mark.parametrize(("key", "shown"), [("", None), ("key", "key")])
def test_other_state_shows_its_key(db: TestDatabase, key: str, shown: str | None) -> None:
    found = entry(db, type="m.room.topic", state_key=key)
    assert (found.target, found.details.get("state_key")) == (None, shown)


@pytest.mark.parametrize("said", [{"redacts": "$old"}, {"content": {"redacts": "$old"}}])
def test_a_redaction_says_of_what(db: TestDatabase, said: dict[str, Any]) -> None:
    assert entry(db, type="m.room.redaction", **said).details["redacts"] == "$old"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"rejected": "auth_error"}, "rejected"),
        ({"internal": {"soft_failed": True}}, "soft-failed"),
        ({"internal": {"soft_failed": False, "redacted": True}}, "redacted"),
        ({"outlier": True, "internal": {"outlier": True}}, "outlier"),
        ({"rejected": "x", "outlier": True, "internal": {"soft_failed": True}}, "rejected,soft-failed,outlier"),
        ({"internal": {"token_id": 3, "device_id": "soft_failed"}}, None),
    ],
)
def test_what_synapse_made_of_it_is_said(db: TestDatabase, said: dict[str, Any], verdict: str | None) -> None:
    assert entry(db, **said).verdict == verdict


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", "{}", '{"content":' + "[" * 100_000])
def test_what_can_not_be_read_is_an_entry_all_the_same(db: TestDatabase, text: str) -> None:
    db.do(persist, 9)
    db.do(lambda txn: txn.execute("UPDATE event_json SET json = ?", (text,)))
    (found,) = db.do(events.read, "events/master", 0, 9, 10, content="full")
    assert (found.verdict, found.details, found.content) == ("unreadable", {"event_id": "$e9"}, None)


def test_an_event_whose_json_is_gone_is_an_entry_all_the_same(db: TestDatabase) -> None:
    db.do(persist, 9)
    db.do(lambda txn: txn.execute("DELETE FROM event_json"))
    assert [one.verdict for one in db.do(events.read, "events/master", 0, 9, 10)] == ["unreadable"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=["L", "Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values, json_values)
def test_nothing_in_an_event_makes_it_fail(content: Any, membership: Any, redacts: Any) -> None:
    if isinstance(content, dict):
        content["membership"] = membership
    for type_ in ("m.room.member", "m.room.redaction", "m.\ud800"):
        text = json.dumps({"content": content, "redacts": redacts})
        row = (9, "$e", ROOM, type_, "@a\0:x", "@b\udfff:x", None, None, False, None, text, text)
        (found,) = event_rows.entries("events/master", [row], content="full")
        for value in (found.type, found.room, found.actor, found.target, *found.details.values()):
            assert value is None or "\0" not in value.encode().decode()


# Which events are read.


def test_only_what_the_position_covers_is_read(db: TestDatabase) -> None:
    cursors: dict[str, int] = {}
    for ordering in (2, 3, 5):
        db.do(persist, ordering)
    db.do(reached, 3)
    assert read_on(db, cursors) == ["$e2", "$e3"]
    db.do(persist, 4)  # committed after 5
    db.do(reached, 5)
    assert read_on(db, cursors) == ["$e4", "$e5"]
    assert read_on(db, cursors) == []


def test_history_is_a_source_that_counts_down(db: TestDatabase) -> None:
    for ordering in (-2, -3, -4):
        db.do(persist, ordering)
    db.do(persist, 2)
    db.do(reached, -3, stream="backfill")
    db.do(reached, 2)
    cursors: dict[str, int] = {}
    assert sorted(read_on(db, cursors, limit=1)) == ["$e-2", "$e-3", "$e2"]
    assert cursors == {"backfill/master": 3, "events/master": 2}
    (found,) = db.do(events.read, "backfill/master", 2, 3, 10)
    assert (found.source, found.position) == ("backfill/master", 3)
    assert db.do(events.count_between, "backfill/master", 0, 4, most=9) == 3


def test_events_from_before_writers_had_names_belong_to_the_main_process(db: TestDatabase) -> None:
    db.do(persist, 2, None)
    db.do(reached, 2)
    assert read_on(db, {}) == ["$e2"]


@pytest.mark.parametrize("seed", range(8))
def test_two_writers_that_commit_in_any_order_lose_and_double_nothing(db: TestDatabase, seed: int) -> None:
    """As Synapse does it: a number from the common sequence, the commit some time later, then the position."""
    dice = random.Random(seed)
    under_way: dict[str, list[int]] = {"ep1": [], "ep2": []}
    done: dict[str, set[int]] = {"ep1": set(), "ep2": set()}
    cursors: dict[str, int] = {}
    found: list[str] = []
    last = 1
    persisted = set()
    for _ in range(120):
        writer = dice.choice(["ep1", "ep2"])
        match dice.choice(["take a number", "commit", "read"]):
            case "take a number":
                last += 1
                under_way[writer].append(last)
            case "commit" if under_way[writer]:
                ordering = under_way[writer].pop(dice.randrange(len(under_way[writer])))
                done[writer].add(ordering)
                if dice.random() < 0.9:  # else it was rolled back, and leaves a gap
                    db.do(persist, ordering, writer)
                    persisted.add(f"$e{ordering}")
                below = min(under_way[writer], default=last + 1)
                covered = [one for one in done[writer] if one < below]
                if covered and dice.random() < 0.8:  # else it crashes before, and writes it the next time
                    db.do(reached, max(covered), writer)
            case "read":
                found += read_on(db, cursors, limit=dice.randint(1, 4))
    for writer in under_way:
        db.do(reached, last, writer)
    found += read_on(db, cursors)
    assert len(found) == len(set(found))
    assert set(found) == persisted


# Where to begin.


def test_a_recorder_begins_now_or_with_all_there_is(db: TestDatabase) -> None:
    for ordering, writer in ((2, None), (3, "gone"), (4, "master"), (-2, "master"), (5, "master")):
        db.do(persist, ordering, writer)
    db.do(reached, 4)
    db.do(reached, -2, stream="backfill")
    assert db.do(events.start_positions, "now") == {"events/master": 4, "backfill/master": 2}
    everything = db.do(events.start_positions, "beginning")
    assert everything == dict.fromkeys(["backfill/master", "events/gone", "events/master"], 0)
    assert db.do(events.count_between, "events/master", 0, 4, most=9) == 2
    assert db.do(events.count_between, "events/master", 0, 4, most=1) <= 1, "no more are looked at"
    later = NOW + SETTLED_AFTER_MS + 100
    more = db.do(events.left_over, everything, later)
    assert sorted(read_on(db, everything, more=more)) == ["$e-2", "$e2", "$e3", "$e4"]
    now = {"events/master": 4, "backfill/master": 2}
    db.do(reached, 5)
    assert read_on(db, now) == ["$e5"]


def test_what_is_written_before_the_recorder_begins_is_read_too(db: TestDatabase) -> None:
    """People are let in a moment before the first tick of the recorder."""
    db.do(persist, 2)
    db.do(reached, 2)
    note_start(db)
    for ordering in (3, 4):
        db.do(persist, ordering)
    db.do(reached, 4)
    cursors = db.do(events.start_positions, "now")
    assert read_on(db, cursors) == ["$e3", "$e4"]


def test_a_writer_that_is_no_more_is_read_to_its_end_once_that_is_settled(db: TestDatabase) -> None:
    cursors = {"events/ep1": 2}
    for ordering in (2, 3, 5):
        db.do(persist, ordering, "ep1")
    db.do(persist, 4, "ep2")
    db.do(reached, 4, "ep2")
    assert read_on(db, cursors) == ["$e4"]
    assert db.do(events.left_over, cursors, NOW + 6) == {}
    more = db.do(events.left_over, cursors, NOW + SETTLED_AFTER_MS + 6)
    assert more == {"events/ep1": 5}
    assert read_on(db, cursors, more=more) == ["$e3", "$e5"]
    assert db.do(events.left_over, cursors, NOW + SETTLED_AFTER_MS + 6) == {}


# Starting processes.


def note_start(db: TestDatabase, writer: str = "master") -> None:
    db.do(events.note_start, db.dialect, writer)


def test_what_a_crash_left_beyond_the_position_is_read_after_the_restart(db: TestDatabase) -> None:
    cursors: dict[str, int] = {}
    note_start(db)
    for ordering in (2, 3):
        db.do(persist, ordering)
    db.do(reached, 2)
    assert read_on(db, cursors) == ["$e2"]
    db.do(persist, -2)
    note_start(db)
    assert sorted(read_on(db, cursors)) == ["$e-2", "$e3"]
    db.do(persist, 4)
    assert read_on(db, cursors) == []
    db.do(reached, 4)
    assert read_on(db, cursors) == ["$e4"]


def test_a_transaction_of_the_dead_process_is_waited_for(pg_db: TestDatabase) -> None:
    """Its client is gone, but its COMMIT may still be on the way when the next process starts."""
    db, dead = pg_db, pg_db.another()
    note_start(db)
    with dead.begin() as txn:
        persist(txn, 3)
        db.do(persist, 4)
        note_start(db)
        assert read_on(db, {}) == []
    dead.close()
    assert read_on(db, {}) == ["$e3", "$e4"]


def test_a_new_writer_begins_where_it_was_first_seen(db: TestDatabase) -> None:
    for ordering in (2, 3):
        db.do(persist, ordering)
    db.do(reached, 3)
    note_start(db, "ep2")
    note_start(db, "never-writes")
    db.do(persist, 4, "ep2")
    db.do(reached, 4, "ep2")
    note_start(db, "ep2")
    assert db.do(events.first, "events/ep2") == 3
    assert sorted(db.do(events.writers)) == ["events/ep2", "events/master"]
    assert read_on(db, {"events/master": 3}) == ["$e4"]


def test_a_start_changes_nothing_of_synapses(db: TestDatabase) -> None:
    db.do(persist, 3)
    db.do(reached, 2)
    note_start(db)
    assert db.rows("SELECT stream_name, instance_name, stream_id FROM stream_positions") == [("events", "master", 2)]


# Rooms that are about to be deleted.


def test_a_room_is_unread_until_the_recorder_is_past_all_of_it(db: TestDatabase) -> None:
    db.do(persist, 7, "gone")  # it was no more when the recorder began
    for ordering, writer in ((3, "master"), (4, "ep2"), (-2, "master")):
        db.do(persist, ordering, writer)
    db.do(persist, 9, room_id="!other:x")
    for writer, position in (("master", 9), ("ep2", 4)):
        db.do(reached, position, writer)
    db.do(reached, -2, stream="backfill")
    behind = {"events/master": 3, "events/ep2": 4, "backfill/master": 2}
    assert not db.do(events.unread, ROOM, behind)
    for source, at in behind.items():
        assert db.do(events.unread, ROOM, {**behind, source: at - 1}), source
    assert db.do(events.unread, "!other:x", behind)
    assert not db.do(events.unread, "!unknown:x", {})
    db.do(outbox.publish_progress, behind)
    assert not db.do(lambda txn: events.unread(txn, ROOM, outbox.progress(txn)))
