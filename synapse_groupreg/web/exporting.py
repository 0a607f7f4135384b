# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of exports: ask for one, download its bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from synapse_groupreg.handlers.exports import Exports
from synapse_groupreg.policy import record_actions
from synapse_groupreg.web.bodies import Query, RoomId, Text, Time, UserId, Why
from synapse_groupreg.web.searching import BACKWARDS, Kinds, Verdicts, Words, is_backwards

if TYPE_CHECKING:
    from synapse_groupreg.handlers.exports import Download
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

_Index = Annotated[int, Field(ge=0, le=2**53)]
_ALLOWED = {
    "subject": {"room_id", "user_id", "from_ms", "to_ms"},
    "range": {"first", "end", "from_ms", "to_ms"},
    "filter": {"room_id", "user_id", "kinds", "types", "verdicts", "from_ms", "to_ms"},
}
"""Mode -> the conditions that it takes."""
_NAMES = {"first": "from", "end": "to"}


class ExportBody(Why):
    """An export of records. A reason is required for identities and content."""

    mode: Literal["subject", "range", "filter"]
    """`subject`: all of one room or account; `range`: all records from one to another; `filter`: a selection."""
    log: Literal["events", "acts"] = "events"
    """`events`: what people did; `acts`: what was done to people and with personal data."""
    case: Annotated[str, Field(min_length=1, max_length=200)]
    """The number of the case; everybody who gets a bundle reads it, and so does whoever reads the log of acts."""
    basis: Text
    """The legal basis."""
    identities: bool = False
    """Show names, addresses and the like of everybody; else of nobody but the room or account that is asked for."""
    content: bool = False
    """Show the content of events, where it is kept."""
    room_id: RoomId | None = None
    """Records of this room."""
    user_id: UserId | None = None
    """Records of this account: as a subject what it did, in a selection also what was done to it."""
    first: Annotated[_Index | None, Field(alias="from")] = None
    """Of a range, the index of the first record."""
    end: Annotated[_Index | None, Field(alias="to")] = None
    """And of the one after the last."""
    from_ms: Time | None = None
    """Not before; a subject is shown in whole months, and a range as the log has it."""
    to_ms: Time | None = None
    """Not after."""
    kinds: Kinds | None = None
    """What it is about."""
    types: Words | None = None
    """The event's type, the attempt's or action's name, the way of a login."""
    verdicts: Verdicts | None = None
    """Like `refused:room-full` or `redacted`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = {name for name in set().union(*_ALLOWED.values()) if getattr(self, name) is not None}
        wrong = sorted(_NAMES.get(name, name) for name in given - _ALLOWED[self.mode])
        problems = {
            f"must not have {', '.join(wrong)} in mode {self.mode}": bool(wrong),
            "must have either room_id or user_id in mode subject": self.mode == "subject"
            and (self.room_id is None) == (self.user_id is None),
            "must have at least one condition in mode filter": self.mode == "filter" and not given,
            "must have either indexes (from, to) or times (from_ms, to_ms)": bool(given & {"first", "end"})
            and bool(given & {"from_ms", "to_ms"}),
            BACKWARDS: is_backwards(self.from_ms, self.to_ms),
            "must have a reason for identities or content": (self.identities or self.content) and not self.reason,
        }
        message = next((text for text, holds in problems.items() if holds), None)
        if message is not None:
            raise ValueError(message)
        return self


class PartQuery(Query):
    """Which bundle of an export."""

    part: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """From 1; an export has one for each shard of the log, and nearly every log has one shard."""


class Exporting:
    """Exports."""

    def __init__(self, services: Services) -> None:
        self._exports = Exports(services.database, services.homeserver, services.actions, services.store)

    async def ask(self, call: Call) -> Answer:
        """POST exports."""
        body = call.body
        wanted = record_actions.Export(
            log=body.log,
            mode=body.mode,
            case=body.case,
            basis=body.basis,
            identities=body.identities,
            content=body.content,
            room_id=body.room_id,
            user_id=body.user_id,
            first=body.first,
            end=body.end,
            from_ms=body.from_ms,
            to_ms=body.to_ms,
            kinds=tuple(kind.value for kind in body.kinds or ()),
            types=tuple(body.types or ()),
            verdicts=tuple(body.verdicts or ()),
            reason=body.reason,
        )
        return await self._exports.ask(call.staff, wanted, dry_run=call.query.dry_run)

    async def download(self, call: Call) -> Download:
        """GET exports/{export_id}."""
        return await self._exports.download(call.staff, call.path["export_id"], call.query.part)
