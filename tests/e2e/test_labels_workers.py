# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels where each process does a part: a worker founds, another is asked for labels, the background one upgrades."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import GROUPREG, MATRIX, Person, Staff, poll, refused

LABELS, TAGS = "org.groupreg.labels", "in.cinny.room.power_level_tags"
RULES = {"mode": "dry", "federation": "closed", "labels": {"enabled": True}}
CLOSING_SECONDS = 40


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

    new = founder.upgrade(older, "12").good()["replacement_room"]
    assert poll(lambda: founder.state(new, TAGS).ok, seconds=CLOSING_SECONDS, every=0.5)
    (act,) = staff.acts(subject=new, action="label")
    assert act["author"] == founder.user_id
    for worker in workers:
        worker.close()
