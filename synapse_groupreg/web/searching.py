# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints that search the retention store, and show people what is kept about them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from synapse_groupreg.config import CODES
from synapse_groupreg.errors import Conflict
from synapse_groupreg.handlers.retention.searching import MOST, Wanted
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.web.bodies import Body, Query, RoomId, Text, Time, UserId

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.handlers.retention.recall import Recall
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

_MOST_WORDS = 50
BACKWARDS = "must not have from_ms after to_ms: no record is of such a time"
_CODES = (*CODES, "unavailable", "reserved-state")
"""All that refusals are recorded with."""


def is_backwards(from_ms: int | None, to_ms: int | None) -> bool:
    """Whether a time ends before it begins."""
    return from_ms is not None and to_ms is not None and from_ms > to_ms


def _unknown(value: object, known: Collection[str], what: str) -> ValueError:
    """What is said of a word that doesn't exist: those that are written nearly so, else all."""
    near = difflib.get_close_matches(value, known, n=3) if isinstance(value, str) else []
    said = f"did you mean {' or '.join(near)}?" if near else f"must be one of {', '.join(known)}"
    return ValueError(f"is no {what}; {said}")


def _kind(value: object) -> object:
    if value in list(Kind):
        return Kind(str(value))
    raise _unknown(value, list(Kind), "kind of records")


def _code(value: str) -> str:
    if value not in _CODES:
        raise _unknown(value, _CODES, "code of refusals")
    return value


def _verdict(value: str) -> str:
    how, _, code = value.partition(":")
    if how in ("refused", "dry"):
        _code(code)
    return value


_Word = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[list[_Word], Field(max_length=_MOST_WORDS)]
Kinds = Annotated[
    list[Annotated[Kind, BeforeValidator(_kind, json_schema_input_type=Kind)]], Field(max_length=_MOST_WORDS)
]
Codes = Annotated[list[Annotated[_Word, AfterValidator(_code)]], Field(max_length=_MOST_WORDS)]
Verdicts = Annotated[list[Annotated[_Word, AfterValidator(_verdict)]], Field(max_length=_MOST_WORDS)]
Start = Annotated[str | None, Field(max_length=200, alias="from")]
PageSize = Annotated[int, Field(ge=1, le=MOST)]


class SearchBody(Body):
    """Which records: those that meet all conditions that are given. In a body, as addresses are written to logs."""

    reason: Text
    """Why; recorded with the search."""
    log: Literal["events", "acts"] | None = None
    """`events`: what people did; `acts`: what was done to people and with personal data. Both if absent."""
    account: UserId | None = None
    """Who did it, or to whom it was done."""
    room_id: RoomId | None = None
    """Where."""
    kind: Kinds | None = None
    """What it is about; of several, any."""
    type: Words | None = None
    """The event's type, the attempt's or action's name, the way of a login; of several, any."""
    code: Codes | None = None
    """Of refusals, their code; of several, any."""
    from_ms: Time | None = None
    """Not before."""
    to_ms: Time | None = None
    """Not after."""
    content: bool = False
    """Also the content of events, where it is kept."""
    start: Start = None
    """The `next_token` of the page before; the newest if absent."""
    limit: PageSize = 100
    """Records on a page."""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if is_backwards(self.from_ms, self.to_ms):
            raise ValueError(BACKWARDS)
        return self


class AboutBody(Body):
    """What is kept of one account, for who inspects."""

    user_id: UserId
    """Whose."""
    reason: Text
    """Why; recorded, and the account can see that somebody looked."""
    start: Start = None
    """The `next_token` of the page before; the newest if absent."""
    limit: PageSize = 100
    """Records on a page."""


class OwnQuery(Query):
    """Records come in pages, the newest first."""

    start: Start = None
    """The `next_token` of the page before."""
    limit: PageSize = 100
    """Records on a page."""


class Searching:
    """Searches."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def search(self, call: Call) -> Answer:
        """POST records/search."""
        body = call.body
        wanted = Wanted(
            log=body.log and LogName(body.log),
            account=body.account,
            room=body.room_id,
            kinds=tuple(body.kind or ()),
            types=tuple(body.type or ()),
            codes=tuple(body.code or ()),
            from_ms=body.from_ms,
            to_ms=body.to_ms,
        )
        return await self._recall().search(
            call.staff, wanted, reason=body.reason, start=body.start, limit=body.limit, content=body.content
        )

    async def about(self, call: Call) -> Answer:
        """POST records/about."""
        body = call.body
        return await self._recall().about(
            call.staff, body.user_id, reason=body.reason, start=body.start, limit=body.limit
        )

    async def own(self, call: Call) -> Answer:
        """GET accounts/{user_id}/records."""
        query, user_id = call.query, call.path["user_id"]
        if user_id != call.staff.user_id:
            raise Conflict("This shows one's own records; for another account's ask POST records/about, with a reason.")
        return await self._recall().about(call.staff, user_id, reason=None, start=query.start, limit=query.limit)

    def _recall(self) -> Recall:
        if self._services.recall is None:
            raise Conflict("This server keeps no records: retention.enabled is false in its configuration.")
        return self._services.recall
