# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Request bodies and queries, checked at the door; their docstrings stand in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from synapse_groupreg.config.documented import document
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import MeasureKind, ReportState, Scope, Switch
from synapse_groupreg.policy.policy_lists import RuleKind
from synapse_groupreg.policy.staff import StaffRole

MAX_IMPORT_ROWS = 1000
MAX_RULES = 10_000
_MAX_MS = 253_402_300_799_000  # the end of the year 9999


class Body(BaseModel):
    """A JSON object; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, json_schema_extra=document)


def _assurance(value: object) -> object:
    if isinstance(value, str) and value in Assurance.__members__:
        return Assurance[value]
    message = f"must be one of {', '.join(Assurance.__members__)}"
    raise ValueError(message)


def _verified(value: Assurance) -> Assurance:
    if value is Assurance.none:
        message = "must be contact, real_name or in_person; to take an identity back, use DELETE"
        raise ValueError(message)
    return value


def _provider(value: str) -> str:
    if value == "threepid":
        message = "must not be 'threepid', which stands for the addresses that Synapse verified"
        raise ValueError(message)
    return value


Reason = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Level = Annotated[
    Assurance, BeforeValidator(_assurance, json_schema_input_type=Literal["none", "contact", "real_name", "in_person"])
]
Reference = Annotated[str, Field(min_length=1, max_length=500)]
UserId = Annotated[str, Field(pattern=r"^@[^:\s]*:\S+$", max_length=255)]
RoomId = Annotated[str, Field(pattern=r"^!\S+$", max_length=255)]
SHAPES = {
    r"^@[^:\s]*:\S+$": "must be a Matrix user id, like @anna:example.org",
    r"^!\S+$": "must be a room's id, like !abc:example.org",
    r"^[a-z0-9_.\-]{1,64}$": "must be of 1 to 64 small letters, digits, dots, hyphens and underscores",
}
"""What is said of a text that does not match."""
Time = Annotated[int, Field(ge=0, le=_MAX_MS)]
Limit = Annotated[int, Field(ge=0, le=1_000_000)]


class Why(Body):
    """An act without further figures."""

    reason: Reason | None = None
    """For the journal."""


class ModeBody(Why):
    """The mode."""

    mode: Literal["dry", "enforce"]
    """`dry` judges and journals, `enforce` refuses."""


class IdentityBody(Why):
    """What a provider found out about the identity behind an account."""

    assurance: Annotated[Level, AfterValidator(_verified)]
    """How well it was verified."""
    provider: Annotated[str, Field(pattern=r"^[a-z0-9_.\-]{1,64}$"), AfterValidator(_provider)] = "operator"
    """Who verified it."""
    reference: Reference | None = None
    """The person's number with that provider; kept only as a keyed digest, it links the accounts of one person."""


class AccountQuotasBody(Why):
    """Limits of a person. A key that is absent stays as it is; null goes back to the default."""

    rooms_founded: Limit | None = None
    """Groups that they may have founded."""
    rooms_joined: Limit | None = None
    """Groups that they may be a member of."""


class RoomQuotasBody(Why):
    """The cap of a group."""

    members: Annotated[int, Field(ge=1, le=1_000_000)] | None
    """Members that it may have; null goes back to the default."""


class BlacklistBody(Body):
    """An entry of the blacklist."""

    entity: Text
    """An account (@a:b), a room (!r) or a server name; * and ? are wildcards."""
    scope: Annotated[Scope, Field(strict=False)] | None = None
    """For an account: `groups` cuts the functions of groups, `account` also logins and sessions."""
    reason: Text
    """What the person concerned is told."""
    basis: Text
    """The article, or the clause of the agreement with its version, that it rests on."""
    until_ms: Time | None = None
    """When it ends by itself."""
    review_ms: Time | None = None
    """When staff look at it again; in 90 days if neither this nor an end is given."""
    note: Text | None = None
    """What only staff read."""
    key: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """A text of your own: asking again with the same one is the same act."""


class MeasureBody(BlacklistBody):
    """A measure on an account (and its person) or a group."""

    kind: Annotated[MeasureKind, Field(strict=False)]
    """On both: warning, posting-suspended, blacklisted; on a group: joining-suspended, closed; on an account:
    management-suspended, founding-revoked."""
    room: Annotated[str, Field(pattern=r"^!\S+$", max_length=255)] | None = None
    """The one group in which it is to hold, for an account whose posting or management is suspended."""
    deadline_ms: Time | None = None
    """Of a warning: until when something is to be put right."""
    grave: Text | None = None
    """Why a step of the usual order (warn, suspend, close) is skipped; takes `review_ms` and a second of staff."""


