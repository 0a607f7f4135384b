# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever is done to the store behind our back is found: by deriving it again, and in every bundle made from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.errors import GroupRegError
from synapse_groupreg.handlers.retention import checking
from synapse_groupreg.handlers.retention.checking import Checked, LogCheck
from synapse_groupreg.retention import notes, tree
from synapse_groupreg.retention.records import LogName, canonical
from tests.engines import any_store
from tests.handlers.retention.exports import chunks, parts, sign, wanted
from tests.handlers.retention.stage import ALICE, BOB, GARDEN, KITCHEN, SERVER, Archive, ThrowAwayKeys
from tests.handlers.retention.surgery import COLUMNS, cut_off, moved, operate, with_its_hash
from tests.handlers.retention.test_exporting import chat, purge
from tests.handlers.retention.test_reading import erase
from tests.retention.verdicts import both

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.storage.store import Period
    from tests.storage.store_places import Place

ROOM = wanted(mode="subject", room_id=GARDEN)
ALL = wanted()


def look(archive: Archive, log: str = "events", months: tuple[str, ...] = ()) -> Checked:
    """What a check of the log finds."""
    done: list[int] = []
    with archive.openers.lend(log) as opener:
        check = LogCheck(opener, SERVER, archive.keys.public, archive.published.newest(log))
        found = check.run(done.append, months)
        assert months or sum(done) == found.records <= check.size
    return found


def faults(archive: Archive, **how: Any) -> str:
    return "\n".join(map(str, look(archive, **how).faults))


def what_a_bundle_shows(archive: Archive, export: Any = ALL) -> str:
    """Why a bundle that is made now does not verify, or why none can be made."""
    try:
        found = parts(archive, export)
        lines = b"".join(chunks(archive, export, found[-1])).splitlines(keepends=True)
    except GroupRegError as error:
        return f"refused: {error}"
    return "\n".join(map(str, both(lines).findings))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are several."""
    monkeypatch.setattr(checking, "_PAGE", 90)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Three months of both logs, signed; enough for whole blocks."""
    chat(archive)
    archive.put(*(archive.message(ALICE, KITCHEN) for _ in range(460)), *(archive.look() for _ in range(5)))
    sign(archive, ROOM)
    return archive


def first_period(archive: Archive) -> Period:
    return archive.place.reader().periods()[0].period


def last_period(archive: Archive) -> Period:
    return archive.place.reader().periods()[-1].period


# What is right.


def test_a_store_as_it_was_written_has_no_faults(filled: Archive) -> None:
    for log in LogName:
        found = look(filled, log.value)
        assert found.faults == ()
        assert found.records == filled.logs[log].head.size
        assert found.checkpoints >= 1
    assert what_a_bundle_shows(filled) == what_a_bundle_shows(filled, ROOM) == ""


def test_a_purge_an_erasure_and_growth_are_no_faults(filled: Archive) -> None:
    erase(filled, BOB, ["sender", "target", "ip"])
    assert faults(filled) == ""
    purge(filled)
    assert faults(filled) == ""
    filled.roll()
    chat(filled, 2)
    assert faults(filled) == "", "what is not signed yet"
    sign(filled)
    assert faults(filled) == ""


def test_a_second_shard_is_a_tree_of_its_own(filled: Archive) -> None:
    filled.logs[LogName.events].reopen_as_next_shard(filled.now_ms)
    chat(filled, 1)
    sign(filled)
    found = look(filled)
    assert found.faults == ()
    assert found.records > filled.logs[LogName.events].head.size


def test_some_months_may_be_checked_alone(filled: Archive) -> None:
    infos = filled.place.reader().periods()
    found = look(filled, months=(infos[1].period.month,))
    assert (found.faults, found.records) == ((), infos[1].end - infos[1].first)
    operate(filled, infos[1].period, "UPDATE {records} SET ts_ms = ts_ms + 1 WHERE n = 3")
    assert f"record {infos[1].first + 3} " in faults(filled, months=(infos[1].period.month,))
    assert faults(filled, months=(infos[0].period.month, infos[2].period.month)) == ""


def test_the_checkpoint_outside_is_missed_once_there_was_one(archive: Archive) -> None:
    assert faults(archive) == "", "nothing was signed yet"
    sign(archive)
    archive.published.forget("events")
    assert "the published checkpoint's file is missing" in faults(archive)


def test_a_store_that_was_emptied_is_told_by_the_checkpoint_outside(archive: Archive, place: Place) -> None:
    sign(archive)
    with archive.openers.lend("events") as opener:
        opener.reader = place.reader("other")
        check = LogCheck(opener, SERVER, archive.keys.public, archive.published.newest("events"))
        [fault] = check.run(lambda _: None).faults
    assert "is empty, and a checkpoint of 1 records was published" in str(fault)


