# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A record's line of a bundle: its header, and that each disclosure is the one that the header commits to.

Most of a verifier's time goes by here, so the common line has a short way, which is `plain.py`. Everything else takes
the long way, which is `parse`.
"""

from __future__ import annotations

import re
from array import array
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.retention.findings import Broken, Counts
from synapse_groupreg.retention.plain import SALT, TOKEN, read_plain
from synapse_groupreg.retention.provenance import texts
from synapse_groupreg.retention.records import VERSION, b64
from synapse_groupreg.retention.strict_json import LARGEST, SpellingError, parse, unb64_strict
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.retention.findings import Findings

_LINES = frozenset({
    ("h", "i"), ("d", "h", "i"), ("c", "d", "h", "i"), ("h", "i", "t"), ("d", "h", "i", "t"), ("c", "d", "h", "i", "t"),
})  # fmt: skip
_TYPES: Mapping[str, tuple[type, ...]] = {
    "_sd": (dict,),
    "actor": (str,),
    "actor_prev": (int, type(None)),
    "count": (int,),
    "facts": (dict, list, str, int, bool, type(None)),
    "k": (str,),
    "pos": (int,),
    "room": (str,),
    "room_prev": (int, type(None)),
    "src": (str,),
    "ts": (int,),
    "type": (str,),
    "v": (int,),
    "verdict": (str,),
}
_NEEDED = frozenset({"_sd", "k", "pos", "src", "ts", "v"})
_DIGEST_CHARS = 43
_TOKEN = re.compile(TOKEN)
_SALT = re.compile(SALT)


@frozen
class Wanted:
    """What somebody needs to know of each record: all else is forgotten where its line was read."""

    keys: Sequence[str] = ()
    """Of the header."""
    fields: Sequence[str] = ()
    """Whose disclosed values."""


@attrs.define
class Shown:
    """What was wanted of a record."""

    # Not frozen: one is made for each record, and attrs takes twice as long to make a frozen one.

    line: int
    index: int
    header: dict[str, Any]
    """Empty if it can't be read."""
    values: dict[str, str]
    """Of the disclosed fields."""
    tallied: Any


class RecordReader:
    """Reads the lines of records, one after the other, and keeps what the tree needs of them."""

    def __init__(self, findings: Findings, size: int, wanted: Wanted) -> None:
        self._findings = findings
        self._size = size
        self._keys = tuple(wanted.keys)
        self._fields = tuple(wanted.fields)
        self._next = 0
        self.indexes = array("Q")
        self.leaves = bytearray()
        """Their hashes, one after another."""
        self.counts = Counts()

    def read(self, number: int, text: str) -> tuple[Any, ...]:
        """One line, as the values of a `Shown`. Raises Broken where it is no line of a record, or out of order."""
        plain = read_plain(text, self._fields)
        if plain is not None:
            index, said, header, values, disclosed = plain
            self._place(index)
            self.counts.disclosures += disclosed
            tallied = None
        else:
            index, said, header, values, tallied = self._long_way(number, text)
        if header:
            self.counts.add(header["k"], header["ts"])
        # The hash is of the bytes as they are, and the tree binds them: the spelling is checked only so that no reader
        # can take something else from them.
        self.leaves += sha256(b"\0" + said).digest()
        self.indexes.append(index)
        return number, index, {key: header[key] for key in self._keys if key in header}, values, tallied

    def _place(self, index: int) -> None:
        """See that a record is where it may be. Raises Broken."""
        if index >= self._size:
            raise Broken(f"record {index} is beyond the checkpoint, which covers {self._size} records")
        check_order(index, self._next)
        self._next = index + 1

    def _long_way(self, number: int, text: str) -> tuple[int, bytes, dict[str, Any], dict[str, str], Any]:
        """Index, header's text, header, wanted values and `t` of any line; raises Broken likewise."""
        line = _line(text)
        index, said = line["i"], line["h"]
        if index.__class__ is not int or said.__class__ is not str:
            raise Broken("a record's line has an index `i`, a number, and a header `h`, a text")
        self._place(index)
        header: dict[str, Any] = {}
        values: dict[str, str] = {}
        try:
            header = _header(said, index)
            if "d" in line:
                self._disclosed(header["_sd"], line["d"], values)
            if "c" in line:
                self._content(line["c"], values)
        except ValueError as error:
            self._findings.add(number, f"record {index}: {error}")
        wanted = {field: values[field] for field in self._fields if field in values}
        return index, said.encode(), header, wanted, line.get("t")

    def _disclosed(self, digests: Mapping[str, Any], disclosures: list[str], values: dict[str, str]) -> None:
        """Check disclosures against the header's digests, and keep their values. Raises ValueError."""
        for place, one in enumerate(disclosures):
            field, value = _read(one, place)
            digest = b64(sha256(one.encode()).digest())
            if digests.get(field) != digest:
                raise ValueError(_mismatch(digests, field, digest, place))
            if field in values:
                raise ValueError("a field is disclosed twice")
            values[field] = value
        self.counts.disclosures += len(disclosures)

    def _content(self, content: object, values: Mapping[str, str]) -> None:
        """Check content against the disclosed digest of it. Raises ValueError."""
        if not isinstance(content, str):
            raise Broken("the content `c` of a record is a text")
        if "content_sha256" not in values:
            raise ValueError("it has content, and no disclosure of content_sha256 to check that against")
        if b64(sha256(content.encode()).digest()) != values["content_sha256"]:
            raise ValueError("the content is not the one whose digest content_sha256 is")
        self.counts.contents += 1


