# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is remembered to be allowed is what the rules would say again, whatever changed and whatever time it is."""

from __future__ import annotations

from typing import Any, NoReturn

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.config import GroupRegConfig
from synapse_groupreg.handlers import snapshot as snapshots
from synapse_groupreg.handlers.gate import GO_ON, UNRECORDED_MS, Gate
from synapse_groupreg.handlers.packed import Packed
from synapse_groupreg.handlers.people import People
from synapse_groupreg.handlers.snapshot import News, Snapshot
from synapse_groupreg.policy import judge
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import MeasureKind, Scope, SubjectKind, Switch
from synapse_groupreg.policy.staff import StaffRole
from synapse_groupreg.policy.types import LogIn, RoomKind, Send
from synapse_groupreg.storage.facts import Facts
from synapse_groupreg.storage.rooms import RoomRow
from tests.database import result_of
from tests.handlers.stage import ALICE, BOB, EVE, NOW, FakeHomeserver
from tests.policy import samples

ROOMS = ("!one:test.example.org", "!two:remote.example.org:8448", "!three")
USERS = (ALICE, BOB, EVE)


class AskedError(Exception):
    """Memory doesn't suffice."""


class NoDatabase:
    """Only what memory says is of interest here."""

    dialect = "sqlite"

    async def run(self, *_: object, **__: object) -> NoReturn:
        raise AskedError

    record = run


class World:
    """A gate that knows only what it is told."""

    def __init__(self, config: GroupRegConfig) -> None:
        database: Any = NoDatabase()
        self.config = config
        self.homeserver: Any = FakeHomeserver(admins=set())
        self.snapshot = Snapshot(database, self.homeserver, "enforce")
        self.people = People(self.homeserver, self.snapshot, ())
        self.gate = Gate(
            config=config,
            database=database,
            homeserver=self.homeserver,
            snapshot=self.snapshot,
            people=self.people,
            journal=NoDatabase(),  # type: ignore[arg-type]  # nothing is written
        )

    def try_all(self, *, manages: bool, posts: bool) -> None:
        for user_id in USERS:
            for attempt in (
                self.gate.log_in(user_id),
                *(self.gate.send(user_id, room, manages=manages, posts=posts) for room in ROOMS),
            ):
                try:
                    result_of(attempt)
                except AskedError:
                    continue

    def check(self) -> None:
        now_ms = self.homeserver.now
        for user_id in USERS:
            actor = self.people.account(user_id)
            if self.gate.surely_logs_in(user_id):
                assert judge(LogIn(actor=actor), self.config).allowed
            for room_id in ROOMS:
                if self.gate.surely_sends(user_id, room_id):
                    room, mute = self.snapshot.room(room_id, now_ms), self.snapshot.mute(user_id, room_id, now_ms)
                    assert judge(Send(actor=actor, room=room, mute=mute), self.config).allowed
                    assert room_id not in self.snapshot.slow
                    assert not self.gate.stands_still(user_id)


def facts(**more: Any) -> Facts:
    """That nothing else is known of whom it is about."""
    nothing: dict[str, Any] = {
        name: {} for name in ("assurances", "account_measures", "room_measures", "mutes", "slow", "rooms", "staff")
    }
    known = {"version": 1, "everything": False, "mode": None, "globs": (), "emergencies": ()}
    of_accounts = [more.get(name, {}) for name in ("assurances", "account_measures", "mutes")]
    of_rooms = [more.get(name, {}) for name in ("room_measures", "slow", "rooms")]
    subjects = {("account", user_id) for some in of_accounts for user_id in some}
    subjects |= {("room", room_id) for some in of_rooms for room_id in some}
    return Facts(**{**nothing, **known, "subjects": frozenset(subjects), **more})


def of_one(keys: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), values, min_size=1, max_size=1)


