# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One action of each kind, and how it is asked for by REST, from the command line and, if so meant, in a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy import actions, appeal_actions, group_actions, packet_actions, record_actions
from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.appeals import Outcome
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import MeasureKind, ReportState, Switch
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.packets import PacketState
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleKind
from synapse_groupreg.policy.staff import StaffRole
from tests.handlers.stage import ALICE, BOB, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM, NUMBER = "!room:test.example.org", number(1)
END, END_MS = "2030-01-01T00:00:00Z", 1_893_456_000_000
IN_TWO_HOURS, IN_TWO_HOURS_MS = "2027-01-15T10:00:00Z", NOW + 7_200_000
DAY, FROM_MS, TO_MS = "2026-05-01", 1_777_593_600_000, 1_777_679_999_999
WHY: dict[str, Any] = {"reason": "why"}
FILE = "file"
"""What a command line names that reads one."""


@attrs.frozen
class Way:
    """An action, and how it is asked for; `chat` only where it is meant to be had in one. Reasons are added."""

    action: Action
    rest: str
    body: dict[str, Any]
    command: str
    chat: str | None = None
    file: str = ""
    staged: dict[str, Any] | None = None
    """Rows that REST is given before, for an import."""


def group_ways() -> Iterator[Way]:
    """Those by which a founder and managers look after a group."""
    room = f"rooms/{ROOM}"
    muted: dict[str, Any] = {"until_ms": IN_TWO_HOURS_MS}
    yield Way(
        group_actions.MuteMember(group=ROOM, user_id=BOB, **muted, **WHY),
        f"PUT {room}/mutes/{BOB}",
        muted,
        f"group mute {ROOM} {BOB} --until {IN_TWO_HOURS}",
        chat=f"!group mute {NUMBER} {BOB} 2h why",
    )
    yield Way(
        group_actions.UnmuteMember(group=ROOM, user_id=BOB),
        f"DELETE {room}/mutes/{BOB}",
        {},
        f"group unmute {ROOM} {BOB}",
        chat=f"!group unmute {NUMBER} @bob",
    )
    yield Way(
        group_actions.OfferGroup(group=ROOM, user_id=BOB),
        f"PUT {room}/founder",
        {"user_id": BOB},
        f"group transfer {ROOM} {BOB}",
        chat=f"!group transfer {NUMBER} {BOB}",
    )
    for named, said in (("study", "study"), (None, "-")):
        yield Way(
            group_actions.SetCategory(group=ROOM, category=named),
            f"PUT {room}/category",
            {"category": named},
            f"group category {ROOM} {said}",
            chat=f"!group category {NUMBER} {said}",
        )
    for seconds, said in ((30, "30"), (None, "off")):
        yield Way(
            group_actions.SlowDown(group=ROOM, seconds=seconds),
            f"PUT {room}/slow",
            {"seconds": seconds},
            f"group slow {ROOM} {said}",
            chat=f"!group slow {NUMBER} {said}",
        )
    for answer, answered in (("accept", group_actions.AcceptGroup), ("decline", group_actions.DeclineGroup)):
        yield Way(
            answered(group=ROOM),
            f"POST {room}/founder/{answer}",
            {},
            f"group {answer} {ROOM}",
            chat=f"!group transfer {NUMBER} {answer}",
        )


