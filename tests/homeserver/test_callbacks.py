# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the gate remembers spares a judgement only where the same one would be made; all else is judged as ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from synapse.api.room_versions import RoomVersions
from synapse.events import make_event_from_dict
from synapse.logging.context import ContextRequest, LoggingContext
from synapse.module_api import NOT_SPAM

from synapse_groupreg.config import load
from synapse_groupreg.handlers.gate import GO_ON
from synapse_groupreg.homeserver import compat, pen
from synapse_groupreg.homeserver.callbacks import Callbacks
from synapse_groupreg.homeserver.replies import Replies
from tests.database import result_of

ALICE, EVE, ROOM = "@alice:test.example.org", "@eve:remote.example.org", "!room:test.example.org"
V3 = "/_matrix/client/v3"


class Gate:
    """Remembers what it was asked; `sure` is whether it remembers to have allowed it before."""

    def __init__(self, *, sure: bool) -> None:
        self.sure = sure
        self.asked: list[str] = []

    def surely_sends(self, _user_id: str, _room_id: str) -> bool:
        return self.sure

    def surely_logs_in(self, _user_id: str) -> bool:
        return self.sure

    def enforces(self, _code: str) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        async def ask(*_: object, **__: object) -> Any:
            self.asked.append(name)
            return GO_ON

        return ask


class Ear:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.heard = 0

    def listen(self, _event: object) -> None:
        self.heard += 1


class Stage:
    """The callbacks between a gate and an ear that only remember."""

    def __init__(self, *, sure: bool) -> None:
        self.gate, self.ear = Gate(sure=sure), Ear()
        api: Any = SimpleNamespace(
            get_qualified_user_id=lambda name: f"@{name}:test.example.org",
            is_mine=lambda identifier: identifier.endswith(":test.example.org"),
            server_name="test.example.org",
        )
        config, parts = load({"mode": "enforce", "federation": "closed"}), {"founders": None, "ear": self.ear}
        replies = Replies(config, None, api.server_name, lambda: "enforce")  # type: ignore[arg-type]  # nothing is refused
        self.callbacks = Callbacks(api, config, self.gate, replies, **parts)  # type: ignore[arg-type]  # as they are here

    def send(self, **event: Any) -> list[str]:
        """What the gate is asked about an event that goes through."""
        whole = {"type": "m.room.message", "sender": ALICE, "room_id": ROOM, "content": {}, **event}
        made = make_event_from_dict(
            {"auth_events": [], "prev_events": [], "hashes": {}, "depth": 1, "origin_server_ts": 1, **whole},
            RoomVersions.V11,
        )
        assert result_of(self.callbacks.check_event_for_spam(made)) == NOT_SPAM
        return self.gate.asked

    def request(self, method: str, path: str) -> list[str]:
        """What it is asked about a request of Alice."""
        request = ContextRequest("r-1", "127.0.0.1", "site", None, None, method, path, "1.1", "curl")
        with LoggingContext(name="r-1", server_name="test.example.org", request=request):
            assert result_of(self.callbacks.is_user_expired(ALICE)) is None
        return self.gate.asked


@pytest.mark.parametrize("kind", ["m.room.message", "m.room.encrypted", "m.reaction", "m.sticker"])
def test_talk_that_was_allowed_is_not_judged_again_but_heard(kind: str) -> None:
    sure, unsure = Stage(sure=True), Stage(sure=False)
    assert sure.send(type=kind) == []
    assert unsure.send(type=kind) == ["send"]
    assert sure.ear.heard == unsure.ear.heard == 1


@pytest.mark.parametrize(
    "event",
    [
        {"sender": EVE},
        {"type": "m.room.message", "state_key": ""},
        {"type": "m.room.topic", "state_key": ""},
        {"type": "m.room.redaction"},
        {"type": "m.room.tombstone", "state_key": ""},
        {"type": "m.room.join_rules", "content": {"join_rule": "public"}},
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "public"}},
        {"type": "org.example.other"},
    ],
)
def test_whatever_else_is_sent_is_judged_however_sure_the_gate_is(event: dict[str, Any]) -> None:
    sure, unsure = Stage(sure=True), Stage(sure=False)
    assert sure.send(**event) == unsure.send(**event)
    assert sure.gate.asked[:1] == ["send"]
    assert sure.ear.heard == unsure.ear.heard


def test_what_the_module_writes_whatever_the_standing_is_neither_judged_nor_heard() -> None:
    stage = Stage(sure=True)
    token = pen._UNJUDGED.set(True)
    try:
        assert stage.send() == []
    finally:
        pen._UNJUDGED.reset(token)
    assert stage.ear.heard == 0


@pytest.mark.parametrize(
    ("method", "path", "acts"),
    [
        ("PUT", f"{V3}/rooms/!r%3Aa.b/send/m.room.message/1", []),
        ("GET", f"{V3}/sync", []),
        ("POST", f"{V3}/rooms/!r%3Aa.b/%6bick", ["manage"]),
        ("POST", f"{V3}/rooms/!r%3Aa.b/ban?x=/send/", ["manage"]),
        ("POST", f"{V3}/knock/!r%3Aa.b", ["knock"]),
        ("PUT", f"{V3}/profile/@alice:test.example.org/displayname", ["manage"]),
    ],
)
def test_a_request_is_judged_by_what_it_does_however_sure_the_gate_is(method: str, path: str, acts: list[str]) -> None:
    assert Stage(sure=True).request(method, path) == acts
    assert Stage(sure=False).request(method, path) == ["log_in", *acts]


@pytest.mark.parametrize("path", [f"{V3}/logout", f"{V3}/logout/all", "/_synapse/client/groupreg/v1/me"])
def test_what_is_always_allowed_is_never_judged(path: str) -> None:
    for sure in (True, False):
        assert Stage(sure=sure).request("POST", path) == []


def test_a_request_of_somebody_else_is_not_acted_on() -> None:
    assert compat.current_request() is None
    stage = Stage(sure=False)
    assert result_of(stage.callbacks.is_user_expired(ALICE)) is None
    assert stage.gate.asked == []
