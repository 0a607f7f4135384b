# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Merkle tree over the records of a log (RFC 6962 section 2.1, RFC 9162 section 2.1), and what it proves.

A subtree is named by (level, index): it covers the leaves [index * 2**level, (index + 1) * 2**level) and is complete.
The tree over `size` leaves is made of complete subtrees except along its right edge; nothing here stores any of them.
Nothing but the standard library: a verifier that has only Python runs this file too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
BLOCK_LEVEL = 8
"""A block is a complete subtree of this level: 256 leaves, of which a store may keep the one hash."""

Nodes: TypeAlias = Callable[[int, int], bytes]
"""The hash of the complete subtree (level, index)."""


class TreeError(ValueError):
    """A proof, a question or stored hashes that do not fit the tree that they are said to be of."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, section 2.1.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a subtree from the hashes of its halves (RFC 9162, section 2.1.1)."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """All that has to be kept of a log to append to it: the maximal complete subtrees of [0, size), left to right."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Raises TreeError if so many leaves have another number of subtrees."""
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or size.bit_count() != len(self.hashes):
            raise TreeError(f"{len(self.hashes)} hashes cannot be the frontier of a tree of {size} leaves")
        _check_lengths(self.hashes)

    def copy(self) -> Frontier:
        """Another frontier of the same leaves; appending to one leaves the other as it is."""
        return Frontier(self.size, self.hashes)

    def root(self) -> bytes:
        """The root of the tree over all leaves so far."""
        return _fold(self.hashes)

    def append(self, leaf: bytes) -> list[tuple[int, bytes]]:
        """Append one leaf hash; the same as `extend` with one, which costs several times as much as one of many."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> list[tuple[int, bytes]]:
        """Append leaf hashes. Answers the index and hash of each block that they completed."""
        row, at, level = list(leaves), self.size, 0
        self.size += len(row)
        left_over: list[bytes] = []
        blocks: list[tuple[int, bytes]] = []
        # A whole row of nodes at a time: a node at a time costs nearly twice as much. INVARIANT: `at` is the index of
        # the first new node of the row, and the last of `hashes` is its left sibling whenever that index is odd.
        while row:
            if level == BLOCK_LEVEL:
                blocks = list(enumerate(row, at))
            if at & 1:
                row.insert(0, self.hashes.pop())
            if len(row) & 1:
                left_over.append(row.pop())
            row = [sha256(b"\1" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
            at >>= 1
            level += 1
        self.hashes += reversed(left_over)
        return blocks


# What is asked of a tree.


def peaks(size: int) -> list[tuple[int, int]]:
    """The maximal complete subtrees of [0, size), left to right: those whose hashes a frontier holds."""
    return [(level, (size >> level) ^ 1) for level in reversed(range(size.bit_length())) if size >> level & 1]


def root(size: int, nodes: Nodes) -> bytes:
    """The root of the tree over the first `size` leaves (RFC 9162, section 2.1.1)."""
    return _subtree(0, size, nodes)


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The path from a leaf to the root (RFC 9162, section 2.1.3.1). Raises TreeError if there is no such leaf."""
    if not 0 <= index < size:
        raise TreeError(f"a tree of {size} leaves has no leaf {index}")
    return _path(0, index, size, nodes)


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Hashes that show the first `old` of `new` leaves unchanged (RFC 9162, section 2.1.4.1); none if old is 0 or new.

    Raises TreeError if the old tree is the larger one.
    """
    _check_sizes(old, new)
    if old in (0, new):
        return []
    level, index = _last_peak(old)
    start = [nodes(level, index)] if index else []
    return start + _path(level, index, new, nodes)


def multiproof(indexes: Iterable[int], size: int, nodes: Nodes) -> list[bytes]:
    """The hashes of the maximal subtrees without any of these leaves, left to right: with the leaves, the whole tree.

    These are what a walk of the tree, depth first, would ask for: subtrees do not overlap, so their order is that of
    their leaves. Raises TreeError unless the indexes ascend and are leaves of the tree.
    """
    proof: list[bytes] = []
    at = 0
    for index in indexes:
        _check_order(at, index, size)
        if at < index:
            proof += [_subtree(start, stop, nodes) for start, stop in _spans(at, index, size)]
        at = index + 1
    return proof + [_subtree(start, stop, nodes) for start, stop in _spans(at, size, size)]


def pruned_nodes(base: Frontier, nodes: Nodes) -> Nodes:
    """The subtrees of a log whose leaves [0, base.size) were purged; `nodes` is only asked for subtrees after those.

    Enough for the root and for every proof about the leaves that remain: what such a proof takes from the purged
    leaves is a left sibling of a subtree that reaches beyond them, so it is maximal and in the frontier. For another
    subtree the answer raises TreeError.
    """
    purged = base.size
    known = dict(zip(peaks(purged), base.hashes, strict=True))

    def look(level: int, index: int) -> bytes:
        start, stop = index << level, (index + 1) << level
        if start >= purged:
            return nodes(level, index)
        if stop > purged:
            return node_hash(look(level - 1, 2 * index), look(level - 1, 2 * index + 1))
        if (level, index) not in known:
            raise TreeError(f"the leaves from {start} to {stop - 1} were purged, and their hash with them")
        return known[level, index]

    return look


# What a verifier does.


def verify_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a leaf hash stands at its index in the tree of that root (RFC 9162, section 2.1.3.2), or TreeError."""
    if not 0 <= index < size:
        raise TreeError(f"a tree of {size} leaves has no leaf {index}")
    _check_lengths((leaf, *proof))
    node = leaf
    for on_the_left, other in _turns(index, size - 1, proof):
        node = node_hash(other, node) if on_the_left else node_hash(node, other)
    if node != root:
        raise TreeError(f"the proof of leaf {index} does not lead to the root of the tree of {size} leaves")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves only adds to that of `old` (RFC 9162, section 2.1.4.2), or TreeError.

    The RFC has no proof for an old tree that is empty or the new one itself: here it has no hashes.
    """
    _check_sizes(old, new)
    _check_lengths(proof)
    before, after = _both_roots(old, new, old_root, new_root, proof)
    if before != old_root:
        raise TreeError(f"the proof does not lead to the root of the old tree of {old} leaves")
    if after != new_root:
        raise TreeError(f"the proof does not lead to the root of the new tree of {new} leaves")


def multiproof_root(leaves: Iterable[tuple[int, bytes]], size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` leaves, from some (index, leaf hash) that ascend and the `multiproof` for them.

    Whoever compares it to a signed root knows each of these leaves to be in its place. Raises TreeError if the
    indexes are out of order or of the tree, or if another number of hashes would be needed.
    """
    _check_lengths(proof)
    rest = iter(proof)
    at, hashes = _up_to_last(leaves, size, rest)
    for start, stop in _spans(at, size, size):
        node, level = _next(rest), stop - start
        # The last subtree of the tree may be incomplete: then it is no half of another one that is complete.
        while stop < size and start & level:
            node = node_hash(hashes.pop(), node)
            level <<= 1
        hashes.append(node)
    if next(rest, None) is not None:
        raise TreeError("the multiproof has more hashes than these leaves need")
    return _fold(hashes)