def ways() -> Iterator[Way]:
    """All of them."""
    a, records = actions, record_actions
    who, room = f"accounts/{ALICE}", f"rooms/{ROOM}"
    verified: dict[str, Any] = {"assurance": Assurance.contact, "provider": "desk"}
    yield Way(
        a.Verify(user_id=ALICE, digest="digest of 4 characters", **verified, **WHY),
        f"PUT {who}/identity",
        {"assurance": "contact", "provider": "desk", "reference": "2024"},
        f"account verify {ALICE} contact --provider desk --reference 2024",
    )
    yield Way(a.Unverify(user_id=ALICE, **WHY), f"DELETE {who}/identity", {}, f"account unverify {ALICE}")
    yield Way(
        a.CommitImport(import_id="", **WHY),
        "POST imports/{id}/commit",
        {},
        f"account import {FILE}",
        file=f"user_id,assurance\n{ALICE},contact\n",
        staged={"rows": [{"line": 2, "user_id": ALICE, "assurance": "contact"}]},
    )
    limits: dict[str, int | None] = {"rooms_founded": 3}
    yield Way(
        a.LimitAccount(user_id=ALICE, limits=limits, **WHY),
        f"PUT {who}/quotas",
        limits,
        f"account limit {ALICE} --founded 3",
    )
    yield Way(a.CapRoom(room_id=ROOM, members=7, **WHY), f"PUT {room}/quotas", {"members": 7}, f"room cap {ROOM} 7")
    yield Way(a.LabelRoom(room_id=ROOM, **WHY), f"PUT {room}/labels", {}, f"room label {ROOM}")
    entry: dict[str, Any] = {"entity": ALICE, "basis": "11", "until_ms": END_MS}
    more: dict[str, Any] = {"room": ROOM, "note": "n", "grave": "g", "key": "k", "review_ms": END_MS}
    yield Way(
        a.Impose(kind=MeasureKind.posting_suspended, **entry, **more, **WHY),
        "POST measures",
        {"kind": "posting-suspended", **entry, **more},
        f"measure impose posting-suspended {ALICE} --in {ROOM} --note n --grave g --key k --basis 11 --until {END}"
        f" --review {END}",
    )
    yield Way(a.Impose(**entry, **WHY), "POST blacklist", entry, f"blacklist add {ALICE} --basis 11 --until {END}")
    for name, word in (("measures", "measure"), ("blacklist", "blacklist")):
        yield Way(a.Lift(measure_id=1, **WHY), f"DELETE {name}/1", {}, f"{word} lift 1")
    report: dict[str, Any] = {"state": ReportState.handed_in, "text": "t"}
    yield Way(
        a.SetReport(measure_id=1, **report, **WHY),
        "PUT measures/1/report",
        report,
        "measure report 1 handed-in --text t",
    )
    switched: dict[str, Any] = {"room": ROOM, "until_ms": END_MS}
    yield Way(
        a.SwitchEmergency(on=True, switches=(Switch.posting,), **switched, **WHY),
        "PUT emergency",
        {"on": True, "switches": ["posting"], **switched},
        f"emergency on posting --room {ROOM} --until {END}",
    )
    yield Way(
        a.SwitchEmergency(on=False, switches=(Switch.posting,), **WHY),
        "PUT emergency",
        {"on": False, "switches": ["posting"]},
        "emergency off posting",
    )
    yield Way(
        a.ImportRules(rules=(PolicyRule(kind=RuleKind.user, entity=ALICE),), source=FILE, basis="11", **WHY),
        "POST blacklist/import",
        {"basis": "11", "source": FILE, "rules": [{"entity": ALICE}]},
        f"blacklist import {FILE} --basis 11",
        file=f"{ALICE}\n",
    )
    yield Way(a.Follow(room=ROOM, **WHY), f"PUT followed/{ROOM}", {}, f"blacklist follow {ROOM}")
    yield Way(a.Unfollow(room=ROOM, **WHY), f"DELETE followed/{ROOM}", {}, f"blacklist unfollow {ROOM}")
    yield Way(a.Approve(proposal_id=1, **WHY), "POST proposals/1/approve", {}, "proposal approve 1")
    yield Way(a.Reject(proposal_id=1, **WHY), "POST proposals/1/reject", {}, "proposal reject 1")
    roles = frozenset({StaffRole.reviewer})
    yield Way(
        a.Grant(user_id=ALICE, roles=roles, **WHY),
        f"PUT staff/{ALICE}",
        {"roles": [*roles]},
        f"staff set {ALICE} reviewer",
    )
    yield Way(a.SetMode(mode="dry", **WHY), "PUT mode", {"mode": "dry"}, "mode dry")
    yield from group_ways()
    yield Way(
        appeal_actions.MakeAppeal(measure_id=1, text="Me."),
        "POST appeals",
        {"measure_id": 1, "text": "Me."},
        "appeal make 1 --text Me.",
        chat="!group appeal 1 Me.",
    )
    decision: dict[str, Any] = {"outcome": Outcome.changed, "until_ms": END_MS}
    yield Way(
        appeal_actions.DecideAppeal(appeal_id=1, **decision, **WHY),
        "POST appeals/1/decision",
        decision,
        f"appeal decide 1 changed --until {END}",
    )
    yield Way(packet_actions.MakePacket(measure_ids=(1,), **WHY), "POST packets", {"measures": [1]}, "packet make 1")
    packed: dict[str, Any] = {"state": PacketState.receipt, "text": "t"}
    yield Way(
        packet_actions.SetPacket(packet_id=1, **packed, **WHY),
        "PUT packets/1/state",
        packed,
        "packet state 1 receipt --text t",
    )
    hold: dict[str, Any] = {"log": "acts", "from_ms": FROM_MS, "to_ms": TO_MS, "until_ms": END_MS, "basis": "13"}
    yield Way(
        records.HoldRecords(**hold, **WHY),
        "POST retention/holds",
        hold,
        f"retention hold add --log acts --from {DAY} --to {DAY} --until {END} --basis 13",
    )
    yield Way(
        records.ExtendHold(hold_id=1, until_ms=END_MS, **WHY),
        "PUT retention/holds/1",
        {"until_ms": END_MS},
        f"retention hold extend 1 --until {END}",
    )
    yield Way(records.LiftHold(hold_id=1, **WHY), "DELETE retention/holds/1", {}, "retention hold lift 1")
    yield Way(records.PurgeDue(due=(), **WHY), "POST retention/purge", {}, "retention purge --now")
    keys: dict[str, Any] = {"signing": True}
    yield Way(records.RotateKeys(**keys, **WHY), "POST retention/keys", keys, "retention rotate-keys --signing")
    yield Way(
        records.BeginShard(log="acts", **WHY), "POST retention/epoch", {"log": "acts"}, "retention epoch --log acts"
    )
    erased = {"user_id": ALICE, "duty_ended": "d"}
    yield Way(
        records.EraseRecords(**erased, **WHY),
        "POST retention/erasures",
        erased,
        f"retention erase {ALICE} --duty-ended d",
    )
    taken: dict[str, Any] = {"log": "acts", "mode": "range", "case": "1", "basis": "13", "identities": True}
    yield Way(
        records.Export(first=0, end=5, **taken, **WHY),
        "POST exports",
        {"from": 0, "to": 5, **taken},
        "export range --log acts --case 1 --basis 13 --first 0 --end 5 --identities",
    )
