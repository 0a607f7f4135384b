# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who holds the log's key, and signs what they like, still can't make a bundle that claims more than it shows."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from synapse_groupreg.retention.bundle import BundleRecord, Subject
from synapse_groupreg.retention.findings import MOST
from synapse_groupreg.retention.records import b64, canonical, digest, disclosure, salt
from tests.retention.sample_log import SampleLog
from tests.retention.verdicts import both, failures

ROOM = "!r0:example.org"


def log_of(messages: int = 3) -> SampleLog:
    log = SampleLog()
    for _ in range(messages):
        log.event()
    return log


def shown(log: SampleLog, at: int, **changes: Any) -> list[bytes]:
    """A filtered bundle of one record, as it is but for the changes."""
    return log.bundle(log.manifest(mode="filter", filter={}), [attrs.evolve(log.shown(at), **changes)])


def edited(log: SampleLog, lines: list[bytes], at: int, old: str, new: str) -> list[bytes]:
    """One line written in another way, under a new signature."""
    text = lines[at].decode()
    assert old in text
    return log.resign([*lines[:at], text.replace(old, new, 1).encode(), *lines[at + 1 :]])


# Spelling: one text has one meaning.


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{"d":', '{"d":[],"d":', "a key stands there twice"),
        ('"i":1}', '"i":1,"i":1}', "a key stands there twice"),
        ('"i":1}', '"i":1.0}', "1.0 is no whole number"),
        ('"i":1}', '"i":NaN}', "NaN is no whole number"),
        ('"i":1}', '"i":true}', "an index `i`, a number"),
        ('"i":1}', '"i":' + "9" * 30 + "}", "beyond 53 bits"),
        ('"i":1}', '"i":' + "9" * 15 + "}", "beyond the checkpoint"),
        ('"i":1}', '"i":' + "9" * 5000 + "}", "beyond 53 bits"),
        ('"i":1}', '"i":-1}', "out of order"),
        ('"i":1}', '"i":-0}', "canonical JSON"),
        ('"i":1}', '"i":1,"x":1}', "no line of a record"),
        ('"i":1}', '"i": 1}', "canonical JSON"),
        ('"i":1}', '"i":' + "[" * 100_000 + "}", "nested too deeply"),
        ('"i":1}', '"i":1,"t":' + "[" * 50_000 + "]" * 50_000 + "}", "nested too deeply"),
        ('"h":"{', '"h":"\\u007b', "canonical JSON"),
        ('{"d":["', '{"d":["\\ud800', "canonical JSON"),
        ('{"d":["', '{"d":[7,"', "list of texts"),
    ],
)
def test_a_record_has_one_spelling(old: str, new: str, said: str) -> None:
    log = log_of()
    found = failures(edited(log, shown(log, 1), 1, old, new))
    assert "line 2: " in found
    assert said in found


@pytest.mark.parametrize(
    "change",
    [
        ('"v":1}', '"v":1,"v":1}'),
        ('"k":"event"', '"k":"login","k":"event"'),
        ('"k":"event"', '"k" :"login","k":"event"'),
        ('"v":1}', '"v":1.0}'),
        ('"v":1}', '"v":true}'),
        ('"v":1}', '"v":2}'),
        ('"v":1}', '"v":1,"zzz":1}'),
        ('"v":1}', '"v":1,"facts":{"a":1.5}}'),
        ('"v":1}', '"v": 1}'),
        ('"ts":', '"ts":1'.ljust(25, "0")),
        ('"ts":', '"ts":-'),
        ('"pos":2', '"pos":-0'),
        ('"pos":2', '"pos":"2"'),
        ('"src":"events/master"', '"src":"\\u0065vents/master"'),
        ('"src":"events/master"', '"src":null'),
        ('"room_prev":null', '"room_prev":7'),
        ('"room_prev":null', '"room_prev":2'),
        (',"room_prev":null', ""),
        ('"actor_prev":null', '"actor_prev":7'),
        ('"actor_prev":null', '"actor_prev":2'),
        ('"type":"m.room.message"', '"count":1,"type":"m.room.message"'),
        ('"type":"m.room.message"', '"type":["m.room.message"]'),
        (',"k":"event"', ',"count":1,"k":"event"'),
        ('{"_sd":{', '{"_sd":{"a":"a",'),
        ('{"_sd":{', '{"_sd":{"zzz":"' + "A" * 43 + '",'),
        ('{"_sd":{"', '{"_sd":{"content_sha256":"' + "A" * 43 + '","'),
        ('{"_sd":{', '{"_sd":{"a":1,'),
        ('{"_sd":{', '{"_sd":[],"x":{'),
        ("}", ""),
        ('{"_sd"', '[{"_sd"'),
    ],
)
def test_a_header_has_one_meaning(change: tuple[str, str]) -> None:
    log = log_of(1)
    kept = log.records[1]
    assert change[0] in kept.text
    log.keep(kept.header, text=kept.text.replace(*change, 1))
    # The right one before it has the same form: what was seen once must not make the next one pass.
    shown = kept.disclosures(("ip",))
    records = [BundleRecord(index=index, header=log.records[index].text, disclosures=shown) for index in (1, 2)]
    assert failures(log.bundle(log.manifest(mode="filter", filter={}), records)).startswith("line 3: record 2: ")


