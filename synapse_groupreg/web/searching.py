# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints that search the retention store, and show people what is kept about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from synapse_groupreg.errors import Conflict, Invalid, Problem
from synapse_groupreg.handlers.retention.searching import MOST, Wanted
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.web.bodies import Query, Reason, Text, Time, UserId

if TYPE_CHECKING:
    from synapse_groupreg.handlers.retention.recall import Recall
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

_MOST_WORDS = 50


def _listed(value: object) -> object:
    words = [one for one in value.split(",") if one] if isinstance(value, str) else []
    if len(words) > _MOST_WORDS:
        raise ValueError(f"must be at most {_MOST_WORDS}")
    return words


def _kind(value: object) -> object:
    if value in list(Kind):
        return Kind(str(value))
    raise ValueError(f"must be of {', '.join(Kind)}")


_Word = Annotated[str, Field(min_length=1, max_length=255)]
_SplitAtCommas = BeforeValidator(_listed, json_schema_input_type=str)
Words = Annotated[tuple[_Word, ...], _SplitAtCommas]
Kinds = Annotated[tuple[Annotated[Kind, BeforeValidator(_kind)], ...], _SplitAtCommas]
RoomId = Annotated[str, Field(pattern=r"^!\S+$", max_length=255)]


class TokenQuery(Query):
    """Records come in pages, the newest first."""

    start: Annotated[str | None, Field(max_length=200, alias="from")] = None
    """The `next_token` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    """Records on a page."""


class RecordsQuery(TokenQuery):
    """Which records: those that meet all conditions that are given."""

    reason: Text
    """Why; recorded with the search."""
    log: Literal["events", "acts"] | None = None
    """`events`: what people did; `acts`: what was done to people and with personal data. Both if absent."""
    account: UserId | None = None
    """Who did it, or to whom it was done."""
    room_id: RoomId | None = None
    """Where."""
    kind: Kinds | None = None
    """What it is about; several with commas between."""
    type: Words | None = None
    """The event's type, the attempt's or action's name, the way of a login; several with commas between."""
    code: Words | None = None
    """Of refusals, their code; several with commas between."""
    from_ms: Time | None = None
    """Not before."""
    to_ms: Time | None = None
    """Not after."""
    content: bool = False
    """Also the content of events, where it is kept."""


class AboutQuery(TokenQuery):
    """What is kept of one account."""

    reason: Reason | None = None
    """Why; required for an account that is not one's own, and recorded."""


class Searching:
    """Searches."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def search(self, call: Call) -> Answer:
        """GET records."""
        query = call.query
        wanted = Wanted(
            log=query.log and LogName(query.log),
            account=query.account,
            room=query.room_id,
            kinds=query.kind or (),
            types=query.type or (),
            codes=query.code or (),
            from_ms=query.from_ms,
            to_ms=query.to_ms,
        )
        return await self._recall().search(
            call.staff, wanted, reason=query.reason, start=query.start, limit=query.limit, content=query.content
        )

    async def about(self, call: Call) -> Answer:
        """GET accounts/{user_id}/records."""
        query, user_id = call.query, call.path["user_id"]
        recall = self._recall()
        if user_id != call.staff.user_id and not query.reason:
            raise Invalid([Problem("reason", "is required for an account that is not your own, and is recorded")])
        return await recall.about(call.staff, user_id, reason=query.reason, start=query.start, limit=query.limit)

    def _recall(self) -> Recall:
        if self._services.recall is None:
            raise Conflict("This server keeps no records: retention.enabled is false in its configuration.")
        return self._services.recall
