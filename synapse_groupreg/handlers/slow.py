# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who posted when in slow groups, as far as this process saw it: in memory, since a post must cost no SQL.

Each process knows its own posts only. What it forgets, at a restart or since it is too much, lets somebody post earlier
once.
"""

from __future__ import annotations

from synapse_groupreg.policy.slow import LONGEST_S, SECOND_MS, Pace

_MOST = 20_000
"""Of whom the last post is remembered."""
_LEADS_MS = 60_000
"""How long it is believed that somebody looks after a group: they are looked up once in that time."""
Post = tuple[str, str]
"""Room and account."""


class Posts:
    """The last posts of one process."""

    def __init__(self) -> None:
        self._last_ms: dict[Post, int] = {}
        self._leading: dict[Post, int] = {}
        """When it was last seen that somebody looks after a group."""

    def begin(self, post: Post, every_ms: int, now_ms: int) -> Pace | None:
        """Let somebody post now, and not again before their time; or say for what it is too early."""
        if 0 <= now_ms - self._leading.get(post, -_LEADS_MS) < _LEADS_MS:
            return None
        since_ms = now_ms - self._last_ms.get(post, -every_ms)
        if 0 <= since_ms < every_ms:  # a clock that was turned back lets nobody wait
            return Pace(every_ms=every_ms, left_ms=every_ms - since_ms)
        _note(self._last_ms, post, now_ms, LONGEST_S * SECOND_MS)
        return None

    def take_back(self, post: Post) -> None:
        """Forget a post that was refused for another reason."""
        self._last_ms.pop(post, None)

    def leads(self, post: Post, now_ms: int) -> None:
        """Let somebody post who looks after the group, and ask no more for a while."""
        _note(self._leading, post, now_ms, _LEADS_MS)


def _note(times: dict[Post, int], post: Post, now_ms: int, matters_ms: int) -> None:
    if len(times) >= _MOST:
        for one in [one for one, ms in times.items() if ms + matters_ms <= now_ms]:
            del times[one]
    if len(times) >= _MOST:
        times.clear()
    times[post] = now_ms
