# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes bundles from the retention store, piece by piece: what an authority gets and anybody verifies (article 13.1).

Whom a bundle shows is decided here. Without `identities` only what the export itself names is shown by name; of all
others the header has tokens. What was erased is simply absent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.retention.log import origin_of
from synapse_groupreg.handlers.retention.reading import Removed
from synapse_groupreg.handlers.retention.vouching import vouch
from synapse_groupreg.retention import tree
from synapse_groupreg.retention.bundle import BundleRecord, BundleWriter, Manifest, Subject
from synapse_groupreg.retention.records import FIELDS, KIND_NUMBERS, NAMES, Kind, b64
from synapse_groupreg.retention.tally import tallied
from synapse_groupreg.storage.store import Period, Row, Selection
from synapse_groupreg.storage.store_tree import StoredTree
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.handlers.retention.reading import Opener, OpenRecord
    from synapse_groupreg.policy.record_actions import Export
    from synapse_groupreg.retention.bundle import Anchor
    from synapse_groupreg.storage.store import PeriodInfo

_ALWAYS = frozenset({"event_id", "content_sha256", "redacts", "membership"})
"""Fields that name nobody: they tie a record to what a client or another server has of the same event."""
_EVERY = frozenset({*NAMES, *FIELDS})
_PAGE = 1000
_CHUNK = 128 * 1024
"""Bytes that are handed on together, at least."""
_CLOSE, _TALLY = KIND_NUMBERS[Kind.close], KIND_NUMBERS[Kind.tally]


@frozen(kw_only=True)
class Part:
    """One bundle of an export: what it takes from one shard, as of one checkpoint."""

    shard: int
    size: int
    """Records that the checkpoint covers."""
    note: str
    first: int
    """In mode `range`, the first index; else of no meaning."""
    end: int
    """In mode `range`, the one after the last."""
    records: int | None = None
    """How many it has, roughly, for who waits; None if that isn't known."""


@frozen(kw_only=True)
class Said:
    """What a bundle says of who made it, and what for."""

    by: str
    made_ms: int
    anchors: Sequence[Anchor] = ()


def parts_of(opener: Opener, wanted: Export) -> list[Part]:
    """The bundles that an export comes to, the oldest shard first. Raises NotFound if nothing is to be shown."""
    reader = opener.reader
    found = []
    for shard in sorted({info.period.shard for info in reader.periods()}):
        for size, note in reader.checkpoints(shard):
            part = Part(shard=shard, size=size, note=note, first=0, end=size)
            found += _Selecting(opener, wanted, part).narrowed()
    if not found:
        raise NotFound(f"The log {wanted.log} has no records of what was asked for; removed ones can't be exported.")
    by_index = wanted.mode == "range" and (wanted.first, wanted.end) != (None, None)
    return found[-1:] if by_index else found


def bundle(
    opener: Opener, wanted: Export, part: Part, said: Said, *, server_name: str, keys: LogKeys
) -> Iterator[bytes]:
    """The bundle, in pieces. Keeps the records' indexes and, at the end, their proof; nothing else of them.

    Raises Conflict if what was to be shown was removed meanwhile; then what came before is no bundle.
    """
    origin = origin_of(server_name, wanted.log, part.shard)
    voucher = vouch(opener.reader, keys, origin, part.note, shard=part.shard, now_ms=said.made_ms)
    writer = BundleWriter()
    selecting = _Selecting(opener, wanted, part)
    manifest = Manifest(
        origin=origin,
        log=wanted.log,
        mode=wanted.mode,
        subject=selecting.subject if wanted.mode == "subject" else None,
        range=(part.first, part.end) if wanted.mode == "range" else None,
        filter=selecting.conditions() if wanted.mode == "filter" else None,
        case=wanted.case,
        basis=wanted.basis,
        by=said.by,
        # The clock of another process may be behind the one that endorsed the key.
        made_ms=max(said.made_ms, int(voucher.endorsement["valid_from_ms"])),
        identities=wanted.identities,
        checkpoint=voucher.note,
        vkey=voucher.vkey,
        endorsement=voucher.endorsement,
        anchors=said.anchors,
    )
    try:
        yield from _gathered(writer, writer.begin(manifest), selecting.records())
        proof = tree.multiproof(writer.indexes, part.size, StoredTree(opener.reader, part.shard).node)
    except (Removed, KeyError, tree.TreeError):
        raise Conflict("Records of this export were removed, as their time was up: ask for it anew.") from None
    yield writer.end(proof, keys.sign)


