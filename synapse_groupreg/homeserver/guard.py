# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request is about, told from its method and path: for acts that no callback of Synapse shows (article 6.2).

Synapse routes on the raw path and unquotes afterwards, so do we: cut the query, split, then unquote each segment.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote

from synapse_groupreg.values import frozen

ActKind = Literal["manage", "knock"]
_VERSIONS = frozenset({"r0", "v1", "v3", "unstable"})
_MEMBERSHIPS = frozenset({"kick", "ban", "unban"})
_WRITES = frozenset({"POST", "PUT", "DELETE"})
_SENDS = re.compile(r"/_matrix/client/(?:r0|v3)/rooms/[^/]+/send/")
"""What most writing requests begin with, which are no acts: seen without taking their path apart."""
OWN_PATH = "/_synapse/client/groupreg/"
SOME_GROUP = ""
"""Stands for a group whose id Synapse doesn't tell us. An alias belongs to one: a direct chat has none."""


@frozen
class Act:
    """An act that the gate must judge, and the room that it happens in, if it does in one."""

    kind: ActKind
    room: str | None = None
    """The room's id, as the client wrote it; of a knock perhaps an alias."""


def act_of(method: str, path: str) -> Act | None:
    """The act of a request; None for all that other callbacks see, or that is always allowed.

    Covers both forms of a membership change, `POST …/kick` and `PUT …/kick/{txnId}`, under every prefix.
    """
    if method not in _WRITES or _SENDS.match(path):
        return None
    segments = _segments(path)
    match segments:
        case ("_matrix", "media", _, "upload" | "create", *_):
            return Act("manage")
        case _:
            within = _within_client(segments)
            return None if within is None else _client_act(method, within)


def _segments(path: str) -> tuple[str, ...]:
    return tuple([unquote(segment) if "%" in segment else segment for segment in path.strip("/").split("/")])


def within_client(path: str) -> tuple[str, ...] | None:
    """What follows the prefix of the client API, in every form that Synapse serves; None for other paths."""
    return _within_client(_segments(path))


def _within_client(segments: tuple[str, ...]) -> tuple[str, ...] | None:
    match segments:
        case ("_matrix", "client", "api", "v1", *rest):
            return tuple(rest)
        case ("_matrix", "client", "unstable", feature, *rest) if "." in feature:
            return tuple(rest)
        case ("_matrix", "client", version, *rest) if version in _VERSIONS:
            return tuple(rest)
        case _:
            return None


def _client_act(method: str, segments: tuple[str, ...]) -> Act | None:
    match segments:
        case ("rooms", room_id, word, *_) if word in _MEMBERSHIPS and method != "DELETE":
            return Act("manage", room_id)
        case ("knock", room, *_) if method != "DELETE":
            return Act("knock", room)
        case ("profile", _, _, *_) | ("presence", _, "status") if method != "POST":
            return Act("manage")
        case ("directory", "room", _) if method == "DELETE":
            return Act("manage", SOME_GROUP)
        case ("media", "upload" | "create", *_):
            return Act("manage")
        case _:
            return None


def always_allowed(path: str) -> bool:
    """Whether even a wholly barred account may ask for this: logging out, and our own pages, to see why and appeal."""
    # The whole path, not its end: `PUT …/kick/logout` is a kick whose transaction has that name.
    return path.startswith(OWN_PATH) or within_client(path) in (("logout",), ("logout", "all"))


def founds_room(path: str) -> bool:
    """Whether a request makes a room: its invites were judged with the founding."""
    match within_client(path):
        case ("createRoom",) | ("createRoom", _):
            return True
        case _:
            return False


def joins_over_federation(path: str) -> bool:
    """Whether another server hands in the join of one of its accounts."""
    return path.startswith("/_matrix/federation/") and "/send_join/" in path
