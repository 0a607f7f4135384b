# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every process of the homeserver has of the module, and how it does what blocks before Synapse listens."""

from __future__ import annotations

import contextlib
import ctypes
import secrets
import threading
from typing import TYPE_CHECKING, TypeVar

from synapse_groupreg.handlers.change import Setting
from synapse_groupreg.values import frozen

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
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.known_logs import Remembered

R = TypeVar("R")


@frozen(kw_only=True)
class Process:
    """Made at start, for the parts of the module that only some processes use."""

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

    def setting(self, staff: Staff) -> Setting:
        """The setting in which an account acts, or looks, now."""
        return Setting(
            staff=staff,
            now_ms=self.homeserver.now_ms(),
            config=self.config,
            server_name=self.homeserver.server_name,
            public_baseurl=self.homeserver.public_baseurl,
            dialect=self.database.dialect,
            own_account=self.notice_account,
            seal=self.seal,
            new_id=lambda: secrets.token_hex(16),
        )


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


def give_memory_back() -> None:
    """Let the system have what the start took and gave up; glibc keeps it, in pieces between what is still used."""
    with contextlib.suppress(AttributeError):  # another C library has no such function
        ctypes.CDLL(None).malloc_trim(0)
