# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our tree and checkpoints beside those of others: pymerkle (RFC 9162) and tlog-scales (C2SP).

pymerkle counts leaves from one and puts the leaf before its path; its proofs of growth have a form of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pymerkle import InmemoryTree
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.tlog import (
    Checkpoint as OthersCheckpoint,
)
from tlog_scales.tlog import (
    ConsistencyProof,
    ConsistencyProofInvalid,
    InclusionProof,
    InclusionProofInvalid,
)
from tlog_scales.writer import TilesWriter

from synapse_groupreg.retention import ed25519
from synapse_groupreg.retention.notes import Checkpoint, Key, open_note, sign
from synapse_groupreg.retention.tree import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    multiproof,
    multiproof_root,
)
from tests.retention.trees import INPUTS, LEAVES, complete, leaves_at, pruned, spoilt

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [*range(1, 20), 255, 256, 257, 1000]
ORIGIN = "hs.example.org/retention"
SEED = bytes(range(32))
KEY = Key(ORIGIN, ed25519.public_key(SEED))


def root_of(size: int) -> bytes:
    tree = Frontier()
    tree.extend(LEAVES[:size])
    return tree.root()


@pytest.fixture(scope="module")
def pymerkle() -> InmemoryTree:
    tree = InmemoryTree()
    tree.append_entries(INPUTS[: max(SIZES)])
    return tree


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_has_the_same_roots_and_paths(pymerkle: InmemoryTree, size: int) -> None:
    assert root_of(size) == pymerkle.get_root(size)
    for index in {*range(min(size, 20)), size // 2, size - 1}:
        path = pymerkle.prove_inclusion(index + 1, size).path
        assert path == [leaf_hash(INPUTS[index]), *inclusion_proof(index, size, complete(size))]


@pytest.mark.parametrize("new", SIZES)
def test_pymerkle_finds_our_roots_consistent(pymerkle: InmemoryTree, new: int) -> None:
    for old in (size for size in SIZES if size <= new):
        proof = pymerkle.prove_consistency(old, new)
        proof.verify(root_of(old), root_of(new), prior_size=old, later_size=new)


def test_leaves_proved_together_have_the_root_that_pymerkle_has(pymerkle: InmemoryTree) -> None:
    indexes = [0, 7, 8, *range(300, 600), 998]
    proof = multiproof(indexes, 1000, complete(1000))
    assert multiproof_root(leaves_at(indexes), 1000, proof) == pymerkle.get_root(1000)


@pytest.mark.parametrize("size", SIZES)
def test_tlog_scales_verifies_our_proofs_purged_or_not(size: int) -> None:
    """Its verifier is the algorithm of RFC 9162, line by line."""
    for purged in (0, size // 3, size - 1):
        nodes = pruned(size, purged)
        for index in {purged, (purged + size) // 2, size - 1}:
            path = inclusion_proof(index, size, nodes)
            InclusionProof(index, size, path).check(LEAVES[index], root_of(size))
            growth = consistency_proof(index + 1, size, nodes)
            ConsistencyProof(index + 1, size, growth).check(root_of(index + 1), root_of(size))


def test_tlog_scales_refuses_what_we_refuse() -> None:
    for other in spoilt(inclusion_proof(6, 13, complete(13))):
        with pytest.raises(InclusionProofInvalid):
            InclusionProof(6, 13, other).check(LEAVES[6], root_of(13))
    for other in spoilt(consistency_proof(6, 13, complete(13))):
        with pytest.raises(ConsistencyProofInvalid):
            ConsistencyProof(6, 13, other).check(root_of(6), root_of(13))


def test_tlog_scales_verifies_our_checkpoints_by_our_verifier_key() -> None:
    checkpoint = Checkpoint(ORIGIN, 1000, root_of(1000))
    note = sign(checkpoint.text, KEY, lambda message: ed25519.sign(SEED, message))
    found = OthersCheckpoint.from_text(note)
    found.verify(Vkey.from_string(KEY.vkey))
    assert (found.origin, found.size, found.root_hash) == (ORIGIN, 1000, root_of(1000))
    assert found.serialize() == note


def test_we_open_a_checkpoint_of_a_log_that_tlog_scales_wrote(tmp_path: Path) -> None:
    log = TilesWriter.create(tmp_path / "log", ORIGIN)
    signer = PlainEd25519Signer(ORIGIN, SEED)
    for size in (1, 300, 1000):
        for data in INPUTS[log.size : size]:
            log.add_leaf(data)
        log.commit([signer])
        note = (tmp_path / "log" / "checkpoint").read_text(encoding="utf-8")
        opened = open_note(note, [Key.parse(signer.vkey.serialize())], ed25519.verify)
        assert Checkpoint.parse(opened.text) == Checkpoint(ORIGIN, size, root_of(size))
