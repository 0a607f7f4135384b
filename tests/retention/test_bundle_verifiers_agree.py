# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two verifiers share no code: whatever a log's own key signs, they say the same of it."""

from __future__ import annotations

import random
from base64 import urlsafe_b64decode
from contextlib import suppress

import pytest

from synapse_groupreg.retention.bundle import BundleRecord
from synapse_groupreg.retention.records import b64, digest
from tests.retention.sample_log import SampleLog
from tests.retention.verdicts import both

PIECES = [
    *('",{}[]:0-\\é= \t\x7f\u2028'),
    *("null", "true", "1.0", "1e3", "-0", "AAAA", "\\u0041", "9007199254740992"),
    *('"_sd":{},', '"facts":{},', '"facts":null,', '"count":2,', '"count":1,', '"verdict":"x",'),
    '"room":"AAAAAAAAAAAAAAAAAAAAAA",',
]


def spoilt(text: str, chance: random.Random) -> str:
    """The text with something put in, taken out, changed or moved."""
    at, way = chance.randrange(len(text)), chance.randrange(4)
    if way == 0:
        return text[:at] + chr(ord(text[at]) ^ (1 << chance.randrange(6))) + text[at + 1 :]
    if way == 1:
        return text[:at] + chance.choice(PIECES) + text[at:]
    if way == 2:
        return text[:at] + text[at + chance.randrange(1, 5) :]
    parts = text.split(",")
    parts.insert(chance.randrange(len(parts)), parts[chance.randrange(len(parts))])
    return ",".join(parts)


def spoilt_bundle(chance: random.Random) -> list[bytes]:
    """A right record and one with a spoilt header, or with a spoilt disclosure that its header commits to."""
    log = SampleLog()
    log.event()
    kept = log.records[1]
    text, disclosures = kept.text, kept.disclosures()
    if chance.random() < 0.5:
        text = spoilt(text, chance)
    else:
        at = chance.randrange(len(disclosures))
        old = disclosures[at]
        if chance.random() < 0.6:
            disclosures[at] = b64(spoilt(urlsafe_b64decode(old + "==").decode(), chance).encode())
        else:
            disclosures[at] = spoilt(old, chance)
        text = text.replace(digest(old), digest(disclosures[at]))
    log.keep(kept.header, text=text)
    record = BundleRecord(index=2, header=text, disclosures=disclosures)
    return log.bundle(log.manifest(mode="filter", filter={}), [log.shown(1), record])


def agree(seed: int, count: int) -> None:
    chance, verdicts = random.Random(seed), set()
    for _ in range(count):
        # Half of a surrogate pair can't be written at all.
        with suppress(UnicodeEncodeError):
            verdicts.add(both(spoilt_bundle(chance)).ok)
    assert verdicts == {True, False}


def test_the_verifiers_agree() -> None:
    agree(1, 300)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 8))
def test_the_verifiers_agree_on_many(seed: int) -> None:
    agree(seed, 5000)
