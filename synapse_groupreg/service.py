# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What answers staff, and whoever asks by a page or in a chat, made and joined."""

from __future__ import annotations

from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.actions import Actions
from synapse_groupreg.handlers.commands import Commands
from synapse_groupreg.handlers.exports import Store
from synapse_groupreg.handlers.group_pages import GroupPages, Links
from synapse_groupreg.handlers.retention.recall import Recall
from synapse_groupreg.homeserver import compat, settings, versions
from synapse_groupreg.web.api import endpoints
from synapse_groupreg.web.reading import Reading
from synapse_groupreg.web.services import Services
from synapse_groupreg.web.site import Site

if TYPE_CHECKING:
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.homeserver.recording import Recording


class Service:
    """One in a process, if at all."""

    def __init__(self, process: Process, recording: Recording | None) -> None:
        self._process = process
        self._recording = recording

    @cached_property
    def commands(self) -> Commands:
        """Answers what people ask in a chat."""
        process = self._process
        return Commands(
            process.config, process.database, process.homeserver, process.words, self._pages, actions=self._actions
        )

    @cached_property
    def site(self) -> Site:
        """The REST API and the pages."""
        process = self._process
        services = Services(
            config=process.config,
            database=process.database,
            homeserver=process.homeserver,
            snapshot=process.snapshot,
            actions=self._actions,
            digest=process.key.digest,
            about=self._about,
            setting=process.setting,
            seal=process.seal,
            recall=self._recall(),
            store=self._store(),
        )
        return Site(
            process.api,
            process.clock,
            services,
            endpoints=endpoints(services),
            policy=Reading(services).live_policy,
            contact=compat.admin_contact(process.api),
            version=metadata.version("synapse-groupreg"),
            groups=self._pages,
        )

    @cached_property
    def _actions(self) -> Actions:
        process = self._process
        return Actions(process.database, process.homeserver, process.setting, process.journal)

    @cached_property
    def _pages(self) -> GroupPages:
        process = self._process
        links = Links(process.key.links, process.homeserver)
        return GroupPages(process.config, process.database, process.homeserver, links)

    def _store(self) -> Store | None:
        if self._recording is None:
            return None
        key = self._process.key
        return Store(
            openers=self._recording.openers,
            keys=self._recording.keys,
            seal=key.seal,
            open_=key.open,
            anchors=self._process.config.retention.anchors,
        )

    def _recall(self) -> Recall | None:
        if self._recording is None:
            return None
        process = self._process
        return Recall(self._recording.openers, process.database, process.homeserver, process.key.seal)

    def _about(self) -> dict[str, Any]:
        process = self._process
        warned = settings.warnings(process.api, process.config, process.homeserver.now_ms())
        if process.version_warning:
            warned.append(settings.Warned("untested-synapse", process.version_warning))
        return {
            "version": metadata.version("synapse-groupreg"),
            "synapse": versions.of_synapse(),
            "database": process.database.dialect,
            "schema": process.schema,
            "process": process.api.worker_name or "main",
            "warnings": [attrs.asdict(one) for one in warned],
            "refusals_lost": process.journal.lost,
        }
