# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The recorder in a process of Synapse, where background tasks run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from synapse_groupreg.handlers.retention.anchors import Anchors
from synapse_groupreg.handlers.retention.health import Health
from synapse_groupreg.handlers.retention.keeping import Keeping
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.recorder import Recorder
from synapse_groupreg.homeserver import compat
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.stores import open_store

if TYPE_CHECKING:
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.homeserver.recording import Recording

logger = logging.getLogger(__name__)

_EVERY_MS = 1_000
_REMOVE_MS = 3_600_000
_FIRST_MS = 30_000
_MEASURE_MS = 10_000


class RecordKeeping:
    """Writes the logs of a retention store, and removes what was kept too long."""

    def __init__(self, process: Process, recording: Recording) -> None:
        self._process = process
        self._recording = recording

    def start(self) -> None:
        """Begin to record."""
        process = self._process
        recorder = self._recorder(process.notice_account)
        every = process.api.looping_background_call
        every(recorder.tick, _EVERY_MS, desc="groupreg_recorder")
        every(recorder.free, _EVERY_MS, desc="groupreg_retention_free")
        health = Health(process.database, process.homeserver, recorder, recorder.upkeep, self._recording.open_reader)
        every(health.measure, _MEASURE_MS, desc="groupreg_retention_health")
        compat.before_shutdown(process.api, recorder.shut_down)

    def start_removing(self) -> None:
        """While recording is off, what was kept too long goes all the same."""
        process = self._process
        recorder = self._recorder(None)

        async def remove() -> None:
            if await process.homeserver.in_thread(self._is_there):
                await recorder.remove()

        process.api.looping_background_call(remove, _REMOVE_MS, desc="groupreg_retention_removal")
        process.api.delayed_background_call(_FIRST_MS, remove)

    def _is_there(self) -> bool:
        """Whether both logs were ever begun."""
        found = []
        for name in LogName:
            with self._recording.lent_reader(name) as reader:
                try:
                    found.append(reader.head() is not None)
                except StoreUnavailable as error:
                    logger.warning("What is left of the retention store can't be removed yet: %s", error)
                    return False
        return all(found)

    def _recorder(self, account: str | None) -> Recorder:
        """`account` sends checkpoints to rooms."""
        process, retention, keys = self._process, self._process.config.retention, self._recording.keys
        return Recorder(
            retention,
            process.database,
            process.homeserver,
            seal=process.key.seal,
            open_=process.key.open,
            open_log=self._open_log,
            anchor=Anchors(retention.anchors, process.homeserver, account).publish,
            upkeep=Keeping(retention, process.database, process.homeserver, seal=process.key.seal, keys=keys),
        )

    def _open_log(self, name: str) -> Log:
        """The writer of a log, which `open` makes the owner."""
        where, server_name = self._recording, self._process.homeserver.server_name
        return Log(name, open_store(where.settings, name), server_name, where.keys, where.published)