# What is done to records. Each is found by the check and by whoever verifies a bundle.


def change(archive: Archive) -> str:
    operate(archive, first_period(archive), "UPDATE {records} SET ts_ms = ts_ms + 60000 WHERE n = 5")
    return "record 5 ("


def forge(archive: Archive) -> str:
    """By somebody who knows how hashes are made."""
    change(archive)
    with_its_hash(archive, first_period(archive), 5)
    return "has another root than the records that are there"


def retype(archive: Archive) -> str:
    period = first_period(archive)
    operate(archive, period, "UPDATE {records} SET verdict = type WHERE n = 6")
    return "record 6 ("


def attribute(archive: Archive) -> str:
    """Give a message to somebody else."""
    sql = "UPDATE {records} SET actor = (SELECT actor FROM {records} WHERE n = 2) WHERE n = 1"
    operate(archive, first_period(archive), sql)
    return "record 1 ("


def delete(archive: Archive) -> str:
    operate(archive, first_period(archive), "DELETE FROM {records} WHERE n = 7")
    return "is not whole: record 7 is missing"


def delete_many(archive: Archive) -> str:
    operate(archive, first_period(archive), "DELETE FROM {records} WHERE n >= 7 AND n < 12")
    return "is not whole: records 7 to 11 are missing"


def swap(archive: Archive) -> str:
    period = first_period(archive)
    for old, new in ((3, -1), (4, 3), (-1, 4)):
        operate(archive, period, "UPDATE {records} SET n = ? WHERE n = ?", new, old)
    return "record 3 ("


def flip(archive: Archive) -> str:
    """One bit of what is encrypted."""
    period = first_period(archive)
    [[sealed]] = operate(archive, period, "SELECT sealed FROM {records} WHERE n = 8")
    spoilt = bytes(sealed[:-1]) + bytes([sealed[-1] ^ 1])
    operate(archive, period, "UPDATE {records} SET sealed = ? WHERE n = 8", spoilt)
    return "record 8 ("


def flip_hash(archive: Archive) -> str:
    operate(archive, first_period(archive), "UPDATE {records} SET leaf = ? WHERE n = 9", b"\0" * 32)
    return "record 9 ("


def unchain(archive: Archive) -> str:
    operate(archive, first_period(archive), "UPDATE {records} SET room_prev = NULL WHERE n = 16")
    return "record 16 ("


def miscount(archive: Archive) -> str:
    period = first_period(archive)
    info = archive.place.reader().periods()[0]
    [[facts]] = operate(archive, period, "SELECT facts FROM {records} WHERE n = ?", info.end - 1)
    said = {**json.loads(facts), "tokens": 99}
    operate(archive, period, "UPDATE {records} SET facts = ? WHERE n = ?", canonical(said), info.end - 1)
    return f"record {info.end - 1} ("


RECORDS = [change, forge, retype, attribute, delete, delete_many, swap, flip, flip_hash, unchain, miscount]


@any_store
@pytest.mark.parametrize("spoil", RECORDS, ids=lambda one: one.__name__)
def test_what_was_done_to_records_is_found(filled: Archive, spoil: Callable[[Archive], str]) -> None:
    named = spoil(filled)
    assert named in faults(filled)
    if spoil is not flip_hash:
        assert what_a_bundle_shows(filled) != ""
        return
    # A bundle shows what is hashed, and takes hashes only of what it doesn't show.
    assert what_a_bundle_shows(filled, wanted(mode="filter", types=("m.room.member",))) != ""


@any_store
@pytest.mark.parametrize("spoil", [forge, delete, delete_many, swap], ids=lambda one: one.__name__)
def test_what_was_done_to_a_rooms_records_is_found_in_its_bundle(
    filled: Archive, spoil: Callable[[Archive], str]
) -> None:
    spoil(filled)
    assert what_a_bundle_shows(filled, ROOM) != ""


@any_store
@pytest.mark.parametrize(
    ("spoil", "index", "said"),
    [
        (unchain, lambda _: 16, "names record None as the one before of the same room"),
        (miscount, lambda archive: archive.place.reader().periods()[0].end - 1, "does not count the records"),
    ],
)
def test_what_a_record_says_of_others_is_compared_with_them(
    filled: Archive, spoil: Callable[[Archive], str], index: Callable[[Archive], int], said: str
) -> None:
    """Also where whoever changed it knew how hashes are made."""
    spoil(filled)
    with_its_hash(filled, first_period(filled), index(filled))
    assert said in faults(filled)
    assert "is not what its hash was made of" not in faults(filled)


def test_a_room_that_search_would_miss_is_found(filled: Archive) -> None:
    sql = "UPDATE {names} SET lookup = ? WHERE ref = (SELECT room FROM {records} WHERE n = 1)"
    operate(filled, first_period(filled), sql, b"\1" * 16)
    assert "is not found by what it is called" in faults(filled)


