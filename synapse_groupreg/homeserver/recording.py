# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store in a process of Synapse: its place, its keys, and the recorder where background tasks run."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.anchors import Anchors
from synapse_groupreg.handlers.retention.belonging import check, check_missing, check_place
from synapse_groupreg.handlers.retention.health import Health
from synapse_groupreg.handlers.retention.keeping import Keeping
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Openers
from synapse_groupreg.handlers.retention.recorder import Recorder
from synapse_groupreg.homeserver import compat
from synapse_groupreg.homeserver.retention_keys import RetentionKeys, missing_files
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.stores import open_reader, open_store

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.homeserver.keys import IdentityKey
    from synapse_groupreg.storage.database import Database
    from synapse_groupreg.storage.known_logs import Remembered
    from synapse_groupreg.storage.store import StoreReader

logger = logging.getLogger(__name__)

_EVERY_MS = 1_000
_REMOVE_MS = 3_600_000
_FIRST_MS = 30_000
_MEASURE_MS = 10_000


class Recording:
    """Made in every process, once the configuration says that anything is recorded. Raises CannotStart."""

    def __init__(self, api: ModuleApi, config: GroupRegConfig, homeserver: Homeserver, known: Remembered) -> None:
        self._api = api
        self._config = config
        self._homeserver = homeserver
        self._folder = config.retention.keys_path or config.identity.keys_path or compat.keys_folder(api)
        self._server_name = homeserver.server_name
        check_place(self.settings, compat.database_settings(api))
        self._known = known
        self.published = Published(Path(self._folder))
        self._check_files()
        self.keys = RetentionKeys(self._folder, self._server_name, lambda: compat.server_key(api))
        self.openers = Openers(self.open_reader, self._server_name, self.keys)
        """For whoever reads."""
        self.recorder: Recorder | None = None
        """Only where background tasks run."""
        self.keeping: Keeping | None = None
        """The same."""

    @property
    def settings(self) -> dict[str, Any]:
        """Where the store is, in the form of Synapse's `database`."""
        store = self._config.retention.store
        return {"name": store.name, "args": store.args or {"database": str(Path(self._folder) / "retention")}}

    def open_log(self, name: str) -> Log:
        """The writer of a log, which `open` makes the owner."""
        return Log(name, open_store(self.settings, name), self._server_name, self.keys, self.published)

    def open_reader(self, name: str) -> StoreReader:
        """A reader of a log, in any process."""
        return open_reader(self.settings, name)

    def _check_files(self) -> None:
        """Refuse to make keys where others were used. Raises CannotStart."""
        folder = Path(self._folder)
        missing = missing_files(folder)
        for name in LogName if missing else ():
            known, published = name.value in self._known.logs, self.published.has(name.value)
            try:
                if name.value not in self._known.given_up:
                    with self._lent_reader(name.value) as reader:
                        check_missing(reader, name.value, folder / missing[0], known=known, published=published)
            except CannotStart:
                if missing_files(folder):
                    raise
                return  # another process made them just now, and began the log

    def _lent_reader(self, name: str) -> contextlib.closing[StoreReader]:
        return contextlib.closing(self.open_reader(name))

    def check(self) -> None:
        """Refuse a store that does not belong here. Blocks. Raises CannotStart."""
        known = self._known
        for name in LogName:
            if name.value in known.given_up:
                continue
            with self._lent_reader(name.value) as reader:
                try:
                    check(
                        reader,
                        name,
                        self._server_name,
                        self.keys,
                        renewing=known.renewing,
                        known=known.logs.get(name.value),
                    )
                except StoreUnavailable as error:
                    logger.warning("The retention store can't be checked at start: %s", error)

    def start(self, database: Database, key: IdentityKey, account: str | None) -> None:
        """Begin to record. `account` sends checkpoints to rooms."""
        recorder = self._recorder(database, key, account)
        self._api.looping_background_call(recorder.tick, _EVERY_MS, desc="groupreg_recorder")
        health = Health(database, self._homeserver, recorder, recorder.upkeep, self.open_reader)
        self._api.looping_background_call(health.measure, _MEASURE_MS, desc="groupreg_retention_health")
        compat.before_shutdown(self._api, recorder.shut_down)

    def start_removing(self, database: Database, key: IdentityKey) -> None:
        """While recording is off, what was kept too long goes all the same."""
        recorder = self._recorder(database, key, None)

        async def remove() -> None:
            if await self._homeserver.in_thread(self._is_there):
                await recorder.remove()

        self._api.looping_background_call(remove, _REMOVE_MS, desc="groupreg_retention_removal")
        self._api.delayed_background_call(_FIRST_MS, remove)

    def _is_there(self) -> bool:
        """Whether both logs were ever begun."""
        found = []
        for name in LogName:
            with self._lent_reader(name.value) as reader:
                try:
                    found.append(reader.head() is not None)
                except StoreUnavailable as error:
                    logger.warning("What is left of the retention store can't be removed yet: %s", error)
                    return False
        return all(found)

    def _recorder(self, database: Database, key: IdentityKey, account: str | None) -> Recorder:
        self.keeping = Keeping(self._config.retention, database, self._homeserver, seal=key.seal, keys=self.keys)
        self.recorder = Recorder(
            self._config.retention,
            database,
            self._homeserver,
            seal=key.seal,
            open_=key.open,
            open_log=self.open_log,
            anchor=Anchors(self._config.retention.anchors, self._homeserver, account).publish,
            upkeep=self.keeping,
        )
        return self.recorder


def left_behind(api: ModuleApi, config: GroupRegConfig, homeserver: Homeserver, known: Remembered) -> Recording | None:
    """The store of before recording was switched off; None if there are no keys of one. Makes nothing."""
    folder = Path(config.retention.keys_path or config.identity.keys_path or compat.keys_folder(api))
    return None if missing_files(folder) else Recording(api, config, homeserver, known)
