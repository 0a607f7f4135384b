# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Derives one period's records again: each hash from its fields, each chain, each name, and the tally at its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs
from typing_extensions import override

from synapse_groupreg.retention.records import KIND_NUMBERS, Kind, b64, unb64
from synapse_groupreg.retention.sealing import Purpose, SealError
from synapse_groupreg.retention.tally import tally_root
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers.retention.reading import Opener, OpenRecord
    from synapse_groupreg.storage.store import Period, PeriodInfo, Row

MOST = 100
"""Faults of different kinds that are listed."""
PLACES = 5
"""Of several of a kind, the further places that are named."""
BACKUP = "put the period back from a backup in which `groupreg fsck` finds nothing"
_NUMBER = re.compile(r"\d+(-\d+)*|None")
_KEYS = Selection(kinds=(KIND_NUMBERS[Kind.key],))
_MANY = 1000
SERVER = "tell who develops synapse_groupreg: the store is as it was written, and was written wrongly"


@frozen(kw_only=True)
class Fault:
    """Something that is not what it should be, at one place or at several."""

    where: str
    """The first place."""
    text: str
    help: str
    count: int = 1
    """At how many places the same is wrong."""
    places: tuple[str, ...] = ()
    """The next few."""

    @override
    def __str__(self) -> str:
        further = self.count - 1
        if not further:
            return f"{self.where} {self.text}; {self.help}."
        rest = ", …" if further > len(self.places) else ""
        return f"{self.where} {self.text} (and {further:,} more: {', '.join(self.places)}{rest}); {self.help}."


