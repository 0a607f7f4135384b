# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entries that are named by a glob: which of them cover a name, without trying thousands for each message."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from synapse_groupreg.policy.blacklist import is_glob, pattern

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from synapse_groupreg.policy.measures import Measure

_NAMES = 10_000
"""Names that are remembered. They come from other servers too: the memory for them is bounded."""
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # of ASCII alone, as the patterns do


class Globs:
    """Measures by glob. One without wildcards is found by its name, the others are tried once for each name."""

    def __init__(self, measures: Iterable[Measure], names: Callable[[str], tuple[str, ...]]) -> None:
        """`names` says how a thing may be named: a server also without its port."""
        self._names = names
        self._exact: dict[str, tuple[Measure, ...]] = {}
        self._patterns: list[tuple[re.Pattern[str], Measure]] = []
        self._known: dict[str, tuple[Measure, ...]] = {}
        self._size = 0
        for measure in measures:
            self._size += 1
            if is_glob(measure.subject):
                self._patterns.append((pattern(measure.subject), measure))
            else:
                name = measure.subject.translate(_LOWER)
                self._exact[name] = (*self._exact.get(name, ()), measure)

    def __len__(self) -> int:
        return self._size

    def covering(self, thing: str) -> tuple[Measure, ...]:
        """The measures whose glob matches one of the names of a thing."""
        if not self._size:
            return ()
        known = self._known.get(thing)
        if known is None:
            if len(self._known) >= _NAMES:
                self._known.clear()
            known = self._known[thing] = self._look(self._names(thing))
        return known

    def _look(self, names: tuple[str, ...]) -> tuple[Measure, ...]:
        exact = [measure for name in names for measure in self._exact.get(name.translate(_LOWER), ())]
        covering = (one for regex, one in self._patterns if any(map(regex.fullmatch, names)))
        return (*dict.fromkeys(exact), *covering)
