# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing bundles and tallies, and what the verifier tells of a right one."""

from __future__ import annotations

import hashlib
import json

import attrs
import pytest

from synapse_groupreg.retention import tree
from synapse_groupreg.retention.bundle import Anchor, BundleRecord, BundleWriter
from synapse_groupreg.retention.provenance import Trust
from synapse_groupreg.retention.records import Kind, b64, canonical
from synapse_groupreg.retention.tally import tallied, tally_leaf, tally_root
from synapse_groupreg.retention.verifier import verify_bundle
from tests.retention.sample_log import SERVER_KEY_ID, START_MS, SampleLog, sample
from tests.retention.verdicts import both, check


def test_every_line_is_canonical_json() -> None:
    for line in sample().export_range(0, 10):
        assert canonical(json.loads(line)).encode() + b"\n" == line


def test_records_are_written_in_the_order_of_the_log() -> None:
    writer = BundleWriter()
    writer.record(BundleRecord(index=3, header="{}"))
    for index in (3, 2):
        with pytest.raises(ValueError, match=f"record {index} stands before record 3"):
            writer.record(BundleRecord(index=index, header="{}"))


def test_what_is_signed_is_the_prefix_and_the_hash_of_all_lines_before() -> None:
    signed = []

    def sign(message: bytes) -> bytes:
        signed.append(message)
        return b"\0" * 64

    writer = BundleWriter()
    first = writer.record(BundleRecord(index=0, header="{}"))
    proof, end = writer.end([b"\1" * 32], sign).splitlines(keepends=True)
    digest = hashlib.sha256(first + proof).digest()
    assert signed == [b"groupreg-bundle-v1\n" + digest]
    assert json.loads(end) == {"end": {"records": 1, "sha256": b64(digest)}, "sig": b64(b"\0" * 64)}


def test_the_report_says_what_the_bundle_shows() -> None:
    log = sample()
    report = both(log.export_range(2, 12), vkey=log.vkey, server_keys={SERVER_KEY_ID: log.server_public})
    assert report.kinds == {"event": 7, "login": 1, "refusal": 1, "close": 1}
    assert (report.records, report.size, report.contents) == (10, 23, 8)
    assert (report.first_ms, report.last_ms) == (START_MS + 2 * 60_000, START_MS + 11 * 60_000)
    assert (report.key, report.endorsement_checked, report.anchored) == ("given", True, False)
    assert report.manifest["case"] == "2026-17"


def test_how_the_key_is_known() -> None:
    log = sample()
    lines = log.export_range(0, 1)
    server_keys = {SERVER_KEY_ID: log.server_public}
    assert both(lines).key == "claimed"
    assert both(lines, vkey=log.vkey).key == "given"
    assert both(lines, server_keys=server_keys).key == "endorsed"


def test_a_bundle_may_name_where_its_checkpoint_is_kept() -> None:
    log = sample()
    where = Anchor(kind="room", where="$event in !audit:example.org")
    assert both(log.export_range(0, 3, anchors=[where])).anchored
    for wrong in ({"kind": "moon"}, {"where": ""}):
        spoilt = log.export_range(0, 3, anchors=[attrs.evolve(where, **wrong)])
        assert not both(spoilt).ok


def test_a_bundle_may_be_empty() -> None:
    log = sample()
    assert both(log.export_filter([], {})).ok
    assert both(log.export_range(5, 5)).ok


def test_progress_is_told_in_bytes() -> None:
    log = SampleLog()
    for _ in range(2500):
        log.event()
    lines = log.export_filter(list(range(2500)), {})
    told: list[int] = []
    assert verify_bundle(lines, check, Trust(), told.append).ok
    assert sum(told) == sum(map(len, lines))
    assert len(told) == 3


def test_a_range_follows_the_tokens_and_its_closes_tally_what_is_there() -> None:
    """A log that is wrong in itself: the standalone verifier, which is short, doesn't look for this."""
    log = SampleLog()
    log.event()
    log.event()
    right = log.records[2].header
    log.keep(attrs.evolve(right, actor_prev=2, room_prev=None))
    lines = log.export_range(0, 4)
    (finding,) = verify_bundle(lines, check).findings
    assert str(finding) == "line 5: record 3: the header's room_prev is not the record before with the same room"
    log = SampleLog()
    log.event()
    tokens, root = tally_root([])
    log.own(Kind.close, {"first": 0, "count": 2, "tokens": tokens, "tally": b64(root)})
    (finding,) = verify_bundle(log.export_range(0, 3), check).findings
    assert finding.text == "record 2: the close record's tally is not that of the records in its period"
    assert verify_bundle(log.export_range(1, 3), check).ok, "where the period's begin is not shown, it can't be counted"


def tallies(count: int) -> list[tuple[bytes, str, int, int]]:
    return [
        (number.to_bytes(16, "big"), "room" if number % 2 else "account", number, number * 2) for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 100])
def test_a_tally_proves_each_of_its_tokens(count: int) -> None:
    every = tallies(count)
    size, root = tally_root(iter(every))
    assert size == count
    for token, kind, number, last in every:
        found = tallied(iter(every), token)
        assert (found.kind, found.count, found.last, found.size) == (kind, number, last, count)
        leaf = tally_leaf(found.token, found.kind, found.count, found.last)
        assert tree.multiproof_root([(found.index, leaf)], found.size, found.proof) == root


def test_the_leaf_of_a_tally_is_canonical_json() -> None:
    assert tally_leaf("AAAA", "room", 2, 7) == tree.leaf_hash(b'["AAAA","room",2,7]')
    assert tally_root([]) == (0, tree.EMPTY_ROOT)


def test_a_tally_has_its_tokens_in_order_and_each_once() -> None:
    every = tallies(3)
    for wrong in (every[::-1], [*every, every[-1]]):
        with pytest.raises(ValueError, match="ascending order"):
            tally_root(wrong)
    with pytest.raises(KeyError):
        tallied(every, b"\xff" * 16)
