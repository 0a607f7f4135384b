# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""People who all want into the same group, each in a way of their own, through all workers at once."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from tests.e2e.client import MATRIX, Person, at_once, refused
from tests.e2e.town import Request, Town, told


class Crowd:
    """People who all want into one group after the other."""

    def __init__(self, town: Town, size: int) -> None:
        self.town = town
        self.founder = Person(town.server, "founder")
        self.people = [person for _ in range(size // 20) for person in at_once([self.somebody] * 20)]
        self.space = self.founder.found_group(creation_content={"type": "m.space"})
        self.post(self.people, f"join/{quote(self.space)}")

    def somebody(self) -> Person:
        return Person(self.town.server, "one")

    def post(self, people: Sequence[Person], path: str) -> None:
        """Have all of them do the same."""
        for answer in self.town.post_all([Request(one.token, f"{MATRIX}/{path}", {}) for one in people]):
            answer.good()

    def group(self, cap: int, ways: Sequence[str]) -> list[tuple[Person, str]]:
        """A group that they may enter in these ways, in turn: who by which address."""
        alias = f"#{self.founder.name}-{ways[0]}-{len(self.founder.joined_rooms())}:localhost"
        room = self.founder.found_group()
        self.founder.set_alias(room, alias).good()
        if {"invite", "space", "knock"}.intersection(ways):
            # Who comes by the alias of a group that isn't public is let in for being in the space.
            from_space = {"space", "alias"}.intersection(ways)
            allow = [{"type": "m.room_membership", "room_id": self.space}] if from_space else []
            rule = {"join_rule": "knock_restricted", "allow": allow}
            self.founder.set_state(room, "m.room.join_rules", rule).good()
        by_way = {way: self.people[number :: len(ways)] for number, way in enumerate(ways)}
        self.post(by_way.get("knock", []), f"knock/{quote(room)}")
        for one in (*by_way.get("invite", []), *by_way.get("knock", [])):
            self.founder.invite(room, one.user_id).good()
        self.town.staff.cap(room, cap).good()
        return [(one, alias if way == "alias" else room) for way, people in by_way.items() for one in people]

    def rush(self, cap: int, ways: Sequence[str], *, races: int = 10) -> None:
        """All at once; then one after the other leaves, and of two who come then one finds the place."""
        tries = self.group(cap, ways)
        answers = self.town.post_all([Request(one.token, f"{MATRIX}/join/{quote(where)}") for one, where in tries])
        assert told(answers) == {"done": cap - 1, "room-full": len(tries) - (cap - 1)}
        inside = [one for (one, _), answer in zip(tries, answers, strict=True) if answer.ok]
        outside = [entry for entry, answer in zip(tries, answers, strict=True) if not answer.ok]
        room = next(answer for answer in answers if answer.ok).room_id
        assert self.founder.members(room) == {self.founder.user_id, *(one.user_id for one in inside)}

        refused(outside[0][0].join(outside[0][1]), "room-full")
        for _ in range(races):
            # One process lets one join a room at a time: only two that come by different ones meet at the last place.
            inside.pop().leave(room).good()
            rivals, outside = outside[:2], outside[2:]
            race = [Request(one.token, f"{MATRIX}/join/{quote(where)}") for one, where in rivals]
            assert told(self.town.post_all(race)) == {"done": 1, "room-full": 1}
        assert len(self.founder.members(room)) == cap
