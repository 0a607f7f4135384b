# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was sealed is opened, on both engines; what was erased stays provable."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from synapse_groupreg.errors import Unavailable
from synapse_groupreg.handlers.retention.keys import about, unwrapped, wrapped
from synapse_groupreg.handlers.retention.log import origin_of
from synapse_groupreg.handlers.retention.reading import Opener, Openers, OpenRecord, Removed
from synapse_groupreg.retention import tree
from synapse_groupreg.retention.records import Kind, LogName, digest, read_disclosure
from synapse_groupreg.retention.sealing import NONCE_BYTES, KeyRing, Purpose, WrappingKey
from synapse_groupreg.storage.store import StoreUnavailable
from tests.handlers.retention.stage import ALICE, BOB, CAROL, GARDEN, KITCHEN, SERVER, Archive, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.store import NameRow, Period


def fill(archive: Archive) -> None:
    """Records of most shapes, in two periods."""
    for _ in range(2):
        archive.put(
            archive.message(),
            archive.message(BOB, KITCHEN, '한국어 \u2028 \\ " \x7f', type='m.\x00"'),
            archive.entry(
                Kind.event, type="m.room.member", actor=ALICE, room=GARDEN, target=BOB, details={"membership": "ban"}
            ),
            archive.login(facts={"provider": "oidc", "n": [1, None, {"b": "中"}]}),
            archive.refusal(BOB, count=70_000),
            archive.look(),
            archive.entry(Kind.report, type="user", actor=BOB, target=BOB, details={"reason": "it's me"}),
        )
        archive.roll()
    archive.put(archive.message())


def proves(record: OpenRecord) -> bool:
    """Whether the rebuilt header is the leaf."""
    return tree.leaf_hash(record.header().text().encode()) == record.row.leaf


def erase(archive: Archive, name: str, fields: Sequence[str], log: LogName = LogName.events) -> None:
    """As an erasure does it: the name goes, and of its records what names it."""
    writer = archive.logs[log]
    with archive.openers.lend(log.value) as opener:
        for info in opener.reader.periods():
            found = opener.find(info.period, "account", name)
            if found is None:
                continue
            seal = opener.keys(info.period).sealer(Purpose.details)
            sealed = []
            for record in read_period(opener, info.period):
                mine = [field for field in fields if record.values.get(field) == name or field not in record.names]
                left = record.details.without(mine, {key: value for key, value in record.names.items() if value})
                if found.ref in (record.row.actor, record.row.target):
                    sealed.append((record.row.idx, seal(record.row.idx, os.urandom(NONCE_BYTES), left.packed())))
            writer._store.erase(writer.head, info.period, [found.ref], sealed)


def read_period(opener: Opener, period: Period) -> list[OpenRecord]:
    return [one for one in read(opener) if one.period == period]


def test_every_record_is_rebuilt_to_the_leaf_that_the_tree_has(archive: Archive) -> None:
    fill(archive)
    for log in LogName:
        records = archive.records(log)
        assert [one.row.idx for one in records] == list(range(archive.logs[log].head.size))
        assert [one.row.idx for one in records if not proves(one)] == []
    assert len({one.period for one in archive.records()}) == 3


def test_what_was_put_in_comes_out(archive: Archive) -> None:
    entry = archive.entry(
        Kind.event,
        type="m.room.member",
        actor=ALICE,
        room=GARDEN,
        target=BOB,
        details={"membership": "ban", "event_id": "$1"},
    )
    archive.put(entry)
    record = archive.records()[-1]
    assert record.kind is Kind.event
    assert record.names == {"room_id": GARDEN, "sender": ALICE, "target": BOB}
    assert record.values == {**record.names, "membership": "ban", "event_id": "$1"}
    assert (record.facts, record.erased) == (None, [])


def test_disclosures_are_those_of_the_header(archive: Archive) -> None:
    archive.put(archive.login())
    record = archive.records()[-1]
    shown = record.disclosures({"sender", "ip", "event_id"})
    assert [read_disclosure(one)[1:] for one in shown] == [("ip", "192.0.2.7"), ("sender", ALICE)]
    assert {digest(one) for one in shown} <= set(record.header().digests.values())


def test_content_is_opened_on_demand(archive: Archive) -> None:
    archive.put(archive.message(text="cinq"), archive.message(content=None))
    with archive.openers.lend("events") as opener:
        kept, none = read(opener)[-2:]
        assert opener.content(kept) == b'{"body":"cinq","msgtype":"m.text"}'
        assert opener.content(none) is None


