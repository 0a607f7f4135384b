# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tree as RFC 6962 section 2.1 defines it, word for word and by recursion: what the fast one is compared with."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from synapse_groupreg.retention.tree import Frontier, Nodes, pruned_nodes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EVERY = 70
"""Trees of fewer leaves are tried without exception."""
LARGEST = 4099

# The inputs of the reference tests of Certificate Transparency, then others.
INPUTS = [
    *map(bytes.fromhex, ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
    *(b"leaf %d" % number for number in range(8, LARGEST)),
]
LEAVES = [hashlib.sha256(b"\x00" + data).digest() for data in INPUTS]


def split(width: int) -> int:
    """The largest power of two smaller than the width."""
    power = 1
    while power * 2 < width:
        power *= 2
    return power


@cache
def mth(start: int, stop: int) -> bytes:
    """MTH(D[start:stop])."""
    if start == stop:
        return hashlib.sha256(b"").digest()
    if start + 1 == stop:
        return LEAVES[start]
    middle = start + split(stop - start)
    return hashlib.sha256(b"\x01" + mth(start, middle) + mth(middle, stop)).digest()


def path(m: int, start: int, stop: int) -> list[bytes]:
    """PATH(m, D[start:stop])."""
    if start + 1 == stop:
        return []
    k = split(stop - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, stop)]
    return [*path(m - k, start + k, stop), mth(start, start + k)]


def subproof(m: int, start: int, stop: int, *, known: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:stop], known); PROOF(m, D[n]) is SUBPROOF(m, D[0:n], true)."""
    if m == stop - start:
        return [] if known else [mth(start, stop)]
    k = split(stop - start)
    if m <= k:
        return [*subproof(m, start, start + k, known=known), mth(start + k, stop)]
    return [*subproof(m - k, start + k, stop, known=False), mth(start, start + k)]


def walk(wanted: Collection[int], start: int, stop: int) -> list[bytes]:
    """What a walk, depth first and left to right, needs besides the wanted leaves."""
    if start == stop:
        return []
    inside = [index for index in wanted if start <= index < stop]
    if not inside:
        return [mth(start, stop)]
    if start + 1 == stop:
        return []
    middle = start + split(stop - start)
    return walk(inside, start, middle) + walk(inside, middle, stop)


def complete(size: int, purged: int = 0) -> Nodes:
    """The complete subtrees of a tree of that size; a question for any other, or for a purged leaf, fails the test."""

    def nodes(level: int, index: int) -> bytes:
        start, stop = index << level, (index + 1) << level
        assert purged <= start
        assert stop <= size
        return mth(start, stop)

    return nodes


def pruned(size: int, purged: int) -> Nodes:
    """The same after a purge: only the frontier of the purged leaves is left of them."""
    base = Frontier()
    base.extend(LEAVES[:purged])
    return pruned_nodes(base, complete(size, purged))


def leaves_at(indexes: Sequence[int]) -> list[tuple[int, bytes]]:
    return [(index, LEAVES[index]) for index in indexes]


def spoilt(proof: list[bytes]) -> list[list[bytes]]:
    """A proof with each hash changed, dropped, doubled, resized or swapped with the next, or with one more."""
    found = [[*proof, b"\x00" * 32], [b"\x00" * 32, *proof]]
    for at, one in enumerate(proof):
        before, after = proof[:at], proof[at + 1 :]
        changed = [bytes([one[0] ^ 1]) + one[1:], one[:-1] + bytes([one[-1] ^ 128]), one[:-1], one + b"\x00", b""]
        found += [[*before, other, *after] for other in changed]
        found += [before + after, [*before, one, one, *after]]
    for at, (one, other) in enumerate(pairwise(proof)):
        found.append([*proof[:at], other, one, *proof[at + 2 :]])
        # The bytes are the same in the same order, only cut elsewhere.
        found.append([*proof[:at], one + other[:1], other[1:], *proof[at + 2 :]])
    return found