class ReportBody(Why):
    """How far the report of a measure to the authority is."""

    state: Annotated[ReportState, Field(strict=False)]
    """not-due, due, handed-in (with its receipt) or not-reported (and why)."""
    text: Text | None = None
    """The receipt, or why it is not reported."""


class EmergencyBody(Why):
    """What is stopped for everybody but staff, or goes on."""

    on: bool
    """Whether it is stopped."""
    switches: Annotated[list[Annotated[Switch, Field(strict=False)]], Field(min_length=1)]
    """posting, joining, founding."""
    room: Annotated[str, Field(pattern=r"^!\S+$", max_length=255)] | None = None
    """The one room in which; absent: the whole server."""
    until_ms: Time | None = None
    """When it ends by itself; needed to switch it on."""


class RuleBody(Body):
    """A rule of a policy list."""

    entity: Annotated[str, Field(min_length=1, max_length=255)]
    """Whom or what it bans; * and ? are wildcards."""
    kind: Annotated[RuleKind, Field(strict=False)] | None = None
    """What that is; told from its first character if absent."""
    reason: Reason = ""
    """What people concerned are told."""


class ListBody(Why):
    """A policy list: its rules, or the room that has them."""

    rules: Annotated[list[RuleBody], Field(min_length=1, max_length=MAX_RULES)] | None = None
    """From a file."""
    room: Text | None = None
    """The id or an alias of a policy room that this server is in."""
    source: Text = "file"
    """What the rules' file is called."""
    basis: Text
    """The article, or the clause of the agreement, that the entries rest on."""
    scope: Annotated[Scope, Field(strict=False)] | None = None
    """For accounts: as in an entry of the blacklist."""
    skip_refused: bool = False
    """Leave out rules that touch staff or this server, instead of refusing all."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.rules is None) == (self.room is None):
            message = "must have either rules or room"
            raise ValueError(message)
        return self


class StaffBody(Why):
    """The staff roles of an account."""

    roles: list[Annotated[StaffRole, Field(strict=False)]]
    """All its roles from now on; an empty list takes them back."""


class ImportRowBody(Body):
    """A line of the file."""

    line: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Its number, for error messages."""
    user_id: UserId
    """An account of this server."""
    assurance: Annotated[Level, AfterValidator(_verified)]
    """How well its identity was verified."""
    reference: Reference | None = None
    """As in the identity of one account."""


class ImportRowsBody(Body):
    """The next lines of an import."""

    rows: Annotated[list[ImportRowBody], Field(min_length=1, max_length=MAX_IMPORT_ROWS)]
    """Up to a thousand."""


class Query(BaseModel):
    """Query parameters; those that an endpoint doesn't know are ignored, as Matrix clients expect."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, defer_build=True, json_schema_extra=document)


class ActQuery(Query):
    """Every act can be tried."""

    dry_run: bool = False
    """Show what would change, and change nothing."""


class PageQuery(Query):
    """Lists come in pages."""

    start: Annotated[int, Field(ge=0, le=1_000_000_000, alias="from")] = 0
    """The `next_token` of the page before."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Entries on a page."""


class LookQuery(Query):
    """A look at data about somebody, which is recorded."""

    reason: Reason | None = None
    """Why; kept in the record."""


class RoomsQuery(PageQuery):
    """Which rooms."""

    search: Annotated[str, Field(max_length=255)] | None = None
    """A part of the name or of the room id."""


class BlacklistQuery(PageQuery):
    """Which entries."""

    all: bool = False
    """Also those that ended or were lifted."""
    subject: Annotated[str, Field(max_length=255)] | None = None
    """Only those on this account (and its person), room, server or glob."""


class MeasuresQuery(BlacklistQuery):
    """Which measures."""

    kind: MeasureKind | None = None
    """Only those of this kind."""
    due: bool = False
    """Only those that wait for staff: their deadline passed, their review date came, or their report is due."""


class ProposalsQuery(PageQuery):
    """Which proposals."""

    all: bool = False
    """Also those that were decided or expired."""


class ActsQuery(PageQuery):
    """Which acts."""

    author: str | None = None
    """Who did it; `server` for what the server does by itself."""
    subject: str | None = None
    """On whom or what."""
    action: str | None = None
    """What was done."""


class NoticesQuery(PageQuery):
    """Which notices."""

    account: str | None = None
    """To whom."""
    state: Literal["waiting", "sending", "sent", "dropped", "failed"] | None = None
    """How far they are."""


class RefusalsQuery(PageQuery):
    """Which refusals."""

    account: str | None = None
    """Who was refused."""
    code: str | None = None
    """Why."""
    room_id: str | None = None
    """Where."""
