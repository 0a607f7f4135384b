# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bundles made from real stores: both verifiers agree that they hold, and what they leave out."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.retention import exporting
from synapse_groupreg.retention.records import Kind, LogName
from tests.engines import any_store
from tests.handlers.retention import exports
from tests.handlers.retention.exports import disclosed, exported, indexes_of, lines_of, parts, sign, wanted
from tests.handlers.retention.stage import ALICE, BOB, CAROL, GARDEN, KITCHEN, Archive
from tests.handlers.retention.test_reading import erase
from tests.retention.verdicts import both

pytestmark = any_store
MONTHS = 3


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are many."""
    monkeypatch.setattr(exporting, "_PAGE", 7)
    monkeypatch.setattr(exporting, "_CHUNK", 3000)


def chat(archive: Archive, months: int = MONTHS) -> None:
    """Two months that are over and one that isn't: talk in two rooms, logins, refusals."""
    for month in range(months):
        for number in range(4):
            archive.put(
                archive.message(ALICE, GARDEN, f"tulips {number}"),
                archive.message(BOB, KITCHEN, f"soup {number}"),
                archive.message(BOB, GARDEN),
                archive.login(CAROL),
                archive.refusal(CAROL, KITCHEN, count=3),
            )
        archive.put(
            archive.entry(
                Kind.event, type="m.room.member", actor=ALICE, room=GARDEN, target=CAROL, details={"membership": "ban"}
            )
        )
        if month < months - 1:
            archive.roll()


def purge(archive: Archive) -> int:
    """Remove the first period of the events; the index at which the rest begins."""
    log, [first, *_] = archive.logs[LogName.events], archive.place.reader().periods()
    log.purge([first.period], first.end, archive.now_ms)
    return first.end


# What is in.


@pytest.mark.parametrize(
    ("named", "field", "name"), [({"room_id": GARDEN}, "room_id", GARDEN), ({"user_id": BOB}, "sender", BOB)]
)
def test_a_subject_is_shown_whole_month_by_month(archive: Archive, named: Any, field: str, name: str) -> None:
    chat(archive)
    made = exported(archive, mode="subject", **named)
    mine = indexes_of(archive, {field: name})
    assert set(mine) <= set(made.indexes)
    assert [record["i"] for record in made.records if (field, name) in disclosed(record)] == mine
    assert [part.by for part in made.report.coverage] == ["close", "close", "tally"]
    assert sum(part.records for part in made.report.coverage) == len(mine)
    assert len(made.indexes) == len(mine) + MONTHS  # a close or tally each


def test_a_subject_may_be_shown_in_some_months_only(archive: Archive) -> None:
    chat(archive)
    [_, second, _] = archive.place.reader().periods()
    made = exported(archive, mode="subject", room_id=GARDEN, from_ms=second.oldest_ms, to_ms=second.oldest_ms)
    assert [part.period for part in made.report.coverage] == [(second.first, second.end - 1)]


def test_in_an_open_month_the_newest_count_is_shown(archive: Archive) -> None:
    chat(archive, 1)
    before = exported(archive, mode="subject", room_id=GARDEN)
    archive.put(*(archive.message(BOB, GARDEN) for _ in range(3)))
    after = exported(archive, mode="subject", room_id=GARDEN)
    assert after.report.kinds["tally"] == 1
    assert after.report.coverage[0].until == archive.logs[LogName.events].head.size - 1 > before.indexes[-1]
    assert after.report.coverage[0].records == before.report.coverage[0].records + 3


def test_an_account_is_shown_in_the_log_of_acts_too(archive: Archive) -> None:
    archive.put(*(archive.look(CAROL, ALICE) for _ in range(3)), archive.look(BOB, ALICE))
    made = exported(archive, log="acts", mode="subject", user_id=CAROL)
    assert (made.report.kinds["look"], made.report.coverage[0].records) == (3, 3)


def test_a_range_is_all_of_the_log_unless_it_is_narrowed(archive: Archive) -> None:
    chat(archive)
    size = archive.logs[LogName.events].head.size
    assert exported(archive).indexes == list(range(size))
    assert exported(archive, first=5, end=40).indexes == list(range(5, 40))
    assert exported(archive, end=7).indexes == list(range(7))
    records = archive.records()
    times = {"from_ms": records[10].row.ts_ms, "to_ms": records[12].row.ts_ms}
    assert exported(archive, **times).indexes == [10, 11, 12]
    assert exported(archive, **times, first=None).report.manifest["range"] == [10, 13]


@pytest.mark.parametrize(
    ("conditions", "field", "value"),
    [
        ({"room_id": KITCHEN}, "room_id", KITCHEN),
        ({"user_id": CAROL, "kinds": ("login",)}, "sender", CAROL),
        ({"user_id": CAROL, "types": ("m.room.member",)}, "target", CAROL),
    ],
)
def test_a_selection_shows_what_meets_its_conditions(archive: Archive, conditions: Any, field: str, value: str) -> None:
    chat(archive)
    made = exported(archive, mode="filter", **conditions)
    assert made.disclosed >= {(field, value)}
    assert made.report.kinds.keys() <= {"event", "login", "refusal"}
    assert len(made.indexes) == {KITCHEN: 8 * MONTHS, CAROL: 4 * MONTHS}[value] or field == "target"


