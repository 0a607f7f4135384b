# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the engines of the retention store take and give; `store_engine.py` says what they do with it.

A log is a series of shards (each a tree of its own; a second one begins only when the end of the first was lost), a
shard is a series of periods (calendar months, contiguous in index), and a period is what is removed at once. Only one
owner writes: `acquire` raises the epoch, and whoever held the one before is fenced at its next write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Fenced(Exception):
    """Another owner took the log over."""


class StoreUnavailable(Exception):
    """The store can't be reached, is full or is locked. The text says which, without values.

    A writer asks for the `head` before it goes on: a commit whose answer was lost may be there, whole, or not at all.
    """


class Period(NamedTuple):
    """A period of a shard, in the order of writing: (1, "2026-11")."""

    shard: int
    month: str


class Row(NamedTuple):
    """A record as it is stored. Refs are numbers of the period's names."""

    idx: int
    ts_ms: int
    kind: int
    source: str
    position: int
    type: str | None
    verdict: str | None
    times: int
    """How many attempts of the same kind it stands for."""
    room: int | None
    actor: int | None
    target: int | None
    room_prev: int | None
    actor_prev: int | None
    facts: str | None
    """Canonical JSON."""
    leaf: bytes
    """The leaf's hash."""
    sealed: bytes
    content: bytes | None


class NameRow(NamedTuple):
    """A room or account in one period."""

    ref: int
    kind: str
    """`room` or `account`."""
    token: bytes
    lookup: bytes
    """A keyed digest of the name, by which it is found; random bytes once it was erased."""
    sealed: bytes | None
    """The encrypted name; None once it was erased."""


class KeyRow(NamedTuple):
    """A data key of a period, wrapped by a key that is not in the store."""

    purpose: str
    """`names`, `details`, `content` or `lookup`."""
    wrapped_by: str
    wrapped: bytes


class Block(NamedTuple):
    """2**tree.BLOCK_LEVEL records from `number` times that on: their node in the tree, and between which times."""

    number: int
    node: bytes
    first_ms: int
    last_ms: int


@frozen(kw_only=True)
class Head:
    """Where a log stands."""

    epoch: int
    period: Period
    first: int
    """Index of the period's first record."""
    size: int
    frontier: tuple[bytes, ...]
    """Hashes of the maximal complete subtrees of [0, size), left to right."""
    cursors: Mapping[str, int]
    """The last position that was taken from each source."""
    closed: bool
    """Whether the period has its close record, and the next begins with the next record."""
    base: tuple[bytes, ...] = ()
    """The same for [0, base_size), the records of which were removed."""
    base_size: int = 0
    newest_ms: int = 0
    """The newest time of any record so far."""
    purged_ms: int = 0
    """When a period was last removed."""


@frozen(kw_only=True)
class Batch:
    """Records that go in together, with what the head becomes by them."""

    rows: Sequence[Row]
    names: Sequence[NameRow]
    """New names of the period."""
    blocks: Sequence[Block]
    """Blocks that these records completed."""
    after: Head


@frozen(kw_only=True)
class Selection:
    """Which records of a period are wanted: all conditions that are given. Times are inclusive."""

    room: int | None = None
    account: int | None = None
    """As actor or as target."""
    actor: int | None = None
    target: int | None = None
    """As target of what somebody else did."""
    kinds: Sequence[int] = ()
    types: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    below: int | None = None
    """Only indexes below; for going on, the newest first."""
    since: int | None = None
    """Only indexes from here on; for going on, the oldest first."""


@frozen(kw_only=True)
class PeriodInfo:
    """A period that is there."""

    period: Period
    first: int
    end: int
    """One past the last index."""
    closed: bool
    oldest_ms: int | None
    newest_ms: int | None
    bytes: int
    """What it takes on disk, roughly."""
