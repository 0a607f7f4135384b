# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checkpoints go where the operator can't take them back: into a room, and into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.retention import ed25519, notes
from tests.e2e.client import Person, Staff, poll

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_groupreg.rig import Homeserver


def test_checkpoints_are_published_in_a_room_and_in_a_file(
    start_homeserver: Callable[..., Homeserver], tmp_path: Path
) -> None:
    config = {"mode": "enforce", "federation": "closed"}
    server = start_homeserver(module_config=config)
    admin, auditor = Staff(server, "admin"), Person(server, "auditor")
    assert {one["code"] for one in admin.status()["warnings"]} >= {"unanchored"}
    room = auditor.found(preset="private_chat").room_id
    auditor.invite(room, server.user_id("groupreg")).good()

    file = tmp_path / "checkpoints"
    server.restart(module_config=config | {"retention": {"anchors": [{"room": room}, {"file": str(file)}]}})
    said = poll(lambda: [body for body in bodies(auditor, room) if "/retention/" in body], seconds=20)
    assert "unanchored" not in {one["code"] for one in admin.status()["warnings"]}
    assert poll(lambda: file.exists() and all(body in file.read_text() for body in said))

    found = admin.groupreg("POST", "records/search", {"reason": "audit", "kind": ["key"], "log": "events"}).good()[
        "records"
    ]
    (vkey,) = {record["facts"]["vkey"] for record in found}
    key = notes.Key.parse(vkey)
    ours = [body for body in said if body.startswith(f"{key.name}\n")]
    assert ours
    for note in ours:
        opened = notes.open_note(note, [key], ed25519.verify)
        assert notes.Checkpoint.parse(opened.text).size > 0


def bodies(person: Person, room: str) -> list[str]:
    """What was said in a room."""
    chunk = person.messages(room).good()["chunk"]
    return [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]
