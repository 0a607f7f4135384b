# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers that outlive the command that started them, found again by the lock file that each holds.

A process id alone would not do: after a restart of the machine it may be anybody's.
"""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from synapse_groupreg.rig.process import RigError

_POLL_SECONDS = 0.05


def holder(lock: Path) -> int | None:
    """The process id of the server that holds `lock`, None when none does."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32)
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def end(lock: Path, *, by: signal.Signals = signal.SIGTERM, seconds: float = 30) -> bool:
    """End the server that holds `lock`, by force after `seconds`; whether there was one."""
    pid = holder(lock)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, by)
    if not _ended(lock, seconds):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not _ended(lock, seconds):
            message = f"The process {pid}, which holds {lock}, does not end."
            raise RigError(message)
    return True


def _ended(lock: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while holder(lock) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
