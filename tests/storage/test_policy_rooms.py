# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy rooms as Synapse's tables have them, and the tables of ours for lists and proposals, on both databases."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.policy.measures import SubjectKind
from synapse_groupreg.policy.policy_lists import current
from synapse_groupreg.storage import followed, identity, measures, policy_rooms, proposals
from synapse_groupreg.storage.followed import Followed
from synapse_groupreg.storage.proposals import Proposal
from tests.database import SERVER
from tests.policy.samples import NOW, measure
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

MAKER = seed.local("maker")
RULE = "m.policy.rule.user"
_redactions = itertools.count(1)


def ban(entity: str) -> dict[str, Any]:
    return {"entity": entity, "reason": "spam", "recommendation": "m.ban"}


def redact(txn: Transaction, room_id: str, event_id: str, sender: str, *, recheck: bool, rejected: bool) -> None:
    """Persist a redaction as Synapse does: it stands beside the event, which stays as it was."""
    redaction = f"$redaction{next(_redactions)}"
    event = {"type": "m.room.redaction", "sender": sender, "room_id": room_id, "content": {"redacts": event_id}}
    metadata = json.dumps({"recheck_redaction": True} if recheck else {})
    txn.execute(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version) VALUES (?, ?, ?, ?, 3)",
        (redaction, room_id, metadata, json.dumps(event)),
    )
    txn.execute(
        "INSERT INTO redactions (event_id, redacts, have_censored, received_ts) VALUES (?, ?, ?, 0)",
        (redaction, event_id, False),
    )
    if rejected:
        txn.execute(
            "INSERT INTO rejections (event_id, reason, last_check) VALUES (?, 'auth_error', '0')",
            (redaction,),
        )


def test_rules_are_the_current_state(db: TestDatabase) -> None:
    room_id = db.do(seed.make_room, MAKER)
    before = db.do(followed.mark, room_id)
    db.do(seed.set_state, room_id, MAKER, RULE, ban("@a:x"), state_key="a")
    assert db.do(followed.mark, room_id) > before
    db.do(seed.set_state, room_id, MAKER, RULE, ban("@b:x"), state_key="a")
    newest = db.do(seed.set_state, room_id, MAKER, "org.matrix.mjolnir.rule.server", ban("x.example"), state_key="s")
    db.do(seed.set_state, room_id, MAKER, RULE, {}, state_key="gone")
    found = current(db.do(policy_rooms.events, room_id))
    assert sorted(rule.entity for rule in found) == ["@b:x", "x.example"]
    assert newest in {rule.event_id for rule in found}


@pytest.mark.parametrize(
    ("sender", "recheck", "rejected", "counts"),
    [
        (MAKER, True, False, True),
        (seed.local("moderator"), True, False, True),
        ("@other:remote.example.org", False, False, True),
        ("@other:remote.example.org", True, False, False),
        (MAKER, False, True, False),
    ],
)
def test_a_redacted_rule_is_withdrawn(
    db: TestDatabase, sender: str, recheck: bool, rejected: bool, counts: bool
) -> None:
    """If Synapse honours the redaction: not one from another server that nobody checked, nor one that it rejected."""
    room_id = db.do(seed.make_room, MAKER)
    event_id = db.do(seed.set_state, room_id, MAKER, RULE, ban("@a:x"), state_key="a")
    db.do(redact, room_id, event_id, sender, recheck=recheck, rejected=rejected)
    assert bool(current(db.do(policy_rooms.events, room_id))) is not counts


def test_a_redaction_of_another_room_withdraws_nothing(db: TestDatabase) -> None:
    room_id, other = db.do(seed.make_room, MAKER), db.do(seed.make_room, MAKER)
    event_id = db.do(seed.set_state, room_id, MAKER, RULE, ban("@a:x"), state_key="a")
    db.do(redact, other, event_id, MAKER, recheck=False, rejected=False)
    assert len(current(db.do(policy_rooms.events, room_id))) == 1


def test_members_of_other_servers_are_found(db: TestDatabase) -> None:
    db.do(seed.make_room, MAKER, members=["@eve:remote.example.org", "@adam:x", seed.local("bob")])
    assert db.do(policy_rooms.remote_members, SERVER) == {"@eve:remote.example.org", "@adam:x"}


