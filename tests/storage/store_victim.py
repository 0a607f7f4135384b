# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that writes a log and is killed: by the test, or by itself before its nth step.

python -m tests.storage.store_victim SETTINGS first|begin|purge|run|turn
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.storage.store import Fenced, Selection
from synapse_groupreg.storage.stores import open_store
from tests.storage.store_samples import DECEMBER, KEYS, NOVEMBER, Log, digest, following

if TYPE_CHECKING:
    from types import FrameType

KILLED = 9
STEPS = {"open", "fsync", "rename", "unlink", "execute", "executemany", "close", "rmdir", "mkdir"}


class Steps:
    """Ends the process, as a kill would, before its nth call of the system or of SQLite."""

    def __init__(self, last: int) -> None:
        self._left = last

    def watch(self, frame: FrameType, event: str, called: Any) -> None:
        del frame
        if event == "c_call" and called.__name__ in STEPS and (called.__module__ or "posix") in ("posix", "sqlite3"):
            self._left -= 1
            if self._left == 0:
                os._exit(KILLED)


def main(settings: dict[str, Any], what: str) -> None:
    if what in ("run", "turn"):
        run(Log(open_store(settings, "events")), turns=what == "turn")
        return
    folder, step, code = settings["args"]["database"], 0, KILLED
    while code == KILLED:
        step += 1
        place = {**settings, "args": {"database": f"{folder}/{step}"}}
        # A fork, because starting Python anew would take most of the time.
        process = os.fork()
        if not process:
            die_at(place, what, step)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    say(step, code)


def die_at(settings: dict[str, Any], what: str, step: int) -> None:
    log = Log(open_store(settings, "events"))
    if what != "first":
        log.begin(NOVEMBER)
        log.fill(300)
    if what == "purge":
        log.begin(DECEMBER)
        log.fill(300)
    head = log.head
    sys.setprofile(Steps(step).watch)
    if what == "purge":
        after = attrs.evolve(log.now(), base_size=300, base=(digest("base"),))
        log.store.purge(log.now(), [NOVEMBER], after)
        log.store.free()
    else:
        log.store.begin(head, following(head, NOVEMBER if head is None else DECEMBER), KEYS)
    sys.setprofile(None)


def run(log: Log, *, turns: bool) -> None:
    log.head = log.store.acquire()
    if log.head is None:
        log.begin(NOVEMBER)
    period, size = log.now().period, log.now().size
    log.names[period] = {one.ref: one for one in log.store.names(period, range(1, 30))}
    # For the times of the block that they are part of.
    kept = log.store.select(NOVEMBER, Selection(), size + 1, newest_first=False)
    log.rows = {row.idx: row for row in kept}
    try:
        for number in range(40 if turns else 1_000_000):
            if turns and number == 20:
                log.begin(DECEMBER)
            say(log.fill(37).size)
    except Fenced:
        say("fenced")


def say(*what: object) -> None:
    print(*what, flush=True)  # noqa: T201 - to the test


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
