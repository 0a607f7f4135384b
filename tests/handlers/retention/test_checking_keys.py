# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A check of some months knows the keys of the others; another key than the log's is told of; the same fault once."""

from __future__ import annotations

import pytest

from tests.handlers.retention.exports import sign
from tests.handlers.retention.stage import Archive
from tests.handlers.retention.surgery import operate
from tests.handlers.retention.test_checking import faults, first_period, look
from tests.handlers.retention.test_exporting import chat


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Three months of both logs, signed."""
    chat(archive)
    sign(archive)
    return archive


def renew_key(archive: Archive) -> None:
    """Let another key sign from now on, as both logs say."""
    before = archive.keys
    archive.keys.renew_signing_key()
    assert archive.keys is before
    for log in archive.logs.values():
        log.note_key(archive.now_ms)


def test_a_key_that_another_month_names_is_no_stranger(filled: Archive) -> None:
    months = [info.period.month for info in filled.place.reader().periods()]
    for month in months:
        assert faults(filled, months=(month,)) == ""
    filled.roll()
    renew_key(filled)
    sign(filled)
    for info in filled.place.reader().periods():
        assert faults(filled, months=(info.period.month,)) == "", "each month's checkpoints verify"
    filled.roll()
    filled.put(filled.message())
    sign(filled)
    assert faults(filled, months=(filled.place.reader().periods()[-1].period.month,)) == ""


def test_another_signing_key_than_the_log_named_last_is_told_of(filled: Archive) -> None:
    filled.keys.renew_signing_key()
    found = faults(filled)
    assert "events: the key in retention-signing.key is not the one that the log named last" in found
    assert "put the original file back" in found


def test_the_same_fault_at_many_places_is_one_finding(filled: Archive) -> None:
    operate(filled, first_period(filled), "UPDATE {records} SET ts_ms = ts_ms + 1")
    found = look(filled)
    [fault] = [one for one in found.faults if "what its hash was made of" in one.text]
    info = filled.place.reader().periods()[0]
    assert fault.count == info.end - info.first
    assert fault.where == f"events: record 0 ({info.period.month})"
    assert fault.places == tuple(f"record {n} ({info.period.month})" for n in range(1, 6))
    assert f"(and {fault.count - 1:,} more: record 1 " in str(fault)
    assert len(found.faults) < 4
    assert not found.more
