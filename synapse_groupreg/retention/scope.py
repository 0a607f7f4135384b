# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a bundle claims to be: a whole range of the log, or records that meet a filter. The third mode: `chains.py`."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from synapse_groupreg.retention.provenance import is_number
from synapse_groupreg.retention.records import Kind, unb64
from synapse_groupreg.retention.shown import Shown, Wanted
from synapse_groupreg.retention.strict_json import unb64_strict
from synapse_groupreg.retention.tally import tally_root
from synapse_groupreg.retention.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.retention.findings import Coverage, Findings

MADE = frozenset({Kind.key, Kind.tally, Kind.close, Kind.epoch})
"""Kinds of records that the log makes itself: they may stand in any bundle."""
PLACES = (("room", "room", "room_prev"), ("account", "actor", "actor_prev"))
"""As what a token stands in a header: the kind of the tally, the key, the key of the record before."""


class Scope(Protocol):
    """Checks one mode."""

    @property
    def wanted(self) -> Wanted:
        """What it looks at."""

    def add(self, shown: Shown) -> None:
        """Look at a record; they come in the order of the log."""

    def finish(self, line: int) -> Sequence[Coverage]:
        """Look at the whole, once `line` says that there are no more."""


def close_facts(facts: object, index: int) -> bool:
    """Whether the facts of a close record at this index can be: they count the records of the period before it."""
    return (
        isinstance(facts, dict)
        and facts.keys() == {"first", "count", "tokens", "tally"}
        and all(is_number(facts[key]) for key in ("first", "count", "tokens"))
        and facts["first"] + facts["count"] == index
        and is_hash(facts["tally"])
    )


def is_hash(text: object) -> bool:
    """Whether a value of JSON is a hash in base64url."""
    if not isinstance(text, str):
        return False
    try:
        return len(unb64_strict(text)) == HASH_BYTES
    except ValueError:
        return False


class RangeScope:
    """Every record of [first, end) is there, names the one before of its tokens, and closes tally what is there."""

    wanted = Wanted(keys=("k", "room", "room_prev", "actor", "actor_prev", "facts"))

    def __init__(self, claimed: Sequence[int], findings: Findings) -> None:
        self._first, self._end = claimed
        self._next = self._first
        self._findings = findings
        self._tokens: dict[str, tuple[str, int, int]] = {}
        """Of the period so far: kind, count, last index."""
        self._whole = True
        """Whether nothing was missing so far: then tokens can be followed."""

    def add(self, shown: Shown) -> None:
        """Look at a record; of those outside the range only what the log made itself may be there."""
        index, header = shown.index, shown.header
        if shown.tallied is not None:
            self._findings.add(shown.line, f"record {index}: `t` belongs into a bundle about a subject")
        if not self._first <= index < self._end:
            if header and header["k"] not in MADE:
                self._findings.add(shown.line, f"record {index} is outside of the range that the manifest claims")
            return
        if index != self._next:
            self._miss(shown.line, index)
        self._next = index + 1
        self._whole = self._whole and bool(header)
        if self._whole:
            self._follow(shown)

    def finish(self, line: int) -> Sequence[Coverage]:
        """See that the range's end is there."""
        if self._next < self._end:
            self._miss(line, self._end)
        return ()

    def _miss(self, line: int, index: int) -> None:
        self._whole = False
        missing = f"record {self._next} is" if index == self._next + 1 else f"records {self._next} to {index - 1} are"
        self._findings.add(line, f"{missing} missing from the range")

    def _follow(self, shown: Shown) -> None:
        header, tokens = shown.header, self._tokens
        for kind, place, prev in PLACES:
            token = header.get(place)
            if token is None:
                continue
            before = header[prev]
            known = tokens.get(token)
            count = 0
            if known:
                _, count, last = known
                right = before == last and known[0] == kind
            else:
                right = before is None or before < self._first
            if not right:
                text = f"record {shown.index}: the header's {prev} is not the record before with the same {place}"
                self._findings.add(shown.line, text)
            tokens[token] = (kind, count + 1, shown.index)
        if header["k"] == Kind.close:
            self._close(shown)
            tokens.clear()

    def _close(self, shown: Shown) -> None:
        facts = shown.header.get("facts")
        if not isinstance(facts, dict) or not close_facts(facts, shown.index):
            self._findings.add(shown.line, f"record {shown.index}: the close record's facts are not possible")
            return
        if facts["first"] < self._first:
            return
        size, root = tally_root(_ordered(self._tokens))
        if (size, root) != (facts["tokens"], unb64(facts["tally"])):
            text = f"record {shown.index}: the close record's tally is not that of the records in its period"
            self._findings.add(shown.line, text)


def _ordered(tokens: Mapping[str, tuple[str, int, int]]) -> list[tuple[bytes, str, int, int]]:
    return sorted(((unb64(token), *tally) for token, tally in tokens.items()), key=itemgetter(0))


class FilterScope:
    """Each record meets the filter. That none is missing cannot be shown, and is not claimed."""

    wanted = Wanted(keys=("k", "ts", "type", "verdict"), fields=("room_id", "sender", "target"))

    def __init__(self, claimed: Mapping[str, Any], findings: Findings) -> None:
        self._filter = claimed
        self._findings = findings

    def add(self, shown: Shown) -> None:
        """Look at a record."""
        header = shown.header
        if shown.tallied is not None:
            self._findings.add(shown.line, f"record {shown.index}: `t` belongs into a bundle about a subject")
        if not header or header["k"] in MADE:
            return
        unmet = next((key for key, value in self._filter.items() if not _meets(key, value, shown)), None)
        if unmet is not None:
            self._findings.add(shown.line, f"record {shown.index} does not meet the manifest's filter: {unmet}")

    def finish(self, line: int) -> Sequence[Coverage]:  # noqa: ARG002 - as every scope
        """Nothing more can be said."""
        return ()


_LISTED = {"kinds": "k", "types": "type", "verdicts": "verdict"}


def _meets(key: str, value: Any, shown: Shown) -> bool:
    """Whether a record meets one condition."""
    header, values = shown.header, shown.values
    if key in _LISTED:
        return header.get(_LISTED[key]) in value
    if key == "from_ms":
        return bool(header["ts"] >= value)
    if key == "to_ms":
        return bool(header["ts"] <= value)
    return value in ((values.get("room_id"),) if key == "room" else (values.get("sender"), values.get("target")))
