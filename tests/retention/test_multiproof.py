# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs of many leaves at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.retention.provenance import hashes, plain_proof
from synapse_groupreg.retention.records import b64, canonical
from synapse_groupreg.retention.tree import (
    EMPTY_ROOT,
    Frontier,
    TreeError,
    inclusion_proof,
    leaf_hash,
    multiproof,
    multiproof_root,
    node_hash,
)
from tests.retention.trees import EVERY, LARGEST, LEAVES, complete, leaves_at, mth, path, pruned, spoilt, walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

SUBSETS = 10
"""Trees of fewer leaves are tried with every set of leaves."""


def agree(indexes: Sequence[int], size: int, purged: int = 0) -> None:
    proof = multiproof(indexes, size, pruned(size, purged))
    assert proof == walk(indexes, 0, size)
    assert multiproof_root(leaves_at(indexes), size, proof) == mth(0, size)


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[int], int]:
    size = draw(st.integers(1, LARGEST))
    near = st.integers(0, size - 1)
    some = draw(st.sets(near, max_size=40))
    for start, width in draw(st.lists(st.tuples(near, st.integers(1, 300)), max_size=3)):
        some |= set(range(start, min(start + width, size)))
    return sorted(some), size


@pytest.mark.parametrize("size", range(SUBSETS))
def test_every_set_of_leaves_of_a_small_tree(size: int) -> None:
    for number in range(1 << size):
        agree([index for index in range(size) if number >> index & 1], size)


@pytest.mark.parametrize("size", range(1, 33))
def test_every_range_of_a_small_tree(size: int) -> None:
    for start in range(size):
        for stop in range(start + 1, size + 1):
            agree(range(start, stop), size)


