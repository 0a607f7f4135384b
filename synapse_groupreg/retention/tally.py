# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tally of a period: a tree over how often each room and account stands in it, to which its close record commits.

With it, a bundle about one room or account proves that none of the period's records of it is missing, and shows nothing
of the others (article 13.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from synapse_groupreg.retention.records import b64, canonical
from synapse_groupreg.retention.tree import Frontier, leaf_hash, multiproof
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Tally: TypeAlias = tuple[bytes, str, int, int]
"""A token, `room` or `account`, in how many of the period's records it stands so, and the index of the last of them."""

_TOGETHER = 4096
"""Leaves that are hashed together."""


@frozen(kw_only=True)
class Tallied:
    """That a close record commits to how often a token stands in its period, and where last."""

    token: str
    kind: str
    count: int
    last: int
    index: int
    """Of the token's leaf in the close record's tally tree."""
    size: int
    """How many leaves that tree has."""
    proof: Sequence[bytes]
    """The multiproof for that one leaf."""

    def as_json(self) -> dict[str, Any]:
        """As the close record's line has it."""
        return {
            "entry": [self.token, self.kind, self.count, self.last],
            "index": self.index,
            "size": self.size,
            "proof": [b64(one) for one in self.proof],
        }


def tally_leaf(token: str, kind: str, count: int, last: int) -> bytes:
    """The hash of a token's leaf; the token as headers have it."""
    return leaf_hash(canonical([token, kind, count, last]).encode())


def tally_root(tallies: Iterable[Tally]) -> tuple[int, bytes]:
    """How many tokens there are, and the root of their tree. Raises ValueError unless tokens ascend, byte by byte."""
    tree = Frontier()
    some: list[bytes] = []
    for _, leaf in _leaves(tallies):
        some.append(leaf)
        if len(some) == _TOGETHER:
            tree.extend(some)
            some = []
    tree.extend(some)
    return tree.size, tree.root()


def tallied(tallies: Iterable[Tally], token: bytes) -> Tallied:
    """That the tree has this token. Keeps 32 bytes a token. Raises KeyError if it has not, ValueError likewise."""
    leaves: list[bytes] = []
    found: tuple[int, Tally] | None = None
    for tally, leaf in _leaves(tallies):
        if tally[0] == token:
            found = len(leaves), tally
        leaves.append(leaf)
    if found is None:
        raise KeyError("the period has no record with this token")
    index, (_, kind, count, last) = found
    size = len(leaves)

    def node(level: int, at: int) -> bytes:
        subtree = Frontier()
        subtree.extend(leaves[at << level : (at + 1) << level])
        return subtree.root()

    proof = multiproof([index], size, node)
    return Tallied(token=b64(token), kind=kind, count=count, last=last, index=index, size=size, proof=proof)


def _leaves(tallies: Iterable[Tally]) -> Iterator[tuple[Tally, bytes]]:
    before = b""
    for tally in tallies:
        token, kind, count, last = tally
        if token <= before:
            raise ValueError("the tokens of a tally stand in ascending order, each once")
        before = token
        yield tally, tally_leaf(b64(token), kind, count, last)
