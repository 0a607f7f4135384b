# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The contract of the retention store, on both engines: what was put in is what is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import pytest

from synapse_groupreg.storage.store import Fenced, KeyRow, Period, Selection
from tests.storage.store_samples import (
    DECEMBER,
    JANUARY,
    KEYS,
    NOON,
    NOVEMBER,
    Log,
    digest,
    name,
    row,
)

if TYPE_CHECKING:
    from tests.storage.store_places import Place

ALL = Selection()


@pytest.fixture
def log(place: Place) -> Log:
    made = Log(place.store())
    made.begin()
    return made


def test_a_log_that_was_never_begun_is_empty(place: Place) -> None:
    reader = place.reader()
    assert (reader.head(), reader.periods(), reader.bases(), reader.checkpoints(1)) == (None, [], {}, [])
    assert reader.select(NOVEMBER, ALL, 10, newest_first=True) == []
    assert list(reader.tallies(NOVEMBER)) == []
    assert place.store().acquire() is None
    assert reader.head() is None


def test_the_two_logs_of_a_store_know_nothing_of_each_other(place: Place, log: Log) -> None:
    acts = Log(place.store("acts"))
    acts.begin(DECEMBER)
    log.fill(3)
    assert place.reader("acts").head() == acts.head
    assert place.reader("events").head() == log.head
    assert [one.period for one in place.reader("acts").periods()] == [DECEMBER]
    assert place.reader("events").extents() == [(NOVEMBER, 0, 3)]


def test_every_field_of_a_record_comes_back(place: Place, log: Log) -> None:
    rich = row(
        0,
        NOON + 7,
        kind=3,
        source="outbox",
        position=-(1 << 60),
        type='\x00 \ud800 \t"\\N',
        verdict="refused:room-full",
        times=70_000,
        room=1,
        actor=2,
        target=3,
        facts='{"a":"None\\\\n\\t","b":[1]}',
        sealed=bytes(range(256)),
        content=b"",
    )
    bare = row(1, 0, type=None, facts="None", sealed=b"", room=1, actor=2, room_prev=0, actor_prev=0)
    log.append([rich, bare], [name(1, "room"), name(2), name(3)])
    reader = place.reader()
    found = reader.select(NOVEMBER, ALL, 10, newest_first=False)
    assert found == [rich._replace(content=None), bare]
    assert [reader.content(NOVEMBER, idx) for idx in (0, 1, 2)] == [b"", None, None]
    assert sorted(reader.names(NOVEMBER, [1, 2, 9])) == [name(1, "room"), name(2)]
    assert reader.find_name(NOVEMBER, "account", name(3).lookup) == name(3)
    assert reader.find_name(NOVEMBER, "room", name(3).lookup) is None
    assert reader.last_ref(NOVEMBER) == 3


def test_a_reader_sees_each_batch_when_it_is_committed(place: Place, log: Log) -> None:
    reader = place.reader()
    for count in (1, 300, 5):
        after = log.fill(count)
        assert reader.head() == after
        assert reader.select(NOVEMBER, ALL, 1, newest_first=True)[0].idx == after.size - 1


def test_the_head_survives_closing(place: Place, log: Log) -> None:
    head = log.fill(600)
    place.close()
    again = place.store()
    assert again.acquire() == attrs.evolve(head, epoch=head.epoch + 1)
    assert again.leaves(1, 0, 600) == [digest("leaf", idx) for idx in range(600)]


def test_a_period_follows_the_one_before_in_one_step(place: Place, log: Log) -> None:
    log.fill(300)
    log.append([row(300, kind=15)], closed=True)
    new = [KeyRow("names", "k2", b"x")]
    log.begin(DECEMBER, new)
    log.fill(300)
    reader = place.reader()
    first, second = reader.periods()
    assert (first.period, first.first, first.end, first.closed) == (NOVEMBER, 0, 301, True)
    assert (second.period, second.first, second.end, second.closed) == (DECEMBER, 301, 601, False)
    assert first.bytes > 10_000
    assert second.bytes > 10_000
    assert (reader.keys(NOVEMBER), reader.keys(DECEMBER)) == (KEYS, new)
    assert [one.idx for one in reader.select(DECEMBER, ALL, 2, newest_first=False)] == [301, 302]
    assert reader.leaves(1, 290, 310) == [digest("leaf", idx) for idx in range(290, 310)]
    assert reader.nodes(1, 0, 601) == {number: digest("block", number) for number in (0, 1)}
    assert reader.nodes(1, 1, 601) == {1: digest("block", 1)}
    assert reader.nodes(1, 0, 300) == {0: digest("block", 0)}


@pytest.mark.parametrize("count", [0, 5, 256, 700])
def test_the_times_of_a_period_are_those_of_its_own_records(place: Place, log: Log, count: int) -> None:
    """The block in which a period begins holds records of the one before."""
    log.append([row(idx, 5 if idx == 290 else 10**14) for idx in range(300)])
    log.begin(DECEMBER)
    log.append([row(idx, NOON + (idx * 7919) % 1000) for idx in range(300, 300 + count)])
    times = [log.rows[idx].ts_ms for idx in range(300, 300 + count)]
    info = place.reader().periods()[1]
    assert (info.oldest_ms, info.newest_ms) == (min(times, default=None), max(times, default=None))


