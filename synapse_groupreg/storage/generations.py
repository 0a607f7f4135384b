# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a source of events is called in records after Synapse's database was put back: `events/master@2`.

Synapse then gives positions again that stand in records already, so a source of another name goes on: its generation.
Everything that reads Synapse's tables knows the first name only, `events/master`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERATION = "generation"
"""Beside the cursors of sources: the newest generation, which is 1 where it stands nowhere."""
_FIRST = 1
_MARKED = re.compile(r"(.+)@(\d+)", re.DOTALL)


def named(source: str, generation: int = _FIRST) -> str:
    """What records call a source. The first generation is marked only where the name would seem to be."""
    return source if generation == _FIRST and not _MARKED.fullmatch(source) else f"{source}@{generation}"


def source_of(name: str) -> str:
    """The inverse of `named`, without the generation."""
    marked = _MARKED.fullmatch(name)
    return marked[1] if marked else name


def of(cursors: Mapping[str, int]) -> int:
    """The newest generation of any source of a log."""
    return cursors.get(GENERATION, _FIRST)


def current(cursors: Mapping[str, int]) -> dict[str, str]:
    """What each source of events is called now."""
    found: dict[str, tuple[int, str]] = {}
    for name in cursors:
        if name.startswith(("events/", "backfill/")):
            marked = _MARKED.fullmatch(name)
            source, generation = (marked[1], int(marked[2])) if marked else (name, _FIRST)
            found[source] = max(found.get(source, (0, "")), (generation, name))
    return {source: name for source, (_, name) in found.items()}


def positions(cursors: Mapping[str, int]) -> dict[str, int]:
    """How far each source of events was taken, whatever it is called now."""
    return {source: cursors[name] for source, name in current(cursors).items()}
