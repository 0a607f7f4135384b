# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an endpoint is: a method, a path, a right, the shape of what it takes, and what it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from synapse_groupreg.errors import Invalid, Problem
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.values import frozen
from synapse_groupreg.web.bodies import SHAPES, Body, Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from synapse_groupreg.handlers.exports import Download
    from synapse_groupreg.policy.staff import Right, Staff

Answer = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
_SAID = {
    "extra_forbidden": "is not known here",
    "missing": "is required",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "greater_than_equal": "must be at least {ge:,}",
    "less_than_equal": "must be at most {le:,}",
    "too_long": "must have at most {max_length:,} entries",
    "too_short": "must have at least one entry",
    "string_too_long": "must have at most {max_length:,} characters",
}
"""Kind of problem -> what we say of it; of the others pydantic's words, of which `_SHOULD` is the beginning."""
_MOMENT = "must be a moment in milliseconds since 1970, like 1793800000000"
_NO_MOMENT = frozenset({"int_type", "int_parsing", "int_from_float", "greater_than_equal", "less_than_equal"})
_SHOULD = re.compile(r"^\w+ should ")


@frozen(kw_only=True)
class Call:
    """A request that was let in and checked."""

    staff: Staff
    path: Mapping[str, str]
    query: Any
    """An instance of the endpoint's query model."""
    body: Any
    """An instance of the endpoint's body model."""


@frozen(kw_only=True)
class Endpoint:
    """One line of the table in `api.py`."""

    method: str
    path: str
    """Below `/_synapse/client/groupreg/v1`; `{name}` is one segment."""
    right: Right
    summary: str
    handle: Callable[[Call], Awaitable[Answer | Download]]
    query: type[Query] = Query
    body: type[Body] | None = None
    own: str | None = None
    """The path parameter that, when it is the requester's own account, makes the right unnecessary."""
    media: str = "application/json"
    """What it answers with."""

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of a raw path, or None."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path)
        values = {} if found is None else {name: unquote(value) for name, value in found.groupdict().items()}
        # No id has a NUL in it, and PostgreSQL has no text with one.
        return None if found is None or any("\0" in value for value in values.values()) else values

    def authorise(self, staff: Staff, path: Mapping[str, str]) -> None:
        """Raise NotPermitted, naming the role that is needed."""
        if self.own is None or path[self.own] != staff.user_id:
            require(staff, self.right)

    def parse_query(self, pairs: Mapping[str, str]) -> Query:
        """Check the query. Raises Invalid."""
        return _validated(self.query, dict(pairs))

    def parse_body(self, content: object) -> Body | None:
        """Check the body; an absent one is an empty object. Raises Invalid."""
        return None if self.body is None else _validated(self.body, content)


def find(endpoints: Sequence[Endpoint], path: str) -> list[tuple[Endpoint, dict[str, str]]]:
    """The endpoints at a path, one a method."""
    matches = ((endpoint, endpoint.match(path)) for endpoint in endpoints)
    return [(endpoint, found) for endpoint, found in matches if found is not None]


def _validated(model: type[M], content: object) -> M:
    with_nul = [Problem(where or "body", "must not contain the character NUL") for where in _nuls(content)]
    if with_nul:
        raise Invalid(with_nul)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Invalid([_problem(details) for details in error.errors()]) from None


def _nuls(content: object) -> Iterator[str]:
    """Where a text, or the name of a field, has a NUL in it, which PostgreSQL could not store."""
    waiting: list[tuple[str, object]] = [("", content)]  # no recursion: a client decides how deep it goes
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, dict) and any("\0" in str(name) for name in value):
            yield where
        elif isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{where}.{name}".removeprefix("."), one) for name, one in inner]
        elif isinstance(value, str) and "\0" in value:
            yield where


def _problem(details: ErrorDetails) -> Problem:
    """Say where and what would be right, never what was sent: it may be somebody's identity number."""
    where = ".".join(str(part) for part in details["loc"])
    return Problem(where or "body", _advice(where, details["type"], details))


def _advice(where: str, kind: str, details: ErrorDetails) -> str:
    context = details.get("ctx") or {}
    if kind in _NO_MOMENT and where.endswith("_ms"):
        return _MOMENT
    if kind == "string_pattern_mismatch":
        return SHAPES[context["pattern"]]
    if kind in _SAID:
        return _SAID[kind].format_map(context)
    return _SHOULD.sub("must ", details["msg"].removeprefix("Value error, "))
