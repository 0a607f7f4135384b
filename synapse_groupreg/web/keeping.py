# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of the retention store's keeping: holds, removal, erasure, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.act_records import show, show_erasure
from synapse_groupreg.handlers.retention import erasing_appeals
from synapse_groupreg.handlers.retention.outlook import outlook
from synapse_groupreg.handlers.retention.purging import keeps, removable, standings
from synapse_groupreg.policy import record_actions
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage import erasures, keeping
from synapse_groupreg.storage.erasures import Erasure
from synapse_groupreg.web.acting import DIGITS, answered
from synapse_groupreg.web.bodies import ActQuery, Body, PageQuery, Text, Time, UserId
from synapse_groupreg.web.endpoint import Endpoint
from synapse_groupreg.web.reading import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers.retention.purging import Standing
    from synapse_groupreg.handlers.retention.reading import Openers
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.storage.keeping import Hold
    from synapse_groupreg.storage.store import PeriodInfo
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

LogText = Literal["events", "acts"]


class HoldBody(Body):
    """A legal hold."""

    log: LogText = "events"
    """Which log's records: what people did (`events`), or what was done to them (`acts`)."""
    from_ms: Time
    """The records of which time: from here on …"""
    to_ms: Time
    """… up to here."""
    until_ms: Time
    """Until when they are kept whatever `keep` says, at most three years from now."""
    reason: Text
    """Why, for the journal."""
    basis: Text
    """The legal basis."""


class ReasonBody(Body):
    """An act that needs a reason."""

    reason: Text
    """Why, for the journal."""


class ExtendBody(ReasonBody):
    """A later end."""

    until_ms: Time
    """At most three years from now; to end a hold earlier, lift it."""


class KeysBody(ReasonBody):
    """Which keys."""

    signing: bool = False
    """Also the one that signs checkpoints and bundles."""


class EpochBody(ReasonBody):
    """Which log."""

    log: LogText
    """The one whose end was lost."""


class ErasureBody(ReasonBody):
    """Whose records."""

    user_id: UserId
    """The account."""
    duty_ended: Text | None = None
    """Why no duty keeps them any more, though `keep` is not over; then a second member of staff has to agree."""


class HoldsQuery(PageQuery):
    """Which holds."""

    all: bool = False
    """Also those that are over."""


