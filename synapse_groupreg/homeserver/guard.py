# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request is about, told from its method and path: for acts that no callback of Synapse shows (article 6.2).

Synapse routes on the raw path and unquotes afterwards, so do we: cut the query, split, then unquote each segment.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote

import attrs

ActKind = Literal["manage", "knock"]
_VERSIONS = frozenset({"r0", "v1", "v3", "unstable"})
_MEMBERSHIPS = frozenset({"kick", "ban", "unban"})
_WRITES = frozenset({"POST", "PUT", "DELETE"})
OWN_PATH = "/_synapse/client/groupreg/"


@attrs.frozen
class Act:
    """An act that the gate must judge, and the room that it happens in, if it does in one."""

    kind: ActKind
    room_id: str | None = None


def act_of(method: str, path: str) -> Act | None:
    """The act of a request; None for all that other callbacks see, or that is always allowed.

    Covers both forms of a membership change, `POST …/kick` and `PUT …/kick/{txnId}`, under every prefix.
    """
    if method not in _WRITES:
        return None
    segments = tuple(unquote(segment) for segment in path.strip("/").split("/"))
    match segments:
        case ("_matrix", "media", _, "upload" | "create", *_):
            return Act("manage")
        case ("_matrix", "client", "api", "v1", *rest):
            return _client_act(method, tuple(rest))
        case ("_matrix", "client", "unstable", feature, *rest) if "." in feature:
            return _client_act(method, tuple(rest))
        case ("_matrix", "client", version, *rest) if version in _VERSIONS:
            return _client_act(method, tuple(rest))
        case _:
            return None


def _client_act(method: str, segments: tuple[str, ...]) -> Act | None:
    match segments:
        case ("rooms", room_id, word, *_) if word in _MEMBERSHIPS and method != "DELETE":
            return Act("manage", room_id)
        case ("knock", room, *_) if method != "DELETE":
            return Act("knock", room if room.startswith("!") else None)
        case ("profile", _, _, *_) | ("presence", _, "status") if method != "POST":
            return Act("manage")
        case ("directory", "room", _) if method == "DELETE":
            return Act("manage")
        case ("media", "upload" | "create", *_):
            return Act("manage")
        case _:
            return None


def always_allowed(path: str) -> bool:
    """Whether even a wholly barred account may ask for this: logging out, and our own pages, to see why and appeal."""
    return path.startswith(OWN_PATH) or path.rstrip("/").endswith(("/logout", "/logout/all"))


def upgraded_room(method: str, path: str) -> str | None:
    """The room of a request to upgrade it."""
    segments = tuple(unquote(segment) for segment in path.strip("/").split("/"))
    if method != "POST" or segments[:2] != ("_matrix", "client"):
        return None
    match segments[2:]:
        case (*_, "rooms", room_id, "upgrade"):
            return room_id
        case _:
            return None


def founds_room(path: str) -> bool:
    """Whether a request makes a room: its invites were judged with the founding."""
    return path.startswith("/_matrix/client/") and path.rstrip("/").endswith("/createRoom")


def joins_over_federation(path: str) -> bool:
    """Whether another server hands in the join of one of its accounts."""
    return path.startswith("/_matrix/federation/") and "/send_join/" in path
