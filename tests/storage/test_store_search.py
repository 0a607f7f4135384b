# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searches of the retention store, against a plain list; times that don't ascend among them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from synapse_groupreg.storage import store_rows, store_times
from synapse_groupreg.storage.store import Period, Row, Selection
from tests.engines import on
from tests.storage.store_places import Place
from tests.storage.store_samples import DECEMBER, NOON, NOVEMBER, Log, name, row, selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.storage.store_engine import StoreReader

ROWS = 1500
TURN = 700
"""Where December begins: within a block."""
HOUR = 3_600_000


def some_row(chance: random.Random, idx: int) -> Row:
    late = -20 * HOUR if chance.random() < 0.005 else 0
    return row(
        idx,
        NOON + idx * 60_000 + late + chance.randrange(-HOUR, HOUR),
        kind=chance.choice([0, 0, 0, 0, 1, 2]),
        type=chance.choice(["m.room.message", "m.reaction", None]),
        verdict=chance.choice([None, None, "rejected", "soft-failed"]),
        room=chance.choice([1, 1, 1, 2, 3, None]),
        actor=chance.choice([11, 11, 12, 13, None]),
        target=chance.choice([11, 12, None, None, None]),
        times=chance.choice([1, 1, 5]),
    )


Found = tuple["StoreReader", dict[Period, list[Row]]]


@pytest.fixture(scope="module")
def found(
    settings: Callable[[Any], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Found]:
    """Two periods of a log, with spans so short that there are several, read so few at a time that it takes several."""
    chance = random.Random(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_times, "SPAN", 2)
        patch.setattr(store_rows, "_MANY", 40)
        made = Place(settings(tmp_path_factory.mktemp("search")))
        log = Log(made.store())
        log.begin(NOVEMBER)
        names = [name(ref, "room" if ref < 10 else "account") for ref in (1, 2, 3, 11, 12, 13)]
        log.append([some_row(chance, idx) for idx in range(500)], names)
        log.append([some_row(chance, idx) for idx in range(500, TURN)])
        log.begin(DECEMBER)
        log.append([some_row(chance, idx) for idx in range(TURN, ROWS)], names)
        rows = list(log.rows.values())
        yield made.reader(), {NOVEMBER: rows[:TURN], DECEMBER: rows[TURN:]}
        made.close()


def moments() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(NOON - 25 * HOUR, NOON + ROWS * 60_000 + HOUR)


def indexes() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(-5, ROWS + 5)


selections = st.builds(
    Selection,
    room=st.sampled_from([None, None, 1, 2, 3, 9]),
    account=st.sampled_from([None, None, 11, 12, 13, 1]),
    actor=st.sampled_from([None, None, None, 11, 12]),
    target=st.sampled_from([None, None, None, 11, 12, 1]),
    kinds=st.lists(st.sampled_from([0, 1, 2, 14]), max_size=3),
    types=st.lists(st.sampled_from(["m.room.message", "m.reaction", "never"]), max_size=2),
    verdicts=st.lists(st.sampled_from(["rejected", "soft-failed"]), max_size=2),
    from_ms=moments(),
    to_ms=moments(),
    below=indexes(),
    since=indexes(),
)


@given(
    period=st.sampled_from([NOVEMBER, DECEMBER]),
    wanted=selections,
    limit=st.sampled_from([1, 10, 100, 10_000]),
    newest_first=st.booleans(),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_search_finds_what_meets_all_conditions(
    found: Found, period: Period, wanted: Selection, limit: int, newest_first: bool
) -> None:
    reader, rows = found
    expected = selected(rows[period], wanted, limit, newest_first=newest_first)
    assert reader.select(period, wanted, limit, newest_first=newest_first) == expected


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [10, 10_000])
@pytest.mark.parametrize(
    "wanted",
    [
        Selection(room=1),
        Selection(account=11),
        Selection(room=1, kinds=[0]),
        Selection(account=11, types=["m.reaction"]),
    ],
    ids=["a room", "an account", "some of a room", "some of an account"],
)
def test_what_takes_several_looks_is_found_whole(
    found: Found, wanted: Selection, limit: int, newest_first: bool
) -> None:
    reader, rows = found
    expected = selected(rows[NOVEMBER], wanted, limit, newest_first=newest_first)
    assert reader.select(NOVEMBER, wanted, limit, newest_first=newest_first) == expected


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_follow_one_another_without_gap_or_overlap(found: Found, newest_first: bool) -> None:
    reader, rows = found
    pages: list[Row] = []
    going_on: dict[str, Any] = {}
    while page := reader.select(NOVEMBER, Selection(account=11, **going_on), 7, newest_first=newest_first):
        pages += page
        going_on = {"below": page[-1].idx} if newest_first else {"since": page[-1].idx + 1}
    assert pages == selected(rows[NOVEMBER], Selection(account=11), ROWS, newest_first=newest_first)


def test_a_search_by_time_leaves_out_the_blocks_of_other_times(found: Found) -> None:
    """Else it would read a room's whole history."""
    reader, rows = found
    asked: list[tuple[str, Any]] = []

    def fetch(sql: str, values: Any) -> list[tuple[Any, ...]]:
        asked.append((sql, values))
        return reader._fetch(DECEMBER, sql, values)  # type: ignore[attr-defined]  # each engine has it

    times = Selection(from_ms=NOON + 1000 * 60_000, to_ms=NOON + 1010 * 60_000)
    parts = store_times.windows(fetch, TURN, times)
    # At most: what no whole block covers at both ends, and the blocks that touch it.
    assert sum(min(part.high, ROWS - TURN) - part.low for part in parts) < ROWS - TURN
    assert parts == sorted(parts)
    nothing = Selection(from_ms=NOON - 90 * HOUR, to_ms=NOON - 80 * HOUR)
    assert store_times.windows(fetch, TURN, nothing) == [(0, 768 - TURN - 1)]
    # The block that isn't complete is looked at if one of its records is of that time.
    newest = rows[DECEMBER][-1].ts_ms
    edges = store_times.windows(fetch, TURN, Selection(from_ms=newest, to_ms=newest))
    assert (edges[0].low, edges[-1].low) == (0, 1280 - TURN)


def test_what_is_appended_during_a_search_is_not_found_twice(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(place.store())
    log.begin()
    log.fill(300)
    runs = store_times._runs

    def slow(*given: Any) -> Any:
        found = runs(*given)
        log.fill(600)
        return found

    monkeypatch.setattr(store_times, "_runs", slow)
    found = place.reader().select(NOVEMBER, Selection(from_ms=NOON), 10_000, newest_first=False)
    assert [one.idx for one in found] == list(range(900))


@on("postgres")
def test_the_server_soon_notes_of_new_records_that_all_may_see_them(place: Place) -> None:
    """Else the index alone would not do for them, and a page's hundred rows were read one by one."""
    Log(place.store()).begin()
    asked = "SELECT unnest(reloptions) FROM pg_class WHERE oid = to_regclass('{records}')"
    rows = place.reader()._fetch(NOVEMBER, asked)  # type: ignore[attr-defined]  # each engine has it
    said = dict(option.split("=") for (option,) in rows)
    # However large the table is: no share of it.
    assert float(said["autovacuum_vacuum_insert_scale_factor"]) == 0
    assert int(said["autovacuum_vacuum_insert_threshold"]) <= 100_000
