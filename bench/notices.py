# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What notices cost whoever is refused: the time of a refused message, with notices and without, side by side.

    .venv/bin/python bench/notices.py

Two servers, asked in turn. Each refusal is an account's first in its group, so it brings a notice where there are any.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import requests

from synapse_groupreg.rig import Homeserver

MATRIX = "/_matrix/client/v3"


def config(*, notices: bool, budget: int) -> dict[str, object]:
    """Nobody is verified, so every message is refused."""
    return {
        "mode": "enforce",
        "federation": "closed",
        "identity": {"required": {"post": "contact"}},
        "notices": {"enabled": notices, "budget_per_minute": budget},
    }


def members(server: Homeserver, count: int) -> tuple[str, list[str]]:
    """A group of that many unverified people; its id and their tokens."""
    admin = server.register("admin", admin=True)
    made = ask(server, "POST", "createRoom", admin, {"preset": "public_chat"})
    room: str = made.json()["room_id"]
    tokens = [server.register(f"person{number}") for number in range(count)]
    for token in tokens:
        ask(server, "POST", f"join/{quote(room)}", token, {}).raise_for_status()
    return room, tokens


def ask(server: Homeserver, method: str, path: str, token: str, body: object) -> requests.Response:
    """One request to the client API."""
    url, headers = f"{server.url}{MATRIX}/{path}", {"Authorization": f"Bearer {token}"}
    return requests.request(method, url, json=body, headers=headers, timeout=60)


def refused_send(server: Homeserver, room: str, token: str) -> float:
    """Milliseconds until a message is refused."""
    began = time.perf_counter()
    answer = ask(server, "PUT", f"rooms/{quote(room)}/send/m.room.message/1", token, {"msgtype": "m.text", "body": "x"})
    took = (time.perf_counter() - began) * 1000
    assert answer.json()["org.groupreg.code"] == "identity-required", answer.text
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100, help="refusals on each server")
    parser.add_argument("--budget", type=int, default=60, help="notices a minute, as in the configuration")
    given = parser.parse_args()
    people, budget = given.people, given.budget
    folders = [Path(tempfile.mkdtemp()) for _ in range(2)]
    with (
        Homeserver(folders[0], module_config=config(notices=True, budget=budget)) as with_notices,
        Homeserver(folders[1], module_config=config(notices=False, budget=budget)) as without,
    ):
        scenes = [(server, *members(server, people)) for server in (with_notices, without)]
        took: list[list[float]] = [[], []]
        for number in range(people):
            for times, (server, room, tokens) in zip(took, scenes, strict=True):
                times.append(refused_send(server, room, tokens[number]))
    for name, times in zip(("with notices", "without"), took, strict=True):
        print(f"{name:13} min {min(times):6.1f}  median {statistics.median(times):6.1f}  max {max(times):6.1f} ms")
    ratios = sorted(one / other for one, other in zip(*took, strict=True))
    print(f"ratio         min {ratios[0]:6.2f}  median {statistics.median(ratios):6.2f}  max {ratios[-1]:6.2f}")


if __name__ == "__main__":
    main()
