# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A record's line of a bundle: its header, and that each disclosure is the one that the header commits to.

Most of a verifier's time goes by here, so the common case has a short way: a text without escapes, spaces and facts
is canonical if its keys are as many as it has `":`, and sorted. Everything else takes the long way, which is `parse`.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from synapse_groupreg.retention.findings import Broken, Findings
from synapse_groupreg.retention.provenance import texts
from synapse_groupreg.retention.records import FROM_URL, TO_URL, VERSION, b64, quoted
from synapse_groupreg.retention.strict_json import LARGEST, SpellingError, decoded, parse, unb64_strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_DIGEST_CHARS = frozenset({43})
_TOKEN = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
"""128 bits in base64url: the last character has two of them."""
_SALT = re.compile(r"[A-Za-z0-9_-]{22,}")
_LAST = (0, 0, ord("Q"), ord("0"))
"""The last character of what ends with a bracket, by the number of characters in the last, incomplete four."""
_DISCLOSURE = re.compile(rb'\["[A-Za-z0-9_-]{22,}","([a-z0-9_]+)","([ !#-\[\]-~]*)"\]')
"""The common ones, whose value is ASCII without escapes."""


class Shown:
    """A record as a bundle shows it. Not attrs: one is made for every record."""

    __slots__ = ("header", "index", "leaf", "line", "tallied", "values")

    def __init__(self, line: int, index: int, leaf: bytes) -> None:
        self.line = line
        self.index = index
        self.leaf = leaf
        """The leaf's hash."""
        self.header: dict[str, Any] = {}
        """Empty if it can't be read; without `_sd` once the disclosures were compared with that."""
        self.values: dict[str, str] = {}
        """Values of the disclosed fields that the reader was asked for."""
        self.tallied: Any = None

    @override
    def __getstate__(self) -> tuple[Any, ...]:
        return self.line, self.index, self.leaf, self.header, self.values, self.tallied

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.line, self.index, self.leaf, self.header, self.values, self.tallied = state


class RecordReader:
    """Reads the lines of records, one after the other, and counts what they show."""

    def __init__(self, findings: Findings, size: int, wanted: Iterable[str]) -> None:
        self._findings = findings
        self._size = size
        self._wanted = frozenset(wanted) | {"content_sha256"}
        self._next = 0
        # Forms of headers that were found right: keys, types of values, fields. There are few of them.
        self._right: set[tuple[object, ...]] = set()
        self.disclosures = 0
        self.contents = 0

    def read(self, number: int, text: str) -> Shown:
        """One line. Raises Broken where it is no line of a record, or out of order."""
        line = _line(text)
        index, header = line["i"], line["h"]
        if index.__class__ is not int or header.__class__ is not str:
            raise Broken("a record's line has an index `i`, a number, and a header `h`, a text")
        if index >= self._size:
            raise Broken(f"record {index} is beyond the checkpoint, which covers {self._size} records")
        check_order(index, self._next)
        self._next = index + 1
        # The hash is of the bytes as they are, and the tree binds them: the spelling is checked only so that no reader
        # can take something else from them.
        shown = Shown(number, index, sha256(b"\0" + header.encode()).digest())
        try:
            shown.header = self._header(header, index)
            if "d" in line:
                self._disclosed(shown, line["d"])
            if "c" in line:
                self._content(shown, line["c"])
            del shown.header["_sd"]  # most of the header, and nobody needs it from here on
        except ValueError as error:
            self._findings.add(number, f"record {index}: {error}")
        shown.tallied = line.get("t")
        return shown

    def _header(self, text: str, index: int) -> dict[str, Any]:
        """The header's fields. Raises ValueError."""
        header: dict[str, Any] = decoded(text)
        if header.__class__ is not dict or header.get("_sd").__class__ is not dict:
            raise ValueError("the header is no object with `_sd`")
        digests = header["_sd"]
        form = (*header, *map(type, header.values()), *digests)
        if not (form in self._right and _is_plain(text, len(header) + len(digests))):
            header = parse(text)
            digests = header["_sd"]
            _check_form(header)
            if "facts" not in header:
                self._right.add(form)
        try:
            if not _DIGEST_CHARS.issuperset(map(len, digests.values())):
                raise ValueError("a digest in the header's `_sd` has not 43 characters")
        except TypeError:
            raise ValueError("a digest in the header's `_sd` is no text") from None
        _check_values(header, index)
        return header

    def _disclosed(self, shown: Shown, disclosures: list[str]) -> None:
        """Check disclosures against the header. Raises ValueError."""
        digests, wanted = shown.header["_sd"], self._wanted
        encoded = [disclosed.encode() for disclosed in disclosures]
        # All digests in base64 at once: with a zero byte after it, each has 44 characters, 43 of which are its own.
        hashes = b"\0".join([sha256(one).digest() for one in encoded])
        text = b2a_base64(hashes + b"\0", newline=False).translate(TO_URL).decode()
        seen = set()
        for place, one in enumerate(encoded):
            plain = _plain(one)
            field, value = (plain[1].decode(), plain[2]) if plain else _read(disclosures[place], place)
            digest = text[place * 44 : place * 44 + 43]
            if digests.get(field) != digest:
                raise ValueError(_mismatch(digests, field, digest, place))
            seen.add(field)
            if field in wanted:
                shown.values[field] = value.decode() if isinstance(value, bytes) else value
        if len(seen) != len(encoded):
            raise ValueError("a field is disclosed twice")
        self.disclosures += len(disclosures)

    def _content(self, shown: Shown, content: object) -> None:
        """Check content against the disclosed digest of it. Raises ValueError."""
        if not isinstance(content, str):
            raise Broken("the content `c` of a record is a text")
        if "content_sha256" not in shown.values:
            raise ValueError("it has content, and no disclosure of content_sha256 to check that against")
        if b64(sha256(content.encode()).digest()) != shown.values["content_sha256"]:
            raise ValueError("the content is not the one whose digest content_sha256 is")
        self.contents += 1


