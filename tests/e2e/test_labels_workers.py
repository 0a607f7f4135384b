# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels where each process does a part: a worker founds, another is asked for labels, the background one upgrades."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.policy.numbers import NUMBER
from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import GROUPREG, MATRIX, Person, Staff, poll, refused

LABELS, TAGS = "org.groupreg.labels", "in.cinny.room.power_level_tags"
RULES = {"mode": "dry", "federation": "closed", "labels": {"enabled": True}}
CLOSING_SECONDS = 40
LATE_MS = 4_000_000_000_000


@pytest.mark.prove
def test_every_process_labels(start_workers: Callable[..., WorkerHomeserver]):
    server = start_workers(module_config=RULES)
    staff, founder = Staff(server), Person(server, "founder")
    workers = [founder.at(url) for url in server.urls[1:]]
    older = founder.found_group(room_version="11")
    staff.mode("enforce").good()
    body = {"preset": "public_chat", "room_version": "12"}
    assert poll(lambda: founder.state(workers[0].call("POST", f"{MATRIX}/createRoom", body).room_id, LABELS).ok)

    workers[-1].call("PUT", f"{GROUPREG}/rooms/{quote(older)}/labels", {}).good()
    assert founder.state(older, LABELS).good()["founder"] == founder.user_id
    refused(workers[0].call("PUT", f"{MATRIX}/rooms/{quote(older)}/state/{TAGS}/", {}), "reserved-state")

    # What the background process writes by itself: the number of a group from before, and whom labels leave out.
    assert poll(lambda: founder.state(older, NUMBER).ok, seconds=CLOSING_SECONDS)
    entry = {"entity": founder.user_id, "reason": "r", "basis": "11.2"}
    for kind, more in (("warning", {"deadline_ms": LATE_MS}), ("management-suspended", {})):
        case = staff.groupreg("POST", "measures", {"kind": kind, **entry, **more}).good()["id"]
    assert poll(lambda: founder.state(older, LABELS).good().get("left_out")) == [founder.user_id]
    staff.groupreg("DELETE", f"measures/{case}", {"reason": "settled"}).good()
    assert poll(lambda: founder.state(older, LABELS).good().get("founder")) == founder.user_id

    new = founder.upgrade(older, "12").good()["replacement_room"]
    assert poll(lambda: founder.state(new, TAGS).ok, seconds=CLOSING_SECONDS, every=0.5)
    (act,) = staff.acts(subject=new, action="label")
    assert act["author"] == founder.user_id
    for worker in workers:
        worker.close()