def test_entries_are_found_by_their_subject(db: TestDatabase) -> None:
    """By what staff named, by the glob, and by any account of the person."""
    person = db.do(identity.person_by_digest, "digest", "person")
    for name in ("ann", "abe"):
        db.do(identity.link, seed.local(name), person)
    for kind, subject, entity in (
        (SubjectKind.person, person, seed.local("ann")),
        (SubjectKind.account, "@eve:x", "@eve:x"),
        (SubjectKind.account_glob, "@e*:x", "@e*:x"),
        (SubjectKind.server, "x.example", "X.example"),
    ):
        db.do(measures.insert, measure(kind, subject=subject, entity=entity))

    def found(subject: str | None) -> list[str]:
        page, total = db.do(measures.page, ended=False, subject=subject, now_ms=NOW, start=0, limit=10)
        assert total == len(page)
        return [one.subject for one in page]

    assert found(seed.local("abe")) == found(seed.local("ann")) == [person]
    assert (found("@eve:x"), found("@e*:x"), found("x.example")) == (["@eve:x"], ["@e*:x"], ["x.example"])
    assert found("@nobody:x") == []
    assert len(found(None)) == 4
    assert {one.subject for one in db.do(measures.of_kinds, [SubjectKind.server, SubjectKind.account], NOW)} == {
        "@eve:x",
        "x.example",
    }


def test_what_staff_lifted_of_a_list_is_remembered(db: TestDatabase) -> None:
    kept = measure(list_room="!list", list_event="$one", author="server")
    by_staff, by_list = (db.do(measures.insert, attrs.evolve(kept, list_event=event)) for event in ("$one", "$two"))
    assert len(db.do(measures.of_lists, NOW)) == 2
    db.do(measures.update, attrs.evolve(by_staff, lifted_ms=NOW, lifted_by="@staff:x"))
    db.do(measures.update, attrs.evolve(by_list, lifted_ms=NOW, lifted_by="server"))
    assert db.do(measures.events_lifted_by_staff, "server") == {("!list", "$one")}
    assert db.do(measures.of_lists, NOW) == []


def test_followed_rooms_come_and_go(db: TestDatabase) -> None:
    one = Followed(room_id="!one", name="One", follower="@a:b", since_ms=2, accounts=0)
    two = attrs.evolve(one, room_id="!two", since_ms=1)
    for room in (one, two, attrs.evolve(one, accounts=30, follower="@other:b")):
        db.do(followed.put, room)
    assert db.do(followed.everything) == [two, attrs.evolve(one, accounts=30)]
    db.do(followed.drop, "!two")
    assert (db.do(followed.get, "!two"), db.do(followed.get, "!one")) == (None, attrs.evolve(one, accounts=30))


def test_a_proposal_is_decided_once(db: TestDatabase) -> None:
    wanted = Proposal(
        id=0,
        action="blacklist",
        payload={"entity": "@spam*:b", "reason": "\u7fa4"},
        subject="@spam*:b",
        author="@a:b",
        accounts=21,
        sample=["@spam1:b"],
        created_ms=NOW,
        expires_ms=NOW + 10,
    )
    made = db.do(proposals.insert, wanted)
    assert db.do(proposals.get, made.id) == made
    assert db.do(proposals.same, wanted, NOW) == made
    assert db.do(proposals.same, attrs.evolve(wanted, author="@c:b"), NOW) is None
    assert [made.state(NOW), made.state(NOW + 10)] == ["open", "expired"]
    assert db.do(proposals.page, decided=False, now_ms=NOW + 10, start=0, limit=5) == ([], 0)
    assert db.do(proposals.decide, made.id, approved=True, by="@c:b", now_ms=NOW + 1)
    assert not db.do(proposals.decide, made.id, approved=False, by="@d:b", now_ms=NOW + 2)
    after = db.do(proposals.get, made.id)
    assert (after.state(NOW), after.decided_by, after.decided_ms) == ("approved", "@c:b", NOW + 1)
    assert db.do(proposals.same, wanted, NOW) is None
    assert db.do(proposals.page, decided=True, now_ms=NOW, start=0, limit=5) == ([after], 1)
