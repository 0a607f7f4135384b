# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The number of a group (article 8.2): nine digits, of which the last checks the others.

Eight of them are drawn at random, for numbers in a row would tell how many groups there are and lead from one to the
next. That leaves 90 million: a server with 100,000 groups uses a thousandth of them, and of a thousand million texts
of nine digits one in ten thousand leads to a group of it. The first is never 0, so that no program shortens a number.

The check digit is Damm's, the only one-digit scheme without an eleventh sign that finds every single wrong digit and
every exchange of two neighbours; ISO 7064 MOD 11,10 misses some of the latter, as does Luhn's.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER = "org.groupreg.number"
"""What names the number of a group in its state: mostly a key in the content of the create event, which costs no event
of its own and which nobody can change: `"123456786"`. A group that got its number later than that has a state event of
this type: `{"number": "123456786"}`, which counts where both are there."""
SPACE = 90_000_000
"""How many numbers there are."""
_FIRST = 10_000_000
_PREFIX = "g"
_WRITTEN = re.compile(r"#?g?([1-9][0-9]{2})[ .-]?([0-9]{3})[ .-]?([0-9]{3})(?::.*)?", re.IGNORECASE)
# A quasigroup without fixed points in which exchanging two neighbours always shows: H. M. Damm, 2004.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def number(drawn: int) -> str:
    """The number that belongs to a draw below SPACE."""
    assert 0 <= drawn < SPACE
    digits = str(_FIRST + drawn)
    return f"{digits}{_check(digits)}"


def read(written: str) -> str | None:
    """The number that somebody wrote, in any way in which people write one; None for what can't be one.

    `123456786`, `123 456 786`, `g123456786` and `#g123456786:example.org` are the same, in digits of full width too.
    """
    found = _WRITTEN.fullmatch(unicodedata.normalize("NFKC", written).strip())
    digits = "".join(found.groups()) if found else ""
    return digits if digits and _check(digits) == 0 else None


def alias(number: str, server_name: str) -> str:
    """The alias by which a public group is joined."""
    return f"#{localpart(number)}:{server_name}"


def localpart(number: str) -> str:
    """That alias as a createRoom names it."""
    return f"{_PREFIX}{number}"


def reserved(alias: str) -> str | None:
    """The number that an alias of this server stands for, which only the module makes."""
    name = alias.removeprefix("#").partition(":")[0]
    found = read(name)
    return found if found is not None and name == localpart(found) else None


def named(create: Mapping[str, Any] | None, event: Mapping[str, Any] | None) -> object:
    """What the state of a group says its number is, by the contents of these two of its events; None: nothing."""
    return event.get("number") if event is not None else (create or {}).get(NUMBER)


def _check(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
