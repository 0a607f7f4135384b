# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a store proves is checked by an implementation of others, tlog-scales, also after a purge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof, InclusionProofInvalid

from synapse_groupreg.retention.records import LogName
from synapse_groupreg.retention.tree import consistency_proof, inclusion_proof, leaf_hash
from synapse_groupreg.storage.store_tree import StoredTree
from tests.handlers.retention.exports import exported, sign
from tests.handlers.retention.stage import ALICE, GARDEN
from tests.handlers.retention.test_exporting import chat, purge

if TYPE_CHECKING:
    from tests.handlers.retention.exports import Exported
    from tests.handlers.retention.stage import Archive


def checkpoint(bundle: Exported) -> Checkpoint:
    """As it stands in the bundle, once its signature was checked."""
    manifest = json.loads(bundle.lines[0])
    found = Checkpoint.from_text(manifest["checkpoint"])
    found.verify(Vkey.from_string(manifest["vkey"]))
    return found


@pytest.mark.parametrize("given", [{"mode": "range"}, {"mode": "subject", "room_id": GARDEN}])
def test_others_verify_the_checkpoint_and_each_record_after_a_purge(archive: Archive, given: dict[str, str]) -> None:
    chat(archive)
    archive.put(*(archive.message(ALICE, GARDEN) for _ in range(300)))
    before = checkpoint(exported(archive, **given))
    begin = purge(archive)
    bundle = exported(archive, **given)
    said = checkpoint(bundle)
    with archive.openers.lend("events") as opener:
        node = StoredTree(opener.reader, 1).node
        paths = {index: inclusion_proof(index, said.size, node) for index in bundle.indexes}
        growth = consistency_proof(before.size, said.size, node)
    assert min(paths) >= begin
    for record in bundle.records:
        leaf = leaf_hash(record["h"].encode())
        InclusionProof(record["i"], said.size, paths[record["i"]]).check(leaf, said.root_hash)
        changed = leaf_hash(record["h"].replace('"ts":1', '"ts":2').encode())
        with pytest.raises(InclusionProofInvalid):
            InclusionProof(record["i"], said.size, paths[record["i"]]).check(changed, said.root_hash)
    ConsistencyProof(before.size, said.size, growth).check(before.root_hash, said.root_hash)


def test_others_find_what_is_recorded_after_an_export_to_add_to_what_was_exported(archive: Archive) -> None:
    chat(archive, 1)
    exported_then = checkpoint(exported(archive))
    chat(archive, 2)
    sign(archive)
    [(size, note)] = archive.place.reader().checkpoints(1)
    later = Checkpoint.from_text(note)
    growth = consistency_proof(exported_then.size, size, StoredTree(archive.place.reader(), 1).node)
    ConsistencyProof(exported_then.size, size, growth).check(exported_then.root_hash, later.root_hash)
    assert size == archive.logs[LogName.events].head.size