def test_what_was_erased_is_named_and_the_rest_stays_and_everything_proves(archive: Archive) -> None:
    fill(archive)
    erase(archive, ALICE, ("sender", "target", "ip"))
    records = archive.records()
    assert [one.row.idx for one in records if not proves(one)] == []
    assert ALICE not in {value for one in records for value in one.values.values()}
    login = next(one for one in records if one.kind is Kind.login)
    assert login.names == {"sender": None}
    assert login.erased == ["ip", "sender"]
    assert login.values == {"user_agent": "Cinny/4.2", "device_id": "ABCDEF"}
    assert any(one.values.get("sender") == BOB for one in records)


def test_a_name_that_is_erased_between_two_reads_is_read_as_erased(archive: Archive) -> None:
    """Rows are read before their names, so an erasure may come between."""
    archive.put(archive.login(), archive.login(BOB))

    class Late(type(archive.place.reader())):  # type: ignore[misc] # the class depends on the engine
        @override
        def names(self, period: Period, refs: Sequence[int]) -> list[NameRow]:
            if not erased:
                erased.append(True)
                erase(archive, ALICE, ("sender", "ip"))
            found: list[NameRow] = super().names(period, refs)
            return found

    erased: list[bool] = []
    reader: Any = archive.place.reader()
    reader.__class__ = Late
    records = read(Opener(reader, "events", SERVER, archive.keys))
    assert erased
    assert [one.erased for one in records[-2:]] == [["ip", "sender"], []]
    assert all(map(proves, records))


def test_another_wrapping_key_is_fetched_when_it_is_needed(archive: Archive) -> None:
    """Another process rotates; who only reads learns of it when its own keys fit no more."""
    archive.put(archive.login())
    log, old = archive.logs[LogName.events], archive.keys.ring
    archive.keys.in_files = new = KeyRing((WrappingKey("second", secrets.token_bytes(32)),))
    period = log.head.period
    place = about(origin_of(SERVER, "events", period.shard), period.month)
    keys = [wrapped(new, place, row.purpose, unwrapped(old, place, row)) for row in archive.place.reader().keys(period)]
    log._store.rewrap(log.head, period, keys)
    assert archive.records()[-1].values["sender"] == ALICE
    assert archive.keys.ring is new


def test_without_the_key_nothing_is_opened_and_one_sentence_says_so(archive: Archive) -> None:
    archive.put(archive.login())
    archive.keys.ring = archive.keys.in_files = KeyRing((WrappingKey("other", secrets.token_bytes(32)),))
    with pytest.raises(Unavailable, match=r"can't be read: the key first, .* is not in the key file\.$"):
        archive.records()


def test_a_store_that_can_not_be_read_is_said_to_be_so_and_read_anew_the_next_time(archive: Archive) -> None:
    archive.put(archive.login())
    opened: list[Any] = []

    def open_reader(log: str) -> Any:
        opened.append(archive.place.reader(log))
        return opened[-1]

    openers = Openers(open_reader, SERVER, archive.keys)
    for _ in range(3):
        with openers.lend("events") as opener:
            assert read(opener)
    assert len(opened) == 1
    with pytest.raises(Unavailable, match=r"can't be read: it is locked\.$"), openers.lend("events"):
        raise StoreUnavailable("it is locked")
    with openers.lend("events") as opener:
        assert read(opener)
    assert len(opened) == 2


def test_two_threads_never_get_the_same_opener(archive: Archive) -> None:
    with archive.openers.lend("events") as one, archive.openers.lend("events") as other:
        assert one is not other


def test_a_period_that_was_purged_is_not_there(archive: Archive) -> None:
    archive.put(archive.login(), archive.login(CAROL))
    archive.roll()
    archive.put(archive.login(BOB))
    log = archive.logs[LogName.events]
    first, second = archive.place.reader().periods()
    with archive.openers.lend("events") as opener:
        rows = [one.row for one in read_period(opener, first.period)]
        log.purge([first.period], second.first, archive.now_ms)
        assert opener.find(first.period, "account", ALICE) is None
        with pytest.raises(Removed):
            opener.open(first.period, rows)
        assert opener.find(second.period, "account", BOB) is not None
    with archive.openers.lend("events") as opener, pytest.raises(Removed):
        Opener(archive.place.reader(), "events", SERVER, archive.keys).keys(first.period)
