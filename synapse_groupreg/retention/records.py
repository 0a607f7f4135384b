# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a record is: a header that anybody may see, and salted disclosures of what names people (articles 13.1, 13.2).

The header is the leaf of the tree. It commits to each sensitive field by the digest of a disclosure in the form of
RFC 9901 section 4.2; a disclosure that is withheld or erased leaves the header, and with it every proof, as it was.
"""

from __future__ import annotations

import enum
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from functools import lru_cache
from hashlib import sha256, shake_128
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
SEED_BYTES = 16
SALT_BYTES = 18
"""RFC 9901 wants 16; a multiple of three has no padding in base64, so many are encoded at once."""
TOKEN_BYTES = 16


class LogName(enum.StrEnum):
    """The two logs: each its own tree, with its own keeping."""

    events = "events"
    """What people did, and what was refused to them."""
    acts = "acts"
    """What was done to people and with personal data."""


class Kind(enum.StrEnum):
    """What a record is about."""

    event = "event"
    """An event that Synapse persisted."""
    login = "login"
    registration = "registration"
    logout = "logout"
    refusal = "refusal"
    """Attempts that a rule refused or, with `mode: dry`, would have refused."""
    report = "report"
    """Content, a room or a user that somebody reported."""
    act = "act"
    """An action of staff or of the server itself, as in the act journal."""
    look = "look"
    """Somebody looked at an identity."""
    search = "search"
    export = "export"
    purge = "purge"
    erase = "erase"
    hold = "hold"
    """A legal hold that was put or lifted."""
    key = "key"
    """A key that came into use."""
    tally = "tally"
    """How many records of one room or account the period has so far; made for an export."""
    close = "close"
    """The last record of a period: commits to the tally of every token."""
    epoch = "epoch"
    """The first record of a shard that continues a log whose end was lost."""


KIND_NUMBERS = {kind: number for number, kind in enumerate(Kind)}
"""How kinds are stored. Kinds are only ever added, at the end."""

_ACTS = {Kind.act, Kind.look, Kind.search, Kind.export, Kind.purge, Kind.erase, Kind.hold}


def log_of(kind: Kind) -> LogName:
    """The log that records of a kind from outside belong to. Keys, tallies, closes and epochs are made by each log."""
    return LogName.acts if kind in _ACTS else LogName.events


@frozen(kw_only=True)
class Entry:
    """What a source hands to a log. `source` and `position` are unique together and ascend within a source."""

    kind: Kind
    source: str
    position: int
    ts_ms: int
    """When this server received or did it."""
    type: str | None = None
    """The event's type, the attempt's or action's name, the way of a login."""
    verdict: str | None = None
    """`rejected`, `soft-failed`, `redacted`, `refused:<code>`, `dry:<code>`; None for what simply happened."""
    count: int = 1
    room: str | None = None
    actor: str | None = None
    target: str | None = None
    details: Mapping[str, str] = attrs.field(factory=dict)
    """Further sensitive fields, of the names in FIELDS."""
    facts: Mapping[str, Any] | None = None
    """What everybody may read; JSON without floating point numbers."""
    content: bytes | None = None
    """The event's content as canonical JSON, if it is kept; `content_sha256` commits to it."""


FIELDS = {
    "event_id": "e",
    "content_sha256": "c",
    "state_key": "k",
    "ip": "i",
    "user_agent": "u",
    "device_id": "d",
    "subject": "s",
    "reason": "r",
    "before": "b",
    "after": "a",
    "author": "w",
    "redacts": "x",
    "membership": "m",
    "text": "t",
}
"""Sensitive fields besides `sender`, `room_id` and `target`, and the letters that stand for them in the store."""
NAMES = ("room_id", "sender", "target")
"""Sensitive fields whose values are kept in the period's table of names."""
_SLOTS = {field: slot for slot, field in enumerate((*NAMES, *FIELDS))}
"""Which of a record's salts is a field's. Fields are only ever added to FIELDS, at the end."""
TO_URL = bytes.maketrans(b"+/", b"-_")
"""From the characters of base64 to those of base64url."""
FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
"""And back; what base64url doesn't have becomes what base64 doesn't have either."""


@frozen
class Name:
    """A room or account under its token of one period."""

    ref: int
    token: str
    """128 random bits in base64url without padding; another in each period, and in each log."""
    quoted: str
    """The name as a JSON string."""