@pytest.mark.parametrize("size", range(1, EVERY, 3))
def test_after_every_purge_of_a_small_tree(size: int) -> None:
    for purged in range(size):
        agree([purged], size, purged)
        agree(range(purged, size), size, purged)
        agree(range(purged, size, 3), size, purged)
        agree([(purged + size) // 2], size, purged)


@given(sets(), st.randoms(use_true_random=False))
def test_any_leaves_of_a_tree_purged_or_not(drawn: tuple[list[int], int], random: Random) -> None:
    indexes, size = drawn
    agree(indexes, size)
    if indexes:
        agree(indexes, size, random.randint(0, indexes[0]))


def test_one_leaf_needs_the_hashes_of_its_path() -> None:
    for size in range(1, EVERY):
        for index in range(size):
            assert sorted(multiproof([index], size, complete(size))) == sorted(path(index, 0, size))


def test_all_leaves_need_no_hash_and_no_leaf_needs_the_root() -> None:
    assert multiproof(range(LARGEST), LARGEST, complete(LARGEST)) == []
    assert multiproof_root(enumerate(LEAVES), LARGEST, []) == mth(0, LARGEST)
    assert multiproof([], 5, complete(5)) == [mth(0, 5)]
    assert multiproof_root([], 5, [mth(0, 5)]) == mth(0, 5)
    assert multiproof([], 0, complete(0)) == []
    assert multiproof_root([], 0, []) == EMPTY_ROOT


def test_the_work_grows_with_the_leaves_asked_for_not_with_the_tree() -> None:
    """A thousand of a tree of 2**40 leaves, all the same: nobody could go through them one by one."""
    hashes = [leaf_hash(b"")]
    for _ in range(40):
        hashes.append(node_hash(hashes[-1], hashes[-1]))
    asked = 0

    def nodes(level: int, _: int) -> bytes:
        nonlocal asked
        asked += 1
        return hashes[level]

    size = (1 << 40) - 1
    indexes = range(12345, size, size // 1000)
    proof = multiproof(indexes, size, nodes)
    assert asked < len(indexes) * 40
    top = Frontier(size, reversed(hashes[:40])).root()
    assert multiproof_root([(index, hashes[0]) for index in indexes], size, proof) == top
    assert len(inclusion_proof(indexes[0], size, nodes)) == 40


# Tampering.


@pytest.mark.parametrize(
    ("indexes", "size"), [([0], 1), ([0], 2), ([2], 3), ([1, 2], 7), ([0, 5, 6], 13), (range(3, 11), 17), ([16], 17)]
)
def test_a_multiproof_that_was_tampered_with_is_refused(indexes: Sequence[int], size: int) -> None:
    proof, leaves = walk(indexes, 0, size), leaves_at(indexes)
    attempts = [(leaves, hashes) for hashes in spoilt(proof)]
    for at, (index, leaf) in enumerate(leaves):
        before, after = leaves[:at], leaves[at + 1 :]
        changed = [(index, leaf[::-1]), (index, leaf[:-1]), (index + 1, leaf), (index - 1, leaf), (size, leaf)]
        attempts += [([*before, other, *after], proof) for other in changed]
        attempts += [(before + after, proof), ([*before, (index, leaf), (index, leaf), *after], proof)]
    attempts += [(list(reversed(leaves)), proof)] * (len(leaves) > 1)
    for some, nodes in attempts:
        with pytest.raises(TreeError):
            same(multiproof_root(some, size, nodes), mth(0, size))


def same(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise TreeError("another root")


def test_bytes_cannot_be_moved_between_two_leaves() -> None:
    leaves = [(0, LEAVES[0] + LEAVES[1][:1]), (1, LEAVES[1][1:])]
    with pytest.raises(TreeError, match="a hash has 32 bytes"):
        multiproof_root(leaves, 2, [])
    with pytest.raises(TreeError, match="a hash has 32 bytes"):
        multiproof_root(leaves_at([0]), 2, [LEAVES[1][1:]])


@pytest.mark.parametrize("indexes", [[3, 3], [3, 2], [-1], [5], [0, 7]])
def test_leaves_out_of_order_or_of_the_tree_are_refused(indexes: list[int]) -> None:
    with pytest.raises(TreeError, match="in ascending order"):
        multiproof(indexes, 5, complete(5))
    with pytest.raises(TreeError, match="in ascending order"):
        multiproof_root([(index, LEAVES[0]) for index in indexes], 5, [EMPTY_ROOT] * 9)


def test_too_few_and_too_many_hashes_are_told_apart() -> None:
    proof = walk([3], 0, 11)
    with pytest.raises(TreeError, match="fewer hashes"):
        multiproof_root(leaves_at([3]), 11, proof[:-1])
    with pytest.raises(TreeError, match="more hashes"):
        multiproof_root(leaves_at([3]), 11, [*proof, EMPTY_ROOT])
    with pytest.raises(TreeError, match="more hashes"):
        multiproof_root(enumerate(LEAVES[:11]), 11, [EMPTY_ROOT])


def test_hashes_have_one_spelling_each() -> None:
    given = [bytes([number]) * 32 for number in range(251, 256)]
    spelled = [b64(one) for one in given]
    assert hashes(spelled) == given
    assert hashes([]) == []
    assert plain_proof(line_of(spelled)) == given
    first, *others = spelled
    wrong = (
        first + "=", first + "A", first[:-1], first[:-1] + "9", "+" + first[1:], "/" + first[1:], " " + first[:-1],
        first[:20] + "=" + first[21:], "\u00e9" + first[1:], "\ud800" + first[1:], "",
    )  # fmt: skip
    for one in wrong:
        for proof in ([one, *others], [*others, one], [one]):
            with pytest.raises(ValueError, match=r"."):
                hashes(proof)
            assert plain_proof(line_of(proof)) is None
    # Characters that are none, as many as a hash has: without them, two of these would be one hash of the right form.
    passed_over = ["!" * 22 + first[:21], first[-21:] + "!" * 22, *others]
    assert plain_proof(line_of(passed_over)) is None
    for proof in ([first + others[0][0], others[0][1:]], passed_over):
        with pytest.raises(ValueError, match="a hash is 32 bytes"):
            hashes(proof)


def test_a_proof_whose_hashes_stand_elsewhere_is_not_read_the_short_way() -> None:
    """Where an A stands for what separates two hashes, another A must not."""
    one, other = b64(bytes(32)), b64(bytes(range(32)))
    assert plain_proof(line_of([one, other])) == [bytes(32), bytes(range(32))]
    text = f"{one}A{other}"
    for at in range(len(text)):
        if at != len(one):
            assert plain_proof(line_of([text[:at], text[at + 1 :]])) is None
            assert plain_proof(line_of([text[:at], text[at:]])) is None
    right = line_of([one, other])
    for wrong in (
        right[:-1],
        right[1:],
        right[:-1] + b" ",
        right.replace(b",", b", "),
        b'{"proof":["]}\n',
        line_of([]),
    ):
        assert plain_proof(wrong) is None


def line_of(proof: Sequence[str]) -> bytes:
    return canonical({"proof": [*proof]}).encode(errors="surrogatepass") + b"\n"
