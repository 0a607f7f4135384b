# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bundle about a room or account shows how far nothing of it is missing, and can't show more than there is."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from synapse_groupreg.retention.bundle import BundleRecord, Subject
from synapse_groupreg.retention.records import Kind, b64, unb64
from synapse_groupreg.retention.tally import tally_root
from tests.retention.sample_log import SampleLog, sample
from tests.retention.verdicts import both, failures

ROOM = "!r0:example.org"
ANNA = "@anna:example.org"


def bundle(log: SampleLog, records: list[BundleRecord], kind: Any = "room", name: str = ROOM) -> list[bytes]:
    return log.bundle(log.manifest(mode="subject", subject=Subject(kind, name)), records)


def closed() -> SampleLog:
    """One period: records 1, 3, 5 of the room, 2, 4 of another; closed by 6."""
    log = SampleLog()
    for number in range(5):
        log.event(room=f"!r{number % 2}:example.org")
    log.close()
    return log


def shown(log: SampleLog, *indexes: int) -> list[BundleRecord]:
    return [log.shown(index) for index in indexes]


def close_of(log: SampleLog, index: int, of: int) -> BundleRecord:
    """A close record with the attachment for the token of another record's room."""
    return log.shown(index, tally_of=log.records[of].header.room)


def test_each_period_is_said_to_be_complete() -> None:
    report = both(sample().export_subject("room", ROOM))
    assert [(part.by, part.records, part.until, part.period) for part in report.coverage] == [
        ("close", 3, 7, (0, 7)),
        ("close", 3, 14, (8, 14)),
        ("tally", 3, 21, None),
    ]


def test_without_close_and_tally_it_is_complete_up_to_the_last_record_only() -> None:
    log = closed()
    (part,) = both(bundle(log, shown(log, 1, 3))).coverage
    assert (part.by, part.until, part.period) == ("chain", 3, None)


def test_a_tally_speaks_of_the_records_before_itself() -> None:
    log = SampleLog()
    log.event()
    tally = log.tally("room", ROOM)
    later = log.event()
    (part,) = both(bundle(log, shown(log, 1, tally, later))).coverage
    assert (part.by, part.until, part.records) == ("tally", tally, 2)


@pytest.mark.parametrize(
    ("indexes", "said"),
    [
        ((3, 5), "record 3 names record 1 as the one before of the same room: that is not shown"),
        ((1, 5), "record 5 names record 3 as the one before"),
    ],
)
def test_no_record_can_be_left_out_of_a_chain(indexes: tuple[int, ...], said: str) -> None:
    log = closed()
    assert said in failures(bundle(log, shown(log, *indexes)))
    assert said in failures(bundle(log, [*shown(log, *indexes), close_of(log, 6, 1)]))


def test_the_last_record_can_not_be_left_out_of_a_closed_period() -> None:
    log = closed()
    found = failures(bundle(log, [*shown(log, 1, 3), close_of(log, 6, 1)]))
    assert "line 4: record 6: the close record's tally counts 3 records of the token, and the bundle shows 2" in found


def test_the_attachment_is_what_the_close_record_commits_to() -> None:
    log = closed()
    right = close_of(log, 6, 1)
    assert right.tallied
    for changes in (
        {"count": 2},
        {"last": 3},
        {"kind": "account"},
        {"index": right.tallied.index ^ 1},
        {"size": 2},
        {"size": 0},
        {"index": 99},
        {"proof": right.tallied.proof[:-1]},
        {"proof": [*right.tallied.proof, b"\0" * 32]},
        {"proof": [b"\0" * 32 for _ in right.tallied.proof]},
        {"proof": [b"\0" for _ in right.tallied.proof]},
    ):
        spoilt = attrs.evolve(right, tallied=attrs.evolve(right.tallied, **changes))
        assert "line 5: record 6: the " in failures(bundle(log, [*shown(log, 1, 3, 5), spoilt])), changes
    assert failures(bundle(log, [*shown(log, 1, 3, 5), right])) == ""


def test_the_tally_of_another_token_says_nothing_of_this_one() -> None:
    log = closed()
    found = failures(bundle(log, [*shown(log, 1, 3, 5), close_of(log, 6, 2)]))
    assert "is for a token of which the bundle shows no record" in found
    log = SampleLog()
    log.event()
    log.event(room="!r1:example.org")
    tally = log.tally("room", "!r1:example.org")
    assert "is for a token of which the bundle shows no record" in failures(bundle(log, shown(log, 1, tally)))


