# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hashes that proofs about a stored log are made of: from the blocks, and inside of a block from its leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.retention import tree

if TYPE_CHECKING:
    from synapse_groupreg.storage.store_engine import StoreReader

_BLOCK = 1 << tree.BLOCK_LEVEL
_CHUNK = 1024
"""Blocks that are read together: a proof at the edge of a large tree asks for all of them."""
_REMEMBERED = 64
"""Blocks whose leaves are kept: a proof asks from left to right, and one of many records touches nearly every block."""


class StoredTree:
    """The tree of one shard. Remembers what it read of its size and hashes: make a new one for a new question."""

    def __init__(self, reader: StoreReader, shard: int) -> None:
        self._reader = reader
        self._shard = shard
        self._chunks: dict[int, dict[int, bytes]] = {}
        self._blocks: dict[int, list[bytes]] = {}
        self._above: dict[tuple[int, int], bytes] = {}
        head = reader.head()
        self._size = head.size if head is not None and head.period.shard == shard else 0
        self._removed, hashes = reader.bases().get(shard, (0, ()))
        self.node = tree.pruned_nodes(tree.Frontier(self._removed, hashes), self._node)
        """The hash of a complete subtree. Raises KeyError if its records were removed one by one."""

    def root(self, size: int) -> bytes:
        """The root when the shard had so many records."""
        return tree.root(size, self.node)

    def frontier(self, size: int) -> tree.Frontier:
        """The compact range of the first `size` records."""
        return tree.Frontier(size, [self.node(level, index) for level, index in tree.peaks(size)])

    def _node(self, level: int, index: int) -> bytes:
        if level < tree.BLOCK_LEVEL:
            return self._in_block(level, index)
        if level == tree.BLOCK_LEVEL:
            return self._block(index)
        known = self._above.get((level, index))
        if known is None:
            known = tree.node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))
            self._above[level, index] = known
        return known

    def _block(self, number: int) -> bytes:
        chunk = number // _CHUNK
        if chunk not in self._chunks:
            start = chunk * _CHUNK * _BLOCK
            self._chunks[chunk] = self._reader.nodes(self._shard, start, start + _CHUNK * _BLOCK)
        return self._chunks[chunk].get(number) or self._in_block(tree.BLOCK_LEVEL, number)

    def _in_block(self, level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        block = start // _BLOCK
        leaves = self._blocks.get(block)
        if leaves is None or end - block * _BLOCK > len(leaves):
            first, stop = self._span(block, end)
            leaves = [b""] * (first - block * _BLOCK) + self._reader.leaves(self._shard, first, stop)
            self._blocks[block] = leaves
            if len(self._blocks) > _REMEMBERED:
                del self._blocks[next(iter(self._blocks))]
        wanted = tree.Frontier()
        wanted.extend(leaves[start - block * _BLOCK : end - block * _BLOCK])
        return wanted.root()

    def _span(self, block: int, end: int) -> tuple[int, int]:
        """What of a block can be read: not what was removed, not what is not there yet."""
        return max(block * _BLOCK, self._removed), max(end, min((block + 1) * _BLOCK, self._size))
