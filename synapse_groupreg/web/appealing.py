# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of appeals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers import act_appeals, looks
from synapse_groupreg.policy import appeal_actions
from synapse_groupreg.policy.appeals import LONGEST, Outcome
from synapse_groupreg.policy.measures import Scope
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.storage import appeals
from synapse_groupreg.web.acting import DIGITS, answered
from synapse_groupreg.web.bodies import ActQuery, Body, LookQuery, PageQuery, Reason, Text, Time
from synapse_groupreg.web.endpoint import Endpoint
from synapse_groupreg.web.reading import page

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

_Number = Annotated[int, Field(ge=1, lt=10**DIGITS)]


class AppealBody(Body):
    """An appeal of somebody whom a measure concerns."""

    measure_id: _Number
    """The case number that the refusal or the notice showed."""
    text: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    """What speaks against the measure; or, to a warning, the answer."""


class DecisionBody(Body):
    """How an appeal is decided."""

    outcome: Annotated[Outcome, Field(strict=False)]
    """upheld: the measure stays; changed: it is made milder; lifted."""
    reason: Text
    """Why; its author is told, and the journal has it."""
    scope: Annotated[Scope, Field(strict=False)] | None = None
    """For `changed`: groups, where the whole account was barred."""
    until_ms: Time | None = None
    """For `changed`: the new end, not later than the old one."""
    deadline_ms: Time | None = None
    """For `changed`: a warning's new deadline, not earlier than the old one."""


class AppealsQuery(PageQuery):
    """Which appeals."""

    all: bool = False
    """Also those that are decided."""
    measure: _Number | None = None
    """Only those against this measure."""


class OwnAppealsQuery(PageQuery):
    """A look at somebody's appeals, which is recorded."""

    reason: Reason | None = None
    """Why; kept in the record."""


class Appealing:
    """Appeals."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def appeals(self, call: Call) -> Answer:
        """GET appeals. What people wrote stands in each alone."""
        query = call.query
        found, total = await self._services.database.run(
            "groupreg_appeals",
            appeals.page,
            decided=query.all,
            measure_id=query.measure,
            author=None,
            start=query.start,
            limit=query.limit,
        )
        return page("appeals", [act_appeals.show(one) for one in found], total, query)

    async def appeal(self, call: Call) -> Answer:
        """GET appeals/{appeal_id}."""
        services = self._services
        return await services.database.run(
            "groupreg_appeals",
            looks.appeal,
            call.staff,
            _number(call),
            services.homeserver.now_ms(),
            reason=call.query.reason,
            seal=services.seal,
        )

    async def of_account(self, call: Call) -> Answer:
        """GET accounts/{user_id}/appeals."""
        services, query = self._services, call.query
        found, total = await services.database.run(
            "groupreg_appeals",
            looks.appeals_of,
            call.staff,
            call.path["user_id"],
            services.homeserver.now_ms(),
            start=query.start,
            limit=query.limit,
            reason=query.reason,
            seal=services.seal,
        )
        return page("appeals", found, total, query)

    async def make(self, call: Call) -> Answer:
        """POST appeals."""
        return await self._do(call, appeal_actions.MakeAppeal(measure_id=call.body.measure_id, text=call.body.text))

    async def decide(self, call: Call) -> Answer:
        """POST appeals/{appeal_id}/decision."""
        return await self._do(call, appeal_actions.DecideAppeal(appeal_id=_number(call), **dict(call.body)))

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run))


def appeal_endpoints(services: Services) -> tuple[Endpoint, ...]:
    """The rows of the table."""
    surface = Appealing(services)
    return (
        Endpoint(
            method="GET",
            path="appeals",
            right=Right.read_appeals,
            handle=surface.appeals,
            query=AppealsQuery,
            summary="Appeals that wait, the newest first, without what people wrote",
        ),
        Endpoint(
            method="GET",
            path="appeals/{appeal_id}",
            right=Right.read_appeals,
            handle=surface.appeal,
            query=LookQuery,
            summary="An appeal, with what its author wrote; the look is recorded",
        ),
        Endpoint(
            method="GET",
            path="accounts/{user_id}/appeals",
            right=Right.read_appeals,
            handle=surface.of_account,
            own="user_id",
            query=OwnAppealsQuery,
            summary="All appeals of an account, with both sides' texts",
        ),
        Endpoint(
            method="POST",
            path="appeals",
            right=Right.appeal,
            handle=surface.make,
            query=ActQuery,
            body=AppealBody,
            summary="Appeal against a measure on oneself or on a group that one founded or manages",
        ),
        Endpoint(
            method="POST",
            path="appeals/{appeal_id}/decision",
            right=Right.decide_appeals,
            handle=surface.decide,
            query=ActQuery,
            body=DecisionBody,
            summary="Decide an appeal; a measure is lifted or made milder with it",
        ),
    )


def _number(call: Call) -> int:
    number = call.path["appeal_id"]
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
        raise NotFound("There is no such appeal: appeals are numbered.")
    return int(number)