def b64(data: bytes) -> str:
    """base64url without padding, as RFC 7515 has it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The inverse of `b64`. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def quoted(value: str) -> str:
    """A string in canonical JSON (Matrix specification, appendix 3.1)."""
    return encode_basestring(value)


def canonical(value: object) -> str:
    """Canonical JSON of what contains no floating point numbers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def salt(seed: bytes, field: str) -> bytes:
    """The salt of one field, from the record's seed of SEED_BYTES random bytes: knowing one tells of no other."""
    slot = _SLOTS[field]
    return shake_128(seed).digest(SALT_BYTES * (slot + 1))[SALT_BYTES * slot :]


def disclosure(salt_: bytes, field: str, value: str) -> str:
    """The disclosure of a field (RFC 9901, section 4.2.1)."""
    return _disclosure(salt_, field, quoted(value))


def digest(disclosed: str) -> str:
    """What a header says of a disclosure (RFC 9901, section 4.2.3)."""
    return b64(sha256(disclosed.encode()).digest())


def read_disclosure(disclosed: str) -> tuple[bytes, str, str]:
    """Salt, field and value of a disclosure. Raises ValueError."""
    parts = json.loads(unb64(disclosed))
    if not (isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts)):  # noqa: PLR2004 - salt, field, value
        raise ValueError("a disclosure is a list of a salt, a field and a value")
    salt_, field, value = parts
    return unb64(salt_), field, value


def _disclosure(salt_: bytes, field: str, quoted_value: str) -> str:
    return b64(f'["{b64(salt_)}","{field}",{quoted_value}]'.encode())


def digests(seed: bytes, quoted_fields: Mapping[str, str]) -> dict[str, str]:
    """The digest of each field, from the record's seed and the fields' values as JSON strings.

    The same as `digest(disclosure(salt(seed, field), field, value))`, at a third of the cost: this is what sealing a
    record takes longest for.
    """
    length, plan = _plan(tuple(quoted_fields))
    salts = b2a_base64(shake_128(seed).digest(length), newline=False).translate(TO_URL)
    hashes = [
        sha256(
            b2a_base64(
                b"".join((b'["', salts[start:end], between, quoted_fields[field].encode(), b"]")), newline=False
            ).translate(TO_URL, b"=")
        ).digest()
        for field, start, end, between in plan
    ]
    # All in base64 at once: with a zero byte after it, each has 44 characters, 43 of which are its own.
    text = b2a_base64(b"\0".join(hashes) + b"\0", newline=False).translate(TO_URL).decode()
    return {step[0]: text[44 * at : 44 * at + 43] for at, step in enumerate(plan)}


@lru_cache
def _plan(fields: tuple[str, ...]) -> tuple[int, list[tuple[str, int, int, bytes]]]:
    """How many bytes of salt these fields need, and where in their base64 the salt of each one stands."""
    starts = {field: _SLOTS[field] * SALT_BYTES * 4 // 3 for field in fields}
    wide = SALT_BYTES * 4 // 3
    plan = [(field, start, start + wide, f'","{field}",'.encode()) for field, start in starts.items()]
    return SALT_BYTES * (max(map(_SLOTS.__getitem__, fields), default=0) + 1), plan


@attrs.define(kw_only=True)
class Header:
    """What anybody may see of a record; its canonical JSON is the leaf of the tree."""

    # Not frozen: one is made for each record that is sealed, and attrs takes twice as long to make a frozen one.

    kind: Kind
    source: str
    position: int
    ts_ms: int
    type: str | None
    verdict: str | None
    count: int
    room: str | None
    """The room's token."""
    room_prev: int | None
    """Index of the room's previous record in the same period; None for its first."""
    actor: str | None
    actor_prev: int | None
    facts: Mapping[str, Any] | None
    digests: Mapping[str, str]

    def text(self) -> str:
        """Canonical JSON; of the optional keys only those that say something, `*_prev` wherever there is a token."""
        parts = ['{"_sd":{', ",".join([f'"{field}":"{self.digests[field]}"' for field in sorted(self.digests)]), "}"]
        if self.actor is not None:
            parts.append(f',"actor":"{self.actor}","actor_prev":{_number(self.actor_prev)}')
        if self.count != 1:
            parts.append(f',"count":{self.count}')
        if self.facts is not None:
            parts.append(f',"facts":{canonical(self.facts)}')
        parts.append(f',"k":"{self.kind.value}","pos":{self.position}')
        if self.room is not None:
            parts.append(f',"room":"{self.room}","room_prev":{_number(self.room_prev)}')
        parts.append(f',"src":{quoted(self.source)},"ts":{self.ts_ms}')
        if self.type is not None:
            parts.append(f',"type":{quoted(self.type)}')
        parts.append(f',"v":{VERSION}')
        if self.verdict is not None:
            parts.append(f',"verdict":{quoted(self.verdict)}')
        parts.append("}")
        return "".join(parts)


def _number(index: int | None) -> str:
    return "null" if index is None else str(index)
