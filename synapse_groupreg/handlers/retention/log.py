# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The writer of one log: seals what sources hand in, keeps the tree and the cursors with it, signs checkpoints."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.retention.keys import about, new_period_keys, open_period_keys, unwrapped, wrapped
from synapse_groupreg.handlers.retention.published import Behind, check, lacks, latest, shard_of
from synapse_groupreg.handlers.retention.sealer import Sealer
from synapse_groupreg.retention import notes, tree
from synapse_groupreg.retention.records import KIND_NUMBERS, Entry, Kind, b64
from synapse_groupreg.retention.tally import tally_root
from synapse_groupreg.storage.store import Batch, Block, Head, Period, Selection
from synapse_groupreg.storage.store_tree import StoredTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.handlers.retention.published import Published
    from synapse_groupreg.storage.store import Row
    from synapse_groupreg.storage.store_engine import Store, StoreReader

OWN = "log"
"""The source of what a log records of itself; its positions are indexes."""
_BLOCK = 1 << tree.BLOCK_LEVEL


def origin_of(server_name: str, log: str, shard: int) -> str:
    """What the checkpoints of a shard are signed as."""
    return f"{server_name}/retention/{log}" + (f"/{shard}" if shard > 1 else "")


def month_of(now_ms: int) -> str:
    """The month in UTC, like 2026-11."""
    return time.strftime("%Y-%m", time.gmtime(now_ms / 1000))


