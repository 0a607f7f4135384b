# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""JSON with one spelling for each value, so that no two readers of a bundle can read different things from it.

The spelling is canonical JSON (Matrix specification, appendix 3.1): keys sorted and each once, no spaces, no floating
point numbers, whole numbers within 53 bits.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any, NoReturn

from synapse_groupreg.retention.records import b64

LARGEST = 2**53 - 1
"""The largest whole number of canonical JSON."""
_DIGITS = 16
"""No whole number with more digits than these is allowed."""


class SpellingError(ValueError):
    """A text that is no JSON, or not in its one spelling."""


def _no_float(text: str) -> NoReturn:
    raise SpellingError(f"{text[:20]} is no whole number")


def _whole(text: str) -> int:
    # Judged before it is converted: the time for that grows with the square of the length.
    if len(text.lstrip("-")) > _DIGITS or abs(number := int(text)) > LARGEST:
        raise SpellingError(f"a number that begins with {text[:20]} is beyond 53 bits")
    return number


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SpellingError("a key stands there twice")
    return found


_DECODE = json.JSONDecoder(
    parse_float=_no_float, parse_constant=_no_float, parse_int=_whole, object_pairs_hook=_pairs
).raw_decode
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def parse(text: str) -> Any:
    """The value of a text in its one spelling. Raises SpellingError, which says what is wrong with it."""
    try:
        value, end = _DECODE(text)
    except SpellingError:
        raise
    except RecursionError:
        raise SpellingError("it is nested too deeply") from None
    except ValueError as error:
        raise SpellingError(f"it is no JSON: {str(error)[:80]}") from None
    if end != len(text):
        raise SpellingError("it is more than one value of JSON")
    if _ENCODE(value) != text:
        raise SpellingError("it is not canonical JSON: keys sorted, no spaces, no needless escapes")
    return value


def unb64_strict(text: str) -> bytes:
    """The inverse of `b64` for its one spelling: no padding, no other characters, no unused bits. Raises ValueError."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if b64(data) != text:
        raise SpellingError("it is not base64url without padding")
    return data