@pytest.mark.parametrize("type_", ["a b", 'with "quotes"', "ünï\u200bcode", ":colon", '":', "-0", "\\", "\x7f\n"])
def test_unusual_but_right_headers_pass(type_: str) -> None:
    log = log_of(1)
    log.event(type=type_, verdict=type_, sender=f"@{type_}:example.org")
    assert failures(log.export_range(0, 3)) == ""


def test_a_line_that_is_no_utf8_stops_the_reading() -> None:
    log = log_of()
    lines = shown(log, 1)
    assert "line 2: the line is not UTF-8" in failures(
        log.resign([lines[0], lines[1].replace(b'"i"', b'"\xff"'), *lines[2:]])
    )


# Disclosures.


def test_a_field_is_disclosed_once() -> None:
    log = log_of()
    disclosures = log.records[1].disclosures()
    assert "a field is disclosed twice" in failures(shown(log, 1, disclosures=[*disclosures, disclosures[0]]))


def test_a_digest_counts_only_under_the_name_that_its_disclosure_has() -> None:
    log = log_of(1)
    kept = log.records[1]
    moved = kept.text.replace('"ip":', '"membership":')
    log.keep(kept.header, text=canonical(json.loads(moved)))
    record = BundleRecord(index=2, header=log.records[2].text, disclosures=kept.disclosures(("ip",)))
    found = failures(log.bundle(log.manifest(mode="filter", filter={}), [record]))
    assert "line 2: record 2: d[0] discloses ip, and its digest stands under membership" in found


def test_a_value_can_not_be_replaced() -> None:
    log = log_of()
    kept = log.records[1]
    other = disclosure(salt(kept.seed, "ip"), "ip", "198.51.100.9")
    assert "d[0] is not what the header commits to for ip" in failures(shown(log, 1, disclosures=[other]))
    unknown = disclosure(salt(kept.seed, "ip"), "device_id", "x")
    assert "d[0] discloses device_id, of which the header says nothing" in failures(
        shown(log, 1, disclosures=[unknown])
    )


@pytest.mark.parametrize(
    "text",
    [
        '["AAAAAAAAAAAAAAAAAAAAAA","ip","a","b"]',
        '["AAAAAAAAAAAAAAAAAAAAAA","ip"]',
        '["AAAAAAAAAAAAAAAAAAAAAA", "ip","a"]',
        '["AAAA","ip","a"]',
        '["AAAAAAAAAAAAAAAAAAAAAA","ip",1]',
        '{"ip":"a"}',
        "[" * 20_000,
        "",
        '["AAAAAAAAAAAAAAAAAAAAAA","ip","\\u0061"]',
    ],
)
def test_a_disclosure_has_one_form_even_if_the_header_commits_to_another(text: str) -> None:
    log = log_of(1)
    disclosed = b64(text.encode())
    log.keep(attrs.evolve(log.records[1].header, digests={"ip": digest(disclosed)}))
    assert "line 2: record 2: d[0] is no" in failures(shown(log, 2, disclosures=[disclosed]))


@pytest.mark.parametrize(
    "spoil", [lambda text: text + "=", lambda text: text + "\n", lambda text: "-" + text, lambda _: "é"]
)
def test_a_disclosure_is_base64url_without_padding(spoil: Any) -> None:
    log = log_of(1)
    disclosed = spoil(disclosure(b"\0" * 18, "ip", "a"))
    log.keep(attrs.evolve(log.records[1].header, digests={"ip": digest(disclosed)}))
    assert "line 2: record 2: d[0] is no" in failures(shown(log, 2, disclosures=[disclosed]))


@pytest.mark.parametrize("value", ['"', "\\", "\n", "é", "", "a]", "\U0001f600", "\x7f"])
def test_every_value_can_be_disclosed(value: str) -> None:
    log = log_of(1)
    log.event(details={"reason": value, "ip": value})
    disclosures = log.records[2].disclosures(("reason", "ip"))
    assert len(disclosures) == 2
    assert failures(shown(log, 2, disclosures=disclosures)) == ""


def test_content_is_checked_against_its_disclosed_digest() -> None:
    log = log_of()
    right = log.records[1].content
    assert failures(shown(log, 1, content=right)) == ""
    assert "the content is not the one" in failures(shown(log, 1, content=f"{right} "))
    hidden = log.records[1].disclosures(("ip",))
    assert "no disclosure of content_sha256" in failures(shown(log, 1, content=right, disclosures=hidden))


# What the manifest claims.


