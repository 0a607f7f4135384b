# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people did in groups and when, as their clients saw it, and whether each refusal was right (article 8.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

RESERVED_S = 30.0
RENAMES_TAKE_S = 10.0


@frozen(kw_only=True)
class Try:
    """One try to join: of whom, where, from when to when, and what came of it."""

    user: str
    room: str
    began: float
    ended: float
    outcome: str
    """`done`, `full`, `other` (refused for another reason, by Synapse too), or `lost`: nobody answered."""


@define
class Stay:
    """The longest time in which somebody may have been in a group, or have held a place in it."""

    user: str
    since: float
    until: float = math.inf


@define
class Diary:
    """Of one group, in the order of events; whoever is in it at first has a stay of their own."""

    tries: list[Try] = field(factory=list)
    stays: list[Stay] = field(factory=list)
    departures: list[tuple[str, float]] = field(factory=list)
    again: list[tuple[str, float]] = field(factory=list)
    """Who asked to join while they were in, and when: their place is kept although they leave."""

    def came(self, tried: Try) -> None:
        """Note a try, and what place it may have taken."""
        self.tries.append(tried)
        match tried.outcome:
            case "done" if any(stay.until == math.inf for stay in self._of(tried.user)):
                self.again.append((tried.user, tried.began))
                return
            case "done" | "lost":  # what nobody answered may have succeeded
                until = math.inf
            case "other":  # Synapse may have refused what we had reserved a place for
                until = tried.began + RESERVED_S
            case _:
                until = tried.ended
        self.stays.append(Stay(tried.user, tried.began, until))

    def went(self, user: str, ended: float) -> None:
        """Note that somebody is out for sure. A place that they asked for twice is kept until it would lapse."""
        self.departures.append((user, ended))
        began = [one.began for one in self.tries if one.user == user]
        lost = [one.began for one in self.tries if one.user == user and one.outcome == "lost"]
        twice = [max(began)] if lost and max(began) - max(lost) < RESERVED_S else []
        twice += [asked for who, asked in self.again if who == user]
        until = max([ended, *(asked + RESERVED_S for asked in twice)])
        for stay in self._of(user):
            if stay.until == math.inf:
                stay.until = until

    def came_back(self, user: str, asked: float, written: float) -> None:
        """Note afterwards that Synapse wrote a join: one for no try of theirs is for what they asked for before."""
        own = [one for one in self.tries if one.user == user and one.outcome in ("done", "lost")]
        if not any(one.began <= written <= one.ended for one in own):
            left = min((at for who, at in self.departures if who == user and at >= written), default=math.inf)
            self.stays.append(Stay(user, asked, left))

    def renamed(self, user: str, asked: float) -> None:
        """Note afterwards that no join under a new name became state: if Synapse asked for one, a place was kept."""
        self.stays.append(Stay(user, asked, asked + RESERVED_S + RENAMES_TAKE_S))

    def wrongly_refused(self, cap: int) -> Iterator[Try]:
        """Refusals at which places were free, whoever else may have had one at any time from when it was asked for."""
        for one in self.tries:
            if one.outcome == "full":
                others = {
                    stay.user
                    for stay in self.stays
                    if stay.user != one.user and stay.since <= one.ended and stay.until >= one.began
                }
                if len(others) < cap:
                    yield one

    def _of(self, user: str) -> list[Stay]:
        return [stay for stay in self.stays if stay.user == user]


def most_at_once(changes: Sequence[tuple[str, str | None]]) -> int:
    """The most members that a group ever had, by the changes of its state in their order."""
    inside: set[str] = set()
    most = 0
    for user, membership in changes:
        (inside.add if membership == "join" else inside.discard)(user)
        most = max(most, len(inside))
    return most
