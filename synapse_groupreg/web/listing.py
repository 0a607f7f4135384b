# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of policy lists, and of the acts that wait for a second member of staff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers import act_lists, act_proposals, following
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.policy_lists import PolicyRule, kind_of
from synapse_groupreg.storage import proposals
from synapse_groupreg.web.acting import DIGITS, answered
from synapse_groupreg.web.reading import page

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services


class Listing:
    """Policy lists and proposals."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._run = services.database.run

    async def import_rules(self, call: Call) -> Answer:
        """POST blacklist/import."""
        body = call.body
        source = body.source
        rules = [
            PolicyRule(kind=rule.kind or kind_of(rule.entity), entity=rule.entity, reason=rule.reason)
            for rule in body.rules or ()
        ]
        if body.room is not None:
            # What is looked at now is what a second member of staff approves, whatever becomes of the room meanwhile.
            source, rules = await self._run("groupreg_lists", act_lists.rules_of_room, body.room)
        action = actions.ImportRules(
            rules=tuple(rules),
            source=source,
            basis=body.basis,
            scope=body.scope,
            skip_refused=body.skip_refused,
            reason=body.reason,
        )
        return await self._do(call, action)

    async def followed(self, call: Call) -> Answer:
        """GET followed."""
        setting = self._services.setting(call.staff)
        return {"followed": await self._run("groupreg_lists", following.overview, setting)}

    async def follow(self, call: Call) -> Answer:
        """PUT followed/{room_id}."""
        return await self._do(call, actions.Follow(room=call.path["room_id"], reason=call.body.reason))

    async def unfollow(self, call: Call) -> Answer:
        """DELETE followed/{room_id}."""
        return await self._do(call, actions.Unfollow(room=call.path["room_id"], reason=call.body.reason))

    async def proposals(self, call: Call) -> Answer:
        """GET proposals."""
        query, now_ms = call.query, self._services.homeserver.now_ms()
        found, total = await self._run(
            "groupreg_proposals", proposals.page, decided=query.all, now_ms=now_ms, start=query.start, limit=query.limit
        )
        return page("proposals", [act_proposals.show(one, now_ms) for one in found], total, query)

    async def proposal(self, call: Call) -> Answer:
        """GET proposals/{proposal_id}."""
        found = await self._run("groupreg_proposals", act_proposals.find, _number(call))
        return {**act_proposals.show(found, self._services.homeserver.now_ms()), "payload": found.payload}

    async def approve(self, call: Call) -> Answer:
        """POST proposals/{proposal_id}/approve."""
        return await self._do(call, actions.Approve(proposal_id=_number(call), reason=call.body.reason))

    async def reject(self, call: Call) -> Answer:
        """POST proposals/{proposal_id}/reject."""
        return await self._do(call, actions.Reject(proposal_id=_number(call), reason=call.body.reason))

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run))


def _number(call: Call) -> int:
    number = call.path["proposal_id"]
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
        raise NotFound("There is no such proposal: proposals are numbered.")
    return int(number)
