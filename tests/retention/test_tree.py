# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tree: its roots, the proofs of one leaf and of growth, and both after a purge."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.retention.tree import (
    BLOCK_LEVEL,
    EMPTY_ROOT,
    Frontier,
    TreeError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peaks,
    pruned_nodes,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.retention.trees import EVERY, INPUTS, LARGEST, LEAVES, complete, mth, path, pruned, spoilt, subproof

BLOCK = 1 << BLOCK_LEVEL

# The reference vectors of Certificate Transparency, for its eight inputs: roots, paths by (leaf, size), and proofs of
# growth by (old, new).
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAF_0 = ROOTS[1]
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
LEAF_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
FROM_2_TO_4 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
FROM_4_TO_6 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
FROM_6_TO_8 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
FROM_4_TO_8 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
PATHS = {
    (0, 1): [],
    (0, 8): [LEAF_1, FROM_2_TO_4, FROM_4_TO_8],
    (5, 8): [LEAF_4, FROM_6_TO_8, ROOTS[4]],
    (2, 3): [ROOTS[2]],
    (1, 5): [LEAF_0, FROM_2_TO_4, LEAF_4],
}
GROWTH = {
    (1, 1): [],
    (1, 8): [LEAF_1, FROM_2_TO_4, FROM_4_TO_8],
    (6, 8): [FROM_4_TO_6, FROM_6_TO_8, ROOTS[4]],
    (2, 5): [FROM_2_TO_4, LEAF_4],
    (6, 7): [FROM_4_TO_6, LEAF_6, ROOTS[4]],
}


def unhex(hashes: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in hashes]


def frontier(size: int) -> Frontier:
    tree = Frontier()
    tree.extend(LEAVES[:size])
    return tree


# Hashes and roots.


def test_leaves_and_subtrees_are_hashed_under_prefixes_of_their_own() -> None:
    assert leaf_hash(b"") == bytes.fromhex(LEAF_0)
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    both = node_hash(b"N123", b"N456").hex()
    assert both == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    tree = Frontier()
    tree.extend(map(leaf_hash, INPUTS[:size]))
    assert tree.root() == root(size, complete(size)) == bytes.fromhex(ROOTS[size])


def test_every_small_tree_has_the_root_of_the_definition() -> None:
    tree = Frontier()
    for size in range(EVERY):
        assert tree.size == size
        assert tree.root() == root(size, complete(size)) == mth(0, size)
        tree.append(LEAVES[size])


def test_peaks_are_the_subtrees_that_a_frontier_holds() -> None:
    for size in [*range(EVERY), 255, 256, 257, 4095, 4096, LARGEST]:
        spans = [(index << level, (index + 1) << level) for level, index in peaks(size)]
        assert [stop for _, stop in spans] == [start for start, _ in spans[1:]] + [size] * bool(size)
        assert frontier(size).hashes == [mth(start, stop) for start, stop in spans]


# Growing.


