# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appeals and packets on both databases: one open appeal against a measure, decided once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.policy.appeals import Appeal, Outcome
from synapse_groupreg.policy.packets import Packet, PacketState
from synapse_groupreg.storage import appeals, packets

if TYPE_CHECKING:
    from tests.database import TestDatabase

WANTED = Appeal(id=0, measure_id=7, author="@a:b", text="Não. 不是我\U0001f600", made_ms=5)


def test_one_is_open_and_it_is_decided_once(db: TestDatabase) -> None:
    made = db.do(appeals.insert, WANTED)
    assert made == db.do(appeals.get, made.id) == db.do(appeals.open_one, 7)
    assert db.do(appeals.insert, attrs.evolve(WANTED, author="@c:b")) is None
    assert db.do(appeals.insert, attrs.evolve(WANTED, measure_id=8)) is not None
    decided = attrs.evolve(made, outcome=Outcome.lifted, answer="Yes.", decided_by="@d:b", decided_ms=9)
    assert db.do(appeals.decide, decided)
    assert not db.do(appeals.decide, decided)
    assert (db.do(appeals.get, made.id), db.do(appeals.open_one, 7), db.do(appeals.waiting)) == (decided, None, 1)
    again = db.do(appeals.insert, WANTED)
    assert db.do(appeals.of_measure, 7) == [decided, again]
    found, total = db.do(appeals.page, decided=True, measure_id=None, author="@a:b", start=1, limit=1)
    assert ([one.measure_id for one in found], total) == ([8], 3)
    found, total = db.do(appeals.page, decided=False, measure_id=7, author=None, start=0, limit=9)
    assert (found, total) == ([again], 1)


def test_what_somebody_wrote_is_erased_also_where_a_packet_quotes_it(db: TestDatabase) -> None:
    mine, theirs, later = (
        db.do(appeals.insert, attrs.evolve(WANTED, measure_id=number, author=author, made_ms=made_ms))
        for number, author, made_ms in ((7, "@a:b", 5), (8, "@c:b", 5), (9, "@a:b", 6))
    )
    shown = [{"id": one.id, "author": one.author, "text": one.text} for one in (mine, theirs)]
    facts = {"measures": [{"appeals": shown}, {"appeals": []}]}
    packet = db.do(packets.insert, Packet(id=0, author="@s:b", made_ms=5, facts=facts))
    other = db.do(packets.insert, Packet(id=0, author="@s:b", made_ms=5, facts={"measures": [{"appeals": shown[1:]}]}))
    assert db.do(appeals.written_by, "@a:b", 5) == [mine]
    db.do(appeals.erase, [mine.id], 10)
    db.do(packets.erase_appeals, [mine.id], 10)
    assert db.do(appeals.get, mine.id) == attrs.evolve(mine, text="", erased_ms=10)
    assert db.do(appeals.written_by, "@a:b", 6) == [later]
    assert db.do(appeals.get, theirs.id) == theirs
    quoted = db.do(packets.get, packet.id).facts["measures"][0]["appeals"]
    assert quoted == [{**shown[0], "text": "", "erased_ms": 10}, shown[1]]
    assert db.do(packets.get, other.id) == other


def test_a_packet_is_kept_as_it_was(db: TestDatabase) -> None:
    made = db.do(packets.insert, Packet(id=0, author="@a:b", made_ms=5, facts={"measures": ["不"]}))
    assert db.do(packets.get, made.id) == made
    later = attrs.evolve(made, state=PacketState.receipt, text="5", state_by="@c:b", state_ms=6)
    db.do(packets.set_state, later)
    assert db.do(packets.page, 0, 9) == ([later], 1)
    assert db.do(packets.get, made.id + 1) is None