def test_a_close_of_another_period_says_nothing_of_this_one() -> None:
    log = closed()
    log.event()
    log.close()
    token = log.records[1].header.room
    assert token
    entry = (unb64(token), "room", 3, 5)
    # Such a close record is in no log: it tallies a token of the period before.
    _, root = tally_root([entry])
    index = log.own(Kind.close, {"first": 9, "count": 0, "tokens": 1, "tally": b64(root)})
    log.closes.append((index, [entry]))
    found = failures(bundle(log, [*shown(log, 1, 3, 5), log.shown(index, tally_of=token)]))
    assert f"record {index} closes another period than that of record 1, which it tallies" in found


def test_a_tally_record_can_not_count_other_than_what_is_shown() -> None:
    for changes in ({"count": 2}, {"last": 0}, {"kind": "account"}, {"count": True}, {"token": "x"}, {"more": 1}):
        log = SampleLog()
        log.event()
        facts = {"token": log.token("room", ROOM), "kind": "room", "count": 1, "last": 1, **changes}
        index = log.own(Kind.tally, facts)
        assert "line 3: record 2: " in failures(bundle(log, shown(log, 1, index))), changes


@pytest.mark.parametrize(
    "changes",
    [{"first": 1}, {"count": 9}, {"tokens": "2"}, {"tally": "x"}, {"tally": None}, {"more": 1}, {"first": -1}],
)
def test_a_close_record_has_its_form(changes: dict[str, Any]) -> None:
    log = SampleLog()
    log.event()
    right = {"first": 0, "count": 2, "tokens": 2, "tally": b64(b"\0" * 32)}
    log.own(Kind.close, {**right, **changes})
    assert "record 2: the close record's facts are not possible" in failures(bundle(log, shown(log, 1, 2)))


def test_nobody_else_can_be_slipped_in() -> None:
    log = closed()
    found = failures(bundle(log, shown(log, 1, 2, 3, 5)))
    assert "line 3: record 2: nothing shows that it is about !r0:example.org" in found
    log.event(kind=Kind.login, room=None)
    found = failures(bundle(log, shown(log, 1, 7)))
    assert "line 3: record 7: nothing shows that it is about" in found


def test_a_token_that_is_not_disclosed_is_not_believed() -> None:
    log = closed()
    hidden = [attrs.evolve(one, disclosures=()) for one in shown(log, 1, 3, 5)]
    assert "no record shows, by a disclosure of room_id, that it is of !r0:example.org" in failures(bundle(log, hidden))
    once = [shown(log, 1)[0], *hidden[1:]]
    assert failures(bundle(log, once)) == "", "one disclosure is enough: the token is the same"


def test_one_token_is_one_name() -> None:
    log = SampleLog()
    log.event()
    kept = log.records[1]
    log.event(room="!r1:example.org")
    other = log.records[2]
    forged = attrs.evolve(other.header, room=kept.header.room, room_prev=1)
    index = log.keep(forged, seed=other.seed, fields=other.fields)
    found = failures(bundle(log, shown(log, 1, index)))
    assert "the token of record 1 is shown to be that of two different names" in found


def test_an_account_is_followed_as_the_one_who_acts_and_shown_as_target() -> None:
    log = SampleLog()
    log.event(sender=ANNA)
    log.event(sender="@mod:example.org", target=ANNA, type="m.room.member")
    log.event(sender="@mod:example.org", target="@ben:example.org", type="m.room.member")
    log.close()
    close = log.shown(4, tally_of=log.records[1].header.actor)
    report = both(bundle(log, [*shown(log, 1, 2), close], "account", ANNA))
    assert report.ok, report.findings
    assert [part.records for part in report.coverage] == [1]
    found = failures(bundle(log, [*shown(log, 1, 3), close], "account", ANNA))
    assert "line 3: record 3: nothing shows that it is about @anna:example.org" in found


def test_an_attachment_stands_at_a_close_record_of_a_bundle_about_a_subject() -> None:
    log = closed()
    right = close_of(log, 6, 1)
    misplaced = attrs.evolve(log.shown(1), tallied=right.tallied)
    assert "line 2: record 1: `t` belongs to a close record" in failures(bundle(log, [misplaced]))
    assert "`t` belongs into a bundle about a subject" in failures(
        log.bundle(log.manifest(mode="filter", filter={}), [right])
    )
    ranged = log.bundle(log.manifest(mode="range", range=(6, 7)), [right])
    assert "`t` belongs into a bundle about a subject" in failures(ranged)


def test_what_is_counted_of_somebody_else_is_not_the_subjects() -> None:
    log = SampleLog()
    log.event(sender=ANNA)
    log.event(sender="@mod:example.org", target=ANNA, type="m.room.member")
    tally = log.tally("account", "@mod:example.org")
    found = failures(bundle(log, shown(log, 1, 2, tally), "account", ANNA))
    assert found == "line 4: record 3 counts records of a token that is not shown to be the subject's"