class Keeping:
    """Holds, removal, erasure, keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._run = services.database.run

    async def holds(self, call: Call) -> Answer:
        """GET retention/holds."""
        query, now_ms = call.query, self._services.homeserver.now_ms()
        found, total = await self._run(
            "groupreg_holds",
            keeping.page_of_holds,
            ended=query.all,
            now_ms=now_ms,
            start=query.start,
            limit=query.limit,
        )
        return page("holds", [show(one) for one in found], total, query)

    async def hold(self, call: Call) -> Answer:
        """POST retention/holds."""
        return await self._do(call, record_actions.HoldRecords(**dict(call.body)))

    async def extend(self, call: Call) -> Answer:
        """PUT retention/holds/{hold_id}."""
        number, body = _number(call, "hold_id"), call.body
        action = record_actions.ExtendHold(hold_id=number, until_ms=body.until_ms, reason=body.reason)
        return await self._do(call, action)

    async def lift(self, call: Call) -> Answer:
        """DELETE retention/holds/{hold_id}."""
        return await self._do(call, record_actions.LiftHold(hold_id=_number(call, "hold_id"), reason=call.body.reason))

    async def erasures(self, call: Call) -> Answer:
        """GET retention/erasures."""
        query = call.query
        found, total = await self._run("groupreg_erasures", erasures.page, start=query.start, limit=query.limit)
        return page("erasures", [{**show_erasure(one), "account": one.account} for one in found], total, query)

    async def erase(self, call: Call) -> Answer:
        """POST retention/erasures."""
        answer = await self._do(call, record_actions.EraseRecords(**dict(call.body)))
        if not call.query.dry_run:
            return answer
        body = call.body
        return {**answer, "user_id": body.user_id, "months": await self._outlook(body.user_id, body.duty_ended)}

    async def _outlook(self, user_id: str, duty_ended: str | None) -> list[Answer]:
        services, now_ms = self._services, self._services.homeserver.now_ms()
        if services.store is None:
            return []
        wish = Erasure(account=user_id, duty_ended=duty_ended, asked_ms=now_ms)
        holds = await self._run("groupreg_holds", keeping.holds_in_force, now_ms)
        found: list[Answer] = await self._run(
            "groupreg_erase", erasing_appeals.outlook, wish, holds, duty_ms=services.config.retention.keep
        )
        for name in LogName:
            found += await services.homeserver.in_thread(
                _months, services.store.openers, name.value, wish, holds, duty_ms=services.config.retention.keep
            )
        return found

    async def periods(self, _call: Call) -> Answer:
        """GET retention/periods."""
        now_ms = self._services.homeserver.now_ms()
        found = await self._standings()
        return {"periods": [one.shown(now_ms) for one in found], "total": len(found)}

    async def purge(self, call: Call) -> Answer:
        """POST retention/purge."""
        now_ms = self._services.homeserver.now_ms()
        found = await self._standings()
        logs = dict.fromkeys(one.log for one in found)
        due = [
            f"{log} {info.period.month}"
            for log in logs
            for info in removable([one for one in found if one.log == log], now_ms)
        ]
        return await self._do(call, record_actions.PurgeDue(due=tuple(due), reason=call.body.reason))

    async def keys(self, call: Call) -> Answer:
        """POST retention/keys."""
        return await self._do(call, record_actions.RotateKeys(signing=call.body.signing, reason=call.body.reason))

    async def epoch(self, call: Call) -> Answer:
        """POST retention/epoch."""
        return await self._do(call, record_actions.BeginShard(log=call.body.log, reason=call.body.reason))

    async def _standings(self) -> list[Standing]:
        services = self._services
        store = services.store
        if store is None:
            raise Conflict("retention.enabled is false, so nothing is recorded here.")
        now_ms = services.homeserver.now_ms()
        holds = await self._run("groupreg_holds", keeping.holds_in_force, now_ms)
        found: list[Standing] = []
        for name, keep_ms in keeps(services.config.retention).items():
            infos = await services.homeserver.in_thread(_periods, store.openers, name.value)
            found += standings(name.value, infos, keep_ms, holds)
        return found

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run))


def _periods(openers: Openers, log: str) -> list[PeriodInfo]:
    with openers.lend(log) as opener:
        return opener.reader.periods()


def _months(openers: Openers, log: str, wish: Erasure, holds: Sequence[Hold], *, duty_ms: int) -> list[Answer]:
    with openers.lend(log) as opener:
        return outlook(opener, wish, duty_ms=duty_ms, holds=holds)


def _number(call: Call, name: str) -> int:
    number = call.path[name]
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
        raise NotFound("There is nothing under this number.")
    return int(number)


def keeping_endpoints(services: Services) -> tuple[Endpoint, ...]:
    """The part of the table that is about keeping."""
    keep = Keeping(services)
    return (
        Endpoint(
            method="GET",
            path="retention/holds",
            right=Right.read_keeping,
            handle=keep.holds,
            query=HoldsQuery,
            summary="Legal holds, the newest first",
        ),
        Endpoint(
            method="POST",
            path="retention/holds",
            right=Right.keep_records,
            handle=keep.hold,
            query=ActQuery,
            body=HoldBody,
            summary="Keep the records of a time beyond the end of their keeping",
        ),
        Endpoint(
            method="PUT",
            path="retention/holds/{hold_id}",
            right=Right.keep_records,
            handle=keep.extend,
            query=ActQuery,
            body=ExtendBody,
            summary="Let a hold end later",
        ),
        Endpoint(
            method="DELETE",
            path="retention/holds/{hold_id}",
            right=Right.keep_records,
            handle=keep.lift,
            query=ActQuery,
            body=ReasonBody,
            summary="Lift a hold",
        ),
        Endpoint(
            method="GET",
            path="retention/erasures",
            right=Right.read_keeping,
            handle=keep.erasures,
            query=PageQuery,
            summary="Erasures, the newest first, and when more of each is carried out",
        ),
        Endpoint(
            method="POST",
            path="retention/erasures",
            right=Right.erase_records,
            handle=keep.erase,
            query=ActQuery,
            body=ErasureBody,
            summary="Erase what is said of an account, as soon as no duty to keep it runs",
        ),
        Endpoint(
            method="GET",
            path="retention/periods",
            right=Right.read_keeping,
            handle=keep.periods,
            summary="The months that are kept, when each goes, and what keeps it",
        ),
        Endpoint(
            method="POST",
            path="retention/purge",
            right=Right.keep_records,
            handle=keep.purge,
            query=ActQuery,
            body=ReasonBody,
            summary="Remove at once all months that are due",
        ),
        Endpoint(
            method="POST",
            path="retention/keys",
            right=Right.keep_records,
            handle=keep.keys,
            query=ActQuery,
            body=KeysBody,
            summary="Renew the keys of the retention store",
        ),
        Endpoint(
            method="POST",
            path="retention/epoch",
            right=Right.keep_records,
            handle=keep.epoch,
            query=ActQuery,
            body=EpochBody,
            summary="Let a log whose end was lost go on in a new shard",
        ),
    )
