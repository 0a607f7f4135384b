# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The module that Synapse loads: parses the configuration, makes the objects and joins them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from synapse.module_api.errors import ConfigError

from synapse_groupreg import config as configuration
from synapse_groupreg.errors import BadConfig, CannotStart
from synapse_groupreg.handlers import contacts, metrics, start
from synapse_groupreg.handlers.admin_acts import AdminActs
from synapse_groupreg.handlers.draining import Draining
from synapse_groupreg.handlers.gate import Gate
from synapse_groupreg.handlers.journal import RefusalJournal
from synapse_groupreg.handlers.logins import Logins
from synapse_groupreg.handlers.numbering import Founders
from synapse_groupreg.handlers.people import People
from synapse_groupreg.handlers.snapshot import Snapshot, load
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.homeserver import compat, delegated, keys, versions
from synapse_groupreg.homeserver.administering import Administering
from synapse_groupreg.homeserver.callbacks import Callbacks
from synapse_groupreg.homeserver.commands import Ear
from synapse_groupreg.homeserver.logins import LoginCallbacks
from synapse_groupreg.homeserver.process import Process, give_memory_back, in_a_thread
from synapse_groupreg.homeserver.replies import Replies
from synapse_groupreg.homeserver.synapse import SynapseHomeserver
from synapse_groupreg.parts import Parts
from synapse_groupreg.storage import events
from synapse_groupreg.storage.database import migrate, start_lock
from synapse_groupreg.storage.known_logs import remembered
from synapse_groupreg.web.front import PREFIX, Front

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.storage.database import Transaction

logger = logging.getLogger(__name__)

_LOOK_MS = 200
_POLL_MS = 1_000

_CANNOT = "synapse_groupreg can't start"
_STDERR = 2


