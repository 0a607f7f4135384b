# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""People who all want into the same group, each in a way of their own, through all workers at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        self.do([Request(one.token, f"{MATRIX}/{path}") for one in people])

    def do(self, requests: Sequence[Request]) -> None:
        for answer in self.town.post_all(requests):
            answer.good()

    def rush(self, cap: int, ways: Sequence[str], *, size: int | None = None, rounds: int = 1, races: int = 10) -> None:
        """Rush into one group, each (or so many) in one of these ways; before the next round everybody leaves it."""
        people = self.people[:size]
        room, alias = self.group(cap, ways)
        # All of one way after the other: each way is spread over the workers.
        way_of = {one: way for number, way in enumerate(ways) for one in people[number :: len(ways)]}
        addresses = {one: alias if way == "alias" else room for one, way in way_of.items()}
        without = people
        for number in range(rounds):
            self.ask_in(room, [(one, way_of[one]) for one in without])
            entered = self.enter(room, cap, addresses, races)
            if number < rounds - 1:
                inside = self.founder.members(room)
                self.post([one for one in entered if one.user_id in inside], f"rooms/{quote(room)}/leave")
            without = entered

    def group(self, cap: int, ways: Sequence[str]) -> tuple[str, str]:
        """A group that may be entered in these ways, and an alias of it."""
        alias = f"#{self.founder.name}-{ways[0]}-{len(self.founder.joined_rooms())}:localhost"
        room = self.founder.found_group()
        self.founder.set_alias(room, alias).good()
        if {"invite", "space", "knock"}.intersection(ways):
            # Who comes by the alias of a group that isn't public is let in for being in the space.
            from_space = {"space", "alias"}.intersection(ways)
            allow = [{"type": "m.room_membership", "room_id": self.space}] if from_space else []
            rule = {"join_rule": "knock_restricted", "allow": allow}
            self.founder.set_state(room, "m.room.join_rules", rule).good()
        self.town.staff.cap(room, cap).good()
        return room, alias

    def ask_in(self, room: str, people: Sequence[tuple[Person, str]]) -> None:
        """Have those knock who come in that way, and invite them and who comes by invite."""
        self.post([one for one, way in people if way == "knock"], f"knock/{quote(room)}")
        invite = f"{MATRIX}/rooms/{quote(room)}/invite"
        invited = [one for one, way in people if way in ("invite", "knock")]
        self.do([Request(self.founder.token, invite, {"user_id": one.user_id}) for one in invited])

    def enter(self, room: str, cap: int, addresses: Mapping[Person, str], races: int) -> list[Person]:
        """All at once; then one after the other leaves, and of two who then come one finds the place. Who entered."""

        def come(people: Sequence[Person], free: int) -> list[Person]:
            """Who of them finds one of the free places; all are taken afterwards."""
            answers = self.town.post_all(
                [Request(one.token, f"{MATRIX}/join/{quote(addresses[one])}") for one in people]
            )
            done = [one for one, answer in zip(people, answers, strict=True) if answer.ok]
            assert told(answers) == {"done": free, "room-full": len(people) - free}
            return done

        entered = come(list(addresses), cap - 1)
        assert self.founder.members(room) == {self.founder.user_id, *(one.user_id for one in entered)}
        outside = [one for one in addresses if one not in set(entered)]
        refused(outside[0].join(addresses[outside[0]]), "room-full")
        for leaver in entered[:races]:
            # One process lets one join a room at a time: only two that come by different ones meet at the last place.
            leaver.leave(room).good()
            rivals, outside = outside[:2], outside[2:]
            entered += come(rivals, 1)
        assert len(self.founder.members(room)) == cap
        return entered
