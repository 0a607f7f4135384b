# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads a whole log and derives again all that the store says of it (article 13.2): what `groupreg fsck` does.

Each record's hash from its fields, the tree from the hashes, the roots that checkpoints signed, who stood how often in
a period, and in which order things were taken from their sources. It changes nothing, and may run beside the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.handlers.retention.checking_period import BACKUP, Faults, PeriodCheck, vkeys
from synapse_groupreg.handlers.retention.log import OWN, last_vkey, origin_of
from synapse_groupreg.handlers.retention.reading import Removed
from synapse_groupreg.retention import ed25519, notes, tree
from synapse_groupreg.retention.sealing import SealError
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.storage.store_tree import StoredTree
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from synapse_groupreg.handlers.retention.checking_period import Fault
    from synapse_groupreg.handlers.retention.reading import Opener
    from synapse_groupreg.storage.store import Head, PeriodInfo, Row

EPOCH = (
    "if a backup has them, put it back; if they are lost, go on in a new shard by `groupreg retention epoch`, which is"
    " recorded"
)
KEY = (
    "put the original file back; if the keys are being renewed right now, as groupreg status says, run this again when"
    " that is done"
)
_EVERY = 1_000_000_000
_PAGE = 2000
_BLOCK = 1 << tree.BLOCK_LEVEL


@frozen(kw_only=True)
class Checked:
    """What came of it."""

    faults: Sequence[Fault]
    more: bool
    """Whether there were more faults than are listed."""
    records: int
    checkpoints: int
    unknown: int
    """Checkpoints of the right root whose key is named by no record that is left."""


class LogCheck:
    """Checks one log."""

    def __init__(self, opener: Opener, server_name: str, public: bytes, published: notes.Checkpoint | None) -> None:
        """`public` is the key that signs now; `published` the last checkpoint that is kept outside of the store.

        Read the latter before: the log may grow meanwhile.
        """
        self.opener = opener
        self.reader = opener.reader
        self.server_name = server_name
        self.public = public
        self.published = published
        self.faults = Faults(opener.log)
        self.records = self.checkpoints = self.unknown = 0
        self.head, self._infos = self._snapshot()

    @property
    def size(self) -> int:
        """How many records there are to check."""
        return sum(info.end - info.first for info in self._infos)

    def run(self, progress: Callable[[int], None], months: Collection[str] = ()) -> Checked:
        """Check everything, or only the periods of these months. Raises Removed, SealError, StoreUnavailable."""
        if self.head is None:
            if self.published is not None:
                size = self.published.size
                self.faults.add("the store", f"is empty, and a checkpoint of {size} records was published", EPOCH)
        elif self.published is None and self.reader.checkpoints(self.head.period.shard):
            text = "is missing, so nobody would notice if the end of the log were cut off"
            self.faults.add("the published checkpoint's file", text, "it comes back with the next checkpoint")
        if self.head is not None:
            self._compare_key(self.head.period.shard)
        for shard in sorted({info.period.shard for info in self._infos}):
            infos = [info for info in self._infos if info.period.shard == shard]
            _ShardCheck(self, shard, infos).run(progress, months)
        return Checked(
            faults=self.faults.found,
            more=self.faults.more,
            records=self.records,
            checkpoints=self.checkpoints,
            unknown=self.unknown,
        )

    def _compare_key(self, shard: int) -> None:
        """The key in the file is the one that the log named last."""
        named = last_vkey(self.reader, shard)
        if named not in (None, notes.Key(origin_of(self.server_name, self.opener.log, shard), self.public).vkey):
            text = "is not the one that the log named last, so what it signs from now on nobody can verify"
            self.faults.add("the key in retention-signing.key", text, KEY)

    def _snapshot(self) -> tuple[Head | None, list[PeriodInfo]]:
        """Head and periods that agree, though somebody may write."""
        while True:
            infos, head = self.reader.periods(), self.reader.head()
            if head is None or (infos and (infos[-1].period, infos[-1].end) == (head.period, head.size)):
                return head, infos


