# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Report packets: they say what was known when they were made, and the reports of their measures follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, Invalid, NotFound
from synapse_groupreg.policy.actions import Impose, Lift
from synapse_groupreg.policy.appeal_actions import MakeAppeal
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.packet_actions import MakePacket, SetPacket
from synapse_groupreg.policy.packets import Attachment, Packet, PacketState
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import known_logs, measures, packets
from synapse_groupreg.storage.known_logs import KnownLog
from tests.handlers.stage import ADMIN, ALICE, BOB, DAY, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change

BUNDLE = Attachment(name="bundle.grb", size=7, sha256="0" * 64)


@pytest.fixture
def room(stage: Stage) -> str:
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB])
    stage.do(seed.set_state, found, ALICE, "m.room.name", {"name": "Chess"})
    why = {"reason": "advertising", "basis": "article 11.1"}
    stage.act(Impose(kind=MeasureKind.warning, entity=found, deadline_ms=NOW + DAY, **why))
    stage.act(Impose(kind=MeasureKind.blacklisted, entity=BOB, **why))
    stage.act(MakeAppeal(measure_id=2, text="It was my brother."), staff=Staff(user_id=BOB))
    return found


def make(stage: Stage, *numbers: int, **more: Any) -> Change:
    return stage.act(MakePacket(measure_ids=numbers, attachments=(BUNDLE,)), **more)


def note(stage: Stage, state: PacketState, text: str | None = None) -> Change:
    return stage.act(SetPacket(packet_id=1, state=state, text=text))


def kept(stage: Stage) -> Packet:
    found: Packet = stage.do(packets.get, 1)
    return found


def reports(stage: Stage) -> list[tuple[str, str | None]]:
    return [(one.report.value, one.report_text) for one in (stage.do(measures.get, number) for number in (1, 2))]


def test_it_says_what_was_known_then(stage: Stage, room: str) -> None:
    log = KnownLog(
        log="acts", shard=0, signing_key="k", wrapping_key="w", origin="here/acts", size=9, root="r", noted_ms=NOW
    )
    stage.do(known_logs.remember, [log])
    assert make(stage, 1, 2, dry_run=True).changed
    assert kept(stage) is None
    assert make(stage, 2, 1, 2).id == 1
    before = kept(stage)
    stage.act(Lift(measure_id=2, reason="mistake"))
    assert kept(stage) == before
    assert (before.author, before.made_ms, before.state) == (ADMIN, NOW, PacketState.drafted)
    barred, warned = before.facts["measures"]
    assert (barred["measure"]["id"], barred["measure"]["lifted_ms"], barred["group"]) == (2, None, None)
    assert (barred["appeals"][0]["text"], barred["appeals"][0]["author"]) == ("It was my brother.", BOB)
    assert warned["group"] == {"room_id": room, "number": None, "name": "Chess", "members": 2, "founder": ALICE}
    assert "note" not in warned["measure"]
    assert warned["measure"]["accepted"] is None
    [reference] = before.facts["records"]
    assert (reference["log"], reference["size"], reference["root"]) == ("acts", 9, "r")
    assert reference["commands"] == [
        f"groupreg export search --log acts --account {BOB} --case 'measure 2' --basis 'article 11.1'",
        f"groupreg export search --log acts --room '{room}' --case 'measure 1' --basis 'article 11.1'",
    ]
    assert before.facts["attachments"] == [{"name": "bundle.grb", "size": 7, "sha256": "0" * 64}]


def test_the_reports_of_its_measures_follow(stage: Stage, room: str) -> None:
    del room
    make(stage, 1, 2)
    assert reports(stage) == [("not-due", None)] * 2
    for state, missing in ((PacketState.receipt, "the receipt"), (PacketState.handed_in, "how it was handed in")):
        with pytest.raises(Invalid, match=f"must say {missing}"):
            note(stage, state)
    assert note(stage, PacketState.handed_in, "by post").changed
    assert reports(stage) == [("handed-in", "packet 1: by post")] * 2
    assert note(stage, PacketState.receipt, "2026/5").changed
    assert reports(stage) == [("handed-in", "packet 1: 2026/5")] * 2
    assert not note(stage, PacketState.receipt, "2026/5").changed
    with pytest.raises(Conflict, match="is receipt already"):
        note(stage, PacketState.drafted)
    assert (kept(stage).text, kept(stage).state_by, kept(stage).state_ms) == ("2026/5", ADMIN, NOW)


def test_the_journal_names_measures_and_quotes_nobody(stage: Stage, room: str) -> None:
    del room
    make(stage, 1, 2)
    line = stage.journal()[-1]
    assert (line.action, line.subject) == ("packet", "packet 1")
    assert (line.after or {})["measures"] == [1, 2]
    assert "brother" not in repr(line)


def test_there_is_none(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no measure 3"):
        make(stage, 3)
    with pytest.raises(NotFound, match="no packet 1"):
        note(stage, PacketState.handed_in)
