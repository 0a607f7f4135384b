# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work on a large file by all processors."""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_WORTH_BYTES = 20_000_000
"""Of a file that takes this process longer than others take to start."""
_AHEAD = 4
"""Pieces that each process may be given before the first of them is wanted: memory stays small."""


def processes_for(size: int) -> int:
    """How many processes a file of so many bytes is worth."""
    return 1 if size < _WORTH_BYTES else os.cpu_count() or 1


def spread_over(processes: int) -> Callable[[Callable[[Given], Made], Iterable[Given]], Iterator[Made]]:
    """As `map`, over so many processes; function and values must be ones that can be sent to them."""
    if processes == 1:
        return map

    def spread(function: Callable[[Given], Made], values: Iterable[Given]) -> Iterator[Made]:
        waiting: deque[Future[Made]] = deque()
        # Begun anew, not forked: a thread of this process draws a bar, and may hold a lock at that moment.
        # What they make goes with the piece that it was made of: there is no garbage to look for.
        pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=gc.disable)
        try:
            for value in values:
                waiting.append(pool.submit(function, value))
                if len(waiting) >= processes * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    return spread
