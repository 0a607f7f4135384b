# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of the module that a process may never need, each read from disk when it is first used.

Python code takes megabytes in every process that imports it. So nothing above this layer imports these parts, and the
imports that wait for their first use stand here, side by side.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from synapse_groupreg.homeserver.process import in_a_thread

if TYPE_CHECKING:
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.homeserver.recording import Recording
    from synapse_groupreg.service import Service


class Parts:
    """Those of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def check(self) -> None:
        """Say at start what is wrong with the retention store, where it will be used. Raises CannotStart."""
        api = self._process.api
        runs_by_the_clock = api.should_run_background_tasks()
        # `docs/install.md` has the proxy send requests of staff to the main process.
        serves_staff = api.worker_name is None
        recording = self.recording if runs_by_the_clock or serves_staff else None
        if recording is not None and runs_by_the_clock:
            in_a_thread(recording.check)

    @cached_property
    def recording(self) -> Recording | None:
        """The retention store; None where nothing is recorded.

        Raises CannotStart where its keys are missing: they are made only where none began.
        """
        from synapse_groupreg.homeserver.recording import Recording  # noqa: PLC0415 - a part

        process = self._process
        if not process.config.retention.enabled:
            return None
        return in_a_thread(lambda: Recording(process))

    @cached_property
    def service(self) -> Service:
        """What serves staff, and whoever asks in a chat: the process that is asked needs it, from then on."""
        from synapse_groupreg.service import Service  # noqa: PLC0415 - a part

        return Service(self._process, self.recording)

    def run_by_the_clock(self) -> None:
        """Begin what one process does for all."""
        from synapse_groupreg import clockwork  # noqa: PLC0415 - a part

        clockwork.start(self._process, self.recording)
