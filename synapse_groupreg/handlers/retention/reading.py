# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opening what the retention store keeps: rows become records again, with the names and details that are still there.

Searches, exports and erasures read through this; each says itself who reads, and why.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart, Unavailable
from synapse_groupreg.handlers.retention.keys import about, open_period_keys
from synapse_groupreg.handlers.retention.log import origin_of
from synapse_groupreg.retention.records import NAMES, Header, Kind, b64
from synapse_groupreg.retention.sealing import Details, PeriodKeys, Purpose, SealError, unpack
from synapse_groupreg.retention.tree import leaf_hash
from synapse_groupreg.storage.store import Selection, StoreUnavailable
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.storage.store import NameRow, Period, Row
    from synapse_groupreg.storage.store_engine import StoreReader

KINDS = tuple(Kind)
"""By the number under which a kind is stored."""
_IDLE = 2
"""Openers of a log that are kept while nobody reads."""


class Removed(Exception):
    """The period was purged while it was read."""


@frozen(kw_only=True)
class OpenRecord:
    """A record as far as it can still be read."""

    period: Period
    row: Row
    tokens: Mapping[str, str]
    """Of the names: field -> token in this period; erasing a name leaves its token."""
    names: Mapping[str, str | None]
    """Room, sender and target, as far as the record has them; None for what was erased."""
    details: Details

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return KINDS[self.row.kind]

    @property
    def facts(self) -> dict[str, Any] | None:
        """What everybody may read."""
        return None if self.row.facts is None else json.loads(self.row.facts)

    @property
    def values(self) -> dict[str, str]:
        """Every sensitive field that is still there: names and other details."""
        return {**self._known_names, **self.details.values}

    @property
    def erased(self) -> list[str]:
        """The fields of which only the digest is left."""
        return sorted(self.details.erased)

    @property
    def _known_names(self) -> dict[str, str]:
        return {field: name for field, name in self.names.items() if name is not None}

    def header(self) -> Header:
        """The header as it was sealed, rebuilt from what is kept; its text is the leaf of the tree."""
        row = self.row
        return Header(
            kind=self.kind,
            source=row.source,
            position=row.position,
            ts_ms=row.ts_ms,
            type=row.type,
            verdict=row.verdict,
            count=row.times,
            room=self.tokens.get("room_id"),
            room_prev=row.room_prev,
            actor=self.tokens.get("sender"),
            actor_prev=row.actor_prev,
            facts=self.facts,
            digests=self.details.digests(self._known_names),
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is what its hash in the tree was made of; else it was changed in the store."""
        try:
            return leaf_hash(self.header().text().encode()) == self.row.leaf
        except (KeyError, ValueError, IndexError):
            return False

    def disclosures(self, fields: Container[str]) -> list[str]:
        """Disclosures of these fields, as far as they are still there, in the order of their names."""
        shown = sorted(self.values.items())
        return [self.details.disclosure(field, value) for field, value in shown if field in fields]


class Opener:
    """Opens the records of one log. Blocks, and is for one thread at a time, as its reader is."""

    def __init__(self, reader: StoreReader, log: str, server_name: str, keys: LogKeys) -> None:
        self.reader = reader
        self.log = log
        self._server_name = server_name
        self._keys = keys
        self._opened: dict[Period, PeriodKeys] = {}
        self._times: dict[Period, tuple[int | None, int | None]] = {}

    def keys(self, period: Period) -> PeriodKeys:
        """The period's data keys. Raises Removed, SealError, StoreUnavailable."""
        if period not in self._opened:
            rows = self.reader.keys(period)
            if not rows:
                raise Removed
            place = about(origin_of(self._server_name, self.log, period.shard), period.month)
            try:
                opened = open_period_keys(self._keys.ring, place, rows)
            except SealError:
                self._keys.reload()  # another process may have rotated them since ours were read
                opened = open_period_keys(self._keys.ring, place, rows)
            self._opened[period] = opened
        return self._opened[period]

    def times(self, period: Period) -> tuple[int | None, int | None]:
        """Between which times the records of a period are that is not the newest, and so changes no more."""
        if period not in self._times:
            self._times = {one.period: (one.oldest_ms, one.newest_ms) for one in self.reader.periods()[:-1]}
        return self._times.get(period, (None, None))

    def find(self, period: Period, kind: str, name: str) -> NameRow | None:
        """What stands for a `room` or `account` in the period; None where it doesn't occur, or was erased."""
        try:
            return self.reader.find_name(period, kind, self.keys(period).lookup(kind, name))
        except Removed:
            return None

    def open(self, period: Period, rows: Sequence[Row]) -> list[OpenRecord]:
        """These rows of the period, opened, with one look-up of all their names.

        Raises Removed, SealError, StoreUnavailable.
        """
        keys = self.keys(period)
        refs = {ref for row in rows for ref in (row.room, row.actor, row.target) if ref is not None}
        known = {one.ref: one for one in self.reader.names(period, sorted(refs))}
        if len(known) < len(refs):
            self._is_there(period)
        names = {ref: _name(keys, one) for ref, one in known.items()}
        tokens = {ref: b64(one.token) for ref, one in known.items()}
        opened = [_open(keys, period, row, tokens, names) for row in rows]
        # A name that was erased after its row was read: the row says now what the field's digest was.
        return [
            _open(keys, period, self._again(period, one.row), tokens, names) if _overtaken(one) else one
            for one in opened
        ]

    def open_each(self, period: Period, rows: Sequence[Row]) -> list[OpenRecord]:
        """As `open`, for showing: what was changed so that it can't be opened is there with nothing but its row."""
        self.keys(period)  # the wrong key file is no fault of a record
        try:
            return self.open(period, rows)
        except (SealError, ValueError, KeyError, IndexError):
            return [self._open_alone(period, row) for row in rows]

    def _open_alone(self, period: Period, row: Row) -> OpenRecord:
        try:
            return self.open(period, [row])[0]
        except (SealError, ValueError, KeyError, IndexError):
            return OpenRecord(period=period, row=row, tokens={}, names={}, details=Details({}, {}, {}))

    def content(self, record: OpenRecord) -> bytes | None:
        """The content of an event as canonical JSON; None if it is not kept. Raises as `open`."""
        sealed = self.reader.content(record.period, record.row.idx)
        return None if sealed is None else self.keys(record.period).open(Purpose.content, record.row.idx, sealed)

    def close(self) -> None:
        """Let go of the store."""
        self.reader.close()

    def _again(self, period: Period, row: Row) -> Row:
        rows = self.reader.select(period, Selection(since=row.idx, below=row.idx + 1), 1, newest_first=True)
        if not rows:
            raise Removed
        return rows[0]

    def _is_there(self, period: Period) -> None:
        if not self.reader.keys(period):
            raise Removed
        raise SealError(f"the log {self.log} lacks names that records of {period.month} refer to: see groupreg fsck")


class Openers:
    """Openers of each log, lent to one thread at a time."""

    def __init__(self, open_reader: Callable[[str], StoreReader], server_name: str, keys: LogKeys) -> None:
        self._open_reader = open_reader
        self._server_name = server_name
        self._keys = keys
        self._lock = threading.Lock()
        self._idle: dict[str, list[Opener]] = {}

    @contextlib.contextmanager
    def lend(self, log: str) -> Iterator[Opener]:
        """An opener, until the end of the block. Raises Unavailable, also for what goes wrong within the block."""
        opener = None
        try:
            opener = self._take(log)
            yield opener
        except (StoreUnavailable, SealError, CannotStart) as error:
            raise Unavailable(f"The retention store can't be read: {str(error).rstrip('.')}.") from error
        else:
            opener = self._give_back(log, opener)
        finally:
            if opener is not None:
                opener.close()

    def _take(self, log: str) -> Opener:
        with self._lock:
            idle = self._idle.setdefault(log, [])
            if idle:
                return idle.pop()
        return Opener(self._open_reader(log), log, self._server_name, self._keys)

    def _give_back(self, log: str, opener: Opener) -> Opener | None:
        """None if it is kept for the next one."""
        with self._lock:
            idle = self._idle[log]
            if len(idle) >= _IDLE:
                return opener
            idle.append(opener)
            return None


def _name(keys: PeriodKeys, name: NameRow) -> str | None:
    return None if name.sealed is None else keys.open(Purpose.names, name.ref, name.sealed).decode()


def _open(
    keys: PeriodKeys, period: Period, row: Row, tokens: Mapping[int, str], names: Mapping[int, str | None]
) -> OpenRecord:
    refs = {field: ref for field, ref in zip(NAMES, (row.room, row.actor, row.target), strict=True) if ref is not None}
    details = unpack(keys.open(Purpose.details, row.idx, row.sealed), list(refs))
    return OpenRecord(
        period=period,
        row=row,
        tokens={field: tokens[ref] for field, ref in refs.items()},
        # What was erased of this record only is erased, though others still name it.
        names={field: names[ref] if field in details.salts else None for field, ref in refs.items()},
        details=details,
    )


def _overtaken(record: OpenRecord) -> bool:
    return any(name is None and field in record.details.salts for field, name in record.names.items())
