# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The short way of reading a record: common lines take it, and it accepts nothing that the long way would not."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from synapse_groupreg.retention import shown
from synapse_groupreg.retention.findings import Broken, Findings
from synapse_groupreg.retention.plain import read_plain
from synapse_groupreg.retention.records import b64, canonical, digest
from synapse_groupreg.retention.shown import RecordReader, Wanted
from tests.retention.sample_log import SampleLog
from tests.retention.test_bundle_verifiers_agree import spoilt

WANTED = Wanted(("k", "ts", "type", "verdict", "room", "room_prev", "actor", "actor_prev"), ("room_id", "sender"))


def line_of(header: str, disclosures: list[str], index: int = 5) -> str:
    return canonical({"h": header, "i": index} | ({"d": disclosures} if disclosures else {}))


def read(line: str) -> Any:
    """All that is made of a line; None if anything is wrong with it."""
    findings = Findings()
    reader = RecordReader(findings, 10, WANTED)
    try:
        made = reader.read(2, line)
    except Broken:
        return None
    return None if findings.found else (made, reader.indexes, reader.leaves, reader.counts)


def the_long_way(line: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(shown, "read_plain", lambda *_: None)
        return read(line)


def sample(**more: Any) -> tuple[str, list[str]]:
    log = SampleLog()
    log.event()
    log.event(**more)
    return log.records[2].text, log.records[2].disclosures()


@pytest.mark.parametrize(
    ("more", "shown_of_it"),
    [({}, slice(None)), ({}, slice(1, 3)), ({}, slice(1)), ({}, slice(0)), ({"actor": None}, slice(None)),
     ({"sender": "@安娜:example.org"}, slice(None)), ({"room": None, "verdict": "rejected", "count": 2}, slice(None))],
)  # fmt: skip
def test_common_records_are_read_the_short_way_as_the_long_way(
    more: dict[str, Any], shown_of_it: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, disclosures = sample(**more)
    line = line_of(header, disclosures[shown_of_it])
    assert read_plain(line, ()) is not None
    assert read(line) == the_long_way(line, monkeypatch) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw + b"\0",
        lambda raw: raw + b"\0\0\1",
        lambda raw: raw + b"\0\0\1" + raw,
        lambda raw: raw + b"\0\0\0\0\2",
        lambda raw: raw[:-1] + b"\xff" + raw[-1:],
        lambda raw: raw[:-2] + b'\\u0041"]',
        lambda raw: raw[:-2] + b'\x1f"]',
        lambda raw: raw.replace(b'","', b'", "', 1),
        lambda raw: raw[:0],
    ],
)
def test_what_looks_like_the_end_of_a_disclosure_does_not_pass_for_it(change: Any) -> None:
    header, disclosures = sample()
    for at, old in enumerate(disclosures):
        new = b64(change(urlsafe_b64decode(old + "==")))
        changed = [*disclosures[:at], new, *disclosures[at + 1 :]]
        line = line_of(header.replace(digest(old), digest(new)), changed)
        assert read_plain(line, ()) is None
        assert read(line) is None


def test_bits_and_characters_that_should_not_be_there_are_seen() -> None:
    header, disclosures = sample()
    for at, old in enumerate(disclosures):
        wrong = {old + "A", old + "AAAA", old + "=", old + "!!!!", old[:-1], "A" + old, old[:9] + "+" + old[10:]}
        wrong |= {old[:-1] + chr(ord(old[-1]) + 1)} if len(old) % 4 else set()
        for new in wrong:
            changed = [*disclosures[:at], new, *disclosures[at + 1 :]]
            line = line_of(header.replace(digest(old), digest(new)), changed)
            assert read_plain(line, ()) is None
            assert read(line) is None


def test_a_field_twice_and_a_digest_of_another_field_are_seen() -> None:
    header, disclosures = sample()
    first, second, *_ = disclosures
    for changed in ([first, first], [*disclosures, first]):
        assert read_plain(line_of(header, changed), ()) is None
    swapped = header.replace(digest(first), "?").replace(digest(second), digest(first)).replace("?", digest(second))
    for changed in (disclosures, [first], [second]):
        assert read_plain(line_of(swapped, changed), ()) is None


def test_the_short_way_accepts_nothing_that_the_long_way_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    chance, accepted = Random(7), 0
    right, every = sample(verdict="rejected")
    for _ in range(3000):
        header, disclosures = right, [*every]
        kept, at, way = chance.randrange(1, 6), chance.randrange(5), chance.randrange(3)
        with suppress(UnicodeEncodeError):  # half of a surrogate pair can't be written at all
            if way == 0:
                old = disclosures[at]
                disclosures[at] = b64(spoilt(urlsafe_b64decode(old + "==").decode(), chance).encode())
                header = header.replace(digest(old), digest(disclosures[at]))
            line = line_of(spoilt(header, chance) if way == 1 else header, disclosures[:kept])
            line = spoilt(line, chance) if way > 1 else line
            line.encode()
            if read_plain(line, ()) is not None:
                accepted += 1
                assert read(line) == the_long_way(line, monkeypatch) is not None
    assert accepted
