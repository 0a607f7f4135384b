# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is removed from the retention store is gone, and what is kept is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from synapse_groupreg.storage.store import Period, Selection
from tests.engines import on
from tests.storage.store_samples import DECEMBER, JANUARY, NOVEMBER, Log, digest, name, row

if TYPE_CHECKING:
    from tests.storage.store_places import Place

ALL = Selection()


MONTHS = ("202611", "202612", "202701")


def purge(log: Log, drop: list[Period], size: int) -> None:
    after = attrs.evolve(log.now(), base_size=size, base=(digest("base", size),), purged_ms=5)
    log.head = log.store.purge(log.now(), drop, after)


@pytest.fixture
def log(place: Place) -> Log:
    made = Log(place.store())
    for period in (NOVEMBER, DECEMBER, JANUARY):
        made.begin(period)
        made.fill(300)
    return made


def test_a_period_that_was_purged_is_gone_and_the_rest_is_there(place: Place, log: Log) -> None:
    reader = place.reader()
    reader.select(NOVEMBER, ALL, 1, newest_first=True)
    log.store.put_checkpoint(log.now(), 900, "note\n")
    purge(log, [NOVEMBER, DECEMBER], 600)
    assert reader.head() == log.head
    assert reader.bases() == {1: (600, (digest("base", 600),))}
    assert [one.period for one in reader.periods()] == [JANUARY]
    assert reader.select(NOVEMBER, ALL, 9, newest_first=True) == []
    assert (reader.keys(NOVEMBER), list(reader.tallies(NOVEMBER)), reader.content(NOVEMBER, 1)) == ([], [], None)
    assert reader.checkpoints(1) == [(900, "note\n")]
    assert len(reader.leaves(1, 600, 900)) == 300
    with pytest.raises(KeyError):
        reader.leaves(1, 599, 700)
    # Block 2 holds records of December, and was completed in January.
    assert reader.nodes(1, 0, 900) == {2: digest("block", 2)}
    log.fill(10)
    before = place.at_rest()
    log.store.free()
    log.store.free()
    assert place.at_rest() < before
    assert {month for one in place.at_rest() for month in MONTHS if month in one.replace("-", "")} == {"202701"}
    assert len(reader.select(JANUARY, ALL, 999, newest_first=True)) == 310


@on("sqlite")  # whose files of PostgreSQL are open is its own affair
def test_what_is_removed_takes_no_space_while_a_reader_is_open(place: Place, log: Log) -> None:
    reader = place.reader()
    reader.select(NOVEMBER, ALL, 1, newest_first=True)
    purge(log, [NOVEMBER], 300)
    reader.head()
    held = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [one for one in held if "1-2026-11.db" in one] == []


def test_the_base_of_an_older_shard_is_kept_with_it(place: Place, log: Log) -> None:
    log.store.put_checkpoint(log.now(), 900, "one\n")
    log.begin(Period(2, "2027-01"))
    log.fill(5)
    older = {1: (900, (digest("whole"),))}
    head = log.now()
    log.head = log.store.purge(head, [NOVEMBER, DECEMBER, JANUARY], head, older)
    log.begin(Period(2, "2027-02"))
    reader = place.reader()
    assert reader.bases() == older
    assert reader.checkpoints(1) == [(900, "one\n")]
    assert log.fill(1).size == 6


def test_the_newest_period_is_never_removed(log: Log) -> None:
    with pytest.raises(ValueError, match="newest"):
        purge(log, [JANUARY], 900)
    assert log.fill(1).size == 901


def test_an_erased_name_is_not_found_and_its_records_keep_what_was_left(place: Place, log: Log) -> None:
    rows = [row(900 + number, actor=500, content=b"content", sealed=b"sealed") for number in range(3)]
    log.append(rows, [name(500)])
    for period, ref in ((JANUARY, 500), (NOVEMBER, 11)):
        lookup = log.names[period][ref].lookup
        log.store.erase(log.now(), period, [ref], [(901, b"left")] if period == JANUARY else [])
        reader = place.reader()
        assert reader.find_name(period, "account", lookup) is None
        [kept] = reader.names(period, [ref])
        assert (kept.token, kept.sealed) == (log.names[period][ref].token, None)
        assert kept.lookup != lookup
    found = reader.select(JANUARY, Selection(actor=500), 9, newest_first=False)
    assert found == [
        rows[0]._replace(content=None),
        rows[1]._replace(content=None, sealed=b"left"),
        rows[2]._replace(content=None),
    ]
    assert [reader.content(JANUARY, idx) for idx in (900, 901, 902)] == [b"content", None, b"content"]
    assert log.fill(1).size == 904