def check_order(index: int, lowest: int) -> None:
    """See that a record stands behind those before it. Raises Broken."""
    if index < lowest:
        raise Broken(f"record {index} is out of order: {lowest} is the lowest that may stand here")


def _line(text: str) -> dict[str, Any]:
    """The line's value. Raises Broken."""
    try:
        line: dict[str, Any] = decoded(text)
        if line.__class__ is not dict or tuple(line) not in _LINES:
            raise Broken("this is no line of a record, nor one that may stand here")
        if _is_spelled(line, text):
            return line
        parse(text)
    except SpellingError as error:
        raise Broken(f"the line can't be read: {error}") from None
    disclosures = line.get("d", ("",))
    if not disclosures or not all(one.__class__ is str for one in disclosures):
        raise Broken("the disclosures `d` of a record are a list of texts that is not empty")
    return line


def _is_spelled(line: Mapping[str, Any], text: str) -> bool:
    """Whether the text is the canonical one, for the most frequent kind of line; False if that isn't known."""
    if tuple(line) != ("d", "h", "i"):
        return False
    try:
        disclosures = '","'.join(line["d"])
        return f'{{"d":["{disclosures}"],"h":{quoted(line["h"])},"i":{line["i"]}}}' == text
    except TypeError:
        return False


def _is_plain(text: str, keys: int) -> bool:
    """Whether a text that has so many different keys, sorted, is canonical; False if that isn't known.

    Without a backslash no string has a quote in it, so that `":` is the end of a key or the beginning of a value: as
    many of them as keys, and no key is hidden by another of its name.
    """
    # All that `split` could part, and none of it: neither spaces nor line breaks, at the ends or between.
    alone = text.isascii() and text.split(None, 1) == [text]
    return alone and "\\" not in text and ":-0" not in text and text.count('":') == keys


def _check_form(header: Mapping[str, Any]) -> None:
    """Check that a header has the keys and types that it may have. Raises ValueError."""
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


def _plain(encoded: bytes) -> re.Match[bytes] | None:
    """Field and value of a disclosure of the common form; None if it is another, or has another spelling."""
    try:
        raw = a2b_base64(encoded.translate(FROM_URL) + b"==")
    except ValueError:
        return None
    # Other characters are passed over by the decoder, so that there are too few bytes. Unused bits at the end have to
    # be zero: the last byte is a bracket, so only one character can be the last one.
    length = len(encoded)
    if len(raw) != length * 3 // 4 or (length % 4 and encoded[-1] != _LAST[length % 4]):
        return None
    return _DISCLOSURE.fullmatch(raw)


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
