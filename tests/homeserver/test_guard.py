# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request is about, from its raw path: no prefix, encoding or transaction name hides it, or pretends it."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.homeserver import guard
from synapse_groupreg.homeserver.guard import SOME_GROUP, Act, act_of, always_allowed, founds_room

PREFIXES = ("api/v1", "r0", "v1", "v3", "unstable", "unstable/org.example.msc1")
MANAGE_ROOM = Act("manage", "!r:a.b")
ACTS = [
    ("POST", "rooms/!r%3Aa.b/kick", MANAGE_ROOM),
    ("PUT", "rooms/!r:a.b/kick/1", MANAGE_ROOM),
    ("PUT", "rooms/!r:a.b/ban/logout", MANAGE_ROOM),
    ("PUT", "rooms/!r:a.b/unban/createRoom", MANAGE_ROOM),
    ("POST", "rooms/!r:a.b/%6bick", MANAGE_ROOM),
    ("POST", "knock/%23alias%3Aa.b", Act("knock", "#alias:a.b")),
    ("PUT", "profile/@a:b/displayname", Act("manage")),
    ("DELETE", "profile/@a:b/avatar_url", Act("manage")),
    ("PUT", "profile/@a:b/logout", Act("manage")),
    ("PUT", "presence/@a:b/status", Act("manage")),
    ("DELETE", "directory/room/%23alias:a.b", Act("manage", SOME_GROUP)),
]
NO_ACTS = [
    ("GET", "rooms/!r:a.b/kick"),
    ("GET", "profile/@a:b/displayname"),
    ("POST", "rooms/!r:a.b/leave"),
    ("POST", "rooms/!r:a.b/forget"),
    ("PUT", "rooms/!r:a.b/send/kick/1"),
    ("PUT", "rooms/!r:a.b/typing/@a:b"),
    ("POST", "rooms/!r:a.b/receipt/m.read/$kick"),
    ("PUT", "sendToDevice/profile/1"),
    ("POST", "keys/upload"),
    ("GET", "presence/@a:b/status"),
]
ELSEWHERE = ["/_synapse/admin/v1/rooms/!r/kick", "/_matrix/federation/v1/rooms/!r/kick", "/rooms/!r/kick", "/"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path", "act"), ACTS)
def test_an_act_is_seen_under_every_prefix(prefix: str, method: str, path: str, act: Act) -> None:
    assert act_of(method, f"/_matrix/client/{prefix}/{path}") == act


@pytest.mark.parametrize("path", ["media/r0/upload", "media/v3/upload/a.b/id", "media/v1/create"])
def test_uploads_are_acts(path: str) -> None:
    assert act_of("PUT", f"/_matrix/{path}") == act_of("POST", f"/_matrix/{path}") == Act("manage")


@pytest.mark.parametrize(("method", "path"), NO_ACTS)
def test_reading_leaving_and_what_other_callbacks_see_is_no_act(method: str, path: str) -> None:
    assert act_of(method, f"/_matrix/client/v3/{path}") is None


@pytest.mark.parametrize("path", ELSEWHERE)
def test_other_apis_have_no_acts(path: str) -> None:
    assert act_of("POST", path) is None


@pytest.mark.parametrize("prefix", PREFIXES)
def test_only_the_whole_path_logs_out(prefix: str) -> None:
    at = f"/_matrix/client/{prefix}"
    assert always_allowed(f"{at}/logout")
    assert always_allowed(f"{at}/logout/all")
    for path in (
        "rooms/!r/kick/logout",
        "rooms/!r/state/a/logout",
        "profile/@a:b/logout",
        "logout/some",
        "rooms/logout/all",
    ):
        assert not always_allowed(f"{at}/{path}"), path


@pytest.mark.parametrize("prefix", PREFIXES)
def test_only_the_whole_path_founds(prefix: str) -> None:
    at = f"/_matrix/client/{prefix}"
    assert founds_room(f"{at}/createRoom")
    assert founds_room(f"{at}/createRoom/1")
    for path in ("rooms/!r/invite/createRoom", "rooms/!r/createRoom", "join/createRoom", "createRoom/1/2"):
        assert not founds_room(f"{at}/{path}"), path


def test_our_own_pages_are_always_open() -> None:
    assert always_allowed("/_synapse/client/groupreg/v1/accounts/@a:b")
    assert not always_allowed("/_synapse/client/groupregistry")


@given(st.text(), st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
def test_no_path_makes_it_stumble(path: str, method: str) -> None:
    act_of(method, path)
    always_allowed(path)
    founds_room(path)


WORDS = "_matrix client media v3 r0 rooms send s%65nd %72ooms kick %6bick !r%3Aa.b %2Fkick upload profile knock room"
SEGMENTS = st.sampled_from(["", *WORDS.split()])
V3 = "/_matrix/client/v3"
BEGUN = st.sampled_from([f"{V3}/rooms/!r/send/", f"{V3}/rooms/!r/kick/send/", "/_matrix/client/r0/rooms", V3, ""])


@given(BEGUN, st.lists(SEGMENTS, max_size=8), st.sampled_from(["POST", "PUT", "DELETE"]))
def test_what_begins_like_a_message_is_none_of_the_acts(begun: str, segments: list[str], method: str) -> None:
    """The short way past the parts of the path leads where the long one does."""
    path = "/".join([begun, *segments])
    short = act_of(method, path)
    with mock.patch.object(guard, "_SENDS", re.compile("(?!)")):
        assert act_of(method, path) == short
