# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing that staff decided and nothing that was refused is lost by a restart or a crash."""

from __future__ import annotations

from collections.abc import Callable

from synapse_groupreg.rig import Database, Homeserver
from tests.e2e.client import Person, Staff, refused
from tests.engines import any_database

CONFIG = {"mode": "enforce", "federation": "closed", "quotas": {"rooms_founded": 1}}


@any_database
def test_what_was_decided_outlives_a_restart_and_a_crash(
    start_homeserver: Callable[..., Homeserver], database: Database | None
):
    server = start_homeserver(module_config=CONFIG, database=database)
    staff, founder, member = Staff(server), Person(server, "founder"), Person(server, "member")
    limited, upgrader, late = Person(server, "limited"), Person(server, "upgrader"), Person(server, "late")
    group = founder.found_group()
    member.join(group).good()
    staff.cap(group, 2).good()
    staff.limit(limited.user_id, rooms_founded=0).good()
    refused(late.join(group), "room-full")
    refused(limited.found(), "too-many-founded")
    old = upgrader.found_group(room_version="11")
    new = upgrader.upgrade(old, "12").good()["replacement_room"]
    staff.mode("dry").good()
    refusals, acts = staff.refusals(), staff.acts(author=staff.user_id)
    assert {row["code"] for row in refusals} == {"room-full", "too-many-founded"}
    assert [act["action"] for act in acts] == ["mode", "limit", "cap"]

    server.restart()
    status = staff.status()
    assert (status["mode"], status["configured_mode"]) == ("dry", "enforce")
    assert (staff.refusals(), staff.acts(author=staff.user_id)) == (refusals, acts)
    assert staff.room(group)["quotas"]["members"] == {"used": 2, "limit": 2, "override": 2}
    limited.found().good()
    assert staff.counted(limited.user_id, "too-many-founded", dry=True) == 1
    staff.mode("enforce").good()

    server.kill()
    server.start()
    assert staff.status()["mode"] == "enforce"
    refused(late.join(group), "room-full")
    refused(limited.found(), "too-many-founded")
    # Synapse forgot by now that it upgraded this room.
    refused(upgrader.upgrade(old, "12"), "room-replaced")
    assert upgrader.own_rooms() == {old, new}
    assert staff.counted(late.user_id, "room-full", dry=False) == 2
    member.leave(group).good()
    late.join(group).good()
