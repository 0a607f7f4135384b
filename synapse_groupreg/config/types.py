# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Kinds of values that an operator writes, checked as they are read."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Mode = Literal["dry", "enforce"]
AssuranceName = Literal["none", "contact", "real_name", "in_person"]
Language = Literal["en", "zh-CN", "ko"]
OnError = Literal["allow", "refuse"]
Code = Literal[
    "room-full",
    "too-many-founded",
    "too-many-joined",
    "identity-required",
    "account-blacklisted",
    "room-blacklisted",
    "server-blacklisted",
    "room-closed",
    "emergency",
    "posting-suspended",
    "room-posting-suspended",
    "room-joining-suspended",
    "muted",
    "slow-mode",
    "management-suspended",
    "founding-revoked",
    "room-replaced",
    "federation-closed",
    "further-creators",
]
CODES: tuple[str, ...] = get_args(Code)

_DURATION = re.compile(r"([1-9]\d{0,8})([smhdw])")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_GLOB = re.compile(r"@[^:\s]*:[^\s]+")
_LONGEST_CATEGORY = 60
NO_CATEGORY = "-"
"""What people write for no category."""


def _user_glob(value: str) -> str:
    if not _GLOB.fullmatch(value):
        message = (
            "must be a Matrix user id, in which * and ? may stand for other characters, like '@bridge_*:example.org'"
        )
        raise ValueError(message)
    return value


def _milliseconds(value: object) -> object:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return int(found[1]) * _UNITS_MS[found[2]]
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    message = "must be a duration like '30s', '10m', '2h' or '7d'"
    raise ValueError(message)


def folded(name: str) -> str:
    """A name of a category without what people type now so, now so: case, width, blanks."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _category(name: str) -> str:
    if not 1 <= len(name.strip()) <= _LONGEST_CATEGORY:
        message = f"must have 1 to {_LONGEST_CATEGORY} characters"
        raise ValueError(message)
    if folded(name) == NO_CATEGORY:
        message = f"must not be {NO_CATEGORY}, by which a category is taken back"
        raise ValueError(message)
    return name


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded(name), name)
        if other is not name:
            message = f"must be told apart by more than case and blanks: {other!r} and {name!r} are the same"
            raise ValueError(message)
    return names


Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Milliseconds, written as Synapse writes durations."""
Count = Annotated[int, Field(ge=0, le=1_000_000)]
UserGlob = Annotated[str, AfterValidator(_user_glob)]
Categories = Annotated[tuple[Annotated[str, AfterValidator(_category)], ...], AfterValidator(_told_apart)]


class Section(BaseModel):
    """Options that belong together; the docstring under each is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
