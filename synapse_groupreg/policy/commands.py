# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people ask in a chat: `!group`, a word, and the number of a group where the room doesn't tell (article 9)."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

import attrs

PREFIX = "!group"
WORDS: Mapping[str, bool] = MappingProxyType(
    {
        "info": True,
        "help": False,
        "members": True,
        "limits": True,
        "me": False,
        "appeal": False,
        "report": False,
        "link": True,
    }
)
"""Every command, and whether it is about a group; `info` may be left out."""
WITH_TEXT = frozenset({"appeal"})
"""Commands that take, behind a number, what their author says."""
_LONGEST = 200
"""Characters that are looked at: no command is longer, but for what somebody says in one."""
_LONGEST_WORD = 30


@attrs.frozen
class Asked:
    """A command; `written` is what stands behind it, such as a number."""

    word: str
    written: str = ""
    text: str = ""
    """For a command that takes one, what follows the number: as it was typed, lines and all."""


@attrs.frozen
class Unknown:
    """A word that is no command, and the one that it resembles."""

    word: str
    nearest: str | None


def is_command(body: str) -> bool:
    """Whether a message may be a command: asked for every message, so it costs next to nothing."""
    return body[:1] in ("!", "！") and _normal(body[: len(PREFIX)]) == PREFIX  # noqa: RUF001 - Chinese keyboards have it


def parse(body: str) -> Asked | Unknown | None:
    """What a message asks for; None if it is no command."""
    lines = _normal(body[:_LONGEST]).strip().splitlines()
    first, *rest = lines[0].split() if lines else [""]
    if first != PREFIX:
        return None
    if not rest or rest[0].lstrip("#g")[:1].isdigit():
        return Asked("info", " ".join(rest))
    word = rest[0]
    if word in WITH_TEXT:
        _, _, *said = body.split(maxsplit=3)
        return Asked(word, _normal(said[0][:_LONGEST_WORD]) if said else "", "".join(said[1:]).strip())
    if word in WORDS:
        return Asked(word, " ".join(rest[1:]))
    nearest = difflib.get_close_matches(word, WORDS, n=1)
    return Unknown(word[:_LONGEST_WORD], nearest[0] if nearest else None)


def write(word: str, number: str = "") -> str:
    """A command as people type it."""
    return " ".join(part for part in (PREFIX, "" if word == "info" else word, number) if part)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