class Log:
    """One log while this process owns it. Everything here blocks: for one thread at a time.

    After any error the log must be opened anew: what was not committed is read from its sources again.
    """

    def __init__(self, name: str, store: Store, server_name: str, keys: LogKeys, published: Published) -> None:
        self.name = name
        self._store = store
        self.server_name = server_name
        self._keys = keys
        self._published = published
        self._head: Head | None = None
        self._frontier = tree.Frontier()
        self._sealer: Sealer | None = None
        self.takes_space = True
        """Whether what was removed may take some yet: a crash may have left something."""
        self._block_ms: tuple[int, int] | None = None
        """Oldest and newest time in the block that is not complete yet."""
        self.signed_size = 0
        """How many records the newest checkpoint covers."""
        self.signed: notes.Checkpoint | None = None
        """The newest checkpoint that is known outside of the store; while it lacks its end: what it lacks."""

    @property
    def head(self) -> Head:
        """Where it stands. Only after `open`."""
        assert self._head is not None, "the log is not open"
        return self._head

    @property
    def keys(self) -> LogKeys:
        """What seals and signs it."""
        return self._keys

    @property
    def reader(self) -> StoreReader:
        """What is in it, for whoever uses the log."""
        return self._store

    @property
    def origin(self) -> str:
        """What its checkpoints are signed as."""
        return origin_of(self.server_name, self.name, self.head.period.shard)

    def is_empty(self) -> bool:
        """Whether the store has nothing of this log yet. Raises StoreUnavailable."""
        return self._store.head() is None

    def open(self, now_ms: int, cursors: Mapping[str, int], remembered: notes.Checkpoint | None = None) -> None:
        """Become the owner. `cursors`: from where a log that is empty takes its sources; `remembered`: signed before.

        Raises Behind, Fenced, StoreUnavailable, SealError.
        """
        head = self._store.acquire()
        published = self._published.newest(self.name)
        self.signed = latest(published, remembered)
        if head is None and self.signed is not None:
            raise Behind(lacks(self.name, 0, self.signed.size))
        if head is None:
            self._begin(None, 1, now_ms, cursors)
        else:
            self._take(head)
            self._check(published)
            # After a crash, or an older backup of where it is remembered, that may be an earlier shard: it was gone on.
            if remembered is not None and shard_of(remembered.origin) >= head.period.shard:
                self._check(remembered)
        if self.head.size == 0:
            self._append([self._key_entry(now_ms)], {})

    def reopen_as_next_shard(self, now_ms: int) -> None:
        """On an operator's word: go on in a new shard, which begins by naming the end that was lost.

        A log never signs what contradicts its checkpoints (C2SP tlog-checkpoint). Raises StoreUnavailable.
        """
        lost = self.signed
        assert lost is not None, "nothing was published, so nothing was lost"
        head, last = self._store.acquire(), shard_of(lost.origin)
        if head is not None and head.period.shard > last:
            self._take(head)  # a crash left it begun
        else:
            # INVARIANT: no shard's number is used twice, also where the whole store was lost: see above.
            cursors = {} if head is None else head.cursors
            self._begin(head, 1 + max(last, 0 if head is None else head.period.shard), now_ms, cursors)
        if self.head.size == 0:
            facts = {"origin": lost.origin, "size": lost.size, "root": b64(lost.root)}
            key = attrs.evolve(self._key_entry(now_ms), position=1)
            self._append([self._own(Kind.epoch, now_ms, facts), key], {})
        self._published.forget(self.name)

    def append(self, entries: Sequence[Entry], cursors: Mapping[str, int], now_ms: int) -> None:
        """Store these, and how far their sources were taken with them. Returns once they are on disk.

        Raises Fenced, StoreUnavailable.
        """
        if entries:
            self.roll(now_ms)  # else a log in which nothing happens stays as old as its newest record
        self._append(entries, cursors)

    def roll(self, now_ms: int) -> None:
        """Close the period and begin the next, if it is another month."""
        if month_of(now_ms) > self.head.period.month:
            self._roll(now_ms)

    def tally(self, kind: str, name: str, now_ms: int) -> None:
        """Record how often a room or account stands in the period so far, so that an export can prove it is whole."""
        assert self._sealer is not None
        found = self._sealer.find(kind, name)
        if found is not None:
            count = self._store.count_of(self.head.period, kind, found.ref)
            facts = {"token": found.token, "kind": kind, "count": count, "last": found.last}
            self._append([self._own(Kind.tally, now_ms, facts)], {})

    def checkpoint(self) -> str | None:
        """Sign where the log stands, unless that was signed. Answers the note if it is new. Raises Behind."""
        if self.signed_size == self.head.size:
            return None
        # INVARIANT: what is signed is on disk, or a crash would make of re-read sources another tree.
        signed = notes.Checkpoint(self.origin, self.head.size, self._frontier.root())
        note = notes.sign(signed.text, notes.Key(self.origin, self._keys.public), self._keys.sign)
        self._store.put_checkpoint(self.head, self.head.size, note)
        self._published.keep(self.name, note)
        self.signed, self.signed_size = signed, signed.size
        return note

    def purge(self, drop: Sequence[Period], end: int, now_ms: int) -> None:
        """Remove the oldest periods, of one shard, with its records below `end`; later ones stay provable.

        `free` gives back what they took on the disk.
        """
        shard, after = drop[-1].shard, attrs.evolve(self.head, purged_ms=now_ms)
        base = (end, tuple(StoredTree(self._store, shard).frontier(end).hashes))
        if shard == after.period.shard:
            after = attrs.evolve(after, base_size=base[0], base=base[1])
        self._head = self._store.purge(self.head, drop, after, None if shard == after.period.shard else {shard: base})
        self.takes_space = True

    def free(self) -> None:
        """Give back what removed periods took; any thread may, while others use the log. Raises StoreUnavailable."""
        self.takes_space = False
        try:
            self._store.free()
        except BaseException:
            self.takes_space = True
            raise

    def root(self, shard: int, size: int) -> bytes:
        """The root when a shard had so many records."""
        return StoredTree(self._store, shard).root(size)

    def rewrap(self) -> None:
        """Wrap the data keys of all periods by the newest wrapping key. Raises SealError, Fenced, StoreUnavailable."""
        ring = self._keys.ring
        for info in self._store.periods():
            rows = self._store.keys(info.period)
            if any(row.wrapped_by != ring.keys[0].id for row in rows):
                place = about(origin_of(self.server_name, self.name, info.period.shard), info.period.month)
                fresh = [wrapped(ring, place, row.purpose, unwrapped(ring, place, row)) for row in rows]
                self._store.rewrap(self.head, info.period, fresh)

    def note_key(self, now_ms: int) -> None:
        """Record the key that signs, unless that is the one that was recorded last."""
        if last_vkey(self._store, self.head.period.shard) != notes.Key(self.origin, self._keys.public).vkey:
            self._append([self._key_entry(now_ms)], {})

    def erase(self, period: Period, names: Sequence[int], sealed: Sequence[tuple[int, bytes]]) -> None:
        """Forget names of a period, and put what is left of records; no proof changes."""
        self._store.erase(self.head, period, names, sealed)
        if period == self.head.period:
            self._take(self.head)  # whoever was forgotten and comes again gets another token

    def close(self) -> None:
        """Sign the end, and let go."""
        if self._head is not None:
            self.checkpoint()
        self.release()

    def release(self) -> None:
        """Let go of the store as it is."""
        self._store.close()

    def _take(self, head: Head) -> None:
        self._head = head
        self._frontier = tree.Frontier(head.size, head.frontier)
        place = about(self.origin, head.period.month)
        keys = open_period_keys(self._keys.ring, place, self._store.keys(head.period))
        self._sealer = Sealer(self._store, head.period, keys)
        self._block_ms = self._times_since(head.size - head.size % _BLOCK)
        checkpoints = self._store.checkpoints(head.period.shard)
        self.signed_size = checkpoints[0][0] if checkpoints else 0

    def _check(self, signed: notes.Checkpoint | None) -> None:
        check(self.name, self.head, self.origin, signed, lambda size: self.root(self.head.period.shard, size))

    def _begin(self, before: Head | None, shard: int, now_ms: int, cursors: Mapping[str, int]) -> None:
        """Begin a period; another shard begins at index 0."""
        month = month_of(now_ms)
        same = before is not None and before.period.shard == shard
        size = before.size if before is not None and same else 0
        after = Head(
            epoch=0 if before is None else before.epoch,
            period=Period(shard, month),
            first=size,
            size=size,
            frontier=before.frontier if before is not None and same else (),
            cursors=dict(cursors),
            closed=False,
            base=before.base if before is not None and same else (),
            base_size=before.base_size if before is not None and same else 0,
            newest_ms=0 if before is None else before.newest_ms,
            purged_ms=0 if before is None else before.purged_ms,
        )
        place = about(origin_of(self.server_name, self.name, shard), month)
        self._take(self._store.begin(before, after, new_period_keys(self._keys.ring, place)))

    def _roll(self, now_ms: int) -> None:
        if not self.head.closed:
            self._append([self._close_entry(now_ms)], {}, closing=True)
        self._begin(self.head, self.head.period.shard, now_ms, self.head.cursors)

    def _append(self, entries: Sequence[Entry], cursors: Mapping[str, int], *, closing: bool = False) -> None:
        assert self._sealer is not None
        head, frontier = self.head, self._frontier
        rows, names = self._sealer.seal(entries, head.size)
        completed = frontier.extend(row.leaf for row in rows)
        after = attrs.evolve(
            head,
            size=frontier.size,
            frontier=tuple(frontier.hashes),
            cursors={**head.cursors, **cursors},
            closed=closing,
            newest_ms=max((head.newest_ms, *(row.ts_ms for row in rows))),
        )
        blocks = self._blocks(completed, rows)
        self._head = self._store.append(head, Batch(rows=rows, names=names, blocks=blocks, after=after))

    def _blocks(self, completed: Sequence[tuple[int, bytes]], rows: Sequence[Row]) -> list[Block]:
        """The completed blocks with their times; remembers those of the block that stays open."""
        made, at, times = [], 0, self._block_ms
        for number, node in completed:
            end = (number + 1) * _BLOCK - rows[0].idx
            first_ms, last_ms = _span(times, rows[at:end])
            made.append(Block(number, node, first_ms, last_ms))
            at, times = end, None
        self._block_ms = _span(times, rows[at:]) if times or rows[at:] else None
        return made

    def _times_since(self, start: int) -> tuple[int, int] | None:
        times = None
        for info in self._store.periods()[-2:]:
            if info.period.shard == self.head.period.shard:
                rows = self._store.select(info.period, Selection(since=start), _BLOCK, newest_first=False)
                times = _span(times, rows) if times or rows else None
        return times

    def _own(self, kind: Kind, now_ms: int, facts: dict[str, Any]) -> Entry:
        return Entry(kind=kind, source=OWN, position=self.head.size, ts_ms=now_ms, facts=facts)

    def _key_entry(self, now_ms: int) -> Entry:
        return self._own(Kind.key, now_ms, self.endorsed_key(now_ms))

    def endorsed_key(self, now_ms: int) -> dict[str, Any]:
        """The key that signs checkpoints, and the homeserver's word for it."""
        vkey = notes.Key(self.origin, self._keys.public).vkey
        return {"vkey": vkey, "endorsement": self._keys.endorse(self.origin, vkey, now_ms)}

    def _close_entry(self, now_ms: int) -> Entry:
        head = self.head
        tokens, root = tally_root(self._store.tallies(head.period))
        facts = {
            "first": head.first,
            "count": head.size - head.first,
            "tokens": tokens,
            "tally": b64(root),
        }
        return self._own(Kind.close, now_ms, facts)


def last_vkey(reader: StoreReader, shard: int) -> str | None:
    """The key that a shard's newest key record names; None if that was removed."""
    for info in reversed(reader.periods()):
        if info.period.shard == shard:
            keys = Selection(kinds=[KIND_NUMBERS[Kind.key]])
            for row in reader.select(info.period, keys, 1, newest_first=True):
                return str(json.loads(row.facts or "{}").get("vkey"))
    return None


def _span(times: tuple[int, int] | None, rows: Sequence[Row]) -> tuple[int, int]:
    every = [*(times or ()), *(row.ts_ms for row in rows)]
    return min(every), max(every)
