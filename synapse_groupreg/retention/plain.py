# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The short way for the common line of a bundle: patterns that only canonical JSON of the right form meets.

A record that is read here is right in every respect but its place among the others. Of a line that is not, right or
wrong, nothing is said here: it takes the long way, which is `RecordReader`.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, TypeAlias

from synapse_groupreg.retention.records import FROM_URL, TO_URL, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

TOKEN = r"[A-Za-z0-9_-]{21}[AQgw]"  # noqa: S105 - a pattern
"""128 bits in base64url: the last character has two of them."""
SALT = r"[A-Za-z0-9_-]{22,}"

_SHORT = r"(?:0|[1-9][0-9]{0,14})"
"""A number below 2**53, as all are for a while."""
_WORD = r"[ !#-\[\]-~]*"
"""ASCII without escapes."""
_HEADER = (
    r'\{"_sd":\{([^}]*)(\}'
    rf'(?:,"actor":"({TOKEN})","actor_prev":(?:null|({_SHORT})))?'
    r'(?:,"count":(?!1,)[1-9][0-9]{0,14})?'
    rf',"k":"({_WORD})","pos":(?!-0)-?{_SHORT}'
    rf'(?:,"room":"({TOKEN})","room_prev":(?:null|({_SHORT})))?'
    rf',"src":"{_WORD}","ts":({_SHORT})(?:,"type":"({_WORD})")?,"v":{VERSION}(?:,"verdict":"({_WORD})")?\}})'
).replace('"', r'\\"')
"""As it stands in the line, where each quote has a backslash before it."""
_LINE = re.compile(rf'\{{(?:"d":\["([^\]]*)"\],)?"h":"{_HEADER}","i":({_SHORT})\}}').fullmatch
"""What its first two groups hold is left to `_disclosed`."""
_DIGEST = rb'\\"[a-z0-9_]+\\":\\"[A-Za-z0-9_-]{43}\\"'
_DIGESTS = re.compile(rb"(?:%b(?:,%b)*)?" % (_DIGEST, _DIGEST)).fullmatch
_PADS = (b"AAAB", b"AAAAAAE", b"AAAAAC", b"AAAAD")
"""What fills up the last, incomplete four characters of a disclosure, by their number; the last four are a mark."""
_DISCLOSURE = rf'\["{SALT}","([a-z0-9_]{{1,40}})","([^\0-\x1f"\\]*)"\](?:\0\0\x01|\0\0\0\0\x02|\0\0\0\x03)'
_MOST = 20
"""Disclosures of a record: there are fewer fields."""

PlainRecord: TypeAlias = tuple[int, bytes, dict[str, Any], dict[str, str], int]
"""Index; the header's text, and of its values what is asked for; wanted disclosed values; how many are disclosed."""


def read_plain(text: str, wanted: Iterable[str]) -> PlainRecord | None:
    """A record whose header is right and commits to its disclosures; None if it is another, or anything is wrong."""
    line = _LINE(text)
    if line is None:
        return None
    disclosed, listed, rest, *shown, number = line.groups()
    index = int(number)
    header = _header(index, shown)
    encoded = disclosed.encode().split(b'","') if disclosed is not None else []
    found = _disclosed(encoded, listed.encode())
    if header is None or found is None:
        return None
    digests, parts, places = found
    values = {field: parts[places[field]] for field in wanted if field in places}
    return index, b'{"_sd":{' + digests + _unescaped(rest.encode()), header, values, len(encoded)


def _header(index: int, shown: Sequence[Any]) -> dict[str, Any] | None:
    """The values of a header of the right form; None if a record before is none."""
    actor, actor_prev, kind, room, room_prev, ts_ms, type_, verdict = shown
    header: dict[str, Any] = {"k": kind, "ts": int(ts_ms)}
    if actor is not None:
        header["actor"] = actor
        header["actor_prev"] = before = actor_prev and int(actor_prev)
        if before is not None and before >= index:
            return None
    if room is not None:
        header["room"] = room
        header["room_prev"] = before = room_prev and int(room_prev)
        if before is not None and before >= index:
            return None
    if type_ is not None:
        header["type"] = type_
    if verdict is not None:
        header["verdict"] = verdict
    return header


def _disclosed(encoded: list[bytes], listed: bytes) -> tuple[bytes, Sequence[str], Mapping[str, int]] | None:
    """See that a header's list of digests is right, and has those of these disclosures, each of another field.

    Answers the list without escapes, fields and values as they are disclosed, and where among them a field's value is.
    """
    count = len(encoded)
    if count > _MOST:
        return None
    # All at once: each ends with a mark that can't be within it, so that as many as there are match only if every one
    # does; and bits at its end that should be zero would show before the mark.
    padded = b"".join([one + _PADS[len(one) & 3] for one in encoded])
    match, unpack = _forms(count)
    try:
        raw = a2b_base64(padded.translate(FROM_URL))
        found = match(raw.decode())
    except ValueError:
        return None
    if found is None or len(raw) * 4 != len(padded) * 3:  # else something was passed over
        return None
    parts = found.groups()
    fields = parts[::2]
    plan = _plan(fields)
    if plan is None:
        return None
    # All digests in base64 at once: with a zero byte after it, each has 44 characters, 43 of which are its own.
    hashes = b"".join([sha256(one).digest() + b"\0" for one in encoded])
    digests = unpack(b2a_base64(hashes, newline=False).translate(TO_URL))
    ordered, plain, escaped, places = plan
    if escaped % ordered(digests) == listed:
        return plain % ordered(digests), parts, places
    return (_unescaped(listed), parts, places) if _among(fields, digests, listed) else None


@lru_cache
def _forms(count: int) -> tuple[Callable[[str], re.Match[str] | None], Callable[[bytes], tuple[bytes, ...]]]:
    """What matches so many disclosures, and what takes their digests apart."""
    return re.compile(_DISCLOSURE * count).fullmatch, Struct("43sx" * count).unpack


@lru_cache
def _plan(fields: tuple[str, ...]) -> tuple[Callable[[Sequence[bytes]], Any], bytes, bytes, Mapping[str, int]] | None:
    """What a header lists if exactly these fields are disclosed; None if one is there twice.

    Digests have to be put in order, then into the list, without or with escapes.
    """
    order = sorted(range(len(fields)), key=fields.__getitem__)
    if any(fields[one] == fields[other] for one, other in pairwise(order)):
        return None
    plain = ",".join([f'"{fields[at]}":"%b"' for at in order]).encode()
    ordered = itemgetter(*order) if len(order) > 1 else tuple
    places = {field: 2 * at + 1 for at, field in enumerate(fields)}
    return ordered, plain, plain.replace(b'"', b'\\"'), places


def _among(fields: Sequence[str], digests: Sequence[bytes], listed: bytes) -> bool:
    """Whether a list of digests is right and has these: those of the fields that are disclosed, and of others."""
    if not _DIGESTS(listed):
        return False
    parts = listed.split(b'\\"')
    names = parts[1::4]
    said = dict(zip(names, parts[3::4], strict=True))
    ascending = all(one < other for one, other in pairwise(names))
    return ascending and all(said.get(field.encode()) == one for field, one in zip(fields, digests, strict=True))


def _unescaped(text: bytes) -> bytes:
    return text.replace(b'\\"', b'"')