def measure(*kinds: SubjectKind, **more: Any) -> st.SearchStrategy[Any]:
    """One that begins or ends about now."""
    times = {"start_ms": samples.times, "until_ms": st.none() | samples.times}
    return st.builds(samples.measure, st.sampled_from(kinds), **times, **more).map(lambda one: (one,))


ROW = st.builds(
    RoomRow,
    room_id=st.just(ROOMS[0]),
    kind=st.just(RoomKind.group),
    founder=st.just(ALICE),
    members=st.sampled_from([None, 5, 12]),
    successor=st.sampled_from([None, "!new"]),
)
MUTED = st.builds(
    lambda room_id, until_ms: (attrs.evolve(samples.MUTE, room_id=room_id, until_ms=until_ms),),
    st.sampled_from(ROOMS),
    samples.times,
)
BY_GLOB = (SubjectKind.server, SubjectKind.account_glob, SubjectKind.room_glob)
SUBJECTS = st.sampled_from(["*", "remote.example.org", "*alice*", "!three", "!one*"])
EVERYBODY = {"kind": st.just(MeasureKind.emergency), "subject": st.sampled_from(list(Switch))}
SCOPES = {"scope": st.sampled_from(Scope)}
# What is not named lasts from the change before where it is about single accounts and rooms, else it ends.
ONE_CHANGE = st.one_of(
    st.fixed_dictionaries({"assurances": st.dictionaries(st.sampled_from(USERS), st.sampled_from(Assurance))}),
    st.fixed_dictionaries({"account_measures": of_one(USERS, measure(SubjectKind.account, **SCOPES))}),
    st.fixed_dictionaries({"room_measures": of_one(ROOMS, measure(SubjectKind.room))}),
    st.fixed_dictionaries({"mutes": of_one(USERS, MUTED)}),
    st.fixed_dictionaries({"slow": of_one(ROOMS, st.just(30_000))}),
    st.fixed_dictionaries({"rooms": of_one(ROOMS, ROW)}),
    st.fixed_dictionaries({"globs": measure(*BY_GLOB, subject=SUBJECTS, **SCOPES)}),
    st.fixed_dictionaries({"emergencies": measure(SubjectKind.everybody, **EVERYBODY)}),
    st.fixed_dictionaries({"staff": of_one(USERS, st.just(frozenset(StaffRole)))}),
    st.fixed_dictionaries({"unrecorded_since_ms": st.sampled_from([NOW - UNRECORDED_MS - 5, NOW - UNRECORDED_MS + 5])}),
)
ROUNDS = st.lists(st.tuples(ONE_CHANGE, st.booleans(), st.booleans(), st.sampled_from([-9, 1, 15])), max_size=5)
NEEDS = {"required": {"post": "contact", "members_over": {10: "real_name"}}}
RULES = [samples.config(on_error={"retention": "refuse"}), samples.config(identity=NEEDS)]


@given(config=st.sampled_from(RULES), rounds=ROUNDS)
def test_what_is_remembered_is_what_the_rules_would_say(config: GroupRegConfig, rounds: list[Any]) -> None:
    world = World(config)
    world.try_all(manages=False, posts=True)
    for change, manages, posts, later_ms in rounds:
        world.snapshot.apply(News(facts=facts(**change)))
        world.check()
        world.try_all(manages=manages, posts=posts)
        world.check()
        world.homeserver.now += later_ms
        world.check()


