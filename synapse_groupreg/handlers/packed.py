# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names to small numbers in few bytes each, for what a process knows of very many accounts and rooms."""

from __future__ import annotations

import secrets
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Value = TypeVar("Value", bound=int)

_SHELVES = 256


class Packed(Generic[Value]):
    """A mapping in which every other name has the value 0: keyed hashes of eight bytes, sorted, and their numbers.

    A dict would take a hundred bytes a name. The key is made for each process, so nobody can look for names that
    collide; by chance two of 100,000 do with a probability of 3e-10. They lie on shelves by the first byte of the
    hash: one more name moves a 256th of them, and what is read a page at a time is sorted a shelf at a time.
    """

    def __init__(
        self, number: Literal["B", "I"], value: Callable[[int], Value], items: Iterable[tuple[str, Value]] = ()
    ) -> None:
        """`number` is the array's type of the numbers, `value` makes one of them what is asked for; names differ."""
        self._key = secrets.token_bytes(16)
        self._value = value
        self._hashes = [array("Q") for _ in range(_SHELVES)]
        self._numbers = [array(number) for _ in range(_SHELVES)]
        for name, given in items:
            if given:
                hashed, hashes, numbers = self._shelf(name)
                hashes.append(hashed)
                numbers.append(given)
        for shelf, (hashes, numbers) in enumerate(zip(self._hashes, self._numbers, strict=True)):
            ordered = sorted(zip(hashes, numbers, strict=True))
            self._hashes[shelf] = array("Q", [pair[0] for pair in ordered])
            self._numbers[shelf] = array(number, [pair[1] for pair in ordered])

    def __len__(self) -> int:
        return sum(map(len, self._hashes))

    def __getitem__(self, name: str) -> Value:
        hashed, hashes, numbers = self._shelf(name)
        at = bisect_left(hashes, hashed)
        return self._value(numbers[at] if at < len(hashes) and hashes[at] == hashed else 0)

    def __setitem__(self, name: str, given: Value) -> None:
        hashed, hashes, numbers = self._shelf(name)
        at = bisect_left(hashes, hashed)
        found = at < len(hashes) and hashes[at] == hashed
        if found and given:
            numbers[at] = given
        elif found:
            del hashes[at]
            del numbers[at]
        elif given:
            hashes.insert(at, hashed)
            numbers.insert(at, given)

    def _shelf(self, name: str) -> tuple[int, array[int], array[int]]:
        hashed = int.from_bytes(blake2b(name.encode(), digest_size=8, key=self._key).digest(), "big")
        shelf = hashed >> 56
        return hashed, self._hashes[shelf], self._numbers[shelf]
