# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work at the same moment over connections of its own."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.database import TestDatabase

R = TypeVar("R")


def at_once(database: TestDatabase, works: Sequence[Callable[[TestDatabase], R]]) -> list[R]:
    """What becomes of work that all begins together, each over a connection of its own."""
    start = threading.Barrier(len(works))
    results: list[R] = []
    errors: list[BaseException] = []

    def rival(work: Callable[[TestDatabase], R]) -> None:
        with contextlib.closing(database.another()) as mine:
            start.wait()
            try:
                results.append(work(mine))
            except BaseException as error:  # noqa: BLE001 - shown by the test
                errors.append(error)

    threads = [threading.Thread(target=rival, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return results