@pytest.mark.parametrize(
    "changes",
    [
        {"range": (1, 2)},
        {"subject": Subject("room", ROOM)},
        {"filter": None},
        {"filter": {"sizes": 1}},
        {"filter": {"kinds": "event"}},
        {"filter": {"kinds": [1]}},
        {"filter": {"from_ms": -1}},
        {"filter": {"room": None}},
        {"mode": "everything"},
        {"mode": "range", "filter": None, "range": (2, 1)},
        {"mode": "range", "filter": None, "range": (1, 2, 3)},
        {"mode": "range", "filter": None, "range": (False, 2)},
        {"mode": "range", "filter": None, "range": (1, 99)},
        {"mode": "subject", "filter": None, "subject": Subject("person", ROOM)},  # type: ignore[arg-type]  # there is no such kind
        {"mode": "subject", "filter": None, "subject": Subject("room", "")},
        {"case": ""},
        {"by": 3},
        {"made_ms": 1.5},
        {"made_ms": 0},
        {"identities": 1},
        {"log": "acts"},
        {"log": "Events"},
        {"origin": "example.com/retention/events"},
        {"origin": "example.org/retention/events/0"},
        {"vkey": "x"},
        {"vkey": "example.org/retention/events+00000000+AAAA"},
        {"checkpoint": "x"},
        {"endorsement": {}},
        {"endorsement": []},
    ],
)
def test_a_manifest_has_its_form(changes: dict[str, Any]) -> None:
    log = log_of()
    lines = log.bundle(log.manifest(**{"mode": "filter", "filter": {}, **changes}), [log.shown(1)])
    assert "line 1: " in failures(lines)


@pytest.mark.parametrize("key", ["type", "origin", "vkey", "valid_from_ms", "signatures", "more"])
@pytest.mark.parametrize("value", [0, "x", {}, None, {"example.org": {}}, {"example.org": {"ed25519:a": "AA"}}])
def test_an_endorsement_has_its_form(key: str, value: Any) -> None:
    log = log_of()
    changed = {**log.endorsement, key: value}
    if (key, value) == ("valid_from_ms", 0):
        return
    lines = log.bundle(log.manifest(mode="filter", filter={}, endorsement=changed), [log.shown(1)])
    assert "line 1: the endorsement of the log's key" in failures(lines)


@pytest.mark.parametrize(
    "conditions",
    [
        {"kinds": ["login"]},
        {"types": []},
        {"verdicts": ["rejected"]},
        {"from_ms": 2 * 10**12},
        {"to_ms": 1},
        {"room": "!other:example.org"},
        {"account": "@other:example.org"},
        {"kinds": ["event"], "account": "@other:example.org"},
    ],
)
def test_a_filter_is_met_by_every_record(conditions: dict[str, Any]) -> None:
    log = log_of()
    found = failures(log.export_filter([0, 1], conditions))
    assert f"line 3: record 1 does not meet the manifest's filter: {list(conditions)[-1]}" in found


@pytest.mark.parametrize(
    "conditions",
    [{"kinds": ["event"]}, {"room": ROOM}, {"account": "@anna:example.org"}, {"from_ms": 1, "to_ms": 2 * 10**12}, {}],
)
def test_a_filter_that_is_met_passes(conditions: dict[str, Any]) -> None:
    assert failures(log_of().export_filter([0, 1, 3], conditions)) == ""


def test_a_filter_by_room_needs_the_room_disclosed() -> None:
    log = log_of()
    record = attrs.evolve(log.shown(1), disclosures=log.records[1].disclosures(("sender",)))
    lines = log.bundle(log.manifest(mode="filter", filter={"room": ROOM}), [record])
    assert "does not meet the manifest's filter: room" in failures(lines)


def test_a_range_has_all_its_records_and_no_others() -> None:
    log = log_of(5)
    manifest = log.manifest(mode="range", range=(1, 5))
    every = [log.shown(index) for index in range(6)]
    assert failures(log.bundle(manifest, every[:5])) == "", "the key's record may stand before"
    assert "line 3: record 2 is missing from the range" in failures(log.bundle(manifest, [every[1], *every[3:5]]))
    assert "line 3: records 2 to 3 are missing" in failures(log.bundle(manifest, [every[1], every[4]]))
    assert "line 5: record 4 is missing" in failures(log.bundle(manifest, every[1:4]))
    assert "line 6: record 5 is outside of the range" in failures(log.bundle(manifest, every[1:]))


def test_only_so_many_failures_are_listed() -> None:
    log = log_of(30)
    report = both(log.export_filter(list(range(1, 31)), {"kinds": ["login"]}))
    assert len(report.findings) == MOST
    assert report.more


def test_the_end_counts_the_records() -> None:
    log = log_of()
    lines = shown(log, 1)
    end = json.loads(lines[-1])
    end["end"]["records"] = 2
    assert "the end counts other than the 1 records" in failures([*lines[:-1], canonical(end).encode() + b"\n"])
    for key, value in (("records", True), ("records", "1"), ("sha256", 3), ("sha256", "AA")):
        end = json.loads(lines[-1])
        end["end"][key] = value
        assert failures([*lines[:-1], canonical(end).encode() + b"\n"])


def test_kinds_of_the_future_are_no_failure() -> None:
    log = log_of(1)
    kept = log.records[1]
    log.keep(kept.header, text=kept.text.replace('"k":"event"', '"k":"appeal"'), seed=kept.seed, fields=kept.fields)
    assert both(log.bundle(log.manifest(mode="filter", filter={}), [log.shown(2)])).kinds == {"appeal": 1}
