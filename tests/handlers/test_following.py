# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entries keep in step with followed policy rooms, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers import following
from synapse_groupreg.handlers.follower import Follower
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleKind
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.storage import measures
from tests.database import result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.policy.measures import Measure
    from tests.database import TestDatabase

RULE = "m.policy.rule.user"


class World:
    """A stage with a policy room, and what follows it."""

    def __init__(self, database: TestDatabase) -> None:
        self.stage = Stage(database)
        self.following = Follower(database, self.stage.homeserver, self.stage.setting, following.keep_in_step)

    def make_list(self, *entities: str, name: str = "Bad company") -> str:
        """A policy room with these rules, followed."""
        room_id: str = self.stage.do(seed.make_room, CAROL)
        self.stage.do(seed.set_state, room_id, CAROL, "m.room.name", {"name": name})
        for entity in entities:
            self.ban(room_id, entity)
        self.stage.homeserver.now += 1
        self.stage.act(actions.Follow(room=room_id))
        return room_id

    def ban(self, room_id: str, entity: str, reason: str = "spam", key: str = "") -> None:
        content = {"entity": entity, "reason": reason, "recommendation": "m.ban"}
        self.stage.do(seed.set_state, room_id, CAROL, RULE, content, state_key=key or entity)

    def withdraw(self, room_id: str, entity: str) -> None:
        self.stage.do(seed.set_state, room_id, CAROL, RULE, {}, state_key=entity)

    def look(self) -> dict[str, Measure]:
        """Let a second pass; the entries in force then."""
        result_of(self.following.every_second())
        return self.entries()

    def entries(self) -> dict[str, Measure]:
        """Those in force by what they name."""
        return {one.entity: one for one in self.stage.do(measures.open_ones, NOW + 10)}

    def skipped(self, room_id: str) -> dict[str, str]:
        shown = self.stage.do(following.overview, self.stage.setting(Staff(user_id=ADMIN)))
        [one] = [one for one in shown if one["room_id"] == room_id]
        return {rule["entity"]: rule["why"] for rule in one["skipped"]}


@pytest.fixture
def world(db: TestDatabase) -> World:
    return World(db)


def test_rules_are_looked_at_only_when_something_happened(world: World) -> None:
    room_id = world.make_list("@eve:x")
    runs = world.stage.database.runs
    assert set(world.look()) == {"@eve:x"}
    runs.clear()
    world.look()
    assert runs == ["groupreg_lists_look"]
    world.ban(room_id, "@adam:x")
    assert set(world.look()) == {"@eve:x", "@adam:x"}
    assert "groupreg_lists" in runs


def test_what_no_event_tells_of_is_brought_in_step_each_minute(world: World) -> None:
    runs = world.stage.database.runs
    runs.clear()
    result_of(world.following.every_minute())
    assert runs == ["groupreg_lists_look"], "no list is followed: the code that carries them out isn't read"
    room_id = world.make_list("@eve:x")
    result_of(world.following.every_minute())
    assert set(world.entries()) == {"@eve:x"}
    world.stage.act(actions.Unfollow(room=room_id))
    result_of(world.following.every_minute())
    assert world.entries() == {}


def test_a_rule_that_changes_changes_its_entry(world: World) -> None:
    room_id = world.make_list("@eve:x")
    before = world.look()["@eve:x"]
    assert (before.author, before.review_ms, before.basis) == ("server", None, f"policy list Bad company ({room_id})")
    world.ban(room_id, "@eve:x", "threats")
    after = world.look()["@eve:x"]
    assert (after.id, after.reason, after.start_ms) == (before.id, "threats", before.start_ms)
    world.withdraw(room_id, "@eve:x")
    assert world.look() == {}
    assert [one.action for one in world.stage.journal()[-3:]] == ["impose", "impose", "lift"]
    assert {one.author for one in world.stage.journal()[-3:]} == {"server"}


def test_a_long_list_is_taken_in_steps(world: World) -> None:
    many = [f"@eve{number}:x" for number in range(450)]
    world.make_list(*many)
    runs = world.stage.database.runs
    runs.clear()
    assert set(world.look()) == set(many)
    assert runs.count("groupreg_lists") == 3


def test_what_two_lists_say_ends_when_neither_says_it(world: World) -> None:
    first, second = world.make_list("@eve:x", name="First"), world.make_list("@eve:x", name="Second")
    entry = world.look()["@eve:x"]
    assert entry.list_room == first
    world.withdraw(first, "@eve:x")
    kept = world.look()["@eve:x"]
    assert (kept.id, kept.list_room) == (entry.id, second)
    world.stage.act(actions.Unfollow(room=second))
    assert world.look() == {}


