# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What runs by the clock, made and joined: upkeep, notices and the recorder, in one process for all.

What most servers never need of it is read from disk when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers.follower import Follower
from synapse_groupreg.handlers.notices import Notices
from synapse_groupreg.handlers.numbering import Numbering
from synapse_groupreg.handlers.overflow import Overflow
from synapse_groupreg.handlers.relabelling import Relabelling
from synapse_groupreg.handlers.removing import Removing
from synapse_groupreg.handlers.upkeep import Upkeep
from synapse_groupreg.homeserver.recorder import RecordKeeping
from synapse_groupreg.homeserver.recording import left_behind

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.homeserver.recording import Recording
    from synapse_groupreg.storage.database import Transaction

_EVERY_SECOND_MS = 1_000
_OVERFLOW_MS = 2_000
_UPKEEP_OFTEN_MS = 5_000
_UPKEEP_SELDOM_MS = 60_000


def start(process: Process, recording: Recording | None) -> None:
    """Begin all of it."""
    config, database, homeserver = process.config, process.database, process.homeserver
    every = process.api.looping_background_call
    work = Upkeep(config, database, homeserver)
    every(work.often, _UPKEEP_OFTEN_MS, desc="groupreg_upkeep_often")
    every(work.seldom, _UPKEEP_SELDOM_MS, desc="groupreg_upkeep_seldom")
    every(Removing(database, homeserver).work, _EVERY_SECOND_MS, desc="groupreg_removals")
    overflow = Overflow(config, database, homeserver, process.snapshot, process.words)
    every(overflow.work, _OVERFLOW_MS, desc="groupreg_overflow")
    # Whoever comes in from now on counts, also within the first two seconds.
    process.api.delayed_background_call(0, overflow.work, desc="groupreg_overflow")
    numbering = Numbering(config, database, homeserver, process.snapshot)
    every(numbering.every_second, _EVERY_SECOND_MS, desc="groupreg_numbers")
    every(numbering.every_minute, _UPKEEP_SELDOM_MS, desc="groupreg_numbers_all")
    relabelling = Relabelling(config, database, homeserver, process.snapshot)
    every(relabelling.every_second, _EVERY_SECOND_MS, desc="groupreg_relabel")
    lists = Follower(database, homeserver, process.setting, _keep_in_step)
    every(lists.every_second, _EVERY_SECOND_MS, desc="groupreg_lists")
    every(lists.every_minute, _UPKEEP_SELDOM_MS, desc="groupreg_lists_all")
    _send_notices(process)
    if recording is not None:
        RecordKeeping(process, recording).start()
    elif (left := left_behind(process)) is not None:
        RecordKeeping(process, left).start_removing()


def _keep_in_step(txn: Transaction, setting: Setting) -> tuple[bool, bool]:
    from synapse_groupreg.handlers import following  # noqa: PLC0415 - a part: most servers follow no list

    return following.keep_in_step(txn, setting)


def _send_notices(process: Process) -> None:
    if process.notice_account is None:
        return
    sender = Notices(
        process.config.notices, process.database, process.homeserver, process.words, account=process.notice_account
    )
    process.api.looping_background_call(sender.deliver, _EVERY_SECOND_MS, desc="groupreg_notices")
    process.api.looping_background_call(sender.tidy, _UPKEEP_SELDOM_MS, desc="groupreg_notices_tidy")
