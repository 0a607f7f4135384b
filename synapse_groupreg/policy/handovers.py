# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing a group over: its founder offers it, and somebody accepts that (articles 8.6 and 9)."""

from __future__ import annotations

import unicodedata
from typing import Literal

from synapse_groupreg.values import frozen

OFFERED_MS = 7 * 86_400_000
"""How long an offer stands."""
Reply = Literal["accept", "decline"]
_REPLIES: dict[str, Reply] = {
    **dict.fromkeys(("accept", "接受", "수락"), "accept"),
    **dict.fromkeys(("decline", "拒绝", "拒絕", "거절"), "decline"),
}
_AROUND = ".,!:;。、\"'“”「」"


@frozen(kw_only=True)
class Handover:
    """An offer. Its fields are its columns."""

    room_id: str
    founder: str
    account: str
    """Who may accept it."""
    until_ms: int


def reply(said: str) -> tuple[Reply | None, bool]:
    """Which answer to an offer somebody begins with, and whether they say more than that."""
    words = unicodedata.normalize("NFKC", said).casefold().split(maxsplit=1)
    return _REPLIES.get(words[0].strip(_AROUND)) if words else None, len(words) > 1