def _gathered(writer: BundleWriter, begun: bytes, records: Iterator[BundleRecord]) -> Iterator[bytes]:
    lines, size = [begun], len(begun)
    for record in records:
        lines.append(writer.record(record))
        size += len(lines[-1])
        if size >= _CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


class _Selecting:
    """Which records a part has, and what of them is shown."""

    def __init__(self, opener: Opener, wanted: Export, part: Part) -> None:
        self._opener = opener
        self._reader = opener.reader
        self._wanted = wanted
        self._part = part
        self._named = {name for name in (wanted.room_id, wanted.user_id) if name is not None}
        self._fields = _EVERY if wanted.identities else _ALWAYS

    @property
    def subject(self) -> Subject:
        """Whom the bundle is about."""
        wanted = self._wanted
        if wanted.room_id is not None:
            return Subject("room", wanted.room_id)
        assert wanted.user_id is not None
        return Subject("account", wanted.user_id)

    def conditions(self) -> dict[str, Any]:
        """The filter, as the manifest says it."""
        wanted = self._wanted
        given: dict[str, Any] = {
            "room": wanted.room_id,
            "account": wanted.user_id,
            "kinds": [*wanted.kinds] or None,
            "types": [*wanted.types] or None,
            "verdicts": [*wanted.verdicts] or None,
            "from_ms": wanted.from_ms,
            "to_ms": wanted.to_ms,
        }
        return {name: value for name, value in given.items() if value is not None}

    def narrowed(self) -> list[Part]:
        """The part, if it has anything to show; in mode `range`, with its bounds."""
        if self._wanted.mode == "range":
            return self._ranged()
        selections = [*self._selections()]
        if not any(self._reader.select(info.period, one, 1, newest_first=True) for info, one in selections):
            return []
        if self._wanted.mode == "filter":
            return [self._part]
        kind, field = self.subject.kind, "room" if self.subject.kind == "room" else "actor"
        counts = [self._reader.count_of(info.period, kind, getattr(one, field)) for info, one in selections]
        return [attrs.evolve(self._part, records=sum(counts) + len(counts))]

    def records(self) -> Iterator[BundleRecord]:
        """The lines of the bundle."""
        if self._wanted.mode == "range" and self._part.first < self._removed():
            raise Removed
        for info, selection in self._selections():
            if self._wanted.mode == "subject":
                yield from self._of_subject(info, selection)
            else:
                for rows in self._pages(info.period, selection):
                    yield from self._shown(info.period, rows)
            if not self._reader.keys(info.period):
                raise Removed  # a period that goes reads as empty

    # Which records.

    def _removed(self) -> int:
        return self._reader.bases().get(self._part.shard, (0, ()))[0]

    def _infos(self) -> list[PeriodInfo]:
        shard, size = self._part.shard, self._part.size
        return [info for info in self._reader.periods() if info.period.shard == shard and info.first < size]

    def _ranged(self) -> list[Part]:
        """From indexes or times to indexes, all of which are there."""
        wanted, part, removed = self._wanted, self._part, self._removed()
        if wanted.first is wanted.end is wanted.from_ms is wanted.to_ms is None:
            first, end = removed, part.size
        elif wanted.from_ms is None and wanted.to_ms is None:
            first = removed if wanted.first is None else wanted.first
            end = part.size if wanted.end is None else wanted.end
        else:
            first, end = self._between()
        bounds = attrs.evolve(part, first=first, end=end, records=end - first)
        return [bounds] if removed <= first < end <= part.size else []

    def _between(self) -> tuple[int, int]:
        """All records between the first and the last one of a time: times need not ascend, and none is left out."""
        wanted = Selection(from_ms=self._wanted.from_ms, to_ms=self._wanted.to_ms, below=self._part.size)
        ends = [
            rows[0].idx
            for newest_first in (False, True)
            for info in self._infos()
            if (rows := self._reader.select(info.period, wanted, 1, newest_first=newest_first))
        ]
        return (min(ends), max(ends) + 1) if ends else (0, 0)

    def _selections(self) -> Iterator[tuple[PeriodInfo, Selection]]:
        """For each period that may have something, what to select there."""
        for info in self._infos():
            selection = self._in_range() if self._wanted.mode == "range" else self._in_period(info)
            if selection is not None:
                yield info, selection

    def _in_range(self) -> Selection:
        return Selection(since=self._part.first, below=self._part.end)

    def _in_period(self, info: PeriodInfo) -> Selection | None:
        """With the numbers that names have in the period; None if one of them isn't in it."""
        wanted, subject = self._wanted, self._wanted.mode == "subject"
        refs: dict[str, Any] = {}
        for kind, name in (("room", wanted.room_id), ("account", wanted.user_id)):
            found = None if name is None else self._opener.find(info.period, kind, name)
            if name is not None and found is None:
                return None
            if found is not None:
                refs["actor" if subject and kind == "account" else kind] = found.ref
        if subject:
            return Selection(**refs, below=self._part.size) if self._overlaps(info) else None
        return Selection(
            **refs,
            kinds=[KIND_NUMBERS[Kind(kind)] for kind in wanted.kinds],
            types=wanted.types,
            verdicts=wanted.verdicts,
            from_ms=wanted.from_ms,
            to_ms=wanted.to_ms,
            below=self._part.size,
        )

    def _overlaps(self, info: PeriodInfo) -> bool:
        """A subject is shown whole periods of, or nothing would show that none is missing."""
        wanted = self._wanted
        late = wanted.to_ms is not None and info.oldest_ms is not None and info.oldest_ms > wanted.to_ms
        early = wanted.from_ms is not None and info.newest_ms is not None and info.newest_ms < wanted.from_ms
        return not late and not early

    def _pages(self, period: Period, selection: Selection, *, newest_first: bool = False) -> Iterator[Sequence[Row]]:
        while rows := self._reader.select(period, selection, _PAGE, newest_first=newest_first):
            yield rows
            if len(rows) < _PAGE:
                return
            last = rows[-1].idx
            going_on: dict[str, Any] = {"below": last} if newest_first else {"since": last + 1}
            selection = attrs.evolve(selection, **going_on)

    # What is shown of them.

    def _of_subject(self, info: PeriodInfo, selection: Selection) -> Iterator[BundleRecord]:
        """All records of the subject in a period, and what shows that none is missing."""
        found = self._opener.find(info.period, self.subject.kind, self.subject.name)
        if found is None:
            raise Removed
        token = bytes(found.token)
        close = self._close(info)
        tally = None if close else self._tally(info, b64(token))
        for rows in self._with(tally, self._pages(info.period, selection)):
            yield from self._shown(info.period, rows)
        if close:
            [shown] = self._shown(info.period, [close])
            yield attrs.evolve(shown, tallied=tallied(self._reader.tallies(info.period), token))

    @staticmethod
    def _with(one: Row | None, pages: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """The same rows and one more, in the order of the log."""
        for rows in pages:
            if one is None or one.idx > rows[-1].idx:
                yield rows
            else:
                yield sorted([*rows, one], key=lambda row: row.idx)
                one = None
        if one is not None:
            yield [one]

    def _close(self, info: PeriodInfo) -> Row | None:
        """What ends the period, if the checkpoint covers it."""
        if not info.closed or info.end > self._part.size:
            return None
        last = Selection(since=info.end - 1, below=info.end)
        return next(iter(self._reader.select(info.period, last, 1, newest_first=True)), None)

    def _tally(self, info: PeriodInfo, token: str) -> Row | None:
        """The newest count of the token's records in a period that is open."""
        wanted = Selection(kinds=(_TALLY,), below=self._part.size)
        for rows in self._pages(info.period, wanted, newest_first=True):
            for row in rows:
                if json.loads(row.facts or "{}").get("token") == token:
                    return row
        return None

    def _shown(self, period: Period, rows: Sequence[Row]) -> Iterator[BundleRecord]:
        for record in self._opener.open(period, rows):
            if self._wanted.mode != "filter" or self._shows_names(record):
                yield self._record(record)

    def _shows_names(self, record: OpenRecord) -> bool:
        """Whether a record can still be shown to be of whom the filter names."""
        wanted, names = self._wanted, record.names
        room = wanted.room_id is None or names.get("room_id") == wanted.room_id
        return room and (wanted.user_id is None or wanted.user_id in (names.get("sender"), names.get("target")))

    def _record(self, record: OpenRecord) -> BundleRecord:
        named = {field for field, name in record.names.items() if name in self._named}
        return BundleRecord(
            index=record.row.idx,
            header=record.header().text(),
            disclosures=record.disclosures(self._fields | named),
            content=self._content(record),
        )

    def _content(self, record: OpenRecord) -> str | None:
        # Without what its digest was checked against, content would be anybody's word.
        if not self._wanted.content or "content_sha256" not in record.details.values:
            return None
        content = self._opener.content(record)
        return None if content is None else content.decode()
