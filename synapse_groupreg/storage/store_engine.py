# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The contract of the retention store's engines. Only type checkers import it: it takes no memory.

Everything here blocks: it is called in threads. Names and details arrive sealed; the engines know no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_groupreg.storage.store import Batch, Head, KeyRow, NameRow, Period, PeriodInfo, Row, Selection


class StoreReader(Protocol):
    """Reads one log; sees what was committed, whoever wrote it. For use by one thread at a time."""

    def head(self) -> Head | None:
        """The newest shard's head; None before the first `begin`."""

    def periods(self) -> list[PeriodInfo]:
        """All periods, the oldest first."""

    def extents(self) -> list[tuple[Period, int, int]]:
        """All periods with their first index and one past the last, the oldest first; cheaper than `periods`."""

    def keys(self, period: Period) -> list[KeyRow]:
        """The period's data keys."""

    def find_name(self, period: Period, kind: str, lookup: bytes) -> NameRow | None:
        """The name with this keyed digest."""

    def find_names(self, period: Period, lookups: Sequence[bytes]) -> list[NameRow]:
        """The names with these keyed digests, in any order."""

    def names(self, period: Period, refs: Sequence[int]) -> list[NameRow]:
        """These names, in any order."""

    def last_ref(self, period: Period) -> int:
        """The highest ref of the period's names; 0 if it has none."""

    def newest_of(self, period: Period, kind: str, ref: int) -> int | None:
        """Index of the newest record of a room or, as actor, of an account in the period."""

    def count_of(self, period: Period, kind: str, ref: int) -> int:
        """How many records of the period are of a room or, as actor, of an account."""

    def tallies(self, period: Period) -> Iterator[tuple[bytes, str, int, int]]:
        """Token, `room` or `account`, number of records (as room, as actor) and last index, ordered by token.

        A name that was only ever a target stands in no header, and is left out.
        """

    def select(self, period: Period, wanted: Selection, limit: int, *, newest_first: bool) -> list[Row]:
        """Records that meet the selection, without `content`, in order of index."""

    def content(self, period: Period, idx: int) -> bytes | None:
        """The sealed content of a record."""

    def leaves(self, shard: int, start: int, end: int) -> list[bytes]:
        """Leaf hashes of [start, end) in order, across periods. Raises KeyError if one was removed."""

    def nodes(self, shard: int, start: int, end: int) -> dict[int, bytes]:
        """Nodes of the complete blocks of [start, end), by block number, as far as they are there."""

    def checkpoints(self, shard: int, *, newest: int = 1) -> list[tuple[int, str]]:
        """Size and signed note, the newest first."""

    def bases(self) -> dict[int, tuple[int, tuple[bytes, ...]]]:
        """Of each shard: how many records were removed, and the compact range of these."""

    def close(self) -> None:
        """Let go of the files and connections."""


class Store(StoreReader, Protocol):
    """Writes one log. Each method is one transaction that is on disk when it returns; an error leaves nothing of it.

    Raises StoreUnavailable, and Fenced if the epoch is no longer `before.epoch` or the size not `before.size`.
    """

    def acquire(self) -> Head | None:
        """Become the owner: raise the epoch. None if the log is empty: then `begin` it."""

    def begin(self, before: Head | None, after: Head, keys: Sequence[KeyRow]) -> Head:
        """Begin a period (and with it perhaps a shard, or the log); whole or not at all, also after a crash."""

    def append(self, before: Head, batch: Batch) -> Head:
        """Put records in."""

    def put_checkpoint(self, before: Head, size: int, note: str) -> None:
        """Keep a checkpoint that was signed."""

    def purge(
        self,
        before: Head,
        drop: Sequence[Period],
        after: Head,
        older: Mapping[int, tuple[int, tuple[bytes, ...]]] | None = None,
    ) -> Head:
        """Remove the oldest periods: nobody finds their records any more; `after` has the base that proofs will need.

        `older` has that of earlier shards that lose records, as in `bases`. What they took on the disk, `free` gives
        back.
        """

    def free(self) -> None:
        """Give back what removed periods took on the disk, which may take seconds; also what a crash left of them.

        Another thread may do so while this log is written and read. Raises StoreUnavailable.
        """

    def rewrap(self, before: Head, period: Period, keys: Sequence[KeyRow]) -> None:
        """Replace the wrapping of a period's data keys."""

    def erase(self, before: Head, period: Period, names: Sequence[int], sealed: Sequence[tuple[int, bytes]]) -> None:
        """Forget these names (sealed, lookup), remove the content of these records and put what is left of them."""