def check_order(index: int, lowest: int) -> None:
    """See that a record stands behind those before it. Raises Broken."""
    if index < lowest:
        raise Broken(f"record {index} is out of order: {lowest} is the lowest that may stand here")


def _line(text: str) -> dict[str, Any]:
    """The line's value. Raises Broken."""
    try:
        line: dict[str, Any] = parse(text)
    except SpellingError as error:
        raise Broken(f"the line can't be read: {error}") from None
    if line.__class__ is not dict or tuple(line) not in _LINES:
        raise Broken("this is no line of a record, nor one that may stand here")
    disclosures = line.get("d", ("",))
    if not disclosures or not all(one.__class__ is str for one in disclosures):
        raise Broken("the disclosures `d` of a record are a list of texts that is not empty")
    return line


def _header(text: str, index: int) -> dict[str, Any]:
    """The header's fields. Raises ValueError."""
    header: dict[str, Any] = parse(text)
    _check_form(header)
    _check_values(header, index)
    return header


def _check_form(header: Any) -> None:
    """Check that a header has the keys and types that it may have. Raises ValueError."""
    if header.__class__ is not dict or header.get("_sd").__class__ is not dict:
        raise ValueError("the header is no object with `_sd`")
    if not all(digest.__class__ is str and len(digest) == _DIGEST_CHARS for digest in header["_sd"].values()):
        raise ValueError("a digest in the header's `_sd` is no text of 43 characters")
    missing = _NEEDED - header.keys()
    if missing:
        raise ValueError(f"the header has no {min(missing)}")
    for key, value in header.items():
        if key not in _TYPES or value.__class__ not in _TYPES[key]:
            raise ValueError(f"the header's {key[:40]} is unknown or of a wrong type")
    for token in ("actor", "room"):
        if (token in header) != (f"{token}_prev" in header):
            raise ValueError(f"the header has only one of {token} and {token}_prev")


def _check_values(header: Mapping[str, Any], index: int) -> None:
    """Check what a header of the right form says. Raises ValueError."""
    if header["v"] != VERSION:
        raise ValueError("the header is of a version that this verifier doesn't know")
    if not (0 <= header["ts"] <= LARGEST and -LARGEST <= header["pos"] <= LARGEST):
        raise ValueError("the header's ts or pos is beyond what it can be")
    if "count" in header and not 1 < header["count"] <= LARGEST:
        raise ValueError("the header's count is one that is not written, or not possible")
    for token, prev in (("actor", "actor_prev"), ("room", "room_prev")):
        if token in header:
            before = header[prev]
            if not (_TOKEN.fullmatch(header[token]) and (before is None or 0 <= before < index)):
                raise ValueError(f"the header's {token} or {prev} is not possible")


def _read(disclosed: str, place: int) -> tuple[str, str]:
    """Field and value of a disclosure of any form. Raises ValueError."""
    try:
        parts = parse(unb64_strict(disclosed).decode())
    except ValueError as error:
        raise ValueError(f"d[{place}] is no disclosure: {error}") from None
    if isinstance(parts, list) and len(parts) == 3 and texts(parts) and _SALT.fullmatch(parts[0]):  # noqa: PLR2004 - salt, field, value
        return parts[1], parts[2]
    raise ValueError(f"d[{place}] is no disclosure: a list of a salt of 16 bytes or more, a field and a value")


def _mismatch(digests: Mapping[str, Any], field: str, digest: str, place: int) -> str:
    said = next((name for name, one in digests.items() if one == digest), None)
    if said is not None:
        return f"d[{place}] discloses {field[:40]}, and its digest stands under {said} in the header"
    if field not in digests:
        return f"d[{place}] discloses {field[:40]}, of which the header says nothing"
    return f"d[{place}] is not what the header commits to for {field}: the value or the salt was changed"
