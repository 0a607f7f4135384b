# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store in a process of Synapse: its place, its keys, its readers, and whether it belongs there."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.belonging import check, check_missing, check_place
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Openers
from synapse_groupreg.homeserver import compat
from synapse_groupreg.homeserver.retention_keys import RetentionKeys, missing_files
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.stores import open_reader

if TYPE_CHECKING:
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.storage.store_engine import StoreReader

logger = logging.getLogger(__name__)


class Recording:
    """Made in every process that uses it, once the configuration says that anything is recorded. Raises CannotStart."""

    def __init__(self, process: Process) -> None:
        self._store = process.config.retention.store
        self._folder = _folder(process)
        self._server_name = process.homeserver.server_name
        check_place(self.settings, compat.database_settings(process.api))
        self._known = process.known
        self.published = Published(self._folder)
        self._check_files()
        self.keys = RetentionKeys(str(self._folder), self._server_name, lambda: compat.server_key(process.api))
        self.openers = Openers(self.open_reader, self._server_name, self.keys)
        """For whoever reads."""

    @property
    def settings(self) -> dict[str, Any]:
        """Where the store is, in the form of Synapse's `database`."""
        return {"name": self._store.name, "args": self._store.args or {"database": str(self._folder / "retention")}}

    def open_reader(self, name: str) -> StoreReader:
        """A reader of a log, in any process."""
        return open_reader(self.settings, name)

    def _check_files(self) -> None:
        """Refuse to make keys where others were used. Raises CannotStart."""
        missing = missing_files(self._folder)
        for name in LogName if missing else ():
            known, published = name.value in self._known.logs, self.published.has(name.value)
            try:
                if name.value not in self._known.given_up:
                    with self.lent_reader(name) as reader:
                        lost = self._folder / missing[0]
                        check_missing(reader, name.value, lost, known=known, published=published)
            except CannotStart:
                if missing_files(self._folder):
                    raise
                return  # another process made them just now, and began the log

    def lent_reader(self, log: LogName) -> contextlib.closing[StoreReader]:
        """A reader for a while."""
        return contextlib.closing(self.open_reader(log.value))

    def check(self) -> None:
        """Refuse a store that does not belong here. Blocks. Raises CannotStart."""
        known = self._known
        for name in LogName:
            if name.value in known.given_up:
                continue
            with self.lent_reader(name) as reader:
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


def left_behind(process: Process) -> Recording | None:
    """The store of before recording was switched off; None if there are no keys of one. Makes nothing."""
    return None if missing_files(_folder(process)) else Recording(process)


def _folder(process: Process) -> Path:
    config = process.config
    return Path(config.retention.keys_path or config.identity.keys_path or compat.keys_folder(process.api))