def test_a_selection_may_be_by_kind_verdict_and_time_alone(archive: Archive) -> None:
    chat(archive)
    made = exported(archive, mode="filter", verdicts=("refused:room-full",), kinds=("refusal",))
    assert made.report.kinds == {"refusal": 4 * MONTHS}
    assert made.fields == set()
    latest = archive.records()[-1].row.ts_ms
    assert len(exported(archive, mode="filter", kinds=("event",), from_ms=latest).indexes) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "subject", "room_id": "!other:example.org"},
        {"mode": "subject", "user_id": "@nobody:example.org"},
        {"mode": "subject", "room_id": GARDEN, "to_ms": 1},
        {"mode": "filter", "types": ("m.room.topic",)},
        {"mode": "range", "first": 10_000},
        {"mode": "range", "first": 4, "end": 4},
        {"mode": "range", "to_ms": 1},
    ],
)
def test_there_is_no_bundle_of_nothing(archive: Archive, given: Any) -> None:
    chat(archive, 1)
    sign(archive)
    with pytest.raises(NotFound):
        parts(archive, wanted(**given))


# Who is in.


MODES = [
    {"mode": "subject", "room_id": GARDEN},
    {"mode": "subject", "user_id": ALICE},
    {"mode": "range"},
    {"mode": "filter", "room_id": KITCHEN},
    {"mode": "filter", "kinds": ("login",)},
]


@pytest.mark.parametrize("given", MODES)
def test_nobody_is_named_but_whom_the_export_names(archive: Archive, given: dict[str, str]) -> None:
    chat(archive)
    asked = {given[one] for one in ("room_id", "user_id") if one in given}
    made = exported(archive, **given)
    assert made.fields <= {"event_id", "content_sha256", "membership", "room_id", "sender"}
    assert {value for field, value in made.disclosed if field in ("room_id", "sender", "target")} == asked
    text = b"".join(made.lines[1:]).decode()
    assert [name for name in (ALICE, BOB, CAROL, GARDEN, KITCHEN, "192.0.2.7", "Cinny") if name in text] == []


def test_identities_are_there_when_they_are_asked_for(archive: Archive) -> None:
    chat(archive)
    made = exported(archive, identities=True)
    assert {"sender", "room_id", "target", "ip", "user_agent", "device_id"} <= made.fields
    assert {("sender", BOB), ("ip", "192.0.2.7"), ("target", CAROL)} <= made.disclosed
    assert made.report.manifest["identities"] is True


def test_contents_are_there_when_they_are_asked_for_and_were_kept(archive: Archive) -> None:
    chat(archive)
    archive.put(archive.message(content=None))
    assert exported(archive, mode="subject", room_id=GARDEN).report.contents == 0
    made = exported(archive, mode="subject", room_id=GARDEN, content=True)
    assert made.report.contents == 8 * MONTHS
    assert any("tulips 3" in record.get("c", "") for record in made.records)


# What happens meanwhile.


@pytest.mark.parametrize("given", MODES)
def test_after_a_purge_the_rest_still_proves_itself(archive: Archive, given: dict[str, str]) -> None:
    chat(archive)
    before = exported(archive, **given)
    begin = purge(archive)
    made = exported(archive, **given)
    kept = [index for index in before.indexes if index >= begin]
    assert made.indexes[: len(kept) - 1] == kept[: len(kept) - 1]
    assert made.indexes[0] >= begin


@pytest.mark.parametrize("given", MODES)
def test_what_was_erased_is_absent_and_everything_else_holds(archive: Archive, given: dict[str, str]) -> None:
    chat(archive)
    erase(archive, BOB, ["sender", "target", "ip", "event_id"])
    made = exported(archive, **given, identities=True)
    assert BOB not in {value for _, value in made.disclosed}
    assert made.report.records == len(made.indexes)


def test_who_was_erased_is_found_no_more(archive: Archive) -> None:
    chat(archive)
    erase(archive, BOB, ["sender", "target"])
    for mode in ("subject", "filter"):
        with pytest.raises(NotFound):
            lines_of(archive, wanted(mode=mode, user_id=BOB))


def test_the_same_export_is_the_same_bytes_again(archive: Archive) -> None:
    chat(archive)
    export = wanted(mode="subject", room_id=GARDEN)
    sign(archive, export)
    [part] = parts(archive, export)
    made_ms = archive.now_ms
    first = exports.chunks(archive, export, part, made_ms)
    chat(archive, 2)
    sign(archive)
    assert exports.chunks(archive, export, part, made_ms) == first


def test_what_was_purged_since_it_was_asked_for_is_refused(archive: Archive) -> None:
    chat(archive)
    export = wanted()
    sign(archive)
    [part] = parts(archive, export)
    purge(archive)
    with pytest.raises(Conflict, match="removed"):
        exports.chunks(archive, export, part)


def test_a_log_that_goes_on_in_a_new_shard_is_two_bundles(archive: Archive) -> None:
    chat(archive, 1)
    sign(archive)
    archive.logs[LogName.events].reopen_as_next_shard(archive.now_ms)
    chat(archive, 1)
    export = wanted(mode="subject", room_id=GARDEN)
    sign(archive, export)
    found = parts(archive, export)
    assert [part.shard for part in found] == [1, 2]
    for part, by in zip(found, ("chain", "tally"), strict=True):
        lines = b"".join(exports.chunks(archive, export, part)).splitlines(keepends=True)
        report = both(lines)
        assert report.findings == ()
        assert report.coverage[0].by == by
    assert [part.shard for part in parts(archive, wanted(first=0))] == [2]
    assert attrs.asdict(found[0])["note"] != found[1].note