@pytest.mark.parametrize("start_ms", [NOW, NOW + 5])
@pytest.mark.parametrize(
    ("name", "key", "kind", "more"),
    [
        ("account_measures", ALICE, SubjectKind.account, {}),
        ("account_measures", ALICE, SubjectKind.account, {"scope": Scope.account}),
        ("room_measures", ROOMS[0], SubjectKind.room, {}),
        ("globs", None, SubjectKind.account_glob, {"subject": "*alice*"}),
        ("globs", None, SubjectKind.room_glob, {"subject": "!one*"}),
        ("globs", None, SubjectKind.server, {"subject": "test.example.org"}),
        ("globs", None, SubjectKind.server, {"subject": "remote.example.org"}),
        ("emergencies", None, SubjectKind.everybody, {"kind": MeasureKind.emergency, "subject": "posting"}),
    ],
)
def test_what_is_imposed_holds_from_its_beginning(
    name: str, key: str | None, kind: SubjectKind, more: dict[str, Any], start_ms: int
) -> None:
    world, found = World(RULES[0]), (samples.measure(kind, start_ms=start_ms, **more),)
    world.try_all(manages=False, posts=False)
    world.snapshot.apply(News(facts=facts(**{name: found if key is None else {key: found}})))
    world.check()
    world.try_all(manages=False, posts=False)
    world.homeserver.now += 10
    world.check()


@pytest.mark.parametrize("change", [{"slow": {ROOMS[0]: 30_000}}, {"unrecorded_since_ms": NOW - UNRECORDED_MS}])
def test_so_do_slow_mode_and_what_stops_everybody(change: dict[str, Any]) -> None:
    world = World(RULES[0])
    world.try_all(manages=False, posts=False)
    world.snapshot.apply(News(facts=facts(**change)))
    world.check()
    world.try_all(manages=False, posts=False)
    world.homeserver.now += 10
    world.check()


def test_a_clock_that_is_turned_back_lets_nobody_out_of_a_mute() -> None:
    world = World(RULES[0])
    mute = attrs.evolve(samples.MUTE, room_id=ROOMS[0], until_ms=NOW + 5)
    world.snapshot.apply(News(facts=facts(mutes={ALICE: (mute,)})))
    world.homeserver.now += 10
    world.try_all(manages=False, posts=True)
    world.homeserver.now = NOW
    world.check()


@pytest.fixture
def world() -> World:
    return World(samples.config())


def test_what_was_allowed_is_remembered_until_anything_changes(world: World) -> None:
    assert not world.gate.surely_logs_in(ALICE)
    assert result_of(world.gate.log_in(ALICE)) is result_of(world.gate.send(ALICE, ROOMS[0])) is GO_ON
    assert world.gate.surely_logs_in(ALICE)
    assert world.gate.surely_sends(ALICE, ROOMS[0])
    assert not world.gate.surely_sends(ALICE, ROOMS[1])
    assert not world.gate.surely_sends(BOB, ROOMS[0])
    world.snapshot.apply(News(facts=facts(staff={EVE: frozenset(StaffRole)})))
    assert not world.gate.surely_logs_in(ALICE)
    assert not world.gate.surely_sends(ALICE, ROOMS[0])


def test_a_change_about_others_lets_what_was_allowed_be_remembered(world: World) -> None:
    for user_id in (ALICE, BOB):
        for room_id in ROOMS[:2]:
            result_of(world.gate.send(user_id, room_id))
    world.snapshot.apply(News(facts=facts(assurances={BOB: Assurance.contact}, slow={ROOMS[1]: 30_000})))
    sure = [(one, room_id) for one in (ALICE, BOB) for room_id in ROOMS if world.gate.surely_sends(one, room_id)]
    assert sure == [(ALICE, ROOMS[0])]


def test_everything_read_anew_is_a_change(world: World) -> None:
    result_of(world.gate.send(ALICE, ROOMS[0]))
    everything = facts(everything=True, subjects=frozenset())
    world.snapshot.apply(News(facts=everything, assurance=Packed("B", Assurance), rooms=Packed("I", int)))
    assert not world.gate.surely_sends(ALICE, ROOMS[0])


def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_MOST_ALLOWED", 3)
    for number in range(20):
        world.snapshot.note_allowed(ALICE, f"!{number}")
        assert world.snapshot.allows(ALICE, f"!{number}")
    assert sum(world.snapshot.allows(ALICE, f"!{number}") for number in range(20)) <= 3
