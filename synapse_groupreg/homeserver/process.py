# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every process of the homeserver has of the module, and how it does what blocks before Synapse listens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse.module_api import ModuleApi
    from synapse.util.clock import Clock

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.journal import RefusalJournal
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.handlers.wording import Words
    from synapse_groupreg.homeserver.compat import SynapseDatabase
    from synapse_groupreg.homeserver.keys import IdentityKey
    from synapse_groupreg.homeserver.synapse import SynapseHomeserver
    from synapse_groupreg.storage.known_logs import Remembered

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Process:
    """Made at start, for what serves staff and runs by the clock."""

    api: ModuleApi
    clock: Clock
    config: GroupRegConfig
    database: SynapseDatabase
    homeserver: SynapseHomeserver
    journal: RefusalJournal
    key: IdentityKey
    known: Remembered
    notice_account: str | None
    """The account that sends notices; None where none are sent."""
    schema: int
    snapshot: Snapshot
    version_warning: str | None
    words: Words

    @property
    def seal(self) -> Callable[[bytes], bytes] | None:
        """Encrypts what waits for the retention store; None where nothing is recorded."""
        return self.key.seal if self.config.retention.enabled else None


def in_a_thread(work: Callable[[], R]) -> R:
    """Run blocking work off the reactor thread, and wait for it: Synapse objects to blocking SQL on the reactor."""
    outcome: list[R] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, name="groupreg_start")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
