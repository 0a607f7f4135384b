# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints that change something: each parses into one action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers.labelling import Labeller
from synapse_groupreg.policy import actions

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

DIGITS = 18
"""Of a number that any database can hold."""


class Acting:
    """Acts of staff."""

    def __init__(self, services: Services) -> None:
        self._actions = services.actions
        self._digest = services.digest
        self._labeller = Labeller(services.config, services.database, services.homeserver)

    async def mode(self, call: Call) -> Answer:
        """PUT mode."""
        answer = await self._do(call, actions.SetMode(mode=call.body.mode, reason=call.body.reason))
        return {**answer, "mode": call.body.mode}

    async def verify(self, call: Call) -> Answer:
        """PUT accounts/{user_id}/identity."""
        body = call.body
        return await self._do(
            call,
            actions.Verify(
                user_id=call.path["user_id"],
                assurance=body.assurance,
                provider=body.provider,
                digest=None if body.reference is None else self._digest(body.reference),
                reason=body.reason,
            ),
        )

    async def unverify(self, call: Call) -> Answer:
        """DELETE accounts/{user_id}/identity."""
        return await self._do(call, actions.Unverify(user_id=call.path["user_id"], reason=call.body.reason))

    async def limit(self, call: Call) -> Answer:
        """PUT accounts/{user_id}/quotas."""
        limits = call.body.model_dump(include=call.body.model_fields_set - {"reason"})
        return await self._do(
            call, actions.LimitAccount(user_id=call.path["user_id"], limits=limits, reason=call.body.reason)
        )

    async def cap(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/quotas."""
        action = actions.CapRoom(room_id=call.path["room_id"], members=call.body.members, reason=call.body.reason)
        return await self._do(call, action)

    async def label(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/labels."""
        room_id = call.path["room_id"]
        answer = await self._do(call, actions.LabelRoom(room_id=room_id, reason=call.body.reason))
        if not answer["dry_run"]:
            await self._labeller.finish(room_id, call.staff.user_id)
        return answer

    async def impose(self, call: Call) -> Answer:
        """POST measures, and POST blacklist."""
        return await self._do(call, actions.Impose(**dict(call.body)))

    async def lift(self, call: Call) -> Answer:
        """DELETE measures/{measure_id}, and DELETE blacklist/{measure_id}."""
        return await self._do(call, actions.Lift(measure_id=number_of(call), reason=call.body.reason))

    async def report(self, call: Call) -> Answer:
        """PUT measures/{measure_id}/report."""
        body = call.body
        action = actions.SetReport(measure_id=number_of(call), state=body.state, text=body.text, reason=body.reason)
        return await self._do(call, action)

    async def emergency(self, call: Call) -> Answer:
        """PUT emergency."""
        body = call.body
        action = actions.SwitchEmergency(
            on=body.on,
            switches=tuple(body.switches),
            room=body.room,
            until_ms=body.until_ms,
            reason=body.reason,
        )
        return await self._do(call, action)

    async def grant(self, call: Call) -> Answer:
        """PUT staff/{user_id}."""
        roles = frozenset(call.body.roles)
        action = actions.Grant(user_id=call.path["user_id"], roles=roles, reason=call.body.reason)
        return {**await self._do(call, action), "roles": sorted(roles)}

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._actions.do(call.staff, action, dry_run=call.query.dry_run))


def number_of(call: Call) -> int:
    """The number of a measure in the path. Raises NotFound."""
    number = call.path["measure_id"]
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
        raise NotFound("There is no such measure: measures are numbered.")
    return int(number)


def answered(change: Change) -> Answer:
    """What every act answers: what was before and is after, and further figures."""
    answer: Answer = {
        "dry_run": change.dry_run,
        "changed": change.changed,
        "before": change.before,
        "after": change.after,
        **change.facts,
    }
    return answer if change.id is None else {**answer, "id": change.id}