class GroupRegModule:
    """One in every process of a homeserver; only the one with the background tasks does the upkeep."""

    def __init__(self, config: GroupRegConfig, api: ModuleApi) -> None:
        """Ends the process with one sentence where it can't start: Synapse would print a traceback around it."""
        try:
            self._begin(config, api)
        except CannotStart as error:
            said = error.message if error.message.startswith(_CANNOT) else f"{_CANNOT}: {error.message}"
            logger.critical("%s", said)
            os.write(_STDERR, f"\n{said.rstrip('.')}.\n\n".encode())
            logging.shutdown()
            os._exit(1)  # as Synapse does when it can't start: the reactor would catch a SystemExit, and go on

    def _begin(self, config: GroupRegConfig, api: ModuleApi) -> None:
        self._config = config
        self._api = api
        version_warning = versions.check(versions.of_synapse())
        compat.self_test(api)
        _check_delegated_authentication(config, api)
        self._warning = version_warning
        self._key = keys.load(config.identity.keys_path or compat.keys_folder(api))
        self._database = compat.SynapseDatabase(api)
        self._poke = compat.Poke(api)
        self._homeserver = SynapseHomeserver(api, self._poke)
        self._snapshot = Snapshot(self._database, self._homeserver, config.mode)
        self._homeserver.refresh = self._snapshot.refresh
        self._schema = in_a_thread(self._prepare_database)
        every = config.notices.every if config.notices.enabled else None
        self._journal = RefusalJournal(
            self._database,
            self._homeserver,
            every,
            seal=self._key.seal if config.retention.enabled else None,
            origin=compat.request_origin,
        )
        self._words = Words(self._database, self._homeserver, config.texts.default_language)
        metrics.follow_snapshot(self._snapshot, self._homeserver)
        self._parts = Parts(self._process())
        self._parts.check()
        self._serve()
        self._loop()
        give_memory_back()
        if version_warning:
            logger.warning("%s", version_warning)

    @staticmethod
    def parse_config(raw: dict[str, Any]) -> GroupRegConfig:
        """Check the configuration; Synapse stops at a ConfigError and prints it."""
        try:
            return configuration.load(raw)
        except BadConfig as error:
            problems = "".join(f"\n  {problem}" for problem in error.problems)
            message = f"synapse_groupreg can't start with this configuration:{problems}"
            raise ConfigError(message) from None

    def _process(self) -> Process:
        return Process(
            api=self._api,
            clock=self._poke.clock,
            config=self._config,
            database=self._database,
            homeserver=self._homeserver,
            journal=self._journal,
            key=self._key,
            known=self._known,
            notice_account=self._notice_account,
            schema=self._schema,
            snapshot=self._snapshot,
            version_warning=self._warning,
            words=self._words,
        )

    @property
    def _notice_account(self) -> str | None:
        """The account that sends notices; None where none are sent."""
        notices = self._config.notices
        return self._api.get_qualified_user_id(notices.account) if notices.enabled else None

    def _prepare_database(self) -> int:
        """Migrate, check and load, on a connection of our own, before Synapse listens to anybody."""
        now_ms = self._homeserver.now_ms()
        with self._database.connection() as begin:
            schema = migrate(begin, self._database.dialect)
            with begin() as txn:
                start_lock(txn, self._database.dialect)
                self._prepare(txn, now_ms)
                events.note_start(txn, self._database.dialect, compat.instance_name(self._api))
            with begin() as txn:
                found = load(txn, None, now_ms)
                self._known = remembered(txn)
        assert found is not None
        self._snapshot.apply(found)
        self._snapshot.refreshed_ms = now_ms
        return schema

    def _prepare(self, txn: Transaction, now_ms: int) -> None:
        key, account = self._key, self._notice_account
        try:
            start.prepare(txn, self._config, key.fingerprint, now_ms, key_is_new=key.is_new, notice_account=account)
        except CannotStart:
            key.take_back()
            raise

    def _serve(self) -> None:
        config, homeserver, snapshot = self._config, self._homeserver, self._snapshot
        gate = Gate(
            config=config,
            database=self._database,
            homeserver=homeserver,
            snapshot=snapshot,
            people=People(
                homeserver,
                snapshot,
                _exempt(config, self._api, self._notice_account),
                own_account=self._notice_account,
            ),
            journal=self._journal,
        )
        replies = Replies(config, self._words, homeserver.server_name, lambda: snapshot.mode)
        # Without an account nobody could answer.
        commands = (lambda: self._parts.service.commands) if self._notice_account else None
        ear = Ear(self._api, commands, self._notice_account)
        founders = Founders(self._database, homeserver)
        Callbacks(self._api, config, gate, replies, founders=founders, ear=ear).register()
        if config.retention.enabled:
            self._serve_recorder()
        self._api.register_third_party_rules_callbacks(
            on_add_user_third_party_identifier=self._contact_added,
            on_remove_user_third_party_identifier=self._contact_removed,
        )
        self._api.register_web_resource(PREFIX, Front(lambda: self._parts.service.site))

    def _serve_recorder(self) -> None:
        """Write down what only this process sees, and hold up what would remove events unrecorded."""
        logins = Logins(self._database, self._homeserver, self._journal)
        LoginCallbacks(self._api, logins, self._homeserver.now_ms).register()
        draining, acts = Draining(self._database, self._api.sleep), AdminActs(self._database, self._homeserver)
        Administering(self._api, draining, acts).register()

    def _loop(self) -> None:
        every = self._api.looping_background_call
        every(self._listen, _LOOK_MS, desc="groupreg_listen", run_on_all_instances=True)
        every(self._snapshot.refresh, _POLL_MS, desc="groupreg_poll", run_on_all_instances=True)
        if self._api.should_run_background_tasks():
            self._parts.run_by_the_clock()

    async def _listen(self) -> None:
        if await self._poke.heard():
            await self._snapshot.refresh()

    async def _contact_added(self, user_id: str, _medium: str, _address: str) -> None:
        await contacts.contact_changed(self._database, self._homeserver, user_id)

    async def _contact_removed(self, user_id: str, _medium: str, _address: str) -> None:
        await contacts.contact_changed(self._database, self._homeserver, user_id)


def _exempt(config: GroupRegConfig, api: ModuleApi, own: str | None) -> tuple[str, ...]:
    """Who is exempt by configuration, and the accounts of the server itself, which nobody can verify."""
    return (*config.exempt, *(one for one in (own, compat.server_notices_account(api)) if one is not None))


def _check_delegated_authentication(config: GroupRegConfig, api: ModuleApi) -> None:
    if config.membership_guard == "request" and delegated.in_use(api) and not delegated.holds(api):
        message = (
            "synapse_groupreg can't start: under delegated authentication (MAS) this Synapse"
            f" ({versions.of_synapse()}) doesn't show us requests where we look for them, so kicks, bans, knocks,"
            " profile and status changes of unverified and barred accounts, and existing sessions of barred ones, would"
            " not be refused. Set membership_guard: event_allowed to have kicks, bans, knocks and uploads judged by a"
            " slower hook, and to accept that profile and status changes and existing sessions are not."
        )
        raise CannotStart(message)