def test_tallies_are_those_of_the_records_in_order_of_tokens(place: Place, log: Log) -> None:
    log.fill(100)
    log.append([row(100, target=12, actor=99)], [name(99)])
    log.append([row(101, target=98)], [name(98)])
    reader = place.reader()
    expected = []
    for ref, one in log.names[NOVEMBER].items():
        indexes = [idx for idx, each in log.rows.items() if ref in (each.room, each.actor)]
        if indexes:
            expected.append((one.token, one.kind, len(indexes), max(indexes)))
            assert reader.newest_of(NOVEMBER, one.kind, ref) == max(indexes)
            assert reader.count_of(NOVEMBER, one.kind, ref) == len(indexes)
    for teller in (reader, log.store):
        assert list(teller.tallies(NOVEMBER)) == sorted(expected)
    assert reader.newest_of(NOVEMBER, "account", 98) is None


def test_tallies_that_are_not_read_to_the_end_are_in_nobodys_way(log: Log) -> None:
    log.fill(100)
    some = log.store.tallies(NOVEMBER)
    next(some)
    log.fill(100)
    log.begin(DECEMBER)
    del some
    log.fill(100)


def test_checkpoints_are_kept_over_periods_and_shards(place: Place, log: Log) -> None:
    log.fill(3)
    for size, note in ((1, "one\n"), (3, "three\n"), (2, "two\n")):
        log.store.put_checkpoint(log.now(), size, note)
    reader = place.reader()
    assert reader.checkpoints(1, newest=2) == [(3, "three\n"), (2, "two\n")]
    log.begin(DECEMBER)
    assert reader.checkpoints(1) == [(3, "three\n")]
    log.begin(Period(2, "2026-12"))
    log.store.put_checkpoint(log.now(), 0, "none\n")
    assert (reader.checkpoints(1), reader.checkpoints(2)) == ([(3, "three\n")], [(0, "none\n")])


def test_leaves_that_are_not_there_are_an_error(place: Place, log: Log) -> None:
    log.fill(10)
    reader = place.reader()
    assert reader.leaves(1, 4, 4) == []
    for shard, start, end in ((1, 5, 11), (1, 11, 12), (2, 0, 1)):
        with pytest.raises(KeyError):
            reader.leaves(shard, start, end)


def test_keys_are_wrapped_anew_in_any_period(place: Place, log: Log) -> None:
    log.begin(DECEMBER)
    anew = KeyRow("names", "k9", b"other")
    for period in (NOVEMBER, DECEMBER):
        log.store.rewrap(log.now(), period, [anew])
        assert place.reader().keys(period) == [KEYS[0], anew]
    with pytest.raises(KeyError):
        log.store.rewrap(log.now(), JANUARY, [anew])
    assert log.fill(1).size == 1


def test_what_goes_wrong_in_the_middle_of_a_batch_leaves_nothing(place: Place, log: Log) -> None:
    head = log.fill(10)
    twice = log.batch([row(10, type="new"), row(3)], [name(77)])
    with pytest.raises(Exception, match=r"(?i)unique"):
        log.store.append(log.now(), twice)
    reader = place.reader()
    assert (reader.head(), reader.names(NOVEMBER, [77])) == (head, [])
    log.append([row(10, type="new")], [name(77)])
    assert reader.select(NOVEMBER, Selection(types=["new"]), 9, newest_first=True)[0].type == "new"


# Owners.


def test_whoever_acquires_fences_the_one_before(place: Place, log: Log) -> None:
    head = log.fill(5)
    rival = Log(place.store(), rows=dict(log.rows), names={NOVEMBER: dict(log.names[NOVEMBER])})
    rival.head = rival.store.acquire()
    assert rival.now().epoch == head.epoch + 1
    drop = attrs.evolve(head, base_size=5, base=(digest("b"),))
    batch = log.batch([row(5, type="never")], [name(50)])
    for attempt in (
        lambda: log.store.append(head, batch),
        lambda: log.begin(DECEMBER),
        lambda: log.store.put_checkpoint(head, 5, "never"),
        lambda: log.store.purge(head, [], drop),
        lambda: log.store.rewrap(head, NOVEMBER, [KeyRow("names", "never", b"")]),
        lambda: log.store.erase(head, NOVEMBER, [1], [(0, b"never")]),
    ):
        with pytest.raises(Fenced):
            attempt()
    reader = place.reader()
    assert reader.head() == rival.head
    assert (reader.checkpoints(1), reader.keys(NOVEMBER), reader.bases()) == ([], KEYS, {})
    assert sorted(reader.names(NOVEMBER, [1, 50])) == [log.names[NOVEMBER][1]]
    assert reader.select(NOVEMBER, ALL, 9, newest_first=False) == list(log.rows.values())
    rival.fill(1)
    rival.begin(DECEMBER)
    with pytest.raises(Fenced):
        log.store.append(head, batch)


def test_of_many_who_acquire_at_once_each_has_an_epoch_of_its_own(place: Place, log: Log) -> None:
    stores = [place.store() for _ in range(6)]
    with ThreadPoolExecutor(len(stores)) as threads:
        heads = list(threads.map(lambda store: store.acquire(), stores))
    assert sorted(head.epoch for head in heads if head) == list(range(2, 8))
    assert log.now().epoch == 1


def test_who_writes_from_an_old_head_is_fenced(log: Log) -> None:
    old = log.fill(5)
    batch = log.batch([row(5)])
    log.fill(1)
    with pytest.raises(Fenced):
        log.store.append(old, batch)


def test_of_two_that_begin_the_same_log_one_is_fenced(place: Place) -> None:
    one, other = Log(place.store()), Log(place.store())
    assert other.store.acquire() is None
    one.begin()
    with pytest.raises(Fenced):
        other.store.begin(None, attrs.evolve(one.now(), period=DECEMBER), KEYS)
    assert one.fill(1).size == 1
    assert place.reader().head() == one.head
