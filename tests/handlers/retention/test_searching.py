# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A search finds what meets it and nothing else, page by page, on both engines, whatever happens meanwhile."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.errors import Invalid
from synapse_groupreg.handlers.retention.searching import (
    Hit,
    Stream,
    Wanted,
    logs_of,
    page,
    positions_of,
    token_of,
)
from synapse_groupreg.retention.records import Entry, Kind, LogName, log_of
from tests.handlers.retention.stage import ALICE, BOB, CAROL, GARDEN, KITCHEN, MONTH_MS, NOVEMBER_MS, Archive

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE, ROOMS = (ALICE, BOB, CAROL), (GARDEN, KITCHEN)


def search(
    archive: Archive, wanted: Wanted, *, size: int = 1000, between: Callable[[int], object] = lambda _: None
) -> list[Hit]:
    """All that is found, page by page; `between` is called after each page."""
    logs, found, token = logs_of(wanted), list[Hit](), None
    for number in range(1, 1000):
        with ExitStack() as lent:
            openers = [lent.enter_context(archive.openers.lend(log.value)) for log in logs]
            places = positions_of(token, len(logs))
            streams = [Stream(opener, wanted, at, size) for opener, at in zip(openers, places, strict=True)]
            hits = page(streams, size)
            token = token_of([stream.position for stream in streams])
        assert len(hits) <= size
        found += hits
        if token is None:
            return found
        between(number)
    raise AssertionError("there is no end")


def moments(hits: list[Hit]) -> list[int]:
    """Each entry of these tests has a moment of its own."""
    return [hit.record.row.ts_ms for hit in hits]


def some_entry(archive: Archive, chance: random.Random) -> Entry:
    who, room = chance.choice(PEOPLE), chance.choice(ROOMS)
    code = chance.choice(("room-full", "identity-required"))
    made = chance.choice((
        lambda: archive.message(who, room),
        lambda: archive.message(who, room, type="m.reaction"),
        lambda: archive.entry(Kind.event, type="m.room.member", actor=who, room=room, target=chance.choice(PEOPLE)),
        lambda: archive.login(who),
        lambda: archive.refusal(who, room, code),
        lambda: archive.refusal(who, room, code, verdict=f"dry:{code}"),
        lambda: archive.look(who, chance.choice(PEOPLE)),
        lambda: archive.entry(Kind.act, type="cap", actor=who, room=room),
    ))()  # fmt: skip
    # A few were done long before they were recorded.
    return attrs.evolve(made, ts_ms=made.ts_ms - 10 * 86_400_000) if chance.random() < 0.05 else made


def meets(entry: Entry, wanted: Wanted) -> bool:
    """What a search says, word for word."""
    return all((
        wanted.log is None or log_of(entry.kind) is wanted.log,
        wanted.room is None or entry.room == wanted.room,
        wanted.account is None or wanted.account in (entry.actor, entry.target),
        wanted.actor is None or entry.actor == wanted.actor,
        wanted.target is None or (entry.target == wanted.target != entry.actor),
        not wanted.kinds or entry.kind in wanted.kinds,
        not wanted.types or entry.type in wanted.types,
        not wanted.codes or (entry.verdict or "").partition(":")[2] in wanted.codes,
        wanted.from_ms is None or entry.ts_ms >= wanted.from_ms,
        wanted.to_ms is None or entry.ts_ms <= wanted.to_ms,
    ))  # fmt: skip


SEARCHES = {
    "all": Wanted(kinds=tuple(kind for kind in Kind if kind is not Kind.key and kind is not Kind.close)),
    "an account": Wanted(account=ALICE),
    "what it did": Wanted(actor=ALICE),
    "what others did to it": Wanted(target=ALICE),
    "who looked at it": Wanted(target=ALICE, kinds=(Kind.look,)),
    "a room": Wanted(room=GARDEN),
    "an account in a room": Wanted(account=BOB, room=KITCHEN),
    "kinds of both logs": Wanted(kinds=(Kind.login, Kind.look)),
    "a type": Wanted(types=("m.reaction",)),
    "a code": Wanted(codes=("room-full",)),
    "codes": Wanted(codes=("room-full", "identity-required"), room=GARDEN),
    "a log": Wanted(log=LogName.acts, account=CAROL),
    "a day": Wanted(account=ALICE, from_ms=NOVEMBER_MS + 20_000, to_ms=NOVEMBER_MS + 90_000),
    "from a day on": Wanted(room=GARDEN, from_ms=NOVEMBER_MS + MONTH_MS),
    "until a day": Wanted(account=BOB, to_ms=NOVEMBER_MS + MONTH_MS),
    "nobody": Wanted(account="@nobody:example.org"),
    "a room and a stranger": Wanted(account="@nobody:example.org", room=GARDEN),
}


def test_a_search_finds_what_meets_it_and_nothing_else(archive: Archive) -> None:
    chance = random.Random(11)
    entries: list[Entry] = []
    for _ in range(3):
        for _ in range(4):
            batch = [some_entry(archive, chance) for _ in range(40)]
            archive.put(*batch)
            entries += batch
        archive.roll()
    for name, wanted in SEARCHES.items():
        for size in (1000, 17):
            found = [hit for hit in search(archive, wanted, size=size) if hit.record.row.source != "log"]
            expected = {entry.ts_ms for entry in entries if meets(entry, wanted)}
            assert sorted(moments(found)) == sorted(expected), f"{name}, pages of {size}"
            for log in LogName:
                indexes = [hit.record.row.idx for hit in found if hit.log is log]
                assert indexes == sorted(indexes, reverse=True), f"{name}: the newest first"


