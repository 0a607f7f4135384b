# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg retention`: what it asks of the server, and the sentences that it prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

T = 1_772_366_400_000  # 2026-03-01 12:00 UTC
ANNA = "@anna:fake.test"
HOLD = {
    "id": 3,
    "log": "events",
    "from_ms": T,
    "to_ms": T,
    "until_ms": T,
    "reason": "lawsuit",
    "basis": "order 17",
    "author": "@op:fake.test",
    "made_ms": T,
    "lifted_ms": None,
    "lifted_by": None,
}


def done(before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return {"dry_run": False, "changed": True, "before": before, "after": after, **more}


@pytest.mark.parametrize("words", [["lift", "3"], ["extend", "3", "--until", "1y"]])
def test_without_a_reason_no_hold_is_changed(server: Any, groupreg: Callable[..., Result], words: list[str]) -> None:
    result = groupreg("retention", "hold", *words)
    assert (result.exit_code, "--reason" in result.stderr, server.requests) == (2, True, [])


def test_lifting_says_that_it_was_lifted_and_no_more(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["DELETE retention/holds/3"] = done(HOLD, {**HOLD, "lifted_ms": T, "lifted_by": "@op:fake.test"})
    result = groupreg("retention", "hold", "lift", "3", "--reason", "settled")
    assert result.stdout == "Lifted hold 3; what it kept goes when it is due.\n"
    assert server.sent("DELETE", "retention/holds/3")[0].body == {"reason": "settled"}
    server.replies["PUT retention/holds/3"] = done(HOLD, {**HOLD, "until_ms": T + 86_400_000})
    result = groupreg("retention", "hold", "extend", "3", "--until", "1y", "--reason", "appeal")
    assert result.stdout == "Extended hold 3: until 2026-03-01 12:00 UTC -> 2026-03-02 12:00 UTC.\n"


def test_purge_without_now_says_that_nothing_was_removed_and_why(server: Any, groupreg: Callable[..., Result]) -> None:
    month = {"log": "events", "month": "2025-09", "records": 5, "bytes": 1, "newest_ms": T, "held_by": [], "goes_ms": T}
    for due, said in ((False, "Nothing was removed: no month is due."), (True, "1 month is due; to remove at once:")):
        server.replies["GET retention/periods"] = {"periods": [{**month, "due": due}]}
        assert said in groupreg("retention", "purge").stdout
    refused = groupreg("retention", "purge", "--now")
    assert (refused.exit_code, "Nothing was removed: --now needs --reason" in refused.stderr) == (2, True)


def test_a_tried_erasure_says_whose_what_goes_now_and_what_waits_and_why(
    server: Any, groupreg: Callable[..., Result]
) -> None:
    one = {"log": "acts", "month": "2025-01", "records": 7, "until_ms": None, "kept_by": None}
    months = [
        one,
        {**one, "month": "2026-02", "until_ms": T, "kept_by": "keep"},
        {**one, "until_ms": T, "kept_by": "hold 3"},
    ]
    server.replies["POST retention/erasures"] = done(None, {}, dry_run=True, user_id=ANNA, months=months)
    result = groupreg("retention", "erase", ANNA, "--reason", "asked for", "--dry-run").stdout
    assert f"Months with records of {ANNA}" in result
    assert "after 2026-03-01 12:00 UTC  the duty to keep runs" in result
    assert "hold 3" in result
    assert "At once: 7 records of 1 month; later: 2 months." in result
    assert "is it written right?" not in result
    server.replies["POST retention/erasures"] = done(None, {}, dry_run=True, user_id=ANNA, months=[])
    tried = groupreg("retention", "erase", ANNA, "--reason", "asked for", "--dry-run")
    assert f"No record is of {ANNA}: is it written right?" in tried.output


def test_who_approves_sees_whom_it_concerns(server: Any, groupreg: Callable[..., Result]) -> None:
    proposal = {"id": 4, "state": "open", "action": "erase-records", "subject": "records of an account", "accounts": 0}
    proposal |= {"author": "@op:fake.test", "reason": "r", "created_ms": T, "expires_ms": T, "sample": []}
    server.replies["GET proposals/4"] = {**proposal, "payload": {"user_id": ANNA, "duty_ended": "court order 9"}}
    shown = groupreg("proposal", "show", "4").stdout
    assert ANNA in shown
    assert re.search(r"duty ended +court order 9", shown)
    assert "would bar" not in shown


def test_status_says_what_is_under_way_and_how_far(server: Any, groupreg: Callable[..., Result]) -> None:
    far_behind = [{"source": "events/master", "at": 1_250_000, "end": 10_000_000}]
    waiting = ["rotate", "erase", "erase"]
    server.replies["GET status"] = {"retention": {"enabled": True, "waiting": waiting, "far_behind": far_behind}}
    said = groupreg("status").stdout
    assert "keys are being renewed, records are being erased" in said
    assert "recorded of events/master  1,250,000 of 10,000,000 (12 %)" in said