def test_a_record_that_was_appended_is_found_and_in_no_bundle(filled: Archive) -> None:
    period, info = last_period(filled), filled.place.reader().periods()[-1]
    n = info.end - info.first
    rows = operate(filled, period, f"SELECT {COLUMNS} FROM {{records}} WHERE n = 0")
    marks = ", ".join("?" * len(rows[0]))
    operate(filled, period, f"INSERT INTO {{records}} ({COLUMNS}) VALUES ({marks})", *moved(rows, n))
    operate(filled, period, "UPDATE {state} SET size = size + 1 WHERE log = ?", "events")
    assert f"record {info.end} ({period.month}) can't be opened" in faults(filled)
    assert "the head has other hashes of the tree than the records" in faults(filled)
    assert what_a_bundle_shows(filled) == "", "up to the checkpoint all is as it was"


# What is done to the rest.


def test_an_end_that_was_cut_off_is_found(filled: Archive) -> None:
    cut_off(filled, last_period(filled), signed=False)
    assert "covers records that the store has not" in faults(filled)
    assert "the published checkpoint's file covers" in faults(filled)
    assert what_a_bundle_shows(filled) != ""


def test_an_end_that_was_cut_off_with_its_checkpoint_is_found_by_the_one_outside(filled: Archive) -> None:
    cut_off(filled, last_period(filled), signed=True)
    assert "the published checkpoint's file covers" in faults(filled)
    assert faults(filled).count("\n") == 0
    assert what_a_bundle_shows(filled).startswith("refused: ")


def test_a_period_that_is_gone_is_found(filled: Archive) -> None:
    newest, [_, second, _] = last_period(filled), filled.place.reader().periods()
    operate(filled, newest, "DELETE FROM {periods} WHERE month = ?", second.period.month)
    assert f"begins at record {second.end}, and the one before ends at record {second.first - 1}" in faults(filled)
    assert what_a_bundle_shows(filled) != ""


def test_a_stored_hash_of_a_block_is_found(filled: Archive) -> None:
    operate(filled, last_period(filled), "UPDATE {blocks} SET node = ?", b"\2" * 32)
    assert "stored hashes of blocks are not those of their records" in faults(filled)
    assert what_a_bundle_shows(filled, ROOM) != ""


@pytest.mark.parametrize("root", ["its own", "the right one"])
def test_a_checkpoint_by_somebody_else_is_found(filled: Archive, root: str) -> None:
    log, others = filled.logs[LogName.events], ThrowAwayKeys()
    tree_ = tree.Frontier()
    tree_.extend(filled.place.reader().leaves(1, 0, log.head.size))
    digest = tree_.root() if root == "the right one" else b"\3" * 32
    text = notes.Checkpoint(log.origin, log.head.size, digest).text
    note = notes.sign(text, notes.Key(log.origin, others.public), others.sign)
    operate(filled, last_period(filled), "UPDATE {checkpoints} SET note = ? WHERE log = ?", note, "events")
    found = faults(filled)
    assert f"the checkpoint of {log.head.size} records " in found
    if root == "its own":
        assert "has another root than the records" in found
        assert what_a_bundle_shows(filled).startswith("refused: The store is not the one that its checkpoint says")
    else:
        assert "signed by none of the keys" in found


def test_a_cursor_that_was_put_back_is_found(filled: Archive) -> None:
    [[cursors]] = operate(filled, last_period(filled), "SELECT cursors FROM {state} WHERE log = ?", "events")
    said = {source: position - 1 for source, position in json.loads(cursors).items()}
    operate(filled, last_period(filled), "UPDATE {state} SET cursors = ? WHERE log = ?", json.dumps(said), "events")
    assert "it would come twice" in faults(filled)


def test_a_record_that_was_taken_twice_is_found(filled: Archive) -> None:
    again = attrs.evolve(filled.message(), position=1)
    filled.put(again)
    assert "of events/master, after one at" in faults(filled)


def test_a_store_of_another_history_is_told_by_the_checkpoint_outside(filled: Archive) -> None:
    log = filled.logs[LogName.events]
    for size in (log.head.size - 7, log.head.size):
        text = notes.Checkpoint(log.origin, size, b"\4" * 32).text
        filled.published.keep("events", notes.sign(text, notes.Key(log.origin, filled.keys.public), filled.keys.sign))
        assert f"has another root at {size} records" in faults(filled)


def test_a_fault_says_where_and_what_helps(filled: Archive) -> None:
    change(filled)
    [fault] = look(filled).faults
    assert str(fault) == (
        "events: record 5 (2026-11) is not what its hash was made of: it was changed in the store; put the period back"
        " from a backup in which `groupreg fsck` finds nothing."
    )