def test_both_logs_are_joined_by_time(archive: Archive) -> None:
    entries = [make() for _ in range(20) for make in (archive.message, archive.look, archive.login)]
    archive.put(*entries)
    found = search(archive, Wanted(kinds=(Kind.event, Kind.login, Kind.look)), size=7)
    assert moments(found) == [entry.ts_ms for entry in reversed(entries)]


def test_what_is_recorded_meanwhile_neither_moves_nor_doubles_anything(archive: Archive) -> None:
    entries = [archive.message() for _ in range(30)]
    archive.put(*entries)

    def record(number: int) -> None:
        if number == 2:
            archive.roll()
        # Also in the log that had nothing at all.
        archive.put(archive.message(), archive.look(ALICE, BOB), archive.message())

    found = search(archive, Wanted(account=ALICE), size=4, between=record)
    assert moments(found) == [entry.ts_ms for entry in reversed(entries)]


def test_what_is_purged_meanwhile_is_left_out(archive: Archive) -> None:
    archive.put(*(archive.message() for _ in range(9)))
    archive.roll()
    new = [archive.message() for _ in range(9)]
    archive.put(*new)
    first, second = archive.place.reader().periods()

    def purge(number: int) -> None:
        if number == 1:
            archive.logs[LogName.events].purge([first.period], second.first, archive.now_ms)

    found = search(archive, Wanted(account=ALICE), size=5, between=purge)
    assert moments(found) == [entry.ts_ms for entry in reversed(new)]


def test_what_is_purged_between_finding_and_opening_is_left_out(archive: Archive) -> None:
    archive.put(archive.message(), archive.message())
    archive.roll()
    archive.put(new := archive.message())
    first, second = archive.place.reader().periods()
    with archive.openers.lend("events") as opener:
        stream = Stream(opener, Wanted(account=ALICE), None, 10)
        archive.logs[LogName.events].purge([first.period], second.first, archive.now_ms)
        assert moments(page([stream], 10)) == [new.ts_ms]


def test_a_search_goes_on_in_the_shards_before(archive: Archive) -> None:
    before, after = [archive.message() for _ in range(10)], [archive.message() for _ in range(10)]
    archive.put(*before)
    log = archive.logs[LogName.events]
    log.checkpoint()
    log.reopen_as_next_shard(archive.now_ms)
    archive.put(*after)
    found = search(archive, Wanted(account=ALICE), size=3)
    assert moments(found) == [entry.ts_ms for entry in reversed([*before, *after])]
    assert [hit.record.period.shard for hit in found] == [2] * 10 + [1] * 10


def test_a_log_is_searched_only_if_it_can_have_such_records() -> None:
    both = [LogName.events, LogName.acts]
    assert logs_of(Wanted()) == both
    assert logs_of(Wanted(kinds=(Kind.login, Kind.search))) == both
    assert logs_of(Wanted(kinds=(Kind.login,))) == [LogName.events]
    assert logs_of(Wanted(kinds=(Kind.look,))) == [LogName.acts]
    assert logs_of(Wanted(kinds=(Kind.close,))) == both
    assert logs_of(Wanted(kinds=(Kind.close,), log=LogName.acts)) == [LogName.acts]
    assert logs_of(Wanted(kinds=(Kind.login,), log=LogName.acts)) == []


@pytest.mark.parametrize(
    "token", ["", "7", "1.2_3", "1.2", "1.2_3.4_5.6", "-1.2_3.4", "1.2_3.4\n", "1.9²_3.4", "x" * 99]
)
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="next_token"):
        positions_of(token, 2)


def test_a_made_up_token_finds_no_more_than_a_true_one(archive: Archive) -> None:
    archive.put(*(archive.message() for _ in range(5)))
    for token in ("9.999_9.999", "1.0_0.0", "0.5_1.1"):
        with archive.openers.lend("events") as events, archive.openers.lend("acts") as acts:
            places = positions_of(token, 2)
            streams = [
                Stream(one, Wanted(account=ALICE), at, 9) for one, at in zip((events, acts), places, strict=True)
            ]
            assert len(page(streams, 9)) == (5 if token.startswith("9") else 0)


def test_a_page_costs_few_statements(archive: Archive) -> None:
    """Of each period: the name, the records, all names at once; and for times where they can be."""
    archive.put(*(archive.message(person, GARDEN) for person in PEOPLE * 60))
    reader: Any = archive.place.reader()
    asked: list[str] = []
    fetch = reader._fetch

    def counted(period: Any, sql: str, values: Any = ()) -> Any:
        asked.append(sql)
        return fetch(period, sql, values)

    reader._fetch = counted
    with archive.openers.lend("events") as opener:
        opener.reader = reader
        wanted = Wanted(room=GARDEN, from_ms=NOVEMBER_MS, to_ms=NOVEMBER_MS + MONTH_MS)
        Stream(opener, wanted, None, 100)  # what doesn't change is remembered from here on
        asked.clear()
        stream = Stream(opener, wanted, None, 100)
        assert len(page([stream], 100)) == 100
        opener.reader = archive.place.reader()
    assert len(asked) <= 6, asked