# The arithmetic of both sides.


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over adjacent subtrees that shrink to the right, each of which is the left half of what is left."""
    if not hashes:
        return EMPTY_ROOT
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return node


def _subtree(start: int, stop: int, nodes: Nodes) -> bytes:
    """The hash of [start, stop), which is complete or reaches to the right edge of the tree."""
    return _fold([nodes(level, (start >> level) + index) for level, index in peaks(stop - start)])


def _level(width: int) -> int:
    return width.bit_length() - 1


def _last_peak(size: int) -> tuple[int, int]:
    """The smallest of the maximal complete subtrees of [0, size): the last of `peaks`."""
    level = _level(size & -size)
    return level, (size >> level) - 1


def _path(level: int, index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The siblings on the way from a subtree to the root, the lowest first."""
    # Up to where the subtree and the last one of its level meet, there is a sibling at every level, and the highest of
    # these reaches to the right edge; above, the way goes along that edge and only left siblings exist.
    meet = (index ^ (size - 1 >> level)).bit_length()
    path = [nodes(level + up, index >> up ^ 1) for up in range(meet - 1)]
    if meet:
        path.append(_subtree((index >> meet - 1 ^ 1) << level + meet - 1, size, nodes))
    above = range(meet, index.bit_length())
    return path + [nodes(level + up, index >> up ^ 1) for up in above if index >> up & 1]


