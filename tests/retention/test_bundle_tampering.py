# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bundle that was changed anywhere, in any way, by somebody without the log's key, does not verify."""

from __future__ import annotations

import json

import pytest

from synapse_groupreg.retention import notes
from synapse_groupreg.retention.records import canonical
from tests.retention.sample_log import SERVER_KEY_ID, SampleLog, sample
from tests.retention.verdicts import both, failures

LOG = sample()
BUNDLES = {
    "range": LOG.export_range(2, 12),
    "room": LOG.export_subject("room", "!r0:example.org"),
    "account": LOG.export_subject("account", "@p1:example.org"),
    "filter": LOG.export_filter([1, 2, 5, 9], {"kinds": ["event", "login"], "from_ms": 0}),
}
EACH = pytest.mark.parametrize("lines", BUNDLES.values(), ids=BUNDLES)


def small() -> list[bytes]:
    """The smallest bundle about a room whose period is closed: five lines."""
    log = SampleLog()
    log.event()
    log.close()
    return log.export_subject("room", "!r0:example.org")


def pieces(data: bytes) -> list[bytes]:
    """Lines as reading a file of bytes gives them: only a newline ends one."""
    *lines, last = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


@EACH
def test_the_bundles_verify_as_they_are(lines: list[bytes]) -> None:
    assert both(lines, vkey=LOG.vkey, server_keys={SERVER_KEY_ID: LOG.server_public}).findings == ()


@pytest.mark.parametrize("bit", [0x01, pytest.param(0x20, marks=pytest.mark.prove)])
def test_no_byte_can_be_changed(bit: int) -> None:
    data = b"".join(small())
    assert failures(pieces(data)) == ""
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
        assert failures(pieces(changed)), at


def test_no_byte_can_be_cut_out_or_put_in() -> None:
    data = b"".join(small())
    for at in range(0, len(data), 3):
        assert failures(pieces(data[:at] + data[at + 1 :])), at
        assert failures(pieces(data[:at] + b" " + data[at:])), at


@EACH
def test_no_line_can_be_dropped_doubled_or_swapped(lines: list[bytes]) -> None:
    for at in range(len(lines)):
        assert failures(lines[:at] + lines[at + 1 :]), f"without line {at + 1}"
        assert failures(lines[: at + 1] + lines[at:]), f"line {at + 1} twice"
    for at in range(len(lines) - 1):
        assert failures([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]), f"line {at + 1} after the next"


@EACH
def test_the_file_can_be_cut_nowhere(lines: list[bytes]) -> None:
    for count in range(len(lines)):
        found = failures(lines[:count])
        assert found.startswith("line "), count
        assert failures([*lines[:count], lines[count][:-1]])
        assert failures([*lines[:count], lines[count][: len(lines[count]) // 2]])


@EACH
@pytest.mark.parametrize("more", [b"\n", b" ", b"{}\n", b'{"h":"","i":99}\n', b"\0"])
def test_nothing_may_follow_the_end(lines: list[bytes], more: bytes) -> None:
    found = failures([*lines, more])
    assert f"line {len(lines) + 1}: " in found


@EACH
def test_a_bundle_for_somebody_else_is_not_passed_off(lines: list[bytes]) -> None:
    for key, value in (
        ("case", "2026-18"),
        ("basis", "none"),
        ("by", "@eve:example.org"),
        ("made_ms", 1),
        ("identities", False),
    ):
        manifest = {**json.loads(lines[0]), key: value}
        assert failures([canonical(manifest).encode() + b"\n", *lines[1:]])


def sample_with(**keys: str) -> SampleLog:
    log = SampleLog(**keys)
    for _ in range(3):
        log.event()
    return log


def test_a_bundle_signed_anew_by_another_key_fails_against_the_right_one() -> None:
    forged, right = sample_with(key="eve's"), sample_with()
    lines = forged.export_range(0, 4)
    assert failures(lines) == "", "by itself it agrees with itself: that is why a key has to be given"
    assert "line 1: the bundle is signed by another key than the one that was given" in failures(lines, vkey=right.vkey)


def test_a_key_that_the_homeserver_did_not_endorse_fails_against_its_key() -> None:
    forged, right = sample_with(server_key="eve's"), sample_with()
    found = failures(forged.export_range(0, 4), server_keys={SERVER_KEY_ID: right.server_public})
    assert f"line 1: the endorsement's signature by the homeserver's key {SERVER_KEY_ID} does not hold" in found
    found = failures(right.export_range(0, 4), server_keys={"ed25519:other": right.server_public})
    assert "the endorsement is signed by another key than those given with --server-key" in found


def test_an_endorsement_can_not_be_taken_from_another_key() -> None:
    forged, right = sample_with(key="eve's"), sample_with()
    lines = forged.bundle(forged.manifest(mode="range", range=(0, 1), endorsement=right.endorsement), [forged.shown(0)])
    assert "the endorsement of the log's key is for another key than the manifest's vkey" in failures(lines)


def test_a_checkpoint_can_not_be_replaced() -> None:
    log = sample_with()
    older = log.checkpoint(3)
    lines = log.bundle(log.manifest(mode="filter", filter={}, checkpoint=older), [log.shown(1)])
    assert "line 3: the records do not lead to the root" in failures(lines)
    acts = SampleLog("acts")
    lines = log.bundle(log.manifest(mode="filter", filter={}, checkpoint=acts.checkpoint()), [log.shown(1)])
    assert "the manifest's checkpoint does not hold" in failures(lines)


def test_a_checkpoint_of_another_log_is_not_this_ones_even_if_its_key_signed_it() -> None:
    log = sample_with()
    ours = notes.Checkpoint.parse(log.checkpoint().partition("\n\n")[0] + "\n")
    theirs = notes.sign(notes.Checkpoint("example.org/retention/acts", ours.size, ours.root).text, log.key, log.sign)
    lines = log.bundle(log.manifest(mode="filter", filter={}, checkpoint=theirs), [log.shown(1)])
    assert failures(lines) == "line 1: the checkpoint is of another log than the manifest's origin"


def test_a_record_can_not_be_appended() -> None:
    lines = BUNDLES["range"]
    forged = SampleLog(key="eve's")
    forged.event()
    record = canonical({"h": forged.records[1].text, "i": 12}).encode() + b"\n"
    found = failures([*lines[:-2], record, *lines[-2:]])
    assert "line 12: record 12 is outside of the range" in found
    assert "the proof does not fit the records" in found