class Faults:
    """All that were found in a log, those of a kind together."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._kinds: dict[tuple[str, str, str], Fault] = {}
        self.more = False

    @property
    def found(self) -> tuple[Fault, ...]:
        """In the order in which the first of each kind was found."""
        return tuple(self._kinds.values())

    def add(self, where: str, text: str, help_: str) -> None:
        """Note one; only its count, if the same was found at many places."""
        kind = (_kind(where), _kind(text), help_)
        before = self._kinds.get(kind)
        if before is not None:
            places = before.places if len(before.places) == PLACES else (*before.places, where)
            self._kinds[kind] = attrs.evolve(before, count=before.count + 1, places=places)
        elif len(self._kinds) == MOST:
            self.more = True
        else:
            self._kinds[kind] = Fault(where=f"{self._log}: {where}", text=text, help=help_)


def _kind(text: str) -> str:
    """A text without its numbers, in which alone faults of a kind differ."""
    return _NUMBER.sub("0", text)


def vkeys(opener: Opener, period: Period) -> set[str]:
    """The keys that a period's records name, as far as these are what their hashes were made of.

    Raises Removed, SealError, StoreUnavailable.
    """
    rows = opener.reader.select(period, _KEYS, _MANY, newest_first=False)
    opened = opener.open(period, rows)
    return {str((one.facts or {}).get("vkey")) for one in opened if one.is_whole}


class PeriodCheck:
    """Takes a period's rows in order of index."""

    def __init__(self, opener: Opener, info: PeriodInfo, faults: Faults, positions: dict[str, int]) -> None:
        """`positions`: the last one of each source, which goes on in the next period."""
        self._opener = opener
        self._info = info
        self._faults = faults
        self._positions = positions
        self._next = info.first
        self._chains: dict[str, dict[int, list[int]]] = {"room": {}, "actor": {}}
        """Of each room and, as actor, each account: the newest record, and how many."""
        self._refs: dict[int, str] = {}
        """Names that were looked at, and their tokens."""
        self._tokens: set[str] = set()
        self._close: OpenRecord | None = None
        self.vkeys: set[str] = set()
        """Keys that records name."""

    def add(self, rows: Sequence[Row]) -> None:
        """Check these rows. Raises Removed, StoreUnavailable."""
        self._names(rows)
        for row, record in zip(rows, self._opened(rows), strict=True):
            self._order(row)
            if record is not None and self._is_right(record):
                self._own(record)

    def finish(self) -> None:
        """What can be said only of the whole."""
        info = self._info
        if self._next != info.end:
            self._missing(info.end)
        at_end = self._close is not None and self._close.row.idx == info.end - 1
        if info.closed and not at_end:
            self._faults.add(info.period.month, "is closed, and its last record does not close it", BACKUP)
        after = Selection(since=info.end)
        beyond = info.closed and self._opener.reader.select(info.period, after, 1, newest_first=False)
        if beyond:
            self._faults.add(info.period.month, f"has a record {beyond[0].idx} after its end", BACKUP)

    def _fault(self, row: Row, text: str, help_: str = BACKUP) -> None:
        self._faults.add(f"record {row.idx} ({self._info.period.month})", text, help_)

    def _missing(self, until: int) -> None:
        what = f"record {self._next} is" if until == self._next + 1 else f"records {self._next} to {until - 1} are"
        self._faults.add(self._info.period.month, f"is not whole: {what} missing", BACKUP)

    # Opening.

    def _opened(self, rows: Sequence[Row]) -> Sequence[OpenRecord | None]:
        """The rows, opened together; one by one if that fails, to find which can't be."""
        try:
            return self._opener.open(self._info.period, rows)
        except (SealError, ValueError, KeyError, IndexError):
            return [self._opened_alone(row) for row in rows]

    def _opened_alone(self, row: Row) -> OpenRecord | None:
        try:
            return self._opener.open(self._info.period, [row])[0]
        except (SealError, ValueError, KeyError, IndexError) as error:
            said = str(error) if isinstance(error, SealError) else "it is not what is written"
            self._fault(row, f"can't be opened: {said}", f"{BACKUP}, or the right key file beside it")
            return None

    def _names(self, rows: Sequence[Row]) -> None:
        """Names that these rows are the first to mention: each is found by what it is called, and has a token."""
        period, keys = self._info.period, self._opener.keys(self._info.period)
        refs = {ref for row in rows for ref in (row.room, row.actor, row.target) if ref is not None} - self._refs.keys()
        for name in self._opener.reader.names(period, sorted(refs)):
            token = b64(bytes(name.token))
            self._refs[name.ref] = token
            if token in self._tokens:
                self._faults.add(f"name {name.ref} ({period.month})", "has the token of another name", BACKUP)
            self._tokens.add(token)
            try:
                right = name.sealed is None or name.lookup == keys.lookup(
                    name.kind, keys.open(Purpose.names, name.ref, name.sealed).decode()
                )
            except (SealError, ValueError):
                right = False
            if not right:
                text = "can't be opened, or is not found by what it is called: a search would miss its records"
                self._faults.add(f"name {name.ref} ({period.month})", text, BACKUP)

    # Checking.

    def _order(self, row: Row) -> None:
        if row.idx != self._next:
            self._missing(row.idx)
        self._next = row.idx + 1
        before = self._positions.get(row.source)
        if before is not None and row.position <= before:
            text = f"is at position {row.position} of {row.source}, after one at {before}: it was taken twice, or moved"
            self._fault(row, text, SERVER)
        self._positions[row.source] = row.position
        if row.room is not None:
            self._follow(row, "room", row.room, row.room_prev)
        if row.actor is not None:
            self._follow(row, "actor", row.actor, row.actor_prev)

    def _follow(self, row: Row, kind: str, ref: int, said: int | None) -> None:
        """The record before of the same room or actor is the one that the row names."""
        chain = self._chains[kind].get(ref)
        last = None if chain is None else chain[0]
        if said != last:
            self._fault(row, f"names record {said} as the one before of the same {kind}, and that is record {last}")
        if chain is None:
            self._chains[kind][ref] = [row.idx, 1]
        else:
            chain[0] = row.idx
            chain[1] += 1

    def _is_right(self, record: OpenRecord) -> bool:
        right = record.is_whole
        if not right:
            self._fault(record.row, "is not what its hash was made of: it was changed in the store")
        return right

    def _own(self, record: OpenRecord) -> None:
        """What the log records of itself."""
        if self._close is not None:
            self._fault(record.row, "comes after the one that closes the period")
        if record.kind is Kind.key:
            self.vkeys.add(str((record.facts or {}).get("vkey")))
        if record.kind is Kind.close:
            self._close = record
            self._closing(record)

    def _closing(self, record: OpenRecord) -> None:
        tallies = {
            (unb64(self._refs[ref]), "room" if kind == "room" else "account", count, last)
            for kind, chains in self._chains.items()
            for ref, (last, count) in chains.items()
            if ref in self._refs
        }
        if len({token for token, *_ in tallies}) != len(tallies):
            return  # two names share a token, which was said
        tokens, root = tally_root(sorted(tallies))
        first = self._info.first
        derived = {"first": first, "count": record.row.idx - first, "tokens": tokens, "tally": b64(root)}
        if record.facts != derived:
            text = "does not count the records of its period as they are: some were added, removed or given to others"
            self._fault(record.row, text)