def _turns(index: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """For each hash of a path whether it stands on the left; `last` is the last index of the level of `index`."""
    meet = (index ^ last).bit_length()
    turns = [index >> up & 1 for up in range(meet)] + [1] * (index >> meet).bit_count()
    if len(path) != len(turns):
        raise TreeError("the proof has too many or too few hashes for its place in the tree")
    return zip(turns, path, strict=True)


def _both_roots(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and the new tree that a consistency proof leads to."""
    if old in (0, new):
        if proof:
            raise TreeError("there is nothing to prove, and the proof has hashes all the same")
        before = old_root if old else EMPTY_ROOT
        return before, before if old == new else new_root
    level, index = _last_peak(old)
    # An old tree that is itself a subtree of the new one needs no hash for it: the verifier has its root.
    start, path = (proof[0], proof[1:]) if index and proof else (old_root, proof)
    before = after = start
    for on_the_left, other in _turns(index, new - 1 >> level, path):
        if on_the_left:
            before = node_hash(other, before)
            after = node_hash(other, after)
        else:
            after = node_hash(after, other)
    return before, after


def _spans(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """The maximal subtrees, as (first leaf, end), that [start, stop) consists of.

    It has to end with the tree or before a leaf that no subtree may contain.
    """
    while start < stop:
        width = start & -start or size
        if stop < size:
            width = min(width, 1 << _level(stop - start))
        end = min(start + width, stop)
        yield start, end
        start = end


def _up_to_last(leaves: Iterable[tuple[int, bytes]], size: int, proof: Iterator[bytes]) -> tuple[int, list[bytes]]:
    """The end of the last of some leaves, and the maximal complete subtrees up to there; the others' are of a proof."""
    hashes: list[bytes] = []
    pop, push = hashes.pop, hashes.append
    at = 0
    for index, leaf in leaves:
        _check_order(at, index, size)
        if len(leaf) != HASH_BYTES:
            _check_lengths((leaf,))
        # The widest subtrees that end before the leaf, and then the leaf. In a bundle about one room these are three a
        # record, so all of it is done in place: functions would cost as much again.
        while at <= index:
            if at < index:
                node, gap, level = _next(proof), index - at, at & -at
                if not 0 < level <= gap:
                    level = 1 << gap.bit_length() - 1
            else:
                node, level = leaf, 1
            end = at + level
            while at & level:
                node = sha256(b"\1" + pop() + node).digest()
                level <<= 1
            push(node)
            at = end
    return at, hashes


def _next(hashes: Iterator[bytes]) -> bytes:
    found = next(hashes, None)
    if found is None:
        raise TreeError("the multiproof has fewer hashes than these leaves need")
    return found


def _check_order(at: int, index: int, size: int) -> None:
    if not at <= index < size:
        raise TreeError(f"leaf {index} is not one of [{at}, {size}): leaves are given once, in ascending order")


def _check_sizes(old: int, new: int) -> None:
    if not 0 <= old <= new:
        raise TreeError(f"a tree of {old} leaves cannot have become one of {new}")


def _check_lengths(hashes: Iterable[bytes]) -> None:
    """Or bytes could be moved from one hash to its neighbour without changing what is hashed."""
    if not {HASH_BYTES}.issuperset(map(len, hashes)):
        raise TreeError(f"a hash has {HASH_BYTES} bytes")
