# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the tree of the retention store costs, and beside it pymerkle, where that can do the same.

    .venv/bin/python bench/tree.py

Each round runs everything once, so that a busy moment of the machine falls on all alike. Nothing is read or written;
the leaves' own hashing is not part of what is measured, except by pymerkle, which cannot be given leaf hashes.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable

import pymerkle

from synapse_groupreg.retention.tree import (
    Frontier,
    Nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    multiproof,
    multiproof_root,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

Part = Callable[[], int]
"""Does some work and answers how much of it."""


class Levels:
    """Every complete subtree of some leaves, in memory."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.rows = [leaves]
        while len(self.rows[-1]) > 1:
            row = self.rows[-1]
            self.rows.append([node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)])
        self.size = len(leaves)

    def node(self, level: int, index: int) -> bytes:
        """The hash of one of them."""
        return self.rows[level][index]


def repeated(level: int, _: int) -> bytes:
    """A tree of any size whose leaves are all the same: a node is known by its level."""
    return _REPEATED[level]


_REPEATED = [leaf_hash(b"")]
for _ in range(63):
    _REPEATED.append(node_hash(_REPEATED[-1], _REPEATED[-1]))


def appends(leaves: list[bytes], batch: int) -> Part:
    """Append everything in batches."""
    batches = [leaves[start : start + batch] for start in range(0, len(leaves), batch)]

    def part() -> int:
        tree = Frontier()
        for some in batches:
            tree.extend(some)
        return tree.size

    return part


def proofs(levels: Levels, asked: list[int]) -> dict[str, Part]:
    """Make and verify proofs of one leaf and of growth."""
    size, nodes = levels.size, levels.node
    top = _root(size, nodes)
    paths = [inclusion_proof(index, size, nodes) for index in asked]
    olds = [(index + 1, _root(index + 1, nodes), consistency_proof(index + 1, size, nodes)) for index in asked]

    def verify_paths() -> int:
        for index, path in zip(asked, paths, strict=True):
            verify_inclusion(nodes(0, index), index, size, top, path)
        return len(asked)

    def verify_growths() -> int:
        for old, old_root, proof in olds:
            verify_consistency(old, size, old_root, top, proof)
        return len(asked)

    return {
        "inclusion proof: make": lambda: len([inclusion_proof(index, size, nodes) for index in asked]),
        "inclusion proof: verify": verify_paths,
        "consistency proof: make": lambda: len([consistency_proof(index + 1, size, nodes) for index in asked]),
        "consistency proof: verify": verify_growths,
    }


def multiproofs(levels: Levels, scattered: int, of: int) -> dict[str, Part]:
    """Make and verify proofs of many leaves: all but the first and last of one tree, and a few of a very large one."""
    size = levels.size
    most = range(1, size - 1)
    proof, top = multiproof(most, size, levels.node), _root(size, levels.node)
    few = sorted(random.sample(range(of), scattered))
    few_proof, few_top = multiproof(few, of, repeated), _root(of, repeated)

    def verify_most() -> int:
        assert multiproof_root(((index, levels.rows[0][index]) for index in most), size, proof) == top
        return len(most)

    def verify_few() -> int:
        assert multiproof_root([(index, repeated(0, index)) for index in few], of, few_proof) == few_top
        return scattered

    return {
        f"multiproof of {len(most)} neighbours: make": lambda: len([multiproof(most, size, levels.node)]) * len(most),
        f"multiproof of {len(most)} neighbours: verify": verify_most,
        f"multiproof of {scattered} of {of}: make": lambda: len([multiproof(few, of, repeated)]) * scattered,
        f"multiproof of {scattered} of {of}: verify": verify_few,
    }


def beside(leaves: list[bytes], asked: list[int]) -> dict[str, Part]:
    """The same by pymerkle, in memory, of as many leaves as it has patience for."""
    tree = pymerkle.InmemoryTree()
    tree.append_entries(leaves)
    top = tree.get_root()
    made = [tree.prove_inclusion(index + 1) for index in asked]
    olds = [(tree.get_root(index + 1), tree.prove_consistency(index + 1)) for index in asked]

    def verify_paths() -> int:
        for proof in made:
            proof.verify(proof.path[0], top)
        return len(asked)

    def verify_growths() -> int:
        for old_root, proof in olds:
            proof.verify(old_root, top)
        return len(asked)

    return {
        "pymerkle: append": lambda: pymerkle.InmemoryTree().append_entries(leaves),
        "pymerkle: inclusion proof: make": lambda: len([tree.prove_inclusion(index + 1) for index in asked]),
        "pymerkle: inclusion proof: verify": verify_paths,
        "pymerkle: consistency proof: make": lambda: len([tree.prove_consistency(index + 1) for index in asked]),
        "pymerkle: consistency proof: verify": verify_growths,
    }


def _root(size: int, nodes: Nodes) -> bytes:
    """With no leaf asked for, the multiproof is the root."""
    return multiproof([], size, nodes)[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    random.seed(1)
    leaves = [leaf_hash(os.urandom(8)) for _ in range(given.leaves)]
    levels = Levels(leaves)
    others = leaves[: given.leaves // 10]
    parts: dict[str, Part] = {f"append, in batches of {batch}": appends(leaves, batch) for batch in (1, 10, 100, 1000)}
    parts |= proofs(levels, random.sample(range(given.leaves), 5000))
    parts |= multiproofs(levels, 10_000, 20_000_000)
    parts |= beside(others, random.sample(range(len(others)), 5000))
    wall: dict[str, list[float]] = {name: [] for name in parts}
    cpu: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(given.rounds):
        for name, part in parts.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            amount = part()
            wall[name].append(amount / (time.perf_counter() - began))
            cpu[name].append(amount / (time.process_time() - began_cpu))
    width = max(map(len, parts))
    print(f"{'per second':{width}} {'min':>10} {'median':>10} {'max':>10}   by CPU time: median")
    for name, rates in wall.items():
        figures = f"{min(rates):10,.0f} {statistics.median(rates):10,.0f} {max(rates):10,.0f}"
        print(f"{name:{width}} {figures} {statistics.median(cpu[name]):22,.0f}")


if __name__ == "__main__":
    main()
