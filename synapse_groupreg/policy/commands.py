# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people ask in a chat: `!group`, a word, and the number of a group where the room doesn't tell (article 9)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import unquote

from synapse_groupreg.values import frozen

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
        "mute": True,
        "unmute": True,
        "transfer": True,
        "category": True,
        "slow": True,
    }
)
"""Every command, and whether it is about a group; `info` may be left out."""
WITH_TEXT = frozenset({"appeal"})
"""Commands that take, behind a number, what their author says."""
WITH_ARGUMENTS = frozenset({"mute", "unmute", "transfer", "category", "slow"})
"""Commands that say more than which group they are about; its number, where it stands, comes first."""
_LONGEST = 200
"""Characters that are looked at: no command is longer, but for what somebody says in one."""
_LONGEST_WORD = 30
_NUMBER = re.compile(r"#?g?[0-9]{9}(:.*)?")
_LINK = re.compile(r"(?:\[[^\]]*\]\()?https://matrix\.to/#/((?:@|%40)[^\s?)]+)[^\s)]*\)?")
"""Some clients write a person whom their user chose from a list like this."""
_BEHIND_A_NAME = " ,:;\t"
_AND = re.compile(r"(?:and\b|&|和|与|與|跟|及|와|과|하고)?\s*")


@frozen
class Asked:
    """A command; `written` is what stands behind it, such as a number."""

    word: str
    written: str = ""
    text: str = ""
    """For a command that takes more, what follows the number: as it was typed, lines and all."""

    @property
    def acts(self) -> bool:
        """Whether it is to change something in a group, and not only asked about it."""
        return self.word in WITH_ARGUMENTS and bool(self.text)


@frozen
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
    if word in WITH_ARGUMENTS:
        _, _, *said = body.split(maxsplit=2)
        number, text = _numbered("".join(said).strip())
        return Asked(word, number, text)
    if word in WORDS:
        return Asked(word, " ".join(rest[1:]))
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone, and not small

    nearest = get_close_matches(word, WORDS, n=1)
    return Unknown(word[:_LONGEST_WORD], nearest[0] if nearest else None)


def write(word: str, number: str = "", more: str = "") -> str:
    """A command as people type it."""
    return " ".join(part for part in (PREFIX, "" if word == "info" else word, number, more) if part)


def _numbered(said: str) -> tuple[str, str]:
    """The number of a group, and the rest: it stands first, or behind a single word."""
    first, _, behind = said.partition(" ")
    behind = behind.strip()
    if _NUMBER.fullmatch(_normal(first)):
        return _normal(first), behind
    return (_normal(behind), first) if _NUMBER.fullmatch(_normal(behind)) else ("", said)


def whom(said: str, server_name: str, mentioned: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """The account that somebody names first, and what they say behind it; None if it isn't told.

    `mentioned` are those whom their client linked, with the names that may stand in the text for them: a client that
    offers people to choose from writes what they are called, and their ids beside it.
    """
    link = _LINK.match(said)
    if link is not None:
        return unquote(link[1]), said[link.end() :].strip(_BEHIND_A_NAME)
    first, _, behind = said.partition(" ")
    named = unicodedata.normalize("NFKC", first).rstrip(_BEHIND_A_NAME)
    if named.startswith("@") and ":" in named:
        return named, behind.strip()
    if len(mentioned) == 1:
        ((user_id, names),) = mentioned.items()
        for name in sorted(names, key=len, reverse=True):
            if said[: len(name)].casefold() == name.casefold():
                return user_id, said[len(name) :].strip(_BEHIND_A_NAME)
        return user_id, behind.strip()
    return (f"{named}:{server_name}", behind.strip()) if named.startswith("@") and named != "@" else None


def names_another(said: str, user_id: str, mentioned: Mapping[str, Sequence[str]]) -> bool:
    """Whether what is said behind one person begins with a further one."""
    behind = said[_AND.match(said).end() :]  # type: ignore[union-attr]  # it matches everything
    if _LINK.match(behind) or re.match(r"@\w", _normal(behind)):
        return True
    normal = _normal(said)
    names = (_normal(name) for other, called in mentioned.items() if other != user_id for name in called)
    return any(name and normal.startswith(name) and not normal[len(name) :][:1].isalnum() for name in names)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
