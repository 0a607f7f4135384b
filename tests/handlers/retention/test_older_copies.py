# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store that was put back from an older copy, in whole or in part, is told from the one that was signed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Behind, Published
from synapse_groupreg.retention.notes import NoteError
from synapse_groupreg.storage.store_sqlite import SqliteStore
from tests.handlers.retention.stage import MONTH_MS, NOVEMBER_MS, SERVER, ThrowAwayKeys
from tests.storage.power.victim import messages

if TYPE_CHECKING:
    from pathlib import Path


MONTH = "events/1-2026-11.db"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("whole", "has 21 records and a checkpoint of 44 was published"),
        ("one month", "is not the one whose first 44 records were signed"),
        ("nothing", "has 0 records and a checkpoint of 44 was published"),
    ],
)
def test_an_older_copy_of_a_store_is_not_gone_on_with(tmp_path: Path, what: str, told: str) -> None:
    keys, published = ThrowAwayKeys(), Published(tmp_path)
    store, copy = tmp_path / "store", tmp_path / "copy"

    def write(*months: int, start: int = 1) -> None:
        log = Log("events", SqliteStore(store, "events"), SERVER, keys, published)
        try:
            log.open(NOVEMBER_MS, {})
            for number, month in enumerate(months):
                now_ms = NOVEMBER_MS + month * MONTH_MS
                log.append(messages(start + 20 * number, 20 if not month else 2, now_ms), {}, now_ms)
            log.checkpoint()
        finally:
            log.release()

    write(0)
    shutil.copytree(store, copy)
    write(0, 1, start=21)
    if what == "one month":
        shutil.copy(copy / MONTH, store / MONTH)
    else:
        shutil.rmtree(store)
    if what == "whole":
        shutil.copytree(copy, store)
    with pytest.raises(Behind, match=told):
        write()


def test_a_published_checkpoint_that_is_no_text_is_called_malformed(tmp_path: Path) -> None:
    (tmp_path / "retention-events.checkpoint").write_bytes(b"\xab" * 100)
    with pytest.raises(NoteError):
        Published(tmp_path).newest("events")