def test_what_staff_change_becomes_theirs(world: World) -> None:
    room_id = world.make_list(BOB)
    entry = world.look()[BOB]
    world.stage.act(actions.Impose(entity=BOB, reason="our own reason", basis="11.3"))
    world.withdraw(room_id, BOB)
    kept = world.look()[BOB]
    assert (kept.id, kept.author, kept.reason, kept.list_room) == (entry.id, ADMIN, "our own reason", None)


def test_what_staff_lift_stays_lifted_until_the_rule_changes(world: World) -> None:
    room_id = world.make_list(BOB)
    world.stage.act(actions.Lift(measure_id=world.look()[BOB].id))
    world.ban(room_id, "@eve:x")
    assert set(world.look()) == {"@eve:x"}
    assert world.skipped(room_id) == {BOB: "staff lifted it"}
    world.ban(room_id, BOB, "again")
    assert set(world.look()) == {"@eve:x", BOB}


def test_an_account_that_is_linked_later_is_barred_as_a_person(world: World) -> None:
    room_id = world.make_list(BOB)
    world.look()
    for user_id in (ALICE, BOB):
        world.stage.act(actions.Verify(user_id=user_id, assurance=Assurance.contact, provider="operator", digest="d"))
    world.ban(room_id, "@eve:x")
    entries = world.look()
    assert set(entries) >= {BOB, "@eve:x"}
    world.stage.refresh()
    assert world.stage.snapshot.account_measures(ALICE, NOW + 10)
    world.withdraw(room_id, BOB)
    world.look()
    world.stage.refresh()
    for user_id in (ALICE, BOB):
        assert world.stage.snapshot.account_measures(user_id, NOW + 10) == ()


def test_a_room_that_the_server_left_withdraws_nothing(world: World) -> None:
    room_id = world.make_list("@eve:x")
    world.look()
    world.stage.do(seed.set_membership, room_id, CAROL, "leave")
    world.make_list("@adam:x")
    assert set(world.look()) == {"@eve:x", "@adam:x"}
    world.stage.act(actions.Unfollow(room=room_id))
    assert set(world.look()) == {"@adam:x"}


@pytest.mark.parametrize("second_staff", ["required", "none"])
def test_a_list_alone_bars_no_more_than_a_few_accounts_here(db: TestDatabase, second_staff: str) -> None:
    world = World(db)
    world.stage.config = world.stage.config.model_copy(update={"second_staff": second_staff})
    room_id = world.make_list()
    people = [seed.local(f"person{number:02}") for number in range(25)]
    for person in people:
        world.stage.do(seed.make_user, person)
        world.ban(room_id, person)
    barred = set(world.look())
    assert len(barred) == (20 if second_staff == "required" else 25)
    assert set(world.skipped(room_id)) == set(people) - barred


def test_a_glob_of_accounts_is_in_memory_and_spares_who_works_here(world: World) -> None:
    stage, entry = world.stage, {"reason": "bots", "basis": "11.3"}
    stage.config = stage.config.model_copy(update={"second_staff": "none"})
    stage.act(actions.Impose(entity=seed.local("b?b"), **entry))
    stage.refresh()
    assert [one.entity for one in stage.snapshot.account_measures(BOB, NOW)] == [seed.local("b?b")]
    assert stage.snapshot.account_measures(ALICE, NOW) == ()
    for entity in (seed.local("a*"), "!*"):
        with pytest.raises(Exception, match=r"server admin|every room"):
            stage.act(actions.Impose(entity=entity, **entry))


def test_an_import_takes_the_room_of_an_alias_and_says_what_it_can_not_read(world: World) -> None:
    stage = world.stage
    room_id = stage.do(seed.make_room, ALICE)
    stage.database.rows(
        "INSERT INTO room_aliases (room_alias, room_id) VALUES (?, ?) RETURNING room_id", "#a:x", room_id
    )
    rules: Any = tuple(
        PolicyRule(kind=kind, entity=entity)
        for kind, entity in (
            (RuleKind.room, "#a:x"),
            (RuleKind.room, room_id),
            (RuleKind.room, "#unknown:x"),
            (RuleKind.user, "eve"),
        )
    )
    change = stage.act(actions.ImportRules(rules=rules, source="list.csv", basis="11.3"))
    assert change.facts["counts"] == {"new": 1, "already": 1, "refused": 0, "unreadable": 2}
    stage.refresh()
    [entry] = stage.snapshot.room(room_id, NOW).measures
    assert (entry.entity, entry.reason, entry.author) == (room_id, "Listed in list.csv.", ADMIN)
    assert entry.review_ms is not None
