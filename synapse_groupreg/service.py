# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What serves staff and what runs by the clock, made and joined.

Apart from `module.py`, because most processes of a large homeserver do neither, and would have all of this code in
memory: the main one serves staff, one runs the background tasks, and any may hear a command.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers import upkeep
from synapse_groupreg.handlers.actions import Actions
from synapse_groupreg.handlers.change import Setting
from synapse_groupreg.handlers.commands import Commands
from synapse_groupreg.handlers.exports import Store
from synapse_groupreg.handlers.following import Following
from synapse_groupreg.handlers.group_pages import GroupPages, Links
from synapse_groupreg.handlers.notices import Notices
from synapse_groupreg.handlers.numbering import Numbering
from synapse_groupreg.handlers.overflow import Overflow
from synapse_groupreg.handlers.relabelling import Relabelling
from synapse_groupreg.handlers.removing import Removing
from synapse_groupreg.handlers.retention.recall import Recall
from synapse_groupreg.homeserver import compat, settings, versions
from synapse_groupreg.homeserver.process import in_a_thread
from synapse_groupreg.homeserver.recording import Recording, left_behind
from synapse_groupreg.web.api import endpoints
from synapse_groupreg.web.reading import Reading
from synapse_groupreg.web.services import Services
from synapse_groupreg.web.site import Site

if TYPE_CHECKING:
    from synapse_groupreg.homeserver.process import Process
    from synapse_groupreg.policy.actions import Staff

_EVERY_SECOND_MS = 1_000
_OVERFLOW_MS = 2_000
_UPKEEP_OFTEN_MS = 5_000
_UPKEEP_SELDOM_MS = 60_000


class Service:
    """One in a process, if at all."""

    def __init__(self, process: Process) -> None:
        """Raises CannotStart where keys of the retention store are missing: they are made only where none began."""
        self._process = process
        self._recording: Recording | None = None
        if process.config.retention.enabled:
            self._recording = in_a_thread(
                lambda: Recording(process.api, process.config, process.homeserver, process.known)
            )

    def check(self) -> None:
        """Refuse a retention store that does not belong here. Raises CannotStart."""
        if self._recording is not None:
            in_a_thread(self._recording.check)

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
            setting=self._setting,
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

    def loop(self) -> None:
        """Do by the clock what one process does for all."""
        config, database, homeserver = self._process.config, self._process.database, self._process.homeserver
        every = self._process.api.looping_background_call
        work = upkeep.Upkeep(config, database, homeserver)
        every(work.often, _UPKEEP_OFTEN_MS, desc="groupreg_upkeep_often")
        every(work.seldom, _UPKEEP_SELDOM_MS, desc="groupreg_upkeep_seldom")
        every(Removing(database, homeserver).work, _EVERY_SECOND_MS, desc="groupreg_removals")
        overflow = Overflow(config, database, homeserver, self._process.snapshot, self._process.words)
        every(overflow.work, _OVERFLOW_MS, desc="groupreg_overflow")
        # Whoever comes in from now on counts, also within the first two seconds.
        self._process.api.delayed_background_call(0, overflow.work, desc="groupreg_overflow")
        numbering = Numbering(config, database, homeserver, self._process.snapshot)
        every(numbering.every_second, _EVERY_SECOND_MS, desc="groupreg_numbers")
        every(numbering.every_minute, _UPKEEP_SELDOM_MS, desc="groupreg_numbers_all")
        relabelling = Relabelling(config, database, homeserver, self._process.snapshot)
        every(relabelling.every_second, _EVERY_SECOND_MS, desc="groupreg_relabel")
        lists = Following(database, homeserver, self._setting)
        every(lists.every_second, _EVERY_SECOND_MS, desc="groupreg_lists")
        every(lists.catch_up, _UPKEEP_SELDOM_MS, desc="groupreg_lists_all")
        self._send_notices()
        self._record()

    def _send_notices(self) -> None:
        process = self._process
        if process.notice_account is None:
            return
        sender = Notices(
            process.config.notices,
            process.database,
            process.homeserver,
            process.words,
            account=process.notice_account,
        )
        process.api.looping_background_call(sender.deliver, _EVERY_SECOND_MS, desc="groupreg_notices")
        process.api.looping_background_call(sender.tidy, _UPKEEP_SELDOM_MS, desc="groupreg_notices_tidy")

    def _record(self) -> None:
        process = self._process
        if self._recording is not None:
            self._recording.start(process.database, process.key, process.notice_account)
        elif (left := left_behind(process.api, process.config, process.homeserver, process.known)) is not None:
            left.start_removing(process.database, process.key)

    @cached_property
    def _actions(self) -> Actions:
        return Actions(self._process.database, self._process.homeserver, self._setting, self._process.journal)

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

    def _setting(self, staff: Staff) -> Setting:
        process = self._process
        return Setting(
            staff=staff,
            now_ms=process.homeserver.now_ms(),
            config=process.config,
            server_name=process.homeserver.server_name,
            public_baseurl=process.homeserver.public_baseurl,
            dialect=process.database.dialect,
            own_account=process.notice_account,
            seal=process.seal,
            new_id=lambda: secrets.token_hex(16),
        )

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
