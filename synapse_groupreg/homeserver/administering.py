# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's callbacks about what its server admins do, and its removal of events, which waits for the recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.homeserver import compat

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

    from synapse_groupreg.handlers.admin_acts import AdminActs
    from synapse_groupreg.handlers.draining import Draining


class Administering:
    """The callbacks of one process."""

    def __init__(self, api: ModuleApi, draining: Draining, acts: AdminActs) -> None:
        self._api = api
        self._draining = draining
        self._acts = acts

    def register(self) -> None:
        """Hand the callbacks to Synapse."""
        self._api.register_third_party_rules_callbacks(
            check_can_shutdown_room=self.check_can_shutdown_room,
            on_user_deactivation_status_changed=self.on_user_deactivation_status_changed,
        )
        compat.before_purges(self._api, self._draining.before_purge)

    async def check_can_shutdown_room(self, user_id: str | None, room_id: str) -> bool:
        """Synapse asks before it deletes a room, and again as it begins."""
        if not await self._draining.may_delete(room_id):
            return False
        await self._acts.deletes_room(user_id, room_id)
        return True

    async def on_user_deactivation_status_changed(
        self,
        user_id: str,
        deactivated: bool,  # noqa: FBT001 - Synapse's signature
        _by_admin: bool,  # noqa: FBT001 - the same; who it was, the request tells
    ) -> None:
        """Synapse tells of accounts that were deactivated or are active again."""
        request = compat.current_request()
        by = request.requester if request is not None else None
        await self._acts.changes_account(by, user_id, deactivated=deactivated)