@given(st.lists(st.integers(0, 700), max_size=8))
def test_it_makes_no_difference_in_which_portions_leaves_are_appended(portions: list[int]) -> None:
    tree, blocks = Frontier(), []
    for portion in portions:
        blocks += tree.extend(LEAVES[tree.size : min(tree.size + portion, LARGEST)])
    size = min(sum(portions), LARGEST)
    assert (tree.size, tree.hashes) == (size, frontier(size).hashes)
    assert blocks == [(block, mth(block * BLOCK, block * BLOCK + BLOCK)) for block in range(size // BLOCK)]


def test_one_at_a_time_a_block_is_told_with_its_last_leaf() -> None:
    tree = Frontier()
    told = {number: tree.append(leaf) for number, leaf in enumerate(LEAVES[: 2 * BLOCK], start=1)}
    assert {number for number, blocks in told.items() if blocks} == {BLOCK, 2 * BLOCK}
    assert told[2 * BLOCK] == [(1, mth(BLOCK, 2 * BLOCK))]


def test_a_copy_grows_alone() -> None:
    tree = frontier(11)
    copy = tree.copy()
    copy.append(LEAVES[11])
    assert (tree.root(), copy.root()) == (mth(0, 11), mth(0, 12))


def test_a_frontier_goes_on_from_what_was_stored() -> None:
    stored = frontier(1234)
    tree = Frontier(1234, stored.hashes)
    tree.extend(LEAVES[1234:])
    assert tree.root() == mth(0, LARGEST)
    assert len(stored.hashes) == (1234).bit_count()


@pytest.mark.parametrize(("size", "hashes"), [(-1, 1), (0, 1), (1, 0), (3, 1), (4, 2)])
def test_stored_hashes_that_are_no_frontier_are_refused(size: int, hashes: int) -> None:
    with pytest.raises(TreeError, match="cannot be the frontier"):
        Frontier(size, LEAVES[:hashes])


def test_a_stored_hash_of_another_length_is_refused() -> None:
    with pytest.raises(TreeError, match="has 32 bytes"):
        Frontier(2, [b"\x00" * 31])


# Proofs.


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_are_those_of_certificate_transparency(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, complete(size))
    assert proof == unhex(PATHS[index, size])
    verify_inclusion(leaf_hash(INPUTS[index]), index, size, bytes.fromhex(ROOTS[size]), proof)


@pytest.mark.parametrize(("old", "new"), GROWTH)
def test_proofs_of_growth_are_those_of_certificate_transparency(old: int, new: int) -> None:
    proof = consistency_proof(old, new, complete(new))
    assert proof == unhex(GROWTH[old, new])
    verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), proof)


def test_every_leaf_of_every_small_tree_has_the_path_of_the_definition() -> None:
    for size in range(EVERY):
        for index in range(size):
            proof = inclusion_proof(index, size, complete(size))
            assert proof == path(index, 0, size)
            verify_inclusion(LEAVES[index], index, size, mth(0, size), proof)


def test_every_growth_of_small_trees_has_the_proof_of_the_definition() -> None:
    for new in range(EVERY):
        for old in range(new + 1):
            proof = consistency_proof(old, new, complete(new))
            assert proof == (subproof(old, 0, new, known=True) if old else [])
            verify_consistency(old, new, mth(0, old), mth(0, new), proof)


@given(st.data())
def test_larger_trees_too(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, complete(size))
    assert proof == path(index, 0, size)
    verify_inclusion(LEAVES[index], index, size, mth(0, size), proof)
    proof = consistency_proof(index + 1, size, complete(size))
    assert proof == subproof(index + 1, 0, size, known=True)
    verify_consistency(index + 1, size, mth(0, index + 1), mth(0, size), proof)


# After a purge.


def test_after_every_purge_of_every_small_tree_root_and_proofs_are_as_before() -> None:
    for size in range(EVERY):
        full = complete(size)
        paths = [inclusion_proof(index, size, full) for index in range(size)]
        growths = [consistency_proof(old, size, full) for old in range(size + 1)]
        for purged in range(size + 1):
            nodes = pruned(size, purged)
            assert root(size, nodes) == mth(0, size)
            assert [inclusion_proof(index, size, nodes) for index in range(purged, size)] == paths[purged:]
            assert [consistency_proof(old, size, nodes) for old in range(purged, size + 1)] == growths[purged:]