class _ShardCheck:
    """Checks one shard: a tree of its own."""

    def __init__(self, whole: LogCheck, shard: int, infos: Sequence[PeriodInfo]) -> None:
        self._whole = whole
        self._opener, self._reader, self._faults = whole.opener, whole.reader, whole.faults
        self._shard = shard
        self._infos = infos
        self._origin = origin_of(whole.server_name, whole.opener.log, shard)
        self._vkeys = {notes.Key(self._origin, whole.public).vkey}
        self._positions: dict[str, int] = {}
        self._frontier = tree.Frontier()
        self._roots: dict[int, bytes] = {}

    def run(self, progress: Callable[[int], None], months: Collection[str]) -> None:
        """Period by period, then what was signed, then what the head says."""
        signed = self._reader.checkpoints(self._shard, newest=_EVERY)
        sizes = {size for size, _ in signed} | {self._published_size()}
        base, hashes = self._reader.bases().get(self._shard, (0, ()))
        self._frontier = tree.Frontier(base, hashes)
        self._roots[base] = self._frontier.root()
        for info in self._infos:
            if months and info.period.month not in months:
                self._vkeys |= self._named(info)
                continue
            if info.first != self._frontier.size:
                self._gap(info, skipped=bool(months))
            self._period(info, sorted(size for size in sizes if info.first < size <= info.end), progress)
        whole = not months and self._frontier.size == self._infos[-1].end
        self._signed(signed, whole=whole)
        if whole and self._whole.head is not None and self._whole.head.period.shard == self._shard:
            self._at_end(self._whole.head)

    def _named(self, info: PeriodInfo) -> set[str]:
        """Keys that a month names which is not checked: what it names may have signed another month's checkpoints."""
        try:
            return vkeys(self._opener, info.period)
        except (SealError, ValueError, KeyError, IndexError):
            return set()  # a check of that month says what is wrong with it

    def _published_size(self) -> int:
        published = self._whole.published
        return -1 if published is None or published.origin != self._origin else published.size

    def _gap(self, info: PeriodInfo, *, skipped: bool) -> None:
        if not skipped:
            at = self._frontier.size
            text = f"begins at record {info.first}, and the one before ends at record {at - 1}: what is between is gone"
            self._faults.add(info.period.month, text, BACKUP)
        self._positions.clear()
        try:
            self._frontier = StoredTree(self._reader, self._shard).frontier(info.first)
        except (KeyError, tree.TreeError):
            self._frontier = tree.Frontier()  # the fault that was found is why: from here on there is no tree

    def _period(self, info: PeriodInfo, sizes: Sequence[int], progress: Callable[[int], None]) -> None:
        period = PeriodCheck(self._opener, info, self._faults, self._positions)
        blocks: dict[int, bytes] = {}
        wanted = Selection(since=info.first, below=info.end)
        while rows := self._reader.select(info.period, wanted, _PAGE, newest_first=False):
            period.add(rows)
            blocks |= self._grow(rows, sizes)
            self._whole.records += len(rows)
            progress(len(rows))
            wanted = attrs.evolve(wanted, since=rows[-1].idx + 1)
        if not self._reader.keys(info.period):
            raise Removed
        period.finish()
        self._vkeys |= period.vkeys
        if self._frontier.size != info.end:
            self._gap(attrs.evolve(info, first=info.end), skipped=True)
        elif blocks:
            self._blocks(info, blocks)

    def _grow(self, rows: Sequence[Row], sizes: Iterable[int]) -> dict[int, bytes]:
        """Add to the tree, and note its root at each size; only as far as no record is missing."""
        leaves = [row.leaf for at, row in enumerate(rows, self._frontier.size) if row.idx == at]
        blocks: list[tuple[int, bytes]] = []
        for size in sizes:
            count = size - self._frontier.size
            if 0 < count <= len(leaves):
                blocks += self._frontier.extend(leaves[:count])
                leaves = leaves[count:]
                self._roots[size] = self._frontier.root()
        return dict(blocks + self._frontier.extend(leaves))

    def _blocks(self, info: PeriodInfo, derived: Mapping[int, bytes]) -> None:
        stored = self._reader.nodes(self._shard, min(derived) * _BLOCK, (max(derived) + 1) * _BLOCK)
        wrong = [number for number, node in derived.items() if stored.get(number) != node]
        if wrong:
            text = (
                f"{len(wrong)} stored hashes of blocks are not those of their records, the first that of the records"
                f" from {wrong[0] * _BLOCK} on"
            )
            self._faults.add(info.period.month, text, BACKUP)

    def _signed(self, signed: Sequence[tuple[int, str]], *, whole: bool) -> None:
        """Each checkpoint's signature, and its root where that was derived."""
        keys = [notes.Key.parse(vkey) for vkey in sorted(self._vkeys)]
        for size, note in signed:
            self._whole.checkpoints += 1
            wrong = self._wrong_with(size, note, keys)
            if wrong:
                self._faults.add(f"the checkpoint of {size} records", wrong, BACKUP)
        published = self._whole.published
        if published is not None and published.origin == self._origin:
            self._compare_published(published, whole=whole)

    def _wrong_with(self, size: int, note: str, keys: Sequence[notes.Key]) -> str | None:
        body, _, _ = note.partition("\n\n")
        try:
            checkpoint = notes.Checkpoint.parse(body + "\n")
        except notes.NoteError as error:
            return f"can't be read: {error}"
        if (checkpoint.origin, checkpoint.size) != (self._origin, size):
            return f"is one of {checkpoint.size} records of {checkpoint.origin}"
        if self._beyond(size):
            return f"covers records that the store has not: it ends at record {self._infos[-1].end - 1}"
        root = self._roots.get(size)
        if root is not None and root != checkpoint.root:
            return "has another root than the records that are there: one of them was changed, added or removed"
        return self._wrong_signature(note, keys)

    def _wrong_signature(self, note: str, keys: Sequence[notes.Key]) -> str | None:
        try:
            notes.open_note(note, keys, ed25519.verify)
        except notes.NoteError as error:
            # The record that named its key may have been removed, as its time was up.
            if self._reader.bases().get(self._shard, (0, ()))[0] and "none of the keys" in str(error):
                self._whole.unknown += 1
                return None
            return f"does not hold: {error}"
        return None

    def _beyond(self, size: int) -> bool:
        """Whether the store ends before this size; it may have grown since it was read."""
        if size <= self._infos[-1].end:
            return False
        head = self._reader.head()
        return head is None or head.period.shard != self._shard or size > head.size

    def _compare_published(self, published: notes.Checkpoint, *, whole: bool) -> None:
        where = "the published checkpoint's file"
        if self._beyond(published.size):
            text = f"covers {published.size} records, and the store has {self._infos[-1].end}: its end is missing"
            self._faults.add(where, text, EPOCH)
        elif whole and self._roots.get(published.size, published.root) != published.root:
            text = f"has another root at {published.size} records: the store was changed, or put back from another copy"
            self._faults.add(where, text, EPOCH)

    def _at_end(self, head: Head) -> None:
        """What the head says of the newest shard."""
        if [*head.frontier] != self._frontier.hashes:
            self._faults.add("the head", "has other hashes of the tree than the records", BACKUP)
        for source, position in self._positions.items():
            cursor = head.cursors.get(source)
            if source != OWN and (cursor is None or cursor < position):
                text = f"says that {source} was taken up to {cursor}, and position {position} was: it would come twice"
                self._faults.add("the head", text, BACKUP)
        published = self._whole.published
        if published is not None and published.origin != self._origin:
            text = f"is of {published.origin}, and the store goes on as {self._origin}"
            self._faults.add("the published checkpoint's file", text, "name the right store in retention.store")