@given(st.data())
def test_after_a_purge_of_a_larger_tree_too(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    purged = data.draw(st.integers(0, size - 1))
    index = data.draw(st.integers(purged, size - 1))
    nodes = pruned(size, purged)
    assert inclusion_proof(index, size, nodes) == path(index, 0, size)
    assert consistency_proof(index + 1, size, nodes) == subproof(index + 1, 0, size, known=True)


def test_a_subtree_that_reaches_beyond_the_purge_is_put_together() -> None:
    for purged in range(33):
        nodes = pruned(32, purged)
        assert nodes(5, 0) == mth(0, 32)


def test_what_was_purged_is_not_proved_again() -> None:
    nodes = pruned(20, 13)
    with pytest.raises(TreeError, match="the leaves from 2 to 2 were purged, and their hash with them"):
        inclusion_proof(3, 20, nodes)


def test_a_purge_is_of_the_frontier_as_it_was() -> None:
    base = frontier(5)
    nodes = pruned_nodes(base, complete(9, 5))
    base.extend(LEAVES[5:8])
    assert root(9, nodes) == mth(0, 9)


# Questions without an answer.


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (6, 5)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(TreeError, match=f"a tree of {size} leaves has no leaf {index}"):
        inclusion_proof(index, size, complete(size))
    with pytest.raises(TreeError, match=f"a tree of {size} leaves has no leaf {index}"):
        verify_inclusion(LEAVES[0], index, size, mth(0, size), [])


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5)])
def test_a_tree_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(TreeError, match="cannot have become"):
        consistency_proof(old, new, complete(new))
    with pytest.raises(TreeError, match="cannot have become"):
        verify_consistency(old, new, mth(0, 5), mth(0, 5), [])


# Tampering.


@pytest.mark.parametrize("size", range(1, 18))
def test_a_path_that_was_tampered_with_is_refused(size: int) -> None:
    top = mth(0, size)
    for index in range(size):
        proof = path(index, 0, size)
        attempts = [(LEAVES[index], index, top, other) for other in spoilt(proof)]
        attempts += [(LEAVES[index + 1], index, top, proof), (LEAVES[index], index, EMPTY_ROOT, proof)]
        attempts += [(LEAVES[index], other, top, proof) for other in range(size) if other != index]
        for leaf, place, to, hashes in attempts:
            with pytest.raises(TreeError):
                verify_inclusion(leaf, place, size, to, hashes)


def test_a_subtree_is_not_taken_for_a_leaf() -> None:
    """The hash of two leaves is no leaf of a tree of half the size, except to a verifier who was told that size."""
    with pytest.raises(TreeError):
        verify_inclusion(mth(0, 2), 0, 8, mth(0, 8), path(0, 0, 8)[1:])


def test_bytes_cannot_be_moved_between_a_leaf_and_its_path() -> None:
    with pytest.raises(TreeError, match="a hash has 32 bytes"):
        verify_inclusion(LEAVES[0] + LEAVES[1][:1], 0, 2, mth(0, 2), [LEAVES[1][1:]])
    with pytest.raises(TreeError, match="a hash has 32 bytes"):
        verify_inclusion(LEAVES[0], 0, 4, mth(0, 4), [LEAVES[1], mth(2, 4) + b"\x00"])
    with pytest.raises(TreeError, match="a hash has 32 bytes"):
        verify_consistency(2, 4, mth(0, 2), mth(0, 4), [mth(2, 4)[1:]])


@pytest.mark.parametrize("new", range(1, 18))
def test_a_proof_of_growth_that_was_tampered_with_is_refused(new: int) -> None:
    for old in range(1, new):
        proof = subproof(old, 0, new, known=True)
        before, after = mth(0, old), mth(0, new)
        attempts = [(old, before, after, other) for other in spoilt(proof)]
        attempts += [(old, after, before, proof), (old, EMPTY_ROOT, after, proof), (old, before, EMPTY_ROOT, proof)]
        attempts += [(other, before, after, proof) for other in range(1, new) if other != old]
        for size, start, stop, hashes in attempts:
            with pytest.raises(TreeError):
                verify_consistency(size, new, start, stop, hashes)


@pytest.mark.parametrize(
    ("old", "new", "old_root", "new_root", "proof"),
    [
        (0, 5, mth(0, 5), mth(0, 5), []),  # an empty tree has the root of an empty tree
        (0, 5, EMPTY_ROOT, mth(0, 5), [EMPTY_ROOT]),
        (5, 5, mth(0, 5), mth(0, 4), []),
        (5, 5, mth(0, 4), mth(0, 5), []),
        (5, 5, mth(0, 5), mth(0, 5), [EMPTY_ROOT]),
        (0, 0, EMPTY_ROOT, mth(0, 1), []),
    ],
)
def test_trees_with_nothing_to_prove_are_compared_all_the_same(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(TreeError):
        verify_consistency(old, new, old_root, new_root, proof)
